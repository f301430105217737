"""Renders training shots or the demo's clips. Runs in a Python that has bpy and Pillow; needs no torch."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .scenes.shot import Shot
from .shots import DEMO, WALKERS, DemoClip, training_shot


def render_training(folder: Path, first: int, count: int, minutes: float, threads: int) -> int:
    """Render shots first, first + 1, ... into folder/<number>; finished ones are kept. Returns how many were made."""
    until, made = time.monotonic() + 60 * minutes, 0
    for number in range(first, first + count):
        if time.monotonic() > until:
            break
        made += _render_once(training_shot(number), folder / f"{number:05d}", threads)
    return made


def render_walkers(folder: Path, threads: int) -> None:
    """Render the shots that transients are measured on into folder/<name>; finished ones are kept."""
    for name, shot in WALKERS.items():
        _render_once(shot, folder / name, threads)


def _render_once(shot: Shot, place: Path, threads: int) -> bool:
    """Render into `place`, which appears only once it is complete. Return False if it exists already."""
    from .scenes.blender import render

    if place.exists():
        return False
    unfinished = place.with_name(f".{place.name}")
    shutil.rmtree(unfinished, ignore_errors=True)
    render(shot, unfinished, threads)
    unfinished.rename(place)
    return True


def deepest_point(mask: NDArray[np.bool_]) -> tuple[int, int]:
    """Return (x, y) of a pixel that is farthest from the mask's border, found by peeling the mask layer by layer."""
    left = mask.copy()
    while left.any():
        last = left
        padded = np.pad(left, 1)
        left = padded[1:-1, 1:-1] & padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    ys, xs = np.nonzero(last)
    return int(xs[len(xs) // 2]), int(ys[len(ys) // 2])


def _suggested_prompts(mask: NDArray[np.bool_]) -> list[dict[str, object]]:
    """Return three clicks on frame 1: the deepest point, then the deepest points far from the clicks before."""
    ys, xs = np.nonzero(mask)
    reach = 0.3 * max(np.ptp(xs), np.ptp(ys))
    grid_y, grid_x = np.mgrid[: mask.shape[0], : mask.shape[1]]
    free, prompts = mask.copy(), list[dict[str, object]]()
    while free.any() and len(prompts) < 3:
        x, y = deepest_point(free)
        prompts.append({"frame": 1, "x": x + 0.5, "y": y + 0.5, "label": "include"})
        free &= np.hypot(grid_x - x, grid_y - y) > reach
    return prompts


def render_demo(clip: DemoClip, folder: Path, threads: int) -> None:
    """Render one shipped clip into folder/<name>: rgb/0001.jpg ..., gt/0001.png ... (255 = subject), clip.json."""
    from .scenes.blender import render

    place, work = folder / clip.name, folder / f".{clip.name}"
    shutil.rmtree(work, ignore_errors=True)
    render(clip.shot, work, threads)
    (work / "gt").mkdir()
    hidden = []
    for path in sorted((work / "id").glob("*.png")):
        mask = np.asarray(Image.open(path)) >= 128
        Image.fromarray(mask.astype(np.uint8) * 255).save(work / "gt" / path.name, optimize=True)
        if not mask.any():
            hidden.append(int(path.stem))
    first = np.asarray(Image.open(work / "gt" / "0001.png")) > 0
    ys, xs = np.nonzero(first)
    about = {
        "name": clip.name,
        "shows": clip.shows,
        "width": clip.shot.width,
        "height": clip.shot.height,
        "frames": clip.shot.frames,
        "hidden_frames": hidden,
        "prompts": _suggested_prompts(first),
        "box": {"frame": 1, "x0": int(xs.min()), "y0": int(ys.min()), "x1": int(xs.max()) + 1, "y1": int(ys.max()) + 1},
        "units": "frames count from 1; x and y are pixels from the top left corner, pixel centres at .5",
        "made_by": f"training/ of this repository, seed {clip.shot.seed}, Blender Cycles; never trained on",
    }
    (work / "clip.json").write_text(json.dumps(about, indent=2) + "\n")
    shutil.rmtree(work / "id")
    shutil.rmtree(place, ignore_errors=True)
    work.rename(place)


def render_demos(folder: Path, names: list[str], threads: int) -> None:
    """Render the named demo clips, or all of them."""
    folder.mkdir(parents=True, exist_ok=True)
    for clip in DEMO:
        if not names or clip.name in names:
            render_demo(clip, folder, threads)
