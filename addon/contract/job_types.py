"""What a Job is made of: footage, objects with their prompts, model, delivery, as plain data.

Coordinates are full-resolution image pixels *after* EXIF orientation: origin top left, x right, y down, pixel centres
at .5. `frame` is a clip frame as the Movie Clip Editor counts them: the first is 1. job.py puts it together,
job_checks.py says what values are allowed.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

FINE = 2048  # pixels along the longer side: a plate of more is much finer than the model's mattes

Direction = Literal["forward", "backward", "both"]
Device = Literal["auto", "cuda", "mps", "cpu"]
Precision = Literal["auto", "float32", "bfloat16", "float16"]
Refine = Literal["auto", "off", "filter", "windows"]
Scope = Literal["all", "missing", "changed"]
PlateAlpha = Literal["replace", "multiply"]
EdgeColours = Literal["as_shot", "subject"]


@dataclass(frozen=True, slots=True)
class Footage:
    """The plate: an ordered image sequence, or one movie file.

    files: absolute paths. Of a sequence, frame f is files[f - 1]; of a movie there is exactly one.
    width, height: pixels, after EXIF orientation.
    frame_count: frames that can be asked for; of a sequence, len(files).
    movie_offset: frames of the movie file before frame 1 (Blender's clip.frame_offset).
    colour_space: of float images, a name of the OpenColorIO config below; empty = linear with Rec. 709 primaries.
    colour_config: absolute path of that config (Blender's is its own).
    panorama: 360-degree equirectangular: the right border goes on at the left one.
    layer: of EXR images with several layers or parts, the name of that which is read; empty = as Blender shows it
        (exr_layers.py).
    """

    files: tuple[str, ...]
    width: int
    height: int
    frame_count: int
    movie: bool = False
    movie_offset: int = 0
    colour_space: str = ""
    colour_config: str = ""
    panorama: bool = False
    layer: str = ""

    @property
    def root(self) -> Path:
        """The folder that all files are in or below: those of several cameras lie in folders of their own."""
        return Path(os.path.commonpath([os.path.dirname(file) for file in self.files]))  # noqa: PTH120 (thousands)


@dataclass(frozen=True, slots=True)
class Point:
    """A click: on the subject (include) or on what is not the subject."""

    x: float
    y: float
    include: bool = True


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle around the subject, x0 < x1, y0 < y1."""

    x0: float
    y0: float
    x1: float
    y1: float


@dataclass(frozen=True, slots=True)
class Mask:
    """A drawn matte: an image file of the upright footage's size (docs/footage.md: what counts), or filled polygons.

    file: absolute path, or empty.
    polygons: closed outlines of (x, y); where they overlap they are filled, or with `holes` by even-odd (both as
        Blender's mask layers do, whose "Holes" is off at first).
    """

    file: str = ""
    polygons: tuple[tuple[tuple[float, float], ...], ...] = ()
    holes: bool = False


@dataclass(frozen=True, slots=True)
class Prompt:
    """All that was marked of one object on one frame. Points beside a mask correct that mask."""

    frame: int
    points: tuple[Point, ...] = ()
    box: Box | None = None
    mask: Mask | None = None

    @property
    def stands_alone(self) -> bool:
        """Whether it says where the subject is; points that only exclude need a matte to correct."""
        return self.mask is not None or self.box is not None or any(point.include for point in self.points)


@dataclass(frozen=True, slots=True)
class Outlines:
    """Closed outlines of (x, y) as they are keyed on a clip frame, which may lie outside the clip."""

    frame: int
    polygons: tuple[tuple[tuple[float, float], ...], ...]


@dataclass(frozen=True, slots=True)
class Garbage:
    """A drawn area that the subject is not in, on every frame.

    keys: ordered by frame, all with the same outlines and corners. Between two of them corners move in straight lines;
        before the first and after the last they stand still.
    holes: overlaps count as outside, as in Mask.
    outside: the area is all but the inside of the outlines.
    """

    keys: tuple[Outlines, ...]
    holes: bool = False
    outside: bool = False


@dataclass(frozen=True, slots=True)
class Finishing:
    """What is done to an object's tracked matte, in this order; it is never tracked again for that.

    temporal: frames to either side; the median over them takes chatter away, and thin parts that move fast.
    fill_holes: holes up to this area are filled; pixels of the plate.
    remove_islands: separate parts up to this area are removed; pixels of the plate.
    smooth: evens out bumps and notches; standard deviation of a Gaussian in pixels of the plate.
    grow: moves the edge outwards by so many pixels of the plate; inwards if negative.
    subtract: the name of an object whose matte (as it is before its own subtraction) is taken away; or empty.
    invert: swaps the object and the rest.
    feather: width of a soft edge in pixels of the plate; for targets that keep greys.
    garbage: what lies in any of these areas is taken away.
    """

    temporal: int = 0
    fill_holes: int = 0
    remove_islands: int = 0
    smooth: float = 0.0
    grow: float = 0.0
    subtract: str = ""
    invert: bool = False
    feather: float = 0.0
    garbage: tuple[Garbage, ...] = ()


@dataclass(frozen=True, slots=True)
class MatteObject:
    """One SAM 2 object. Prompts are ordered by frame, one a frame.

    export: whether it is in what is exported; tracked it is in any case, to be subtracted from others, say.
    """

    name: str
    prompts: tuple[Prompt, ...]
    finishing: Finishing = field(default_factory=Finishing)
    export: bool = True


@dataclass(frozen=True, slots=True)
class Model:
    """Which weights, where they run.

    checkpoint: "embedded", a name of addon.checkpoints.OFFICIAL, or the absolute path of a file.
    config: for a file: the name of a config inside the sam2 package or the absolute path of a .yaml.
    sha256: for a file: what it has to hash to; empty = not checked.
    trust: use a file whose hash is neither given nor known.
    """

    checkpoint: str = "embedded"
    config: str = ""
    sha256: str = ""
    trust: bool = False
    device: Device = "auto"
    precision: Precision = "auto"


@dataclass(frozen=True, slots=True)
class Delivery:
    """Which frames an export writes, into which version, and what beside the target's rules decides what is in them.

    scope: all; missing: frames that the version before has no files of; changed: those, and frames whose matte or
        plate is another than they were written from.
    frame_range: first and last frame to write, both included; None = all that have a matte.
    into: empty = a new version, which takes over what isn't written from the one before; "latest" = on with the latest
        of the same target, if there is one; "v003" = on with that one.
    plate_alpha: the matte replaces alpha that the footage has, or is multiplied with it.
    frame_rate: of exported movies, frames a second; 0 = that of movie footage, 24 of images.
    edge_colours: beside and under its edge the plate's, or the subject's own, continued outwards.
    """

    scope: Scope = "all"
    frame_range: tuple[int, int] | None = None
    into: str = ""
    plate_alpha: PlateAlpha = "replace"
    frame_rate: float = 0.0
    edge_colours: EdgeColours = "as_shot"


def refining(refine: Refine, width: int, height: int) -> Refine:
    """What "auto" is on plates of so many pixels: "filter" on fine ones, else "off"."""
    if refine != "auto":
        return refine
    return "filter" if max(width, height) > FINE else "off"
