"""Where everything lies on disk: every path and file format that both processes know, said once."""

from __future__ import annotations

import re
from pathlib import Path

from .job_types import Footage

# What cameras and phones call a frame, before its number: IMG_0001, _DSC0001, P1000001, PXL_20260101_120000000.
CAMERA_BASE = re.compile(r"_?(?:img|dsc|dscf|dscn|dji|gopr|gx|pxl|mvi|p|r|mg)?[-_. \d]*", re.IGNORECASE)


def default_matte_folder(footage: Footage) -> Path:
    """`<name>_matte` beside the footage.

    `<name>` is the sequence's base name, or its folder's where the base says nothing: only digits, or a camera's
    (`IMG_0001.JPG`, `DSC_0001.NEF`), or the folder's above several. A movie's is its file name.
    """
    first = Path(footage.files[0])
    if footage.movie:
        return first.with_name(f"{first.stem}_matte")
    root = footage.root
    if root != first.parent:
        return root / f"{root.name or 'footage'}_matte"
    base = re.sub(r"\d+$", "", first.stem)
    if CAMERA_BASE.fullmatch(base):
        return first.with_name(f"{first.parent.name or 'footage'}_matte")
    return first.with_name(f"{base.rstrip('-_. ')}_matte")
