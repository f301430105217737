"""The short forms of `bench faults`, `farm` and `hostile`: kills and full disks, and some hundred damaged inputs."""

import subprocess
import sys

import pytest

from bench._common import environment


@pytest.mark.parametrize(
    "short",
    [
        ("bench.faults", "--kills", "40"),
        ("bench.farm", "forks", "--shots", "3", "--kills", "8"),
        ("bench.hostile", "--inputs", "800"),
    ],
)
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
