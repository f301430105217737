"""The short form of `bench hostile`: a few hundred damaged and hostile inputs of each kind that comes from outside."""

import subprocess
import sys

import pytest

from bench._common import environment

pytest.importorskip("hypothesis")


def test_nothing_gets_through() -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "bench.hostile", "--inputs", "800"],
        env=environment(),
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-4000:]
