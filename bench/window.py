"""How quick Blender's window is while the engine works: stalls, previews, scrubbing, the first sign of life.

    python3 vendor_setup bench window [--size 6000x9000] [--frames 3]

Told by hand in a real Blender (tests/gui/stalls.py), which is found or set up as for `test gui`. Beside the seconds of
the clock stands what Blender's main thread computed, which another program's load does not change.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from vendor_setup import gui

from ._common import photos

_MINUTES = 90  # of a story, on a machine that has other work too


def main() -> int:
    """Tell it; what is measured is printed on the way."""
    parser = argparse.ArgumentParser(prog="bench window", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--size", default="", metavar="WxH", help="of made-up photos; default: the demo's 854x480")
    parser.add_argument("--frames", type=int, default=3, help="photos; default: %(default)s")
    options = parser.parse_args()
    if not options.size:
        return gui.main(["stalls"], minutes=_MINUTES)
    with tempfile.TemporaryDirectory() as room:
        width, height = map(int, options.size.split("x"))
        return gui.main(["stalls"], photos(Path(room) / "photos", options.frames, width, height), _MINUTES)


if __name__ == "__main__":
    sys.exit(main())
