"""Camera raw files, recognised by their suffixes. The engine reads them; Blender does not.

Standard library only; both processes import it.
"""

from __future__ import annotations

HEIF_SUFFIXES = frozenset({".heic", ".heif", ".hif"})
RAW_SUFFIXES = frozenset({".dng", ".cr2", ".cr3", ".nef", ".nrw", ".arw", ".raf", ".orf", ".rw2", ".pef", ".srw"})
