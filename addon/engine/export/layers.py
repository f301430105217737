"""Multi-layer EXR: one layer per object with its matte, and all objects as Cryptomatte.

An object's layer has the object's name and one channel `A`. The Cryptomatte layer has the usual name `CryptoObject`, so
objects can be picked with Blender's or Nuke's Cryptomatte node. Where more objects overlap than there are ranks, those
with the least coverage are missing from Cryptomatte; the objects' own layers are complete.

Source: Friedman and Jones, "Cryptomatte", specification 1.2.0 (github.com/Psyop/Cryptomatte): ids are MurmurHash3 (x86,
32 bits, seed 0) of the UTF-8 names, as floats with an exponent that is never 0 or 255; ranked pairs of id and coverage,
strongest first; header attributes cryptomatte/<first 7 digits of the layer's hash>/name, hash, conversion, manifest.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

import mmh3
import numpy as np
from numpy.typing import NDArray

from ...contract.errors import JobError
from ...contract.job import Job
from ..footage.footage import Reader
from .exr import write_exr
from .objects import folders_of
from .writer import BaseWriter, MatteOf, Write

CRYPTOMATTE = "CryptoObject"
_RANKS = 6  # pairs of id and coverage; two fill a layer of R, G, B and A


class Writer(BaseWriter):
    """Writes one EXR image per frame."""

    def __init__(self, job: Job, reader: Reader) -> None:
        super().__init__(job, reader)
        if job.invert:
            raise JobError("Layers of objects can't be inverted.", where="invert", hint="Switch it off.")
        self._layers = layers_of([matte_object.name for matte_object in job.objects if matte_object.export])
        self._levels = -(-min(_RANKS, len(self._layers)) // 2)

    def frame_files(self, frame: int, matte: MatteOf) -> Mapping[str, Write]:
        """One image."""

        def write(file: BinaryIO) -> None:
            mattes = [matte(frame, name) for name in self._layers]
            ids = np.array([hash_of(name) for name in self._layers], np.uint32)

            def rows(part: slice) -> NDArray[Any]:
                coverage = np.divide(np.stack([matte[part] for matte in mattes], axis=-1), 255, dtype=np.float32)
                return np.concatenate([coverage, ranked(coverage, ids, 2 * self._levels)], axis=-1)

            channels = {f"{layer}.A": "half" for layer in self._layers.values()}
            for level in range(self._levels):
                channels.update({f"{CRYPTOMATTE}{level:02d}.{channel}": "float" for channel in "RGBA"})
            write_exr(file, (self.job.footage.width, self.job.footage.height), channels, rows, header(self._layers))

        return {self.path(frame): write}

    def describe(self) -> Mapping[str, Any]:
        """The file format and the layer of every object."""
        return {
            "files": f"EXR, a layer for each object with its matte in A, and Cryptomatte {CRYPTOMATTE}, upright",
            "layers": self._layers,
        }


def layers_of(names: Sequence[str]) -> dict[str, str]:
    """A layer name per object name: without dots, which separate layer and channel, and unlike a Cryptomatte layer."""
    mark = "_" if any(name.casefold().startswith(CRYPTOMATTE.casefold()) for name in names) else ""
    return dict(zip(names, folders_of(mark + name for name in names).values(), strict=True))


def hash_of(name: str) -> int:
    """The Cryptomatte id of a name: a uint32 whose bits are a normal float32."""
    value = mmh3.hash(name.encode(), signed=False)
    return value ^ (1 << 23) if (value >> 23) & 255 in (0, 255) else value


def header(names: Sequence[str] | Mapping[str, Any]) -> dict[str, str]:
    """The header attributes that describe the Cryptomatte layer and list its names."""
    key = f"cryptomatte/{mmh3.hash(CRYPTOMATTE.encode(), signed=False):08x}"[: len("cryptomatte/") + 7]
    manifest = {name: f"{hash_of(name):08x}" for name in names}
    return {
        f"{key}/name": CRYPTOMATTE,
        f"{key}/hash": "MurmurHash3_32",
        f"{key}/conversion": "uint32_to_float32",
        f"{key}/manifest": json.dumps(manifest, ensure_ascii=False, separators=(",", ":")),
    }


def ranked(coverage: NDArray[np.float32], ids: NDArray[np.uint32], ranks: int) -> NDArray[np.float32]:
    """Rank the objects of every pixel by coverage, highest first.

    Args:
        coverage: (rows, width, objects), 0 to 1.
        ids: (objects,).
        ranks: number of pairs; pairs beyond the number of objects are 0.

    Returns:
        float32 (rows, width, 2 * ranks), pairs of id and coverage; both are 0 where there is no object.
    """
    result = np.zeros((*coverage.shape[:2], 2 * ranks), np.float32)
    there = coverage > 0
    if np.count_nonzero(there) == np.count_nonzero(there.any(axis=-1)):  # no two overlap: nothing to sort
        for i, number in enumerate(ids.view(np.float32)):
            result[..., 0][there[..., i]] = number
        result[..., 1] = coverage.max(axis=-1)
        return result
    order = np.argsort(-coverage, axis=-1, kind="stable")[..., :ranks]
    strongest = np.take_along_axis(coverage, order, axis=-1)
    count = order.shape[-1]
    result[..., 0 : 2 * count : 2] = np.where(strongest > 0, ids.view(np.float32)[order], np.float32(0))
    result[..., 1 : 2 * count : 2] = strongest
    return result
