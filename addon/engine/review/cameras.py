"""Reads solved cameras by clip frame, from a COLMAP model (text or binary) or a transforms.json.

COLMAP: https://colmap.github.io/format.html. transforms.json:
https://docs.nerf.studio/quickstart/data_conventions.html, a format in which Blender's solved camera is written, too.
World units and axes are those of the solve.
"""

from __future__ import annotations

import itertools
import json
import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ...contract.boundary import bounded_text, reading
from ...contract.errors import JobError
from ...contract.job_types import Footage
from ..footage.footage import Reader
from ..footage.frame_names import FrameNames

Points = NDArray[np.float64]

# COLMAP's camera models that are a pinhole with OpenCV's distortion: number, and names of its parameters in order.
_MODELS = {
    "SIMPLE_PINHOLE": (0, "f cx cy"),
    "PINHOLE": (1, "fx fy cx cy"),
    "SIMPLE_RADIAL": (2, "f cx cy k1"),
    "RADIAL": (3, "f cx cy k1 k2"),
    "OPENCV": (4, "fx fy cx cy k1 k2 p1 p2"),
    "FULL_OPENCV": (6, "fx fy cx cy k1 k2 p1 p2 k3 k4 k5 k6"),
}
_NAMES = {number: name for name, (number, _) in _MODELS.items()}
_DISTORTION = ("k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6")
_HINT = "Name a COLMAP model's folder (cameras and images, .txt or .bin) or a transforms.json."
_MAX_BYTES = 4_000_000_000  # of one file; a COLMAP model of ten thousand photos has less than half of that
_MAX_NAME = 4096  # bytes of an image's name
_FARTHEST = 1e9  # largest number in a pose or lens; beyond that, sums lose precision
_FLATTEST = 1e-9  # least determinant of a rotation, which a transforms.json may scale
_LONGEST = 1000  # longest focal length, in widths or heights of the image
_FLIP = np.diag([1.0, -1.0, -1.0])  # from OpenGL's camera axes (y up, looks along -z) to OpenCV's


@dataclass(frozen=True, slots=True)
class Lens:
    """A pinhole lens with OpenCV's distortion. Lengths are in image widths (x) and heights (y), so any resolution will
    do.
    """

    focal: tuple[float, float]
    centre: tuple[float, float]
    distortion: tuple[float, ...]  # k1 k2 p1 p2 k3 k4 k5 k6


@dataclass(frozen=True, slots=True)
class Camera:
    """A lens at a pose. rotation (3, 3), translation (3,): from world to camera (x right, y down, z forward)."""

    lens: Lens
    rotation: Points
    translation: Points

    @property
    def place(self) -> Points:
        """Return its centre in world coordinates, (3,)."""
        place: Points = -self.rotation.T @ self.translation
        return place

    def project(self, points: Points) -> tuple[Points, Points]:
        """Project world points (n, 3); return image positions (n, 2), 0 to 1 from the top left corner, and depths (n,).

        Points behind the camera, or so far off the axis that the distortion polynomial folds them back, are NaN.
        """
        local = points @ self.rotation.T + self.translation
        depth = local[:, 2]
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            x, y = local[:, 0] / depth, local[:, 1] / depth
            k1, k2, p1, p2, k3, k4, k5, k6 = self.lens.distortion
            r2 = x * x + y * y
            radial = (1 + r2 * (k1 + r2 * (k2 + r2 * k3))) / (1 + r2 * (k4 + r2 * (k5 + r2 * k6)))
            image = np.stack(
                [
                    self.lens.focal[0] * (x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x)) + self.lens.centre[0],
                    self.lens.focal[1] * (y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y) + self.lens.centre[1],
                ],
                axis=1,
            )
            reach = 1.5 * math.hypot(0.5 / self.lens.focal[0], 0.5 / self.lens.focal[1])
            image[(depth <= 0) | (r2 > reach * reach)] = np.nan
        return image, depth


