"""Measures whether the dropped frames are the blurred ones, and whether COLMAP still places the cameras of the others.

    python3 vendor_setup bench select [--seeds 3] [--frames 60] [--size 640x480] [--no-colmap]

The clips are rendered orbits; a fifth of their frames are blurred by a shake of 5 to 20 pixels (bench/_orbit.py).
Sharpness is measured on the whole frame and on the subject. COLMAP, through pycolmap, gets all frames of the first
orbit and the kept ones. The baseline drops as many frames, those with the least variance of the Laplacian.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pycolmap

from addon.contract.job_types import Footage
from addon.engine.footage.footage import Reader
from addon.engine.selection.choose import Choice, choose
from addon.engine.selection.looks import MaskOf, looks_of

from ._orbit import Orbit, render

_FIRST = 4  # seed; tests and the choice of limits had orbits 1 to 3


def main() -> int:
    """Print what was dropped; return 1 below a recall or precision of 0.9, or if COLMAP loses a camera."""
    parser = argparse.ArgumentParser(prog="bench select", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--size", default="640x480")
    parser.add_argument("--no-colmap", action="store_true")
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    good = True
    with tempfile.TemporaryDirectory() as folder:
        totals = dict.fromkeys(("whole frame", "on the subject", "variance of the Laplacian"), (0, 0, 0))
        for seed in range(_FIRST, _FIRST + options.seeds):
            shot = Path(folder) / str(seed)
            shot.mkdir()
            orbit = render(shot, seed, options.frames, (width, height))
            truth = {int(i) + 1 for i in np.flatnonzero(orbit.blur)}
            whole = chosen(orbit, (width, height))
            on_subject = chosen(orbit, (width, height), lambda frame, orbit=orbit: orbit.mattes[frame - 1])  # type: ignore[misc]
            for name, dropped in (
                ("whole frame", set(whole.blurred)),
                ("on the subject", set(on_subject.blurred)),
                ("variance of the Laplacian", least_detail(orbit, len(truth))),
            ):
                so_far = totals[name]
                totals[name] = so_far[0] + len(dropped & truth), so_far[1] + len(truth), so_far[2] + len(dropped)
            if seed == _FIRST and not options.no_colmap:
                for name, frames in (
                    ("all", range(1, options.frames + 1)),
                    ("kept", whole.kept),
                ):
                    placed = cameras_placed(orbit, frames)
                    print(f"COLMAP, {name}: {placed} of {len(frames)} cameras", flush=True)
                    good &= placed == len(frames) or name == "all"
        for name, (right, blurred, found) in totals.items():
            recall, precision = right / max(1, blurred), right / max(1, found)
            print(f"{name}: {blurred} blurred, {found} dropped, recall {recall:.3f}, precision {precision:.3f}")
            good &= name.startswith("variance") or min(recall, precision) >= 0.9
    return int(not good)


def chosen(orbit: Orbit, size: tuple[int, int], subject: MaskOf = lambda frame: None) -> Choice:
    """Select the frames of an orbit."""
    frames = len(orbit.files)
    reader = Reader(Footage(orbit.files, *size, frames))
    return choose([list(looks_of(reader, range(1, frames + 1), size, subject))])


def least_detail(orbit: Orbit, count: int) -> set[int]:
    """Return the `count` frames with the least variance of the Laplacian, which photogrammetry scripts often drop."""
    pictures = (cv2.imread(file, cv2.IMREAD_GRAYSCALE) for file in orbit.files)
    detail = [float(cv2.Laplacian(picture, cv2.CV_64F).var()) for picture in pictures if picture is not None]
    return {int(i) + 1 for i in np.argsort(detail)[:count]}


def cameras_placed(orbit: Orbit, frames: Sequence[int]) -> int:
    """Return how many of these frames COLMAP places in one model."""
    with tempfile.TemporaryDirectory() as folder:
        room, first = Path(folder), Path(orbit.files[0])
        extraction = pycolmap.FeatureExtractionOptions()
        extraction.use_gpu = False
        names = [Path(orbit.files[frame - 1]).name for frame in frames]
        pycolmap.extract_features(
            room / "database.db",
            first.parent,
            image_names=names,
            camera_mode=pycolmap.CameraMode.SINGLE,
            extraction_options=extraction,
            device=pycolmap.Device.cpu,
        )
        pycolmap.match_sequential(room / "database.db", device=pycolmap.Device.cpu)
        models = pycolmap.incremental_mapping(room / "database.db", first.parent, room / "sparse")
        return max((model.num_reg_images() for model in models.values()), default=0)


if __name__ == "__main__":
    sys.exit(main())
