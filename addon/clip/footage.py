"""The active MovieClip as a Job's Footage, with warnings in words."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import bpy

from ..contract.camera_files import HEIF_SUFFIXES, RAW_SUFFIXES
from ..contract.display_matrix import read_movie_orientation
from ..contract.errors import FootageError
from ..contract.exif import oriented_size
from ..contract.exr_layers import read_layers, shown_layer
from ..contract.job_types import Footage
from ..contract.layout import beside_footage, default_matte_folder
from ..settings.clip_settings import settings_of
from .coordinates import ClipCoordinates, read_file_orientation
from .sequence import sequence_files

_ONE_OF_THEM = "Name one of these (--clip NAME), or make it the scene's active clip."
_TURNS_MOVIES = (4, 4, 0)  # first Blender version that rotates movies as their header says


def active_clip(context: bpy.types.Context) -> bpy.types.MovieClip | None:
    """Return the clip in the editor; elsewhere the scene's; without one, the only clip of the file, or None."""
    space = context.space_data
    if isinstance(space, bpy.types.SpaceClipEditor):
        return space.clip
    if context.scene is not None and context.scene.active_clip is not None:
        return context.scene.active_clip
    clips = bpy.data.movieclips
    return clips[0] if len(clips) == 1 else None


def shown_frame(clip: bpy.types.MovieClip, space: bpy.types.Space | None, scene: bpy.types.Scene) -> int:
    """Return the clip frame that a clip editor shows; elsewhere, and without a window, that of the scene's current
    frame.
    """
    if isinstance(space, bpy.types.SpaceClipEditor) and not bpy.app.background:
        return space.clip_user.frame_current - clip.frame_start + 1
    return scene.frame_current - clip.frame_start + 1


def scene_frame(clip: bpy.types.MovieClip, frame: int) -> int:
    """Return the timeline's number for a clip frame, which is the one that the artist sees."""
    return frame + clip.frame_start - 1


def find_clip(name: str) -> bpy.types.MovieClip:
    """Return the clip called `name`, or for an empty name the file's active or only one. Raises FootageError."""
    if name:
        if name not in bpy.data.movieclips:
            known = ", ".join(other.name for other in bpy.data.movieclips) or "none"
            raise FootageError("There is no clip of that name.", where=name, hint=f"Clips here: {known}.")
        return bpy.data.movieclips[name]
    clip = active_clip(bpy.context)
    if clip is None:
        several = ", ".join(other.name for other in bpy.data.movieclips)
        if several:
            raise FootageError("There are several clips.", where=several, hint=_ONE_OF_THEM)
        raise FootageError("There is no clip.", hint="Open footage in the Movie Clip Editor.")
    return clip


def read_footage(clip: bpy.types.MovieClip) -> tuple[Footage, list[str]]:
    """Return the clip's footage and warnings.

    Clip frame f of a sequence is the file with the number of the opened file + frame_offset + f - 1. frame_start does
    not matter here: it only sets the scene frame on which the clip begins.

    Raises:
        FootageError: a file is missing or can't be read; the error names the file.
    """
    path = Path(os.path.normpath(bpy.path.abspath(clip.filepath, library=clip.library)))
    if path.suffix.lower() in HEIF_SUFFIXES | RAW_SUFFIXES:
        raise FootageError(
            "Blender shows a part or a small copy of such a file, not the photo.",
            where=str(path),
            hint="Convert it to JPEG, PNG or TIFF: by Preview on a Mac, elsewhere by ImageMagick or darktable.",
        )
    width, height = clip.size[0], clip.size[1]  # type: ignore[index]
    if clip.source == "MOVIE":
        return _read_movie(clip, path, width, height)
    files, warnings = sequence_files(path, clip.frame_offset, max(1, clip.frame_duration))
    _check_shown(path, width, height)
    width, height = oriented_size(width, height, read_file_orientation(str(files[0])))
    footage = Footage(tuple(map(str, files)), width, height, len(files))
    if files[0].suffix.lower() == ".exr" and (config := _colour_config()):
        space = clip.colorspace_settings.name
        footage = dataclasses.replace(footage, colour_space=space, colour_config=config)
    if layer := shown_layer(read_layers(files[0])):
        footage = dataclasses.replace(footage, layer=layer.name)
    return footage, warnings


def _colour_config() -> str:
    """Return the OpenColorIO config that this Blender uses: $OCIO, or its own. Empty if there is none."""
    own = bpy.utils.system_resource("DATAFILES", path="colormanagement")  # type: ignore[attr-defined]
    for path in (os.environ.get("OCIO", ""), os.path.join(own, "config.ocio") if own else ""):  # noqa: PTH118
        if os.path.isfile(path):  # noqa: PTH113
            return os.path.abspath(path)  # noqa: PTH100
    return ""


def matte_folder(clip: bpy.types.MovieClip, footage: Footage | None) -> Path | None:
    """Return the folder of the clip's versions and mattes, or None if none is set and the footage can't be found."""
    settings = settings_of(clip)
    if settings.output:
        return Path(bpy.path.abspath(settings.output, library=clip.library))
    if footage is None:
        return None
    return beside_footage(footage) if settings.beside else default_matte_folder(footage)


def pictures_of(footage: Footage) -> str:
    """Return an identifier of the picture on clip frame 1, which changes with the clip's frame offset."""
    return f"{Path(footage.files[0]).name} {footage.movie_offset}"


def coordinates_of(clip: bpy.types.MovieClip, footage: Footage) -> ClipCoordinates:
    """Return the converter between the clip's coordinates and a Job's. Raises FootageError."""
    aspect_x, aspect_y = clip.display_aspect[:]
    aspect = aspect_y / aspect_x / clip.tracking.camera.pixel_aspect
    return ClipCoordinates(footage, aspect, movie_orientation(footage.files[0]) if footage.movie else 1)


def movie_orientation(file: str) -> int:
    """Return the EXIF orientation that makes a movie's pictures, as this Blender shows them, upright. Raises
    FootageError.
    """
    if bpy.app.version >= _TURNS_MOVIES:
        return 1
    try:
        return read_movie_orientation(file)
    except OSError as error:
        raise FootageError(f"The movie can't be read: {error.strerror}.", where=file) from None


def _read_movie(clip: bpy.types.MovieClip, path: Path, width: int, height: int) -> tuple[Footage, list[str]]:
    if not path.is_file():
        raise FootageError(
            "The movie is missing.", where=str(path), hint="Put it back, or find it in the clip's Footage Settings."
        )
    _check_shown(path, width, height)
    offset = clip.frame_offset
    if offset < 0:
        raise FootageError(
            f"The clip's frame offset of {offset} asks for frames before the movie begins.",
            where=str(path),
            hint="Set it to 0 in the clip editor's Footage Settings.",
        )
    count = clip.frame_duration - offset
    if count < 1:
        raise FootageError(
            f"The clip's frame offset of {offset} leaves nothing of {clip.frame_duration} frames.",
            where=str(path),
            hint="Set it to 0 in the clip editor's Footage Settings.",
        )
    warnings = []
    if offset:
        warnings.append(f"The clip's frame offset leaves {count} of the movie's {clip.frame_duration} frames.")
    width, height = oriented_size(width, height, movie_orientation(str(path)))
    return Footage((str(path),), width, height, count, movie=True, movie_offset=offset), warnings


def _check_shown(path: Path, width: int, height: int) -> None:
    if width < 1 or height < 1:
        raise FootageError(
            "Blender can't show this footage.", where=str(path), hint="Check that it is an image or a movie."
        )
