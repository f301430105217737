"""Turntable: COLMAP with and without masks, where the subject turns before a background that stands still.

    python3 vendor_setup bench alignment [--subject suzanne] [--frames 36] [--size 480x360] [--folder DIR]

A subject is rendered from a circle of cameras (bench/_turntable.py) and laid over one picture that stays, with its true
mattes: what a camera sees of a turntable. The masks are those that `--capture turntable` writes. Figures: how many
images COLMAP places in its largest model, and how many of these rightly, that is with turns between images that differ
from the true ones by less than 5 degrees (median over all other images).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from pathlib import Path

import cv2
import numpy as np
import pycolmap
from numpy.typing import NDArray

from addon.contract.job import Job
from addon.contract.job_types import Delivery, MatteObject, Point, Prompt
from addon.engine.export import export, prepare
from addon.engine.footage.footage import Reader, scan
from vendor_setup.environments import python_of
from vendor_setup.package import newest_blender

from ._common import ROOT

_RIGHT = 5.0  # degrees
Turn = NDArray[np.float64]


def turntable(folder: Path, into: Path) -> None:
    """The rendered subject over one picture that stays."""
    files = sorted((folder / "rgb").iterdir())
    first = cv2.imread(str(files[0]))
    assert first is not None
    noise = np.random.default_rng(0).integers(0, 256, (first.shape[0] // 6 + 1, first.shape[1] // 6 + 1, 3), np.uint8)
    still = cv2.resize(noise, first.shape[1::-1], interpolation=cv2.INTER_CUBIC)
    into.mkdir(parents=True)
    for file in files:
        picture, inside = cv2.imread(str(file)), _matte(folder, file)[..., None] > 0
        assert picture is not None
        cv2.imwrite(str(into / f"{file.stem}.png"), np.where(inside, picture, still))


def _matte(folder: Path, file: Path) -> NDArray[np.uint8]:
    """uint8 (H, W), 0 or 255."""
    found = cv2.imread(str(folder / "id" / f"{file.stem}.png"), cv2.IMREAD_GRAYSCALE)
    assert found is not None
    return np.where(found == 1, 255, 0).astype(np.uint8)


def masks(folder: Path, images: Path, output: Path) -> Path:
    """The folder of alignment masks that a version for Brush holds."""
    footage = scan(images)[0]
    files = [Path(file) for file in footage.files]
    marked = (MatteObject("subject", (Prompt(1, (Point(1, 1),)),)),)
    job = Job(footage, marked, output=str(output), target="brush", delivery=Delivery(capture="turntable"))
    version = export(
        prepare(job, Reader(footage)),
        lambda frame, name: _matte(folder, files[frame - 1]),
        frames=list(job.frames),
        key="truth",
        report={},
        on_frame=lambda *_: None,
        cancelled=lambda: False,
    )
    return version / "alignment"


def placed(images: Path, room: Path, mask_path: Path | None) -> dict[str, Turn]:
    """Rotations (3, 3) from world to camera of COLMAP's largest model, by base name."""
    room.mkdir()
    reading, extraction = pycolmap.ImageReaderOptions(), pycolmap.FeatureExtractionOptions()
    reading.camera_model = "SIMPLE_PINHOLE"
    if mask_path is not None:
        reading.mask_path = str(mask_path)
    extraction.num_threads, extraction.use_gpu = 1, False
    matching = pycolmap.FeatureMatchingOptions()
    matching.num_threads, matching.use_gpu = 1, False
    pycolmap.set_random_seed(0)
    database = room / "database.db"
    pycolmap.extract_features(
        database, images, camera_mode=pycolmap.CameraMode.SINGLE, reader_options=reading, extraction_options=extraction
    )
    pycolmap.match_exhaustive(database, matching_options=matching)
    mapping = pycolmap.IncrementalPipelineOptions()
    mapping.num_threads = 1
    models = pycolmap.incremental_mapping(database, images, room / "model", options=mapping)
    if not models:
        return {}
    largest = max(models.values(), key=lambda model: model.num_reg_images())
    found = {}
    for number in largest.reg_image_ids():
        image = largest.images[number]
        found[Path(image.name).stem] = np.asarray(image.cam_from_world().rotation.matrix())
    return found


def truth(folder: Path) -> dict[str, Turn]:
    """The true rotations, likewise."""
    frames = json.loads((folder / "transforms.json").read_text())["frames"]
    flip = np.diag([1.0, -1.0, -1.0])  # Blender's cameras look along -z, COLMAP's along z with y down
    return {Path(frame["file_path"]).stem: flip @ np.array(frame["transform_matrix"])[:3, :3].T for frame in frames}


def right(found: dict[str, Turn], true: dict[str, Turn]) -> int:
    """How many are turned rightly against the others."""

    def off(name: str, other: str) -> float:
        apart = found[name] @ found[other].T @ (true[name] @ true[other].T).T
        return float(np.degrees(np.arccos(np.clip((np.trace(apart) - 1) / 2, -1, 1))))

    return sum(np.median([off(name, other) for other in found if other != name]) < _RIGHT for name in found)


def main() -> int:
    """Measure and print; returns the exit code."""
    parser = argparse.ArgumentParser(prog="bench alignment", description="A turntable in COLMAP, with masks.")
    parser.add_argument("--subject", default="suzanne")
    parser.add_argument("--frames", type=int, default=36)
    parser.add_argument("--size", default="480x360", metavar="WxH")
    parser.add_argument("--folder", type=Path, default=ROOT / "work" / "alignment", help="of the rendered clip")
    options = parser.parse_args()
    if not options.folder.exists():
        command = [str(python_of(newest_blender())), "-m", "bench._turntable", str(options.folder), options.subject]
        more = ["--seed", "5", "--frames", str(options.frames), "--size", options.size]
        subprocess.run([*command, *more], cwd=ROOT, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    true = truth(options.folder)
    with tempfile.TemporaryDirectory() as temporary:
        room = Path(temporary)
        images = room / "images"
        turntable(options.folder, images)
        alignment = masks(options.folder, images, room / "mattes")
        for words, mask_path in (("without masks", None), ("with masks", alignment)):
            found = placed(images, room / words.replace(" ", "_"), mask_path)
            print(f"{words}: {len(found)} of {len(true)} images placed, {right(found, true)} rightly", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
