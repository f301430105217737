"""An export in a process of its own, to be killed, doubled or starved of disk by the tests.

python export_process.py FOOTAGE OUTPUT KEY plain|half|gate

half: gets stuck in the middle of writing frame 6, after having said so. gate: waits for a line before it begins.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[2]))

from addon.engine.export import export, postshot
from addon.engine.footage import Reader, scan
from addon.errors import MatteError
from addon.job import Job, MatteObject, Point, Prompt


def matte(frame: int, width: int, height: int) -> NDArray[np.uint8]:
    """A disc that wanders."""
    y, x = np.mgrid[0:height, 0:width]
    inside = (x - 5 * frame) ** 2 + (y - height / 2) ** 2 < (height / 3) ** 2
    return np.where(inside, 255, 0).astype(np.uint8)


def say(text: str) -> None:
    """One line in one write: two threads speak here."""
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
        job,
        Reader(footage),
        lambda frame: matte(frame, footage.width, footage.height),
        frames=job.frames,
        key=key,
        report={"model": "none"},
        on_frame=on_frame,
        cancelled=lambda: False,
    )


def _stuck(file: BinaryIO, reader: Reader, frame: int, alpha: NDArray[np.uint8]) -> None:
    if frame == 6:
        file.write(b"\x89PNG half a frame")
        file.flush()
        say("half")
        threading.Event().wait()
    _write(file, reader, frame, alpha)


_write = postshot.write

if __name__ == "__main__":
    _, footage_folder, output, key, mode = sys.argv
    if mode == "half":
        postshot.write = _stuck
    if mode == "gate":
        say("ready")
        sys.stdin.readline()
    try:
        say(f"version {run(Path(footage_folder), Path(output), key)}")
    except MatteError as error:
        say(str(error))
        sys.exit(error.exit_code)