def read_poses(path: Path, footage: Footage) -> dict[int, Camera]:
    """Read the solved cameras of a clip by clip frame.

    Args:
        path: the folder of a COLMAP model, or a transforms.json.
        footage: the footage, whose images the names refer to.

    Raises:
        JobError: the file has no poses, poses of other images, or an unsupported lens; the error names the file.
    """
    if footage.panorama:
        raise JobError("Panoramas can't be checked in 3-D.", where="footage.panorama")
    with reading(JobError, "These poses are damaged or can't be read", where=str(path), hint=_HINT):
        names = FrameNames(Reader(footage), footage.frame_count)
        found = dict(_by_frame(_read(path, footage), names))
    if not found:
        raise JobError("None of its images is of this footage.", where=str(path), hint="Name the poses of this clip.")
    return found


def _by_frame(cameras: Iterator[tuple[str, Camera]], names: FrameNames) -> Iterator[tuple[int, Camera]]:
    for name, camera in cameras:
        if not isinstance(name, str):
            raise ValueError("the name of an image is not a text")
        if not all((np.abs(array) <= _FARTHEST).all() for array in (camera.rotation, camera.translation)):
            raise ValueError(f"the pose of {name} has values that are not numbers up to {_FARTHEST:g}")
        if not abs(np.linalg.det(camera.rotation)) > _FLATTEST:
            raise ValueError(f"the rotation of {name} is not a rotation matrix")
        frame = names.find(name)
        if frame is not None:
            yield frame, camera


def _read(path: Path, footage: Footage) -> Iterator[tuple[str, Camera]]:
    if path.is_file() and path.suffix in (".bin", ".txt"):
        path = path.parent
    if path.is_file():
        return _transforms(path, footage)
    for suffix, lenses, images in ((".bin", _binary_lenses, _binary_images), (".txt", _text_lenses, _text_images)):
        files = [path / f"{name}{suffix}" for name in ("cameras", "images")]
        if all(file.is_file() for file in files):
            return _colmap(images(files[1]), lenses(files[0], footage))
    raise JobError("There are no poses here.", where=str(path), hint=_HINT)


def _lens(values: dict[str, float], width: float, height: float, footage: Footage, path: Path) -> Lens:
    """Return a lens from values in pixels of an image of that size. Raises JobError if the footage has another aspect
    ratio.
    """
    if not (width > 0 and height > 0 and abs(width / height * footage.height / footage.width - 1) < 0.02):
        raise JobError(
            f"Its images are {width:g} x {height:g}, the footage is {footage.width} x {footage.height} pixels.",
            where=str(path),
            hint="Solve the upright images, not cropped.",
        )
    fx, fy = values.get("fx", values.get("f", 0.0)), values.get("fy", values.get("f", 0.0))
    if not (0 < fx <= _LONGEST * width and 0 < fy <= _LONGEST * height):
        raise ValueError("a focal length is missing or beyond any lens's")
    if not all(abs(value) <= _FARTHEST for value in values.values()):
        raise ValueError(f"a lens has values that are not numbers up to {_FARTHEST:g}")
    return Lens(
        (fx / width, fy / height),
        (values["cx"] / width, values["cy"] / height),
        tuple(values.get(name, 0.0) for name in _DISTORTION),
    )


# -- COLMAP ---------------------------------------------------------------------------------------------------------


