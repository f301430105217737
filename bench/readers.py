"""Tests that COLMAP reads what is exported, on real and on rendered footage.

    python3 vendor_setup bench readers [--davis DIR] [--clip goat] [--footage DIR]

1. *Features*: on frames of a real clip with its true mattes, COLMAP extracts features with the exported masks. None may
lie in the background; without masks many do, which is the baseline. 2. *Poses*: COLMAP reconstructs the demo's first
clip, or the JPEGs of --footage, from the exported alpha PNGs and from the originals. The features must be the same, and
all cameras in the same places.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pycolmap
from numpy.typing import NDArray
from PIL import Image

from addon.contract.job import Job
from addon.contract.job_types import Footage, MatteObject, Point, Prompt
from addon.engine.export import export, prepare
from addon.engine.footage.footage import Reader
from addon.engine.review.cameras import read_poses

from ._clips import Mask, davis_clips
from ._common import demo_frames

FRAMES = 5  # number of frames of the real clip
SAME = 0.005  # fraction of the camera path's length; two runs on the same files differed by 0.001


def main() -> int:
    """Print both tests; return 1 if COLMAP does not read what it should."""
    parser = argparse.ArgumentParser(prog="bench readers", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--davis", type=Path, help="folder of DAVIS 2016")
    parser.add_argument("--clip", default="goat")
    parser.add_argument("--footage", type=Path, help="a folder of one to two dozen JPEGs from a moving camera")
    options = parser.parse_args()
    good = True
    with tempfile.TemporaryDirectory() as room:
        clips = {clip.name: clip for clip in davis_clips(options.davis, kept_out=False)}
        if options.clip in clips:
            clip = clips[options.clip]
            good &= features(clip.pictures[:FRAMES], [clip.matte(i) for i in range(FRAMES)], Path(room) / "features")
        else:
            print(f"NOT CHECKED: features on a real clip, as {options.clip} is not there")
        pictures = sorted(options.footage.glob("*.jpg")) if options.footage else demo_frames()
        good &= poses(pictures, Path(room) / "poses")
    return int(not good)


def features(pictures: list[Path], mattes: list[Mask], room: Path) -> bool:
    """Count features in the background with the exported masks and without; return whether none is there with masks."""
    height, width = mattes[0].shape
    footage = Footage(tuple(map(str, pictures)), width, height, len(pictures))
    version = exported(footage, "colmap", mattes, room)
    images = folder_of(pictures, room / "images")
    counts = {}
    for name, masks in (("without masks", None), ("with masks", version)):
        found = extract(images, room / f"{name}.db", masks)
        total = sum(map(len, found.values()))
        outside = sum(
            int((~matte[tuple(found[picture.name].astype(int).T[::-1])]).sum())
            for picture, matte in zip(pictures, mattes, strict=True)
        )
        counts[name] = total, outside
        print(
            f"{pictures[0].parent.name}, {len(pictures)} frames, {name}: {total} features, {outside} in the background"
        )
    total, outside = counts["with masks"]
    return total > 0 and outside == 0


def poses(pictures: list[Path], room: Path) -> bool:
    """Reconstruct from the originals and from the alpha PNGs; return whether features and camera positions agree."""
    with Image.open(pictures[0]) as image:
        width, height = image.size
    footage = Footage(tuple(map(str, pictures)), width, height, len(pictures))
    middle = np.zeros((height, width), np.bool_)
    middle[height // 4 : -height // 4, width // 4 : -width // 4] = True
    version = exported(footage, "postshot", [middle] * len(pictures), room)
    found, keypoints = {}, {}
    for name, files in (("originals", pictures), ("alpha PNGs", sorted(version.glob("*.png")))):
        database = room / name / "database.db"
        images = folder_of(files, room / name / "images")
        keypoints[name] = [points for _, points in sorted(extract(images, database, None).items())]
        pycolmap.match_exhaustive(database, device=pycolmap.Device.cpu)
        models = pycolmap.incremental_mapping(
            database, images, room / name, pycolmap.IncrementalPipelineOptions(num_threads=1, random_seed=0)
        )
        if not models:
            print(f"{name}: nothing was reconstructed")
            return False
        largest = max(models, key=lambda key: models[key].num_reg_images())
        solved = read_poses(room / name / str(largest), footage)
        found[name] = {frame: camera.place for frame, camera in solved.items()}
        print(f"{name}: {len(solved)} of {len(pictures)} frames placed")
    ours, theirs = found["alpha PNGs"], found["originals"]
    same = all(np.array_equal(*pair) for pair in zip(*keypoints.values(), strict=True))
    print(f"the same features: {'yes' if same else 'no'}")
    path = np.array([theirs[frame] for frame in sorted(theirs)])
    length = float(np.linalg.norm(np.diff(path, axis=0), axis=1).sum())
    off = max(aligned(ours, theirs)) / length
    print(f"places differ by {off:.2%} of the camera's path at most")
    return same and set(ours) == set(theirs) and len(ours) == len(pictures) and off < SAME


def exported(footage: Footage, target: str, mattes: list[Mask], room: Path) -> Path:
    """Export a version with these mattes."""
    objects = (MatteObject("subject", (Prompt(1, (Point(1, 1),)),)),)
    job = Job(footage, objects, output=str(room / "out"), target=target)
    return export(
        prepare(job, Reader(footage)),
        lambda frame, name: mattes[frame - 1].astype(np.uint8) * 255,
        frames=list(job.frames),
        key="key",
        report={},
        on_frame=lambda *_: None,
        cancelled=lambda: False,
    )


def folder_of(files: list[Path], folder: Path) -> Path:
    """Return a folder with links to exactly these files."""
    folder.mkdir(parents=True)
    for file in files:
        (folder / file.name).symlink_to(file.resolve())
    return folder


def extract(images: Path, database: Path, masks: Path | None) -> dict[str, NDArray[np.float32]]:
    """Extract COLMAP's features: (n, 2) pixels x, y by image name; all images share one camera."""
    extraction = pycolmap.FeatureExtractionOptions()
    extraction.use_gpu = False
    options = {"mask_path": str(masks)} if masks else {}
    pycolmap.extract_features(
        database,
        images,
        camera_mode=pycolmap.CameraMode.SINGLE,
        reader_options=pycolmap.ImageReaderOptions(**options),
        extraction_options=extraction,
        device=pycolmap.Device.cpu,
    )
    opened = pycolmap.Database.open(database)
    found = {image.name: opened.read_keypoints(image.image_id)[:, :2] for image in opened.read_all_images()}
    opened.close()
    return found


def aligned(ours: dict[int, Any], theirs: dict[int, Any]) -> NDArray[np.float64]:
    """Return the distances between camera positions after the best similarity transform (Umeyama, PAMI 1991)."""
    frames = sorted(set(ours) & set(theirs))
    a, b = (np.array([places[frame] for frame in frames]) for places in (ours, theirs))
    from_, to = a - a.mean(0), b - b.mean(0)
    u, spread, vt = np.linalg.svd(to.T @ from_)
    flip = np.diag([1, 1, np.sign(np.linalg.det(u @ vt))])
    scale = np.trace(np.diag(spread) @ flip) / (from_**2).sum()
    moved = scale * from_ @ (u @ flip @ vt).T
    return np.asarray(np.linalg.norm(moved - to, axis=1))


if __name__ == "__main__":
    sys.exit(main())
