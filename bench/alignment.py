"""Reconstructs captures in COLMAP with and without the masks of --capture: how many images are placed, and correctly.

    python3 vendor_setup bench alignment [--frames 36] [--size 480x360] [--seed 5]

A block is seen from a circle of cameras (bench/_orbit.py), with its true mattes. *Turntable*: the block is composited
over one static picture, as a camera in front of a turntable sees it. *Walk-around*: the block stands on its floor while
somebody walks past, who is tracked but not exported.

Figures: how many images COLMAP places in its largest model, and how many of these correctly. A placement is correct if
its rotations to all other images differ from the true ones by less than 5 degrees in the median.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import cv2
import numpy as np
import pycolmap
from numpy.typing import NDArray

from addon.contract.job import Job
from addon.contract.job_types import Capture, Delivery, MatteObject, Point, Prompt
from addon.engine.export import export, prepare
from addon.engine.footage.footage import Reader, scan

from ._orbit import View, views

_RIGHT = 5.0  # degrees
_FEATURES = 2000  # per image
Turn = NDArray[np.float64]


def write(seen: list[View], into: Path, seed: int, *, stands_still: bool) -> None:
    """Write the pictures as files. `stands_still`: everything but the block comes from one static picture."""
    high, wide = seen[0].labels.shape
    noise = np.random.default_rng(seed).integers(0, 256, (high // 6 + 1, wide // 6 + 1, 3), np.uint8)
    still = cv2.resize(noise, (wide, high), interpolation=cv2.INTER_CUBIC)
    into.mkdir(parents=True)
    for i, view in enumerate(seen):
        picture = np.where(view.labels[..., None] == 1, view.picture, still) if stands_still else view.picture
        cv2.imwrite(str(into / f"{i + 1:04d}.png"), picture)


def masks(seen: list[View], images: Path, output: Path, capture: Capture) -> Path:
    """Export a version for Brush; return its folder of alignment masks."""
    footage = scan(images)[0]
    prompts = (Prompt(1, (Point(1, 1),)),)
    labels = {"subject": 1, "somebody": 2}
    marked = tuple(MatteObject(name, prompts, export=name == "subject") for name in labels)
    job = Job(footage, marked, output=str(output), target="brush", delivery=Delivery(capture=capture))
    version = export(
        prepare(job, Reader(footage)),
        lambda frame, name: np.where(seen[frame - 1].labels == labels[name or "subject"], 255, 0).astype(np.uint8),
        frames=list(job.frames),
        key="truth",
        report={},
        on_frame=lambda *_: None,
        cancelled=lambda: False,
    )
    return version / "alignment"


def placed(images: Path, room: Path, mask_path: Path | None) -> dict[str, Turn]:
    """Return the rotations (3, 3), world to camera, of COLMAP's largest model by base name."""
    room.mkdir(parents=True)
    reading, extraction = pycolmap.ImageReaderOptions(), pycolmap.FeatureExtractionOptions()
    reading.camera_model = "SIMPLE_PINHOLE"
    if mask_path is not None:
        reading.mask_path = str(mask_path)
    extraction.num_threads, extraction.use_gpu = 1, False
    extraction.sift.max_num_features = _FEATURES
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


def right(found: dict[str, Turn], true: dict[str, Turn]) -> int:
    """Count the images whose rotation relative to the others is correct."""

    def off(name: str, other: str) -> float:
        apart = found[name] @ found[other].T @ (true[name] @ true[other].T).T
        return float(np.degrees(np.arccos(np.clip((np.trace(apart) - 1) / 2, -1, 1))))

    return sum(np.median([off(name, other) for other in found if other != name]) < _RIGHT for name in found)


def compare(capture: Capture, seen: list[View], room: Path, seed: int) -> None:
    """Print how well a capture is placed without masks and with them."""
    images = room / "images"
    write(seen, images, seed, stands_still=capture == "turntable")
    true = {f"{i + 1:04d}": view.rotation for i, view in enumerate(seen)}
    alignment = masks(seen, images, room / "mattes", capture)
    for words, mask_path in (("without masks", None), ("with masks", alignment)):
        found = placed(images, room / words.replace(" ", "_"), mask_path)
        print(f"{capture}, {words}: {len(found)} of {len(true)} placed, {right(found, true)} correctly", flush=True)


def main() -> int:
    """Measure and print; returns the exit code."""
    parser = argparse.ArgumentParser(prog="bench alignment", description="Captures in COLMAP, with masks.")
    parser.add_argument("--frames", type=int, default=36)
    parser.add_argument("--size", default="480x360", metavar="WxH")
    parser.add_argument("--seed", type=int, default=5)
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    pycolmap.logging.minloglevel = int(pycolmap.logging.FATAL)
    captures: tuple[Capture, ...] = ("turntable", "walk_around")
    with tempfile.TemporaryDirectory() as temporary:
        for capture in captures:
            seen = views(options.seed, options.frames, (width, height), somebody=capture == "walk_around")
            compare(capture, seen, Path(temporary) / capture, options.seed)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
