"""The shape keys of masks, which Blender's Python API lacks: read from a copy on disk and cached."""

from __future__ import annotations

import tempfile
from pathlib import Path

import bpy

from ..settings.mask_changes import changes
from .blendfile import ShapeKey, read_shape_keys

_kept: dict[str, dict[str, list[ShapeKey]]] = {}  # by the mask's full name, then by layer
_kept_at = 0  # value of `changes` when they were read


def forget_shape_keys() -> None:
    """Clear the cache. Needed in background mode, where Blender does not report changes of masks."""
    _kept.clear()


def shape_keys_of(mask: bpy.types.Mask) -> dict[str, list[ShapeKey]]:
    """Return the mask's shape keys by layer name, cached until a mask changes.

    Stepping through the frames to read them would disturb the artist's scene, so a copy of the mask is saved to a
    temporary file and read from there.

    Raises:
        JobError: they can't be read.
    """
    global _kept_at
    if _kept_at != changes():
        _kept_at = changes()
        forget_shape_keys()
    if mask.name_full not in _kept:
        with tempfile.TemporaryDirectory(dir=bpy.app.tempdir) as folder:
            file = Path(folder) / "mask.blend"
            bpy.data.libraries.write(str(file), {mask}, compress=False)
            _kept[mask.name_full] = read_shape_keys(file, mask.name)
    return _kept[mask.name_full]
