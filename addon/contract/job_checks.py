"""Checks of a Job's values beyond their types. Every error names the field. Standard library only."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Sequence
from pathlib import Path

from .boundary import check_pixels
from .errors import JobError
from .job_types import Delivery, Finishing, Footage, Held, Mask, MatteObject, Prompt, StaticMask

MAX_FRAMES = 1_000_000
MAX_OBJECTS = 256
MAX_POINTS_PER_FRAME = 1_000
MAX_SIDE = 65_536  # pixels
MIN_RATE, MAX_RATE = 0.1, 1000.0  # frames a second
MAX_LENGTH = 1_000  # pixels, of finishing
MAX_SOFT = 100  # pixels, of the band with estimated alpha
MAX_TEMPORAL = 10  # frames
MAX_CACHE = 1_000_000  # megabytes
VIEW_OVERLAP = 1.25  # field of view of a pinhole view, by the angle between two of them
MIN_COLUMNS, MAX_COLUMNS = 4, 24  # of pinhole views
STEEPEST = 75.0  # degrees up or down that pinhole views may look

Polygons = tuple[tuple[tuple[float, float], ...], ...]


def check_footage(footage: Footage) -> None:
    """Raises JobError that names the field."""
    if not footage.files:
        raise JobError("There is no footage.", where="footage.files", hint="Open a clip or name a folder of images.")
    for name, side in (("width", footage.width), ("height", footage.height)):
        if not 1 <= side <= MAX_SIDE:
            raise JobError(f"{side} is not an image size (1 to {MAX_SIDE}).", where=f"footage.{name}")
    check_pixels(footage.width, footage.height, JobError, "footage")
    for i, file in enumerate(footage.files):
        check_path(file, f"footage.files[{i}]")
    try:
        _ = footage.root
    except ValueError:  # Windows: on several drives
        raise JobError("The images have no common folder.", where="footage.files") from None
    if not 1 <= footage.frame_count <= MAX_FRAMES:
        raise JobError(
            f"The number of frames must be 1 to {MAX_FRAMES}, not {footage.frame_count}.", where="footage.frame_count"
        )
    if footage.movie and len(footage.files) != 1:
        raise JobError("A movie must be exactly one file.", where="footage.files")
    if not footage.movie and footage.frame_count != len(footage.files):
        raise JobError(
            f"The frame count is {footage.frame_count}, but there are {len(footage.files)} files.",
            where="footage.frame_count",
        )
    if footage.movie_offset < 0:
        raise JobError("The movie offset can't be negative.", where="footage.movie_offset")
    if bool(footage.colour_space) != bool(footage.colour_config):
        raise JobError("Give both a colour space and a config, or neither.", where="footage.colour_space")
    if footage.colour_config:
        check_path(footage.colour_config, "footage.colour_config")
    check_text(footage.layer, "footage.layer")


def check_delivery(delivery: Delivery, footage: Footage) -> None:
    """Raises JobError that names the field."""
    check_range(delivery.frame_range, footage, "delivery.frame_range")
    if not (delivery.frame_rate == 0 or MIN_RATE <= delivery.frame_rate <= MAX_RATE):
        raise JobError(
            f"{delivery.frame_rate:g} is not a frame rate ({MIN_RATE:g} to {MAX_RATE:g}).", where="delivery.frame_rate"
        )
    if not 0 <= delivery.ignored_band <= MAX_LENGTH:
        raise JobError(f"{delivery.ignored_band} pixels are not 0 to {MAX_LENGTH}.", where="delivery.ignored_band")
    if any(not 1 <= frame <= footage.frame_count for frame in delivery.kept):
        raise JobError(f"Not all are of the clip's frames 1 to {footage.frame_count}.", where="delivery.kept")
    if any(first >= second for first, second in itertools.pairwise(delivery.kept)):
        raise JobError("Kept frames are in order, each of them once.", where="delivery.kept")
    view_grid(delivery.views)
    if not re.fullmatch(r"[\w.-]{0,128}", delivery.submission):
        raise JobError(f"{delivery.submission!r} is no name of a submission.", where="delivery.submission")
    if not re.fullmatch(r"|latest|v\d{3,}", delivery.into):
        raise JobError(
            f"{delivery.into!r} is not a version.",
            where="delivery.into",
            hint='Name one, such as "v003", or "latest"; leave it empty for a new one.',
        )


def view_grid(views: str) -> tuple[int, int] | None:
    """The columns and rows that `delivery.views` asks for; None for the faces of a cube. Raises JobError."""
    if views == "cube":
        return None
    found = re.fullmatch(r"(\d{1,2})x(\d)", views)
    if not found:
        raise JobError(
            f"{views!r} are no views.", where="delivery.views", hint='Use "cube", or columns and rows such as "8x3".'
        )
    columns, rows = int(found[1]), int(found[2])
    if not (MIN_COLUMNS <= columns <= MAX_COLUMNS and rows >= 1):
        raise JobError(f"Use {MIN_COLUMNS} to {MAX_COLUMNS} columns and a row.", where="delivery.views")
    if (rows - 1) / 2 * 360 / columns > STEEPEST:
        raise JobError(
            f"With {columns} columns, {rows} rows reach over the poles.",
            where="delivery.views",
            hint="Use more columns or fewer rows.",
        )
    return columns, rows


def check_static_masks(masks: Sequence[StaticMask], footage: Footage) -> None:
    """Raises JobError that names the field."""
    if len(masks) > MAX_OBJECTS:
        raise JobError(f"More than {MAX_OBJECTS} masks.", where="static_masks")
    folders = {Path(file).parent.relative_to(footage.root).as_posix() for file in footage.files} if masks else set()
    for i, mask in enumerate(masks):
        _check_mask(mask.mask, f"static_masks[{i}].mask")
        if mask.camera and mask.camera not in folders:
            raise JobError(
                f"There is no folder {mask.camera!r} in this footage.",
                where=f"static_masks[{i}].camera",
                hint="Name a folder below the one that all images are in, or leave it empty.",
            )


def check_objects(objects: Sequence[MatteObject], footage: Footage, frames: range) -> None:
    """Check the objects of a Job that tracks the clip frames `frames`. Raises JobError that names the field."""
    if not objects:
        raise JobError(
            "Nothing is marked.", where="objects", hint="Add a marker on the subject, or give --point, --box or --mask."
        )
    if len(objects) > MAX_OBJECTS:
        raise JobError(f"There are more than {MAX_OBJECTS} objects.", where="objects")
    names = [matte_object.name for matte_object in objects]
    for i, matte_object in enumerate(objects):
        if not matte_object.name or names.index(matte_object.name) != i:
            raise JobError(f"The name {matte_object.name!r} is empty or used twice.", where=f"objects[{i}].name")
        check_text(matte_object.name, f"objects[{i}].name")
        _check_prompts(matte_object, footage, frames, f"objects[{i}]")
        _check_finishing(matte_object, names, f"objects[{i}].finishing")
        _check_held(matte_object.held, footage, f"objects[{i}].held")


def check_range(frame_range: tuple[int, int] | None, footage: Footage, where: str) -> None:
    """Check that a first and last frame lie inside the clip. Raises JobError that names `where`."""
    if frame_range is not None and not 1 <= frame_range[0] <= frame_range[1] <= footage.frame_count:
        raise JobError(
            f"{frame_range[0]} to {frame_range[1]} is not inside the clip's frames 1 to {footage.frame_count}.",
            where=where,
        )


def check_path(path: str, where: str, hint: str = "") -> None:
    """Check that a path is absolute, on this system or on Windows. Raises JobError that names `where`."""
    if "\0" in path or not (Path(path).is_absolute() or re.match(r"[A-Za-z]:[\\/]|\\\\", path)):
        raise JobError(f"{path!r} is not an absolute path.", where=where, hint=hint)
    check_text(path, where)


def check_text(text: str, where: str) -> None:
    """Check that a text can be written as UTF-8. Raises JobError that names `where`."""
    try:
        text.encode()
    except UnicodeEncodeError:  # a file name in another encoding than the system's comes as lone surrogates
        raise JobError(f"{text!r} is not valid Unicode.", where=where, hint="Rename it.") from None


def _check_prompts(matte_object: MatteObject, footage: Footage, frames: range, where: str) -> None:
    name, prompts = matte_object.name, matte_object.prompts
    if not prompts:
        raise JobError(f"{name!r} has no prompts.", where=f"{where}.prompts", hint="Mark it or leave it out.")
    if not any(prompt.stands_alone for prompt in prompts):
        raise JobError(
            f"{name!r} has only exclude points.",
            where=f"{where}.prompts",
            hint="Add an include marker on the subject.",
        )
    previous = 0
    for i, prompt in enumerate(prompts):
        place = f"{where}.prompts[{i}]"
        if prompt.frame not in frames:
            raise JobError(
                f"{name!r} is marked on frame {prompt.frame}, not in {frames[0]} to {frames[-1]}.",
                where=f"{place}.frame",
                hint="Widen the range or remove the marker.",
            )
        if prompt.frame <= previous:
            raise JobError("Prompts must be ordered by frame, at most one per frame.", where=f"{place}.frame")
        previous = prompt.frame
        _check_prompt(prompt, footage, place)


def _check_prompt(prompt: Prompt, footage: Footage, where: str) -> None:
    if not prompt.points and prompt.box is None and prompt.mask is None:
        raise JobError("This prompt has no points, box or mask.", where=where)
    if len(prompt.points) > MAX_POINTS_PER_FRAME:
        raise JobError(f"There are more than {MAX_POINTS_PER_FRAME} points on one frame.", where=f"{where}.points")
    for i, point in enumerate(prompt.points):
        _check_inside(point.x, point.y, footage, f"{where}.points[{i}]")
    if prompt.box is not None:
        box = prompt.box
        if not (box.x0 < box.x1 and box.y0 < box.y1):
            raise JobError("The box has no area.", where=f"{where}.box")
        _check_inside(box.x0, box.y0, footage, f"{where}.box")
        _check_inside(box.x1, box.y1, footage, f"{where}.box")
    if prompt.mask is not None:
        _check_mask(prompt.mask, f"{where}.mask")


def _check_mask(mask: Mask, where: str) -> None:
    if bool(mask.file) == bool(mask.polygons):
        raise JobError("A mask must be either a file or polygons.", where=where)
    if mask.file:
        check_path(mask.file, f"{where}.file")
    _check_polygons(mask.polygons, f"{where}.polygons")


def _check_polygons(polygons: Polygons, where: str) -> None:
    for i, polygon in enumerate(polygons):
        if len(polygon) < 3:
            raise JobError("A polygon needs at least three corners.", where=f"{where}[{i}]")
        if not all(math.isfinite(value) for corner in polygon for value in corner):
            raise JobError("The coordinates of a corner must be numbers.", where=f"{where}[{i}]")


def _check_finishing(matte_object: MatteObject, names: list[str], where: str) -> None:
    finishing = matte_object.finishing
    for name, least, most in (
        ("temporal", 0, MAX_TEMPORAL),
        ("fill_holes", 0, MAX_SIDE**2),
        ("remove_islands", 0, MAX_SIDE**2),
        ("smooth", 0, MAX_LENGTH),
        ("grow", -MAX_LENGTH, MAX_LENGTH),
        ("soft", 0, MAX_SOFT),
        ("feather", 0, MAX_LENGTH),
    ):
        value = getattr(finishing, name)
        if not least <= value <= most:
            raise JobError(f"{value} is not between {least} and {most}.", where=f"{where}.{name}")
    if finishing.subtract and (finishing.subtract not in names or finishing.subtract == matte_object.name):
        raise JobError(
            f"There is no other object called {finishing.subtract!r}.",
            where=f"{where}.subtract",
            hint=f"Choose another than {matte_object.name!r}, and mark it.",
        )
    _check_garbage(finishing, where)


def _check_held(runs: Sequence[Held], footage: Footage, where: str) -> None:
    previous = 0
    for i, held in enumerate(runs):
        place = f"{where}[{i}]"
        check_range((held.first, held.last), footage, place)
        if held.first <= previous:
            raise JobError("Held ranges must be ordered by frame, and none may overlap another.", where=place)
        previous = held.last
        if not re.fullmatch(r"[0-9a-f]{20}", held.take):
            raise JobError(f"{held.take!r} is not the key of a take.", where=f"{place}.take")
        if not re.fullmatch(r"[0-9a-f]{64}", held.sha256):
            raise JobError(f"{held.sha256!r} is not a SHA-256.", where=f"{place}.sha256")


def _check_garbage(finishing: Finishing, where: str) -> None:
    for i, garbage in enumerate(finishing.garbage):
        place = f"{where}.garbage[{i}].keys"
        shapes = [tuple(map(len, key.polygons)) for key in garbage.keys]
        frames = [key.frame for key in garbage.keys]
        if not shapes or not shapes[0]:
            raise JobError("This garbage matte has no outlines.", where=place)
        if any(shape != shapes[0] for shape in shapes):
            raise JobError("All keys must have the same number of outlines and corners.", where=place)
        if any(first >= second for first, second in itertools.pairwise(frames)):
            raise JobError("Keys must be ordered by frame, at most one per frame.", where=place)
        for j, key in enumerate(garbage.keys):
            _check_polygons(key.polygons, f"{place}[{j}].polygons")


def _check_inside(x: float, y: float, footage: Footage, where: str) -> None:
    if not (0 <= x <= footage.width and 0 <= y <= footage.height):
        raise JobError(
            f"({x:g}, {y:g}) lies outside the image of {footage.width} x {footage.height} pixels.",
            where=where,
            hint="Move the marker into the frame or disable it there.",
        )
