"""Downloading published checkpoints."""

from __future__ import annotations

from pathlib import Path

from ..checkpoints import Official
from ..runtime.watch import Watch
from .download import download


def download_checkpoint(official: Official, folder: Path, watch: Watch) -> Path:
    """Download a checkpoint to `folder`, where all Blenders find it, and check it. Returns the file.

    Raises:
        CheckpointError, OutputError, Cancelled: see `download`.
    """
    target = folder / official.file
    download(official.url, target, official.bytes, official.sha256, watch)
    return target
