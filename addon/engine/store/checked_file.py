"""Files of tensors with a checksum, so that damaged data is never read.

A file has the content that `torch.save` writes, followed by a CRC-32 and a mark of 4 bytes each. Torch does not verify
the checksums of its own archives, so without this a flipped bit in a memory would silently change mattes.
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
    """Write `value` to `file`, for use with `disk.write_file`. Raises OSError, where torch raises a RuntimeError."""
    buffer = io.BytesIO()
    torch.save(value, buffer)
    data = buffer.getbuffer()
    file.write(data)
    file.write(_TAIL.pack(isal_zlib.crc32(data), _MARK))


def read(path: Path, device: torch.device | str) -> Any:
    """Read a value that `write` wrote, with its tensors on `device`; None if the file is missing or damaged."""

    def read_whole() -> Any:
        data = path.read_bytes()
        checksum, mark = _TAIL.unpack_from(data, max(0, len(data) - _TAIL.size))
        body = memoryview(data)[: -_TAIL.size]
        if mark != _MARK or isal_zlib.crc32(body) != checksum:
            return None
        return torch.load(io.BytesIO(body), map_location=device, weights_only=True)

    return read_or(None, read_whole)