def _colmap(
    images: Iterator[tuple[str, int, tuple[float, ...], tuple[float, ...]]], lenses: dict[int, Lens]
) -> Iterator[tuple[str, Camera]]:
    for name, lens, (w, x, y, z), translation in images:
        n = math.hypot(w, x, y, z)
        if not 0.5 < n < 2:  # COLMAP writes unit quaternions
            raise ValueError(f"the rotation of {name} is not a unit quaternion")
        w, x, y, z = w / n, x / n, y / n, z / n
        rotation = np.array(
            [
                [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
                [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
                [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
            ]
        )
        yield name, Camera(lenses[lens], rotation, np.array(translation))


def _model_lens(model: str, width: int, height: int, values: list[float], footage: Footage, path: Path) -> Lens:
    names = _MODELS[model][1].split()
    return _lens(dict(zip(names, values, strict=True)), width, height, footage, path)


def _unsupported(model: object, path: Path) -> JobError:
    return JobError(
        f"The camera model {model} is not supported.",
        where=str(path),
        hint=f"Undistort the images with COLMAP, or solve with one of {', '.join(_MODELS)}.",
    )


def _text_lenses(path: Path, footage: Footage) -> dict[int, Lens]:
    found = {}
    for line in bounded_text(path, _MAX_BYTES).splitlines():
        if line.strip() and not line.startswith("#"):
            number, model, width, height, *values = line.split()
            if model not in _MODELS:
                raise _unsupported(model, path)
            found[int(number)] = _model_lens(model, int(width), int(height), list(map(float, values)), footage, path)
    return found


def _text_images(path: Path) -> Iterator[tuple[str, int, tuple[float, ...], tuple[float, ...]]]:
    lines = [line for line in bounded_text(path, _MAX_BYTES).splitlines() if not line.startswith("#")]
    for line in lines[::2]:  # each image is followed by a line with its points, which may be empty
        if line.strip():
            _, *values, lens, name = line.split(maxsplit=9)
            numbers = tuple(map(float, values))
            if len(numbers) != 7:
                raise ValueError(f"the pose of {name} has {len(numbers)} numbers, not 7")
            yield name, int(lens), numbers[:4], numbers[4:7]


def _binary_lenses(path: Path, footage: Footage) -> dict[int, Lens]:
    found = {}
    with path.open("rb") as file:
        for _ in range(_unpack(file, "<Q")[0]):
            number, model, width, height = _unpack(file, "<iiQQ")
            if model not in _NAMES:
                raise _unsupported(f"number {model}", path)
            name = _NAMES[model]
            values = list(_unpack(file, f"<{len(_MODELS[name][1].split())}d"))
            found[number] = _model_lens(name, width, height, values, footage, path)
    return found


def _binary_images(path: Path) -> Iterator[tuple[str, int, tuple[float, ...], tuple[float, ...]]]:
    with path.open("rb") as file:
        for _ in range(_unpack(file, "<Q")[0]):
            _, *values, lens = _unpack(file, "<i7di")
            letters = iter(lambda: _unpack(file, "c")[0], b"\0")
            name = b"".join(itertools.islice(letters, _MAX_NAME)).decode()
            file.seek(24 * _unpack(file, "<Q")[0], 1)  # points: x, y, id
            yield name, lens, tuple(values[:4]), tuple(values[4:])


def _unpack(file: BinaryIO, form: str) -> tuple[Any, ...]:
    return struct.unpack(form, file.read(struct.calcsize(form)))


# -- transforms.json ------------------------------------------------------------------------------------------------


def _transforms(path: Path, footage: Footage) -> Iterator[tuple[str, Camera]]:
    data = json.loads(bounded_text(path, _MAX_BYTES))
    for frame in data["frames"]:
        said = {key: value for key, value in (data | frame).items() if isinstance(value, int | float)}
        model = (data | frame).get("camera_model", "OPENCV")
        if model not in ("OPENCV", "PINHOLE", "SIMPLE_PINHOLE"):
            raise _unsupported(model, path)
        to_world = np.array(frame["transform_matrix"], np.float64)
        if to_world.shape not in ((4, 4), (3, 4)) or not np.isfinite(to_world).all():
            raise ValueError(f"the transform_matrix of {frame['file_path']} is not a 4 x 4 matrix")
        rotation = _FLIP @ to_world[:3, :3].T
        yield frame["file_path"], Camera(_said_lens(said, footage, path), rotation, -rotation @ to_world[:3, 3])


def _said_lens(said: dict[str, float], footage: Footage, path: Path) -> Lens:
    width, height = said.get("w", footage.width), said.get("h", footage.height)
    values = {name: said[name] for name in _DISTORTION if name in said}
    fx = said.get("fl_x") or _focal(said.get("camera_angle_x"), width)
    fy = said.get("fl_y") or _focal(said.get("camera_angle_y"), height) or fx
    values |= {"fx": fx or fy, "fy": fy, "cx": said.get("cx", width / 2), "cy": said.get("cy", height / 2)}
    return _lens(values, width, height, footage, path)


def _focal(angle: float | None, side: float) -> float:
    """Return the focal length in pixels for an angle of view; 0 if none is given."""
    return side / 2 / math.tan(angle / 2) if angle else 0.0
