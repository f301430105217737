"""Scenes whose subject is also rendered alone, with its own colours and its exact alpha. Rendered on first use.

The subject is rendered against nothing, as linear light, and composited over a background of random colours, coarse and
fine, so that every pixel obeys picture = alpha x subject + (1 - alpha) x background.

As a program, in a Python that has bpy, it renders one scene: python -m bench._alone NAME WIDTH HEIGHT FOLDER.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._thin import ROOT, SEEDS

Linear = NDArray[np.float32]


@dataclass(frozen=True)
class Scene:
    """A composited scene and its ground truth.

    picture: uint8 (H, W, 3), sRGB.
    alone: float32 (H, W, 3), sRGB from 0 to 255, 0 where there is no subject.
    alpha: float32 (H, W), 0 to 1.
    """

    picture: NDArray[np.uint8]
    alone: Linear
    alpha: Linear


def scene(name: str, width: int, height: int, folder: Path) -> Scene:
    """Return a scene; it is rendered first if it is not in `folder` yet."""
    place = folder / f"{name}_alone_{width}x{height}"
    if not place.exists():
        from vendor_setup.environments import python_of
        from vendor_setup.package import newest_blender

        print(f"rendering {name}, {width} x {height}: takes some minutes", flush=True)
        command = [str(python_of(newest_blender())), "-m", "bench._alone", name, str(width), str(height), str(place)]
        subprocess.run(command, cwd=ROOT, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    subject = opened(place / "0001.exr")
    alpha = np.clip(subject[..., 3:], 0, 1)
    together = subject[..., :3] + (1 - alpha) * background(SEEDS[name], width, height)
    alone = np.where(alpha > 0, subject[..., :3] / np.maximum(alpha, 1e-4), 0)
    return Scene(np.rint(encoded(together)).astype(np.uint8), encoded(alone), alpha[..., 0])


def opened(file: Path) -> Linear:
    """Read a rendered subject: float (H, W, 4), linear light with premultiplied alpha."""
    import OpenImageIO

    found = OpenImageIO.ImageInput.open(str(file))
    assert found is not None, OpenImageIO.geterror()
    subject = np.asarray(found.read_image(0, 0, 0, 4, "float"), np.float32)
    found.close()
    return subject


def background(seed: int, width: int, height: int) -> Linear:
    """Return noise of three sizes: float (H, W, 3), 0 to 1."""
    import cv2  # the Python that renders does not have it

    rng, found = np.random.default_rng(seed), np.full((height, width, 3), 0.05, np.float32)
    for size, share in ((400, 0.5), (60, 0.3), (8, 0.15)):
        cells = rng.random((-(-height // size) + 2, -(-width // size) + 2, 3), np.float32)
        found += share * cv2.resize(cells, (width, height), interpolation=cv2.INTER_LINEAR)
    return found


def encoded(linear: Linear) -> Linear:
    """Convert linear light to sRGB from 0 to 255 (IEC 61966-2-1)."""
    linear = np.clip(linear, 0, 1)
    curve = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.asarray(255 * curve, np.float32)


def main(arguments: list[str]) -> None:
    """Render one scene. Its folder appears only once it is complete."""
    import bpy

    from training.scenes.blender import SUBJECT_ID, build
    from training.scenes.shot import Shot

    name, width, height, place = arguments[0], int(arguments[1]), int(arguments[2]), Path(arguments[3])
    unfinished = place.with_name(f".{place.name}")
    shutil.rmtree(unfinished, ignore_errors=True)
    build(Shot(SEEDS[name], name, width, height, frames=1, orbit=0, clutter=7, fill=0.6))
    at: Any = bpy.context.scene
    at.frame_start = at.frame_end = 1
    r, c = at.render, at.cycles
    r.engine, r.threads_mode, r.threads = "CYCLES", "FIXED", 2
    r.resolution_x, r.resolution_y, r.resolution_percentage = width, height, 100
    r.image_settings.file_format, r.image_settings.color_depth = "OPEN_EXR", "16"
    c.device, c.samples, c.use_adaptive_sampling = "CPU", 6, False
    c.max_bounces, c.diffuse_bounces, c.glossy_bounces, c.sample_clamp_indirect = 3, 2, 2, 3.0
    c.use_denoising, c.denoiser, c.denoising_prefilter, c.denoising_quality = True, "OPENIMAGEDENOISE", "NONE", "FAST"
    r.film_transparent, r.image_settings.color_mode = True, "RGBA"
    for thing in at.objects:
        if thing.type == "MESH":
            thing.visible_camera = thing.pass_index == SUBJECT_ID
    r.filepath = str(unfinished / "####")
    bpy.ops.render.render(animation=True)
    unfinished.rename(place)


if __name__ == "__main__":
    main(sys.argv[1:])
