"""Clips of soft edges with exact alpha: hair, fur, leaves, motion blur. Rendered on first use.

The subject is rendered against nothing, as linear light, and composited over a static background of random colours, so
that every pixel obeys picture = alpha x subject + (1 - alpha) x background.

As a program, in a Python that has bpy, it renders one: python -m bench._soft NAME SEED WIDTH HEIGHT FRAMES FOLDER.
"""

from __future__ import annotations

import math
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._alone import background, encoded, opened
from ._thin import ROOT

KINDS = ("hair", "fur", "leaves", "blur")


def clip(
    name: str, seed: int, width: int, height: int, frames: int, folder: Path
) -> list[tuple[NDArray[np.uint8], NDArray[np.float32]]]:
    """Return the frames of a clip as (picture (H, W, 3) in sRGB, exact alpha (H, W), 0 to 1). Rendered on first use."""
    place = folder / f"{name}_{seed}_{width}x{height}_{frames}"
    if not place.exists():
        from vendor_setup.environments import python_of
        from vendor_setup.package import newest_blender

        print(f"rendering {name} {seed}, {width} x {height}: takes about a minute per frame", flush=True)
        numbers = map(str, (seed, width, height, frames))
        command = [str(python_of(newest_blender())), "-m", "bench._soft", name, *numbers, str(place)]
        subprocess.run(command, cwd=ROOT, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    behind, found = background(seed, width, height), []
    for file in sorted(place.iterdir()):
        subject = opened(file)
        alpha = np.clip(subject[..., 3:], 0, 1)
        together = subject[..., :3] + (1 - alpha) * behind
        found.append((np.rint(encoded(together)).astype(np.uint8), alpha[..., 0]))
    return found


def _build(name: str, rng: np.random.Generator) -> Any:
    """Build the subject at the origin, about one metre wide."""
    import bpy

    from training.scenes.blender import _material

    scene: Any = bpy.context.scene
    thing: Any
    if name == "leaves":
        vertices: list[list[float]] = []
        faces: list[tuple[int, ...]] = []
        for _ in range(int(rng.integers(1200, 1800))):
            middle = rng.normal(0, 0.15, 3)
            along, across = rng.normal(0, 1, (2, 3))
            along *= rng.uniform(0.04, 0.09) / np.linalg.norm(along)
            across *= rng.uniform(0.008, 0.02) / np.linalg.norm(across)
            n = len(vertices)
            vertices += [(middle + corner).tolist() for corner in (-along, across, along, -across)]
            faces.append((n, n + 1, n + 2, n + 3))
        data = bpy.data.meshes.new(name)
        data.from_pydata(vertices, [], faces)
        thing = bpy.data.objects.new(name, data)
        scene.collection.objects.link(thing)
    elif name == "fur":
        bpy.ops.mesh.primitive_uv_sphere_add(segments=32, ring_count=16, radius=0.35)
        thing = bpy.context.object
    else:
        bpy.ops.mesh.primitive_monkey_add(size=0.7)
        thing = bpy.context.object
    for _ in range(2):
        thing.data.materials.append(_material(rng, 6))
    if name in ("hair", "fur"):
        thing.modifiers.new("hair", "PARTICLE_SYSTEM")
        settings = thing.particle_systems[0].settings
        settings.type, settings.count = "HAIR", 300
        settings.hair_length = 0.3 if name == "hair" else 0.12
        settings.child_type, settings.rendered_child_count = "INTERPOLATED", 8 if name == "hair" else 20
        settings.brownian_factor = 0.04 if name == "hair" else 0.015
        settings.root_radius, settings.tip_radius = rng.uniform(0.4, 0.8), 0.1
        settings.radius_scale, settings.material = 0.005, 2
        thing.particle_systems[0].seed = int(rng.integers(1, 1000))
    return thing


def main(arguments: list[str]) -> None:
    """Render one clip. Its folder appears only once it is complete."""
    import bpy

    name, place = arguments[0], Path(arguments[5])
    seed, width, height, frames = map(int, arguments[1:5])
    rng = np.random.default_rng(seed)
    unfinished = place.with_name(f".{place.name}")
    shutil.rmtree(unfinished, ignore_errors=True)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene: Any = bpy.context.scene
    scene.frame_start, scene.frame_end = 1, frames
    thing = _build(name, rng)
    turn = 0.35 if name == "blur" else 0.02  # radians per frame
    start, tilt = rng.uniform(0, 2 * math.pi), rng.uniform(-0.3, 0.3)
    for frame in (0, frames + 1):
        thing.rotation_euler = (tilt, 0.6 * turn * frame if name == "blur" else 0, start + turn * frame)
        thing.keyframe_insert("rotation_euler", frame=frame)
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    camera.location, camera.rotation_euler = (0, -2.3, 0), (math.pi / 2, 0, 0)
    sun: Any = bpy.data.lights.new("lamp", "SUN")
    lamp = bpy.data.objects.new("lamp", sun)
    sun.energy, lamp.rotation_euler = rng.uniform(2, 4), (0.7, rng.uniform(-0.6, 0.6), 0)
    world = bpy.data.worlds.new("world")
    world.color = (0.3, 0.3, 0.3)
    scene.world, scene.camera = world, camera
    for other in (camera, lamp):
        scene.collection.objects.link(other)
    r, c = scene.render, scene.cycles
    r.engine, r.threads_mode, r.threads = "CYCLES", "FIXED", 1
    r.resolution_x, r.resolution_y, r.resolution_percentage = width, height, 100
    r.image_settings.file_format, r.image_settings.color_depth = "OPEN_EXR", "16"
    r.film_transparent, r.image_settings.color_mode = True, "RGBA"
    r.use_motion_blur, r.motion_blur_shutter = name == "blur", 0.5
    c.device, c.samples, c.use_adaptive_sampling, c.use_denoising = "CPU", 36, False, False
    c.max_bounces, c.sample_clamp_indirect = 1, 3.0
    r.filepath = str(unfinished / "####")
    bpy.ops.render.render(animation=True)
    unfinished.rename(place)


if __name__ == "__main__":
    main(sys.argv[1:])
