"""Memory of an export is returned to the system."""

import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from addon.engine.export.malloc import giving_back

MB = 1_000_000


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's own")
def test_large_blocks_leave_no_holes() -> None:
    kept: list[np.ndarray] = []

    def work() -> None:
        """Allocate large blocks, each followed by a small one that stays."""
        for _ in range(4):
            large = np.ones(20 * MB, np.uint8)
            kept.append(np.ones(MB // 10, np.uint8))
            del large

    np.ones(30 * MB, np.uint8)  # having seen this, glibc would keep blocks of 20 MB
    before = resident()
    with giving_back():
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert resident() - before < 5 * MB
