"""The short forms of `bench faults` and `bench hostile`: some kills and full disks, some hundred damaged inputs."""

import subprocess
import sys

import pytest

from bench._common import environment


@pytest.mark.parametrize("short", [("bench.faults", "--kills", "40"), ("bench.hostile", "--inputs", "800")])
def test_nothing_is_lost_and_nothing_gets_through(short: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", *short],
        env=environment(),
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-4000:]
