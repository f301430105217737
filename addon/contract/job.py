"""The Job: everything the engine has to know, as plain data.

Blender (or a command line) makes a Job, the engine carries it out. The same Job on the same machine gives the same
bytes. Standard library only; both processes import it.

Coordinates are full-resolution image pixels *after* EXIF orientation: origin top left, x right, y down, pixel centres
at .5. `frame` is a clip frame as the Movie Clip Editor counts them: the first is 1.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import json
import math
import os
import re
import types
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from . import automatic
from .automatic import Automatic, Everything, Promptless, Transients
from .errors import JobError

SCHEMA_VERSION = 1
MAX_FRAMES = 1_000_000
MAX_OBJECTS = 256
MAX_POINTS_PER_FRAME = 1_000
MAX_SIDE = 65_536  # pixels
FINE = 2048  # pixels along the longer side: a plate of more is much finer than the model's mattes
MIN_RATE, MAX_RATE = 0.1, 1000.0  # frames a second
MAX_LENGTH = 1_000  # pixels, of finishing
MAX_TEMPORAL = 10  # frames
MAX_CACHE = 1_000_000  # megabytes
MAX_JOB_BYTES = 256 * 1024 * 1024

Direction = Literal["forward", "backward", "both"]
Device = Literal["auto", "cuda", "mps", "cpu"]
Precision = Literal["auto", "float32", "bfloat16"]
Refine = Literal["auto", "off", "filter", "windows"]
Scope = Literal["all", "missing", "changed"]
PlateAlpha = Literal["replace", "multiply"]


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
    """A drawn matte: an image file (full resolution, at least half grey = subject), or filled polygons.

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
    """

    scope: Scope = "all"
    frame_range: tuple[int, int] | None = None
    into: str = ""
    plate_alpha: PlateAlpha = "replace"
    frame_rate: float = 0.0


@dataclass(frozen=True, slots=True)
class Job:
    """What to segment, how, and where the mattes go.

    frame_range: first and last frame to track, both included; None = all.
    part: first and last frame of those that are wanted now; None = all of them. Other than outside the range, prompts
        outside the part count, and frames that its mattes depend on are tracked on the way.
    output: absolute folder of versions; empty = `<name>_matte` beside the footage.
    export: a name of targets.TARGETS; empty = track only.
    invert: swap the subject and the rest in what is exported.
    refine: whether exported mattes follow the plate's own edges at native resolution: by an edge-aware filter, or by
        that after the model has looked again, in windows along the edge; "auto": see `refining`.
    cache_megabytes: disk space, beside the mattes, for image features, so that a correction is tracked sooner. No matte
        depends on it.
    transforms: for the target nerfstudio, the absolute path of the transforms.json that gets the masks.
    delivery: which frames of it are written, and into which version.
    transients, promptless, everything: at most one of them, instead of objects: what is to be found without a click.
    """

    footage: Footage
    objects: tuple[MatteObject, ...]
    model: Model = field(default_factory=Model)
    direction: Direction = "both"
    frame_range: tuple[int, int] | None = None
    part: tuple[int, int] | None = None
    output: str = ""
    export: str = "postshot"
    invert: bool = False
    refine: Refine = "auto"
    transforms: str = ""
    delivery: Delivery = field(default_factory=Delivery)
    cache_megabytes: int = 4000
    transients: Transients | None = None
    promptless: Promptless | None = None
    everything: Everything | None = None
    version: int = SCHEMA_VERSION

    def __post_init__(self) -> None:
        _check(self)

    @property
    def frames(self) -> range:
        """The frames to track, in clip order."""
        first, last = self.frame_range or (1, self.footage.frame_count)
        return range(first, last + 1)

    @property
    def automatic(self) -> Automatic | None:
        """What is to be found without a click, if anything."""
        return self.transients or self.promptless or self.everything

    @property
    def refining(self) -> Refine:
        """`refine`, decided."""
        return refining(self.refine, self.footage.width, self.footage.height)

    @property
    def wanted(self) -> range:
        """The frames that get their mattes now, in clip order."""
        return range(self.part[0], self.part[1] + 1) if self.part else self.frames

    @property
    def matte_folder(self) -> Path:
        """Where versions and the matte store live."""
        return Path(self.output) if self.output else default_matte_folder(self.footage)

    def to_json(self) -> str:
        """Canonical JSON: sorted keys, floats as floats, so that equal Jobs are equal texts."""
        plain = json.loads(json.dumps(dataclasses.asdict(self)))
        typed = dataclasses.asdict(_decode(plain, Job, "job"))
        return json.dumps(typed, sort_keys=True, ensure_ascii=False, indent=1)

    @staticmethod
    def from_json(text: str) -> Job:
        """Raises JobError that names the field."""
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise JobError(f"This is not JSON: {error}.", where="job", hint="Export the Job again.") from None
        return Job.from_dict(data)

    @staticmethod
    def from_dict(data: Any) -> Job:
        """The Job in parsed JSON. Raises JobError that names the field."""
        if isinstance(data, dict) and data.get("version") != SCHEMA_VERSION:
            raise JobError(
                f"This Job has version {data.get('version')!r}; this Splat Matte reads version {SCHEMA_VERSION}.",
                where="version",
                hint="Make the Job again with this release.",
            )
        job: Job = _decode(data, Job, "job")
        return job

    @staticmethod
    def load(path: Path) -> Job:
        """Read a Job file. Raises JobError that names the file or the field."""
        try:
            if path.stat().st_size > MAX_JOB_BYTES:
                raise JobError("This file is too large to be a Job.", where=str(path))
            return Job.from_json(path.read_text(encoding="utf-8-sig"))
        except OSError as error:
            raise JobError(f"The Job can't be read: {error.strerror}.", where=str(path)) from None
        except UnicodeDecodeError:
            raise JobError("This is not a Job: it is not UTF-8 text.", where=str(path)) from None


def refining(refine: Refine, width: int, height: int) -> Refine:
    """What "auto" is on plates of so many pixels: "filter" on fine ones, else "off"."""
    if refine != "auto":
        return refine
    return "filter" if max(width, height) > FINE else "off"


# What cameras and phones call a frame, before its number: IMG_0001, _DSC0001, P1000001, PXL_20260101_120000000.
CAMERA_BASE = re.compile(r"_?(?:img|dsc|dscf|dscn|dji|gopr|gx|pxl|mvi|p|r|mg)?[-_. \d]*", re.IGNORECASE)


def default_matte_folder(footage: Footage) -> Path:
    """`<name>_matte` beside the footage.

    `<name>` is the sequence's base name, or its folder's where the base says nothing: only digits, or a camera's
    (`IMG_0001.JPG`, `DSC_0001.NEF`), or the folder's above several. A movie's is its file name.
    """
    first = Path(footage.files[0])
    if footage.movie:
        return first.with_name(f"{first.stem}_matte")
    root = footage.root
    if root != first.parent:
        return root / f"{root.name or 'footage'}_matte"
    base = re.sub(r"\d+$", "", first.stem)
    if CAMERA_BASE.fullmatch(base):
        return first.with_name(f"{first.parent.name or 'footage'}_matte")
    return first.with_name(f"{base.rstrip('-_. ')}_matte")


def _check(job: Job) -> None:
    """Everything that the types do not say. Raises JobError that names the field."""
    footage = job.footage
    if not footage.files:
        raise JobError("There is no footage.", where="footage.files", hint="Open a clip or name a folder of images.")
    for name, side in (("width", footage.width), ("height", footage.height)):
        if not 1 <= side <= MAX_SIDE:
            raise JobError(f"{side} is not an image size (1 to {MAX_SIDE}).", where=f"footage.{name}")
    for i, file in enumerate(footage.files):
        _check_path(file, f"footage.files[{i}]")
    try:
        _ = footage.root
    except ValueError:  # Windows: on several drives
        raise JobError("The images have no folder above all of them.", where="footage.files") from None
    if not 1 <= footage.frame_count <= MAX_FRAMES:
        raise JobError(f"{footage.frame_count} frames are not 1 to {MAX_FRAMES}.", where="footage.frame_count")
    if footage.movie and len(footage.files) != 1:
        raise JobError("A movie is one file.", where="footage.files")
    if not footage.movie and footage.frame_count != len(footage.files):
        raise JobError(
            f"{footage.frame_count} differs from the number of files, {len(footage.files)}.",
            where="footage.frame_count",
        )
    if footage.movie_offset < 0:
        raise JobError("It can't be negative.", where="footage.movie_offset")
    if bool(footage.colour_space) != bool(footage.colour_config):
        raise JobError("Colour space and config are both given or neither.", where="footage.colour_space")
    if footage.colour_config:
        _check_path(footage.colour_config, "footage.colour_config")
    _check_range(job.frame_range, footage, "frame_range")
    _check_range(job.delivery.frame_range, footage, "delivery.frame_range")
    if not (job.delivery.frame_rate == 0 or MIN_RATE <= job.delivery.frame_rate <= MAX_RATE):
        raise JobError(
            f"{job.delivery.frame_rate:g} is no frame rate ({MIN_RATE:g} to {MAX_RATE:g}).", where="delivery.frame_rate"
        )
    if not re.fullmatch(r"|latest|v\d{3,}", job.delivery.into):
        raise JobError(
            f"{job.delivery.into!r} is no version.",
            where="delivery.into",
            hint='Name one, such as "v003", or "latest"; leave it empty for a new one.',
        )
    if job.part is not None and not job.frames[0] <= job.part[0] <= job.part[1] <= job.frames[-1]:
        raise JobError(
            f"{job.part[0]} to {job.part[1]} is not inside the frames {job.frames[0]} to {job.frames[-1]}.",
            where="part",
        )
    if job.output:
        _check_path(job.output, "output")
    if job.transforms:
        _check_path(job.transforms, "transforms")
    wishes = [name for name in ("transients", "promptless", "everything") if getattr(job, name) is not None]
    if wishes:
        _check_automatic(job, wishes)
        return
    if not job.objects:
        raise JobError(
            "Nothing is marked.", where="objects", hint="Add a marker on the subject, or give --point, --box or --mask."
        )
    if not 0 <= job.cache_megabytes <= MAX_CACHE:
        raise JobError(f"{job.cache_megabytes} MB are not 0 to {MAX_CACHE}.", where="cache_megabytes")
    if len(job.objects) > MAX_OBJECTS:
        raise JobError(f"More than {MAX_OBJECTS} objects.", where="objects")
    if job.export and not any(each.export for each in job.objects):
        raise JobError(
            "No object is in the export.", where="objects", hint="Switch Export on for at least one of them."
        )
    names = [each.name for each in job.objects]
    for i, each in enumerate(job.objects):
        if not each.name or names.index(each.name) != i:
            raise JobError(f"The name {each.name!r} is empty or used twice.", where=f"objects[{i}].name")
        _check_text(each.name, f"objects[{i}].name")
        _check_object(each, job, f"objects[{i}]")
        _check_finishing(each, names, f"objects[{i}].finishing")


def _check_automatic(job: Job, wishes: list[str]) -> None:
    if len(wishes) > 1:
        raise JobError(f"A Job asks for one thing, not for {' and '.join(wishes)}.", where=wishes[1])
    if job.objects:
        raise JobError(f"With {wishes[0]!r} objects are found, not given.", where="objects", hint="Leave them out.")
    if job.footage.panorama:
        raise JobError(f"{wishes[0]!r} does not know panoramas.", where="footage.panorama", hint="Mark the subject.")
    if job.part is not None:
        raise JobError(f"{wishes[0]!r} looks at the whole range.", where="part", hint="Give a frame_range.")
    automatic.check(typing.cast(Automatic, job.automatic), wishes[0])


def _check_range(frame_range: tuple[int, int] | None, footage: Footage, where: str) -> None:
    if frame_range is not None and not 1 <= frame_range[0] <= frame_range[1] <= footage.frame_count:
        raise JobError(
            f"{frame_range[0]} to {frame_range[1]} is not inside the clip's frames 1 to {footage.frame_count}.",
            where=where,
        )


def _check_object(each: MatteObject, job: Job, where: str) -> None:
    if not each.prompts:
        raise JobError(f"{each.name!r} has no prompts.", where=f"{where}.prompts", hint="Mark it or leave it out.")
    if not any(prompt.stands_alone for prompt in each.prompts):
        raise JobError(
            f"{each.name!r} has only exclude points.",
            where=f"{where}.prompts",
            hint="Add an include marker on the subject.",
        )
    previous = 0
    for i, prompt in enumerate(each.prompts):
        place = f"{where}.prompts[{i}]"
        if prompt.frame not in job.frames:
            raise JobError(
                f"{each.name!r} is marked on frame {prompt.frame}, not in {job.frames[0]} to {job.frames[-1]}.",
                where=f"{place}.frame",
                hint="Widen the range or remove the marker.",
            )
        if prompt.frame <= previous:
            raise JobError("Prompts are ordered by frame, one a frame.", where=f"{place}.frame")
        previous = prompt.frame
        if not prompt.points and prompt.box is None and prompt.mask is None:
            raise JobError("It is empty.", where=place)
        if len(prompt.points) > MAX_POINTS_PER_FRAME:
            raise JobError(f"More than {MAX_POINTS_PER_FRAME} points on one frame.", where=f"{place}.points")
        for j, point in enumerate(prompt.points):
            _check_inside(point.x, point.y, job.footage, f"{place}.points[{j}]")
        if prompt.box is not None:
            box = prompt.box
            if not (box.x0 < box.x1 and box.y0 < box.y1):
                raise JobError("The box has no area.", where=f"{place}.box")
            _check_inside(box.x0, box.y0, job.footage, f"{place}.box")
            _check_inside(box.x1, box.y1, job.footage, f"{place}.box")
        if prompt.mask is not None:
            if bool(prompt.mask.file) == bool(prompt.mask.polygons):
                raise JobError("A mask is a file or polygons.", where=f"{place}.mask")
            if prompt.mask.file:
                _check_path(prompt.mask.file, f"{place}.mask.file")
            _check_polygons(prompt.mask.polygons, f"{place}.mask.polygons")


def _check_polygons(polygons: tuple[tuple[tuple[float, float], ...], ...], where: str) -> None:
    for i, polygon in enumerate(polygons):
        if len(polygon) < 3:
            raise JobError("A polygon has at least three corners.", where=f"{where}[{i}]")
        if not all(math.isfinite(value) for corner in polygon for value in corner):
            raise JobError("A corner is not a number.", where=f"{where}[{i}]")


def _check_finishing(each: MatteObject, names: list[str], where: str) -> None:
    finishing = each.finishing
    for name, least, most in (
        ("temporal", 0, MAX_TEMPORAL),
        ("fill_holes", 0, MAX_SIDE**2),
        ("remove_islands", 0, MAX_SIDE**2),
        ("smooth", 0, MAX_LENGTH),
        ("grow", -MAX_LENGTH, MAX_LENGTH),
        ("feather", 0, MAX_LENGTH),
    ):
        value = getattr(finishing, name)
        if not least <= value <= most:
            raise JobError(f"{value} is not between {least} and {most}.", where=f"{where}.{name}")
    if finishing.subtract and (finishing.subtract not in names or finishing.subtract == each.name):
        raise JobError(
            f"{finishing.subtract!r} is no other object.",
            where=f"{where}.subtract",
            hint=f"Choose another than {each.name!r}, and mark it.",
        )
    for i, garbage in enumerate(finishing.garbage):
        place = f"{where}.garbage[{i}].keys"
        shapes = [tuple(map(len, key.polygons)) for key in garbage.keys]
        frames = [key.frame for key in garbage.keys]
        if not shapes or not shapes[0]:
            raise JobError("Nothing is drawn.", where=place)
        if any(shape != shapes[0] for shape in shapes):
            raise JobError("Keys differ in the number of outlines or corners.", where=place)
        if any(first >= second for first, second in itertools.pairwise(frames)):
            raise JobError("Keys are ordered by frame, one a frame.", where=place)
        for j, key in enumerate(garbage.keys):
            _check_polygons(key.polygons, f"{place}[{j}].polygons")


def _check_inside(x: float, y: float, footage: Footage, where: str) -> None:
    if not (0 <= x <= footage.width and 0 <= y <= footage.height):
        raise JobError(
            f"({x:g}, {y:g}) lies outside the image of {footage.width} x {footage.height} pixels.",
            where=where,
            hint="Move the marker into the frame or disable it there.",
        )


def _check_path(path: str, where: str) -> None:
    if "\0" in path or not (Path(path).is_absolute() or re.match(r"[A-Za-z]:[\\/]|\\\\", path)):
        raise JobError(f"{path!r} is not an absolute path.", where=where)
    _check_text(path, where)


def _check_text(text: str, where: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:  # a file name in another encoding than the system's comes as lone surrogates
        raise JobError(f"{text!r} is not valid Unicode.", where=where, hint="Rename it.") from None


_type_hints = functools.cache(get_type_hints)  # evaluates source text, and a Job has thousands of points


def _decode(data: Any, kind: Any, where: str) -> Any:
    """Parsed JSON as `kind`: a dataclass, tuple, union with None, Literal, str, bool, int or float."""
    origin = get_origin(kind)
    if dataclasses.is_dataclass(kind):
        if not isinstance(data, dict):
            raise JobError(f"Expected an object, found {_say(data)}.", where=where)
        hints = _type_hints(typing.cast(Any, kind))
        unknown = sorted(set(data) - set(hints))
        if unknown:
            raise JobError(f"Unknown field {unknown[0]!r}.", where=where, hint=f"Known: {', '.join(sorted(hints))}.")
        prefix = "" if kind is Job else f"{where}."
        values = {name: _decode(value, hints[name], f"{prefix}{name}") for name, value in data.items()}
        for each in dataclasses.fields(typing.cast(Any, kind)):
            required = each.default is dataclasses.MISSING and each.default_factory is dataclasses.MISSING
            if required and each.name not in values:
                raise JobError("This field is missing.", where=f"{prefix}{each.name}")
        return typing.cast(Any, kind)(**values)
    if origin is tuple:
        items = get_args(kind)
        variadic = len(items) == 2 and items[1] is Ellipsis
        if not isinstance(data, list) or not (variadic or len(data) == len(items)):
            wanted = "a list" if variadic else f"a list of {len(items)}"
            raise JobError(f"Expected {wanted}, found {_say(data)}.", where=where)
        kinds = [items[0]] * len(data) if variadic else list(items)
        return tuple(
            _decode(item, each, f"{where}[{i}]") for i, (item, each) in enumerate(zip(data, kinds, strict=True))
        )
    if origin is types.UnionType:
        inner = [each for each in get_args(kind) if each is not type(None)]
        return None if data is None else _decode(data, inner[0], where)
    if origin is Literal:
        if data not in get_args(kind):
            raise JobError(f"{data!r} is none of {', '.join(map(repr, get_args(kind)))}.", where=where)
        return data
    if kind is float and isinstance(data, int) and not isinstance(data, bool):
        data = float(data) if abs(data) < 1 << 63 else math.inf  # no overflow: too large is refused below
    if type(data) is not kind or (kind is float and not math.isfinite(data)):
        raise JobError(f"Expected {kind.__name__}, found {_say(data)}.", where=where)
    return data


def _say(data: Any) -> str:
    text = json.dumps(data, ensure_ascii=False)
    return text if len(text) <= 40 else f"{text[:37]}..."
