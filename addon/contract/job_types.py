"""The types that a Job is made of: footage, objects with their prompts, model and delivery, as plain data.

Coordinates are full-resolution image pixels *after* EXIF orientation: origin top left, x right, y down, pixel centres
at .5. `frame` is a clip frame as the Movie Clip Editor counts them: the first is 1. job.py has the Job itself,
job_checks.py the checks of values.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

FINE = 2048  # pixels along the longer side: a plate of more is much finer than the model's mattes

Direction = Literal["forward", "backward", "both"]
MemoryRule = Literal["sam2", "selected", "tree", "anchors"]
FIRST_MEMORY: MemoryRule = "sam2"  # what Jobs and clips of earlier releases mean, which name none
DEFAULT_MEMORY: MemoryRule = "selected"
Device = Literal["auto", "cuda", "mps", "cpu"]
Precision = Literal["auto", "float32", "bfloat16", "float16"]
Refine = Literal["auto", "off", "filter", "windows"]
Scope = Literal["all", "missing", "changed"]
PlateAlpha = Literal["replace", "multiply"]
Capture = Literal["any", "walk_around", "turntable"]
EdgeColours = Literal["as_shot", "subject"]


@dataclass(frozen=True, slots=True)
class Footage:
    """The plate: an ordered image sequence, or one movie file.

    files: absolute paths. In a sequence, frame f is files[f - 1]. A movie is exactly one file.
    width, height: size in pixels, after EXIF orientation.
    frame_count: number of frames; for a sequence, len(files).
    movie_offset: number of frames in the movie file before frame 1 (Blender's clip.frame_offset).
    colour_space: colour space of float images, a name in the OpenColorIO config below; empty: linear with Rec. 709
        primaries.
    colour_config: absolute path of the OpenColorIO config, which Blender has its own of.
    panorama: whether the footage is a 360-degree equirectangular panorama, whose left and right borders meet.
    layer: name of the layer to read from EXR images with several layers or parts; empty: the layer that Blender shows
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
        """The deepest folder that contains all files. The files of several cameras are in folders below it."""
        return Path(os.path.commonpath([os.path.dirname(file) for file in self.files]))  # noqa: PTH120 (thousands)


@dataclass(frozen=True, slots=True)
class Point:
    """A point prompt: on the subject (`include`) or on the background."""

    x: float
    y: float
    include: bool = True


@dataclass(frozen=True, slots=True)
class Box:
    """A box prompt: a rectangle around the subject, with x0 < x1 and y0 < y1."""

    x0: float
    y0: float
    x1: float
    y1: float


@dataclass(frozen=True, slots=True)
class Mask:
    """A mask prompt: an image file of the size of the upright footage, or filled polygons.

    file: absolute path of the image, or empty. docs/footage.md says which of its channels is used.
    polygons: closed outlines of (x, y).
    holes: where outlines overlap is outside (even-odd rule) instead of filled, like "Holes" of Blender's mask layers.
    """

    file: str = ""
    polygons: tuple[tuple[tuple[float, float], ...], ...] = ()
    holes: bool = False


@dataclass(frozen=True, slots=True)
class StaticMask:
    """An area that is always at the same place in a camera's picture and not part of the scene, such as a tripod."""

    mask: Mask
    camera: str = ""


@dataclass(frozen=True, slots=True)
class Prompt:
    """All prompts for one object on one frame. Points together with a mask correct that mask."""

    frame: int
    points: tuple[Point, ...] = ()
    box: Box | None = None
    mask: Mask | None = None

    @property
    def stands_alone(self) -> bool:
        """Whether it locates the subject by itself. Exclude points alone can only correct an existing matte."""
        return self.mask is not None or self.box is not None or any(point.include for point in self.points)


@dataclass(frozen=True, slots=True)
class Outlines:
    """Closed outlines of (x, y) that are keyed on a clip frame. The frame may lie outside the clip."""

    frame: int
    polygons: tuple[tuple[tuple[float, float], ...], ...]


@dataclass(frozen=True, slots=True)
class Garbage:
    """A garbage matte: a drawn area that never contains the subject.

    keys: ordered by frame, all with the same number of outlines and corners. Corners move in straight lines between
        two keys, and stand still before the first and after the last one.
    holes: see `Mask`.
    outside: the area is everything outside the outlines.
    """

    keys: tuple[Outlines, ...]
    holes: bool = False
    outside: bool = False


@dataclass(frozen=True, slots=True)
class Finishing:
    """The finishing steps of an object's tracked matte, in this order. None of them needs tracking again.

    temporal: number of frames to either side over which the median is taken. It removes chatter, but also thin parts
        that move fast.
    fill_holes: holes up to this area, in pixels of the plate, are filled.
    remove_islands: separate islands up to this area, in pixels of the plate, are removed.
    smooth: standard deviation, in pixels of the plate, of the Gaussian that evens out bumps and notches.
    grow: distance, in pixels of the plate, by which the edge moves outwards; inwards if negative.
    subtract: name of an object whose matte, before its own subtraction, is subtracted; or empty.
    invert: swap the object and the background.
    soft: pixels of the plate to either side of the edge in which real alpha is estimated from the plate, for targets
        that keep grey values.
    feather: width of a soft edge in pixels of the plate, likewise.
    garbage: garbage mattes, which are subtracted.
    """

    temporal: int = 0
    fill_holes: int = 0
    remove_islands: int = 0
    smooth: float = 0.0
    grow: float = 0.0
    subtract: str = ""
    invert: bool = False
    soft: float = 0.0
    feather: float = 0.0
    garbage: tuple[Garbage, ...] = ()


@dataclass(frozen=True, slots=True)
class Held:
    """Frames that keep the mattes of an earlier take, whatever the prompts say now.

    first, last: clip frames, both included; all of them have a matte in that take.
    take: the key of the take: the 20 hexadecimal digits at the end of its folder's name.
    sha256: identifies these mattes (held_mattes.sha256_of). Others are refused.
    """

    first: int
    last: int
    take: str
    sha256: str


@dataclass(frozen=True, slots=True)
class MatteObject:
    """One SAM 2 object. Its prompts are ordered by frame, at most one per frame.

    export: whether it is exported. It is tracked in any case, for example to be subtracted from other objects.
    shadow: whether it is a shadow or a reflection of the subject: neither subject nor empty. It is not part of the
        exported subject, and targets that distinguish ignored from empty pixels mark it as ignored.
    held: ranges of frames, in order, that are not tracked anew. The object's mattes are then pieced together from
        several takes.
    """

    name: str
    prompts: tuple[Prompt, ...]
    finishing: Finishing = field(default_factory=Finishing)
    export: bool = True
    shadow: bool = False
    held: tuple[Held, ...] = ()

    def holds(self, frame: int) -> bool:
        """Whether clip frame `frame` keeps the matte of an earlier take."""
        return any(held.first <= frame <= held.last for held in self.held)


@dataclass(frozen=True, slots=True)
class Model:
    """The model's weights, and the device and precision that it computes with.

    checkpoint: "embedded", a name in addon.checkpoints.OFFICIAL, or the absolute path of a file.
    config: for a file: the name of a config inside the sam2 package, or the absolute path of a .yaml file.
    sha256: for a file: its expected hash; empty: it is not checked.
    trust: use a file even if its hash is neither given nor known.
    """

    checkpoint: str = "embedded"
    config: str = ""
    sha256: str = ""
    trust: bool = False
    device: Device = "auto"
    precision: Precision = "auto"


@dataclass(frozen=True, slots=True)
class Delivery:
    """Which frames an export writes, into which version, and how, as far as the target's rules leave that open.

    scope: "all" frames; "missing": frames without files in the previous version; "changed": also frames whose matte or
        plate has changed since their files were written.
    frame_range: first and last clip frame to write, both included; None: all frames that have a matte.
    into: empty: a new version, which takes over the files of the previous version for frames that are not written;
        "latest": the latest version of the same target, if there is one; "v003": that version.
    plate_alpha: whether the matte replaces the footage's own alpha or is multiplied with it.
    frame_rate: frames per second of exported movies; 0: that of movie footage, or 24 for image sequences.
    edge_colours: the colours beside and under the edge of the subject: those of the plate, or those of the subject,
        continued outwards.
    ignored_band: pixels on either side of the edge that are marked as ignored, for targets that distinguish ignored
        from empty pixels.
    ignore_doubtful: whether pixels are also ignored where the model gives the subject neither less than 10 nor more
        than 90 percent, for the same targets.
    greys: whether soft edges are kept as grey values, for targets whose program uses the greys of masks as weights.
    capture: what moved during the capture: "walk_around", the camera; "turntable", the subject. The version then holds
        masks for alignment and for training, for targets that align or train. "any": the files of the target alone.
    kept: the clip frames to write, ascending; all other frames are tracked, but not written; empty: all frames.
    views: the pinhole views of a panorama, for targets that write it so: "cube", its six faces; "8x3", so many columns
        around and rows above each other, whose views overlap by a quarter.
    submission: what a farm calls this export, or empty. There is one version of a submission: whoever exports it again,
        because a task was lost, for example, gets that version.
    """

    scope: Scope = "all"
    frame_range: tuple[int, int] | None = None
    into: str = ""
    plate_alpha: PlateAlpha = "replace"
    frame_rate: float = 0.0
    edge_colours: EdgeColours = "as_shot"
    ignored_band: int = 0
    ignore_doubtful: bool = False
    greys: bool = False
    capture: Capture = "any"
    kept: tuple[int, ...] = ()
    views: str = "cube"
    submission: str = ""


def refining(refine: Refine, width: int, height: int) -> Refine:
    """`refine` for a plate of width x height pixels: "auto" means "filter" for large plates, "off" for others."""
    if refine != "auto":
        return refine
    return "filter" if max(width, height) > FINE else "off"
