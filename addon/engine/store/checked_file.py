"""Tensors on disk with a checksum: what is read back is what was written, or nothing.

A file is what `torch.save` writes, then CRC-32 and a mark, 4 bytes each. Torch does not check the sums of
its own archives, so a flipped bit in a memory would quietly give other mattes.
"""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any, BinaryIO

import torch
from isal import isal_zlib

from ...contract.boundary import read_or

_TAIL = struct.Struct("<I4s")
_MARK = b"SMck"


def write(file: BinaryIO, value: Any) -> None:
    """For `disk.write_file`. Raises OSError; torch itself would hide a full disk in a RuntimeError."""
    buffer = io.BytesIO()
    torch.save(value, buffer)
    data = buffer.getbuffer()
    file.write(data)
    file.write(_TAIL.pack(isal_zlib.crc32(data), _MARK))


def read(path: Path, device: torch.device | str) -> Any:
    """What `write` wrote, its tensors on `device`; None if it is missing or damaged."""

    def read_whole() -> Any:
        data = path.read_bytes()
        checksum, mark = _TAIL.unpack_from(data, max(0, len(data) - _TAIL.size))
        body = memoryview(data)[: -_TAIL.size]
        if mark != _MARK or isal_zlib.crc32(body) != checksum:
            return None
        return torch.load(io.BytesIO(body), map_location=device, weights_only=True)

    return read_or(None, read_whole)
