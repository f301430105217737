"""TIFF: as for Postshot, in a format that photo and compositing programs share."""

from __future__ import annotations

from . import postshot
from .tiff import write_rgba


class Writer(postshot.Writer):
    """Writes integer RGBA with straight alpha."""

    kind = "TIFF"
    write_image = staticmethod(write_rgba)
