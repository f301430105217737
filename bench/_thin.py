"""Scenes of thin things with exact mattes, large enough for native resolution. Rendered on first use.

As a program, in a Python that has bpy, it renders one scene: python -m bench._thin NAME WIDTH HEIGHT FOLDER.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SEEDS = {"bicycle": 204, "chair": 203, "plant": 205, "stool": 206}  # seeds that neither training nor the demo uses


def scene(name: str, width: int, height: int, folder: Path) -> tuple[Path, Path]:
    """Return picture and matte (255 x the subject's coverage of each pixel) of a scene. Rendered on first use."""
    place = folder / f"{name}_{width}x{height}"
    if not place.exists():
        from vendor_setup.environments import python_of
        from vendor_setup.package import newest_blender

        print(f"rendering {name}, {width} x {height}: takes some minutes", flush=True)
        blender = python_of(newest_blender())
        command = [str(blender), "-m", "bench._thin", name, str(width), str(height), str(place)]
        subprocess.run(command, cwd=ROOT, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    return place / "rgb" / "0001.jpg", place / "id" / "0001.png"


def main(arguments: list[str]) -> None:
    """Render one scene. Its folder appears only once it is complete."""
    from training.scenes.blender import render
    from training.scenes.shot import Shot

    name, width, height, place = arguments[0], int(arguments[1]), int(arguments[2]), Path(arguments[3])
    unfinished = place.with_name(f".{place.name}")
    shutil.rmtree(unfinished, ignore_errors=True)
    shot = Shot(
        SEEDS[name], name, width, height, frames=1, samples=6, orbit=0, clutter=7, fill=0.6, quality=92,
        coverage_samples=9,
    )  # fmt: skip
    render(shot, unfinished)
    unfinished.rename(place)


if __name__ == "__main__":
    main(sys.argv[1:])
