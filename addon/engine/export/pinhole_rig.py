"""A panorama as a rig of pinhole views, for programs that take no equirectangular images.

    images/<view>/<stem>.png       the view's image, at the footage's bit depth
    masks/<view>/<stem>.png.png    its mask, named as COLMAP's mask path wants it: the image's name and .png
    rig_config.json                the views' rotations and intrinsics, for COLMAP's `rig_configurator`

COLMAP, "Rig Support" (https://colmap.github.io/rigs.html, 4.1): images of one moment have the same name in all folders;
rotations are (w, x, y, z).
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ...contract.disk import write_bytes
from ...contract.errors import JobError
from ...contract.job import Job
from ..footage.footage import Reader
from ..footage.images import to_integers
from ..footage.pinhole_views import Quaternion, View, look, rig_of
from .masks import Writer as MaskWriter
from .png import write_grey, write_rgb
from .writer import MatteOf, Step, Write

_MASK = "masks/{view}/{stem}.png.png"
_WIDEST = 32_766  # pixels: what OpenCV's remap can address


class Writer(MaskWriter):
    """Writes an image and a mask per view and frame, and the rig file."""

    def __init__(self, job: Job, reader: Reader) -> None:
        width, height = job.footage.width, job.footage.height
        if not job.footage.panorama:
            raise JobError(
                "Pinhole views are for panoramas.",
                where="footage.panorama",
                hint="Switch 360° Panorama on (--panorama), or choose another target.",
            )
        if width != 2 * height:
            raise JobError(
                f"A whole panorama is twice as wide as high; this one has {width} x {height} pixels.",
                where="footage",
                hint="Stitch it as a full equirectangular image.",
            )
        if width > _WIDEST:
            raise JobError(f"It is wider than {_WIDEST} pixels.", where="footage.width", hint="Scale it down.")
        super().__init__(job, reader)
        self._rig = rig_of(job.delivery.views, width)

    def frame_files(self, frame: int, matte: MatteOf) -> Mapping[str, Write]:
        """One image and one mask per view."""
        whole = functools.cache(lambda: self._mask(frame, matte))  # computed once for all views
        files: dict[str, Write] = {}
        for view in self._rig.views:
            files[self.path(frame, view.name)] = self._image_of(frame, view)
            files[self._placed(_MASK, frame, view.name)] = self._mask_of(view, whole)
        return files

    def other_files(self, frames: Sequence[int], matte: MatteOf, step: Step) -> Mapping[str, Write]:
        """The rig file."""
        return {"rig_config.json": functools.partial(write_bytes, data=self._rig_config().encode())}

    def describe(self) -> Mapping[str, Any]:
        """The formats of images and masks, and the views."""
        side = self._rig.side
        described = {**super().describe()}
        described["files"] = f"images: PNG as the view sees it; masks: {described['files']}"
        described["views"] = self.job.delivery.views
        described["view"] = f"{side} x {side} pixels, {self._rig.field_of_view:g} degrees, PINHOLE"
        return described

    def _image_of(self, frame: int, view: View) -> Write:
        def write(file: BinaryIO) -> None:
            plate = self.reader.plate(frame)
            pixels = to_integers(plate.pixels, self.reader.to_srgb)
            write_rgb(file, look(pixels, self._rig, view, smooth=True), plate.icc, plate.cicp)

        return write

    def _mask(self, frame: int, matte: MatteOf) -> NDArray[np.uint8]:
        subject = matte(frame, None)
        return subject if self.subject_is_white else ~subject

    def _mask_of(self, view: View, whole: Callable[[], NDArray[np.uint8]]) -> Write:
        def write(file: BinaryIO) -> None:
            seen = look(whole(), self._rig, view, smooth=False)
            write_grey(file, np.where(seen >= 128, np.uint8(255), np.uint8(0)))

        return write

    def _rig_config(self) -> str:
        reference = self._rig.views[0]
        half = self._rig.side / 2
        cameras = []
        for view in self._rig.views:
            camera: dict[str, Any] = {"image_prefix": f"{view.name}/"}
            if view is reference:
                camera["ref_sensor"] = True
            else:
                camera["cam_from_rig_rotation"] = _turned(view.quaternion, reference.quaternion)
                camera["cam_from_rig_translation"] = [0, 0, 0]
            camera["camera_model_name"] = "PINHOLE"
            camera["camera_params"] = [self._rig.focal, self._rig.focal, half, half]
            cameras.append(camera)
        return json.dumps([{"cameras": cameras}], indent=1) + "\n"


def _turned(to: Quaternion, reference: Quaternion) -> Quaternion:
    """The rotation (w, x, y, z) from the reference camera's frame to another's: to * conjugate(reference)."""
    w, x, y, z = to
    rw, rx, ry, rz = reference[0], -reference[1], -reference[2], -reference[3]
    return (
        w * rw - x * rx - y * ry - z * rz,
        w * rx + x * rw + y * rz - z * ry,
        w * ry - x * rz + y * rw + z * rx,
        w * rz + x * ry - y * rx + z * rw,
    )
