"""An export in a process of its own, to be killed, doubled or starved of disk by the tests.

python export_process.py FOOTAGE OUTPUT KEY plain|half|gate

half: gets stuck in the middle of writing frame 6, after having said so. gate: waits for a line before it begins.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[2]))

from addon.contract.errors import MatteError
from addon.contract.job import Job
from addon.contract.job_types import MatteObject, Point, Prompt
from addon.engine.export import export, postshot, prepare
from addon.engine.export.writer import MatteOf, Write
from addon.engine.footage.footage import Reader, scan


def matte(frame: int, width: int, height: int) -> NDArray[np.uint8]:
    """Return a disc that moves from frame to frame."""
    y, x = np.mgrid[0:height, 0:width]
    inside = (x - 5 * frame) ** 2 + (y - height / 2) ** 2 < (height / 3) ** 2
    return np.where(inside, 255, 0).astype(np.uint8)


def say(text: str) -> None:
    """Print a line in a single write, as two threads print."""
    os.write(1, f"{text}\n".encode())


def run(footage_folder: Path, output: Path, key: str, said: list[str] | None = None) -> Path:
    """Export all frames; notes "done/total frame" in `said`, or prints it."""
    footage, _ = scan(footage_folder)
    marked = MatteObject("subject", (Prompt(1, (Point(1, 1),)),))
    job = Job(footage, (marked,), output=str(output))

    def on_frame(done: int, total: int, frame: int) -> None:
        text = f"{done}/{total} {frame}"
        if said is None:
            say(text)
        else:
            said.append(text)

    return export(
        prepare(job, Reader(footage)),
        lambda frame, name: matte(frame, footage.width, footage.height),
        frames=job.frames,
        key=key,
        report={"model": "none"},
        on_frame=on_frame,
        cancelled=lambda: False,
    )


def may_mount() -> bool:
    """Whether a test may mount a small disk."""
    if not shutil.which("unshare"):
        return False
    return (
        subprocess.run(
            ["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", tempfile.gettempdir()], capture_output=True
        ).returncode
        == 0
    )


class Stuck(postshot.Writer):
    def frame_files(self, frame: int, matte: MatteOf) -> Mapping[str, Write]:
        def stuck(file: BinaryIO) -> None:
            file.write(b"\x89PNG half a frame")
            file.flush()
            say("half")
            threading.Event().wait()

        files = super().frame_files(frame, matte)
        return dict.fromkeys(files, stuck) if frame == 6 else files


if __name__ == "__main__":
    _, footage_folder, output, key, mode = sys.argv
    if mode == "half":
        postshot.Writer = Stuck
    if mode == "gate":
        say("ready")
        sys.stdin.readline()
    try:
        say(f"version {run(Path(footage_folder), Path(output), key)}")
    except MatteError as error:
        say(str(error))
        sys.exit(error.exit_code)
