"""Writes Blender's solved camera as a transforms.json, which engine/review/cameras.py reads.

https://docs.nerf.studio/quickstart/data_conventions.html: camera to world, x right, y up, looking along -z, as in
Blender; lengths in pixels, from the top left corner.
"""

from __future__ import annotations

import json
from pathlib import Path

import bpy

from ..contract.disk import write_data, writing
from ..contract.errors import FootageError
from .footage import coordinates_of, read_footage


def is_solved(clip: bpy.types.MovieClip) -> bool:
    """Whether the clip has a solved camera."""
    return clip.tracking.reconstruction.is_valid


def write_poses(clip: bpy.types.MovieClip, path: Path) -> None:
    """Write the clip's solved camera.

    Raises:
        FootageError: there is no solved camera, or transforms.json can't express it.
        OutputError: the file can't be written.
    """
    if not is_solved(clip):
        raise FootageError("The camera is not solved.", where=clip.name, hint="Solve it: Track, Solve Camera Motion.")
    footage, _ = read_footage(clip)
    camera = clip.tracking.camera
    if camera.distortion_model != "POLYNOMIAL":
        raise FootageError(
            f"The distortion model {camera.distortion_model.title()} is not supported.",
            where=clip.name,
            hint="Choose Polynomial in the camera's lens settings and solve again.",
        )
    if coordinates_of(clip, footage).orientation(1) != 1:
        raise FootageError(
            "The footage is stored rotated, and the camera was solved without that rotation.",
            where=clip.name,
            hint="Solve upright images.",
        )
    focal = camera.focal_length_pixels
    centre_x, centre_y = camera.principal_point_pixels[:]  # type: ignore[index]
    stem = Path(footage.files[0]).stem
    names = [f"{stem}_{frame:06d}.png" for frame in range(1, footage.frame_count + 1)]
    if not footage.movie:
        names = [Path(file).name for file in footage.files]
    frames = [
        {
            "file_path": names[camera.frame - 1],
            "transform_matrix": [[camera.matrix[row][column] for column in range(4)] for row in range(4)],
        }
        for camera in clip.tracking.reconstruction.cameras
        if 1 <= camera.frame <= len(names)
    ]
    data = {
        "camera_model": "OPENCV",
        "fl_x": focal,
        "fl_y": focal * camera.pixel_aspect,
        "cx": centre_x,
        "cy": footage.height - centre_y,
        "w": footage.width,
        "h": footage.height,
        **{name: getattr(camera, name) for name in ("k1", "k2", "k3")},
        "frames": frames,
    }
    text = json.dumps(data, indent=1).encode()
    with writing(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_data(path, text, sync=False)
