"""The short form of `bench faults`: some kills, full disks and vanishing folders."""

import subprocess
import sys

from bench._common import environment


def test_nothing_is_lost() -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "bench.faults", "--kills", "40"],
        env=environment(),
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-4000:]
