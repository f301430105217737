"""Measures how responsive Blender's window is while the engine works: stalls, previews, scrubbing, the first sign of
life.

    python3 vendor_setup bench window [--size 6000x9000] [--frames 3]

A story (tests/gui/stalls.py) presses keys and buttons in a real Blender, which is found or set up as for `test gui`.
Besides wall-clock seconds it prints the processor seconds of Blender's main thread, which other load does not change.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from vendor_setup import gui

from ._common import photos

_MINUTES = 90  # time limit of the story, generous for a busy machine


def main() -> int:
    """Run the story, which prints its measurements on the way."""
    parser = argparse.ArgumentParser(prog="bench window", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--size", default="", metavar="WxH", help="size of generated photos; default: the demo's 854x480"
    )
    parser.add_argument("--frames", type=int, default=3, help="number of photos; default: %(default)s")
    options = parser.parse_args()
    if not options.size:
        return gui.main(["stalls"], minutes=_MINUTES)
    with tempfile.TemporaryDirectory() as room:
        width, height = map(int, options.size.split("x"))
        return gui.main(["stalls"], photos(Path(room) / "photos", options.frames, width, height), _MINUTES)


if __name__ == "__main__":
    sys.exit(main())
