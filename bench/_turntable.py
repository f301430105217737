"""Renders a subject from a circle of cameras, with its true mattes and the cameras. Runs in a Python that has bpy.

    python -m bench._turntable FOLDER SUBJECT [--seed N] [--frames N] [--size WxH] [--clutter N] [--samples N]

Writes FOLDER/rgb/0001.jpg ..., FOLDER/id/0001.png ... (1 = subject) and FOLDER/transforms.json in nerfstudio's format.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import bpy

from training.scenes.blender import render
from training.scenes.shot import Shot


def main() -> int:
    """Render one clip; an existing one is kept."""
    parser = argparse.ArgumentParser(prog="bench._turntable")
    parser.add_argument("folder", type=Path)
    parser.add_argument("subject")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--size", default="160x120")
    parser.add_argument("--clutter", type=int, default=0)
    parser.add_argument("--samples", type=int, default=1)
    options = parser.parse_args()
    if options.folder.exists():
        return 0
    width, height = map(int, options.size.split("x"))
    shot = Shot(
        options.seed,
        options.subject,
        width,
        height,
        options.frames,
        options.samples,
        orbit=360 * (1 - 1 / options.frames),
        clutter=options.clutter,
        floor="checker",
        fill=0.55,
        quality=92,
    )
    unfinished = options.folder.with_name(f".{options.folder.name}")
    shutil.rmtree(unfinished, ignore_errors=True)
    render(shot, unfinished, threads=1)
    (unfinished / "transforms.json").write_text(json.dumps(_transforms(width, height), indent=1))
    unfinished.rename(options.folder)
    return 0


def _transforms(width: int, height: int) -> dict[str, object]:
    scene = bpy.context.scene
    camera = scene.camera if scene else None
    assert scene is not None and camera is not None and isinstance(camera.data, bpy.types.Camera)
    focal = camera.data.lens / camera.data.sensor_width * max(width, height)
    frames = []
    for frame in range(scene.frame_start, scene.frame_end + 1):
        scene.frame_set(frame)
        matrix = [[camera.matrix_world[row][column] for column in range(4)] for row in range(4)]
        frames.append({"file_path": f"rgb/{frame:04d}.jpg", "transform_matrix": matrix})
    intrinsics = {"fl_x": focal, "fl_y": focal, "cx": width / 2, "cy": height / 2, "w": width, "h": height}
    return {"camera_model": "OPENCV", **intrinsics, "frames": frames}


if __name__ == "__main__":
    raise SystemExit(main())
