"""TIFF: as for Postshot, in the format that photo and compositing programs share."""

from __future__ import annotations

from . import postshot
from .tiff import write_rgba


class Writer(postshot.Writer):
    """Straight RGBA of integers."""

    kind = "TIFF"
    write_image = staticmethod(write_rgba)
