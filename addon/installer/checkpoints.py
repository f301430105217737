"""Brings published checkpoints."""

from __future__ import annotations

from pathlib import Path

from ..checkpoints import Official
from ..runtime.watch import Watch
from .download import download


def download_checkpoint(official: Official, folder: Path, watch: Watch) -> Path:
    """Bring `official` into `folder`, where all Blenders find it, whole and checked. Returns the file.

    Raises:
        CheckpointError, OutputError, Cancelled: as `download`.
    """
    target = folder / official.file
    download(official.url, target, official.bytes, official.sha256, watch)
    return target
