"""Reads and writes a trained splat: a PLY with one `vertex` for each Gaussian.

Source: the file of the reference implementation of 3D Gaussian Splatting (`point_cloud.ply`): x, y, z, then opacity,
scales, rotation and spherical harmonics as float properties. Only x, y and z are interpreted; all properties are kept
unchanged, including those that a trainer adds.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from plyfile import PlyData, PlyElement, PlyListProperty

from ...contract.boundary import reading
from ...contract.disk import write_file, writing
from ...contract.errors import JobError, OutputError

_MOST = 200_000_000  # Gaussians; the largest splats have tens of millions


@dataclass(frozen=True, slots=True)
class Splat:
    """A splat in memory, or mapped from its file.

    places: (n, 3) float64, the Gaussians' centres in world units.
    """

    path: Path
    places: NDArray[np.float64]
    _data: PlyData

    def write(self, path: Path, kept: NDArray[np.bool_]) -> None:
        """Write the Gaussians of `kept`, bool (n,), with every property unchanged. The file appears only once complete.

        Raises OutputError if it can't be written, or if `path` exists already.
        """
        if path.exists():
            raise OutputError("This file exists already.", where=str(path), hint="Choose another name (--output).")
        vertex = self._data["vertex"]
        chosen = PlyElement.describe(vertex.data[kept], "vertex", comments=list(vertex.comments))
        others = [element for element in self._data.elements if element.name != "vertex"]
        data = PlyData(
            [chosen, *others],
            text=False,
            byte_order=self._data.byte_order,
            comments=list(self._data.comments),
            obj_info=list(self._data.obj_info),
        )

        def write(file: BinaryIO) -> None:
            data.write(file)

        with writing(path.parent):
            write_file(path, write)


def read_splat(path: Path) -> Splat:
    """Read a splat's PLY. Raises JobError, which says what is wrong with the file and what to do."""
    hint = "Name the uncompressed PLY that the trainer has written."
    with reading(JobError, "This is not the PLY of a splat, or it is damaged", where=str(path), hint=hint):
        data = PlyData.read(path)
        if data.text:
            raise JobError("This PLY is text.", where=str(path), hint="Save it as binary, as trainers do.")
        names = [element.name for element in data.elements]
        if "vertex" not in names or "chunk" in names:
            raise JobError("This PLY is compressed, or it is not a splat.", where=str(path), hint=hint)
        if "face" in names:
            raise JobError("This PLY is a mesh: it has faces.", where=str(path), hint=hint)
        vertex = data["vertex"]
        if any(isinstance(column, PlyListProperty) for column in vertex.properties):
            raise JobError("Its vertices have list properties, which a splat never has.", where=str(path), hint=hint)
        if not 0 < vertex.count <= _MOST:
            raise JobError(f"It has {vertex.count} Gaussians.", where=str(path), hint=hint)
        places = _places(vertex.data)
    return Splat(path, places, data)


def _places(vertices: NDArray[Any]) -> NDArray[np.float64]:
    return np.stack([np.asarray(vertices[axis], np.float64) for axis in "xyz"], axis=1)
