"""The arguments of the engine's command line, and the Job that is made from them."""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from ..contract.automatic import Parts, Polarity, Search, Things, Transients
from ..contract.errors import JobError
from ..contract.held_mattes import held_of
from ..contract.job import Job
from ..contract.job_checks import check_range
from ..contract.job_types import (
    DEFAULT_MEMORY,
    Box,
    Capture,
    Delivery,
    Device,
    Direction,
    EdgeColours,
    Footage,
    Mask,
    MatteObject,
    MemoryRule,
    Model,
    PlateAlpha,
    Point,
    Precision,
    Prompt,
    Refine,
    Scope,
    StaticMask,
)
from ..contract.targets import TARGETS
from .farm.engines import ENGINES
from .farm.plan import STEPS

# Verbs with a search. Each is named after the Job's field. The rows have the verb's name in earlier releases, its
# results in words, its default target, and its help.
_SEARCHES: dict[str, tuple[type[Search], str, str]] = {
    "transients": (Transients, "t3dgs", "clean a splat trainer's rough masks of what moves"),
    "things": (Things, "labels", "find what is seen, and follow it"),
    "parts": (Parts, "segments", "find every part of everything, and follow it"),
}
_OLD_WORDS = {"things": ["auto"], "parts": ["everything"]}


def command_line() -> argparse.ArgumentParser:
    """The parser of all verbs."""
    parser = argparse.ArgumentParser(prog="engine", description="Splat Matte's engine: SAM 2 without Blender.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("serve", help="answer Blender's requests (JSON lines on stdin and stdout)")
    run = commands.add_parser("run", help="carry out Job files: what one fails with stops no other")
    run.add_argument("job", type=Path, nargs="+", metavar="JOB.json", help="or a folder of them")
    run.add_argument("--jobs", type=int, default=1, metavar="N", help="engines at a time; default: %(default)s")
    run.add_argument("--scope", choices=get_args(Scope), help="which frames are written; default: each Job's own")
    run.add_argument("--report", type=Path, metavar="FILE", help="write what became of each Job, as JSON")
    _add_farm(commands)
    review = commands.add_parser("review", help="say where what is tracked of a Job file is doubtful, and why")
    review.add_argument("job", type=Path, metavar="JOB.json")
    review.add_argument(
        "--poses", type=Path, metavar="PATH", help="check it in 3-D with a COLMAP model's folder or a transforms.json"
    )
    repair = commands.add_parser(
        "repair",
        help="write a Job file with mask prompts for what is doubtful",
        description="Writes the Job with what it offers for suspect frames; `run` tracks that.",
    )
    repair.add_argument("job", type=Path, metavar="JOB.json")
    repair.add_argument("--poses", type=Path, metavar="PATH", help="use the other cameras' mattes: as review")
    repair.add_argument("--output", type=Path, metavar="FILE", help="default: JOB_repaired.json, beside it")
    clean = commands.add_parser(
        "clean",
        help="remove from a trained splat what lies outside the mattes",
        description="Writes a PLY without the Gaussians that no camera sees on the subject.",
    )
    clean.add_argument("splat", type=Path, metavar="SPLAT.ply")
    clean.add_argument("--poses", type=Path, metavar="PATH", required=True, help="that it was trained with: as review")
    clean.add_argument("--mattes", type=Path, metavar="VERSION", required=True, help="a version's folder, such as v003")
    clean.add_argument("--output", type=Path, metavar="FILE", help="default: SPLAT_clean.ply, beside it")
    clean.add_argument("--count", action="store_true", help="say what would be removed, and write nothing")
    clean.add_argument("--views", type=int, default=3, help="cameras that must see it outside; default: %(default)s")
    clean.add_argument("--remove-floaters", action="store_true", help="also what some cameras see on the subject")
    select = commands.add_parser(
        "select",
        help="choose the frames that are worth training on",
        description="Writes a list of the sharpest frames, spaced by how far the picture moves. --kept takes it.",
    )
    _add_footage(select)
    amount = select.add_mutually_exclusive_group()
    amount.add_argument("--count", type=int, default=0, help="at most; default: all that are sharp and no duplicates")
    amount.add_argument("--every", type=int, default=0, metavar="N", help="one of about N frames")
    select.add_argument(
        "--mattes", type=Path, metavar="VERSION", help="measure on the subject of a version, such as v003"
    )
    select.add_argument("--list", type=Path, metavar="FILE", help="default: kept.txt in the folder of mattes")
    rig = commands.add_parser(
        "static",
        help="find what never moves in the picture while the camera does",
        description="Writes a mask a camera, white on tripod, car or lens hood. --static-mask takes it.",
    )
    _add_footage(rig)
    rig.add_argument("--mask", type=Path, metavar="FILE", help="default: static.png in the folder of mattes")
    test = commands.add_parser("self-test", help="does this runtime work here, how fast, how exactly?")
    test.add_argument("--device", choices=get_args(Device), default="auto")
    track = commands.add_parser(
        "track",
        help="track a subject through footage",
        description="FRAME counts from 1, X and Y are pixels from the top left of the upright image.",
    )
    track.add_argument("--point", action="append", default=[], metavar="OBJECT:FRAME:X:Y[:exclude]")
    track.add_argument("--box", action="append", default=[], metavar="OBJECT:FRAME:X0:Y0:X1:Y1")
    track.add_argument("--mask", action="append", default=[], metavar="OBJECT:FRAME:FILE")
    track.add_argument(
        "--hold",
        action="append",
        default=[],
        metavar="OBJECT:A:B",
        help="the frames A to B keep the newest mattes that are stored of them; the result is pieced together",
    )
    track.add_argument("--direction", choices=get_args(Direction), default="both")
    track.add_argument("--memory", choices=get_args(MemoryRule), default=DEFAULT_MEMORY, help="default: %(default)s")
    track.add_argument(
        "--second-opinion",
        action="store_true",
        help="between two prompted frames track from both; where that differs the surer counts, and is a suspect",
    )
    _add_common(track, "postshot")
    track.set_defaults(search="")
    for name, (kind, target, words) in _SEARCHES.items():
        description = (kind.__doc__ or "").partition("\n")[0]
        command = commands.add_parser(name, aliases=_OLD_WORDS.get(name, []), help=words, description=description)
        for field in dataclasses.fields(kind):
            _add_parameter(command, field)
        _add_common(command, target)
        command.set_defaults(point=[], box=[], mask=[], hold=[], direction="both", memory=DEFAULT_MEMORY, search=name)
        command.set_defaults(second_opinion=False)
    return parser


def _add_farm(commands: Any) -> None:
    """Add the arguments for sending shots to a farm, and for running them on its workers."""
    farm = commands.add_parser("farm", help="make a folder of Job files that a farm's program carries out")
    farm.add_argument("job", type=Path, nargs="+", metavar="JOB.json", help="or a folder of them")
    farm.add_argument("--to", choices=ENGINES, required=True, help="who carries it out")
    farm.add_argument("--bundle", type=Path, metavar="DIR", help="the folder; default: beside the first Job")
    farm.add_argument("--chunk", type=int, default=50, metavar="N", help="frames of an export task; default: 50")
    farm.add_argument(
        "--runtime", type=Path, metavar="DIR", help="of the workers: as `vendor_setup runtime DIR` made it"
    )
    farm.add_argument("--code", type=Path, metavar="DIR", help="of the workers: the extension; default: this one")
    farm.add_argument("--device", choices=get_args(Device), help="of all workers; default: each Job's own")
    farm.add_argument("--manager", default="", metavar="URL", help="of Flamenco, which it is sent to; else: not sent")
    farm.add_argument("--scope", choices=get_args(Scope), help="which frames are written; default: each Job's own")
    task = commands.add_parser("task", help="for workers: do a part of a bundle")
    task.add_argument("step", choices=STEPS)
    task.add_argument("bundle", type=Path)
    task.add_argument("items", help="such as 3 or 1-50")
    task.add_argument("--map", type=Path, metavar="FILE", help="path mapping rules, as Open Job Description gives them")
    task.add_argument("--openjd", action="store_true", help="tell progress as Open Job Description wants it")
    warm = commands.add_parser("warm", help="for workers: keep an engine between tasks")
    warm.add_argument("verb", choices=("start", "keep", "stop"))
    warm.add_argument("folder", type=Path)
    report = commands.add_parser("report", help="what became of the shots of a bundle")
    report.add_argument("bundle", type=Path)
    report.add_argument("--report", type=Path, metavar="FILE", help="write it as JSON, too")


def _add_parameter(command: argparse.ArgumentParser, field: dataclasses.Field[Any]) -> None:
    """Add an option with the name of a search's parameter, which contract/automatic.py describes."""
    option = f"--{field.name.replace('_', '-')}"
    if field.default is dataclasses.MISSING:
        command.add_argument(option, type=Path, metavar="DIR", required=True)
    elif field.name == "polarity":
        command.add_argument(option, choices=get_args(Polarity), default=field.default, help="of what moves")
    elif isinstance(field.default, tuple):
        command.add_argument(option, type=_numbers, metavar="N,N", default=(), help="which to export; default: all")
    else:
        command.add_argument(option, type=type(field.default), default=field.default, help=f"default: {field.default}")


def _add_footage(command: argparse.ArgumentParser) -> None:
    """Add the options of all verbs that read footage."""
    command.add_argument(
        "footage",
        type=Path,
        nargs="+",
        metavar="FOOTAGE",
        help="a folder of images, one of them, or a movie; of several cameras, a folder each or the one above",
    )
    command.add_argument("--range", metavar="A:B", help="first and last frame; default: all")
    command.add_argument("--layer", default="", metavar="NAME", help="of EXR images; default: as Blender shows them")
    command.add_argument("--panorama", action="store_true", help="360-degree footage: right and left border are one")


def _add_common(track: argparse.ArgumentParser, target: str) -> None:
    """Add the options of all verbs that make a Job."""
    _add_footage(track)
    track.add_argument("--checkpoint", default="embedded", metavar="NAME|FILE")
    track.add_argument("--config", default="", help="of a checkpoint FILE: a config of the sam2 package or a .yaml")
    track.add_argument("--sha256", default="", help="what a checkpoint FILE has to hash to")
    track.add_argument("--trust-checkpoint", action="store_true", help="use a checkpoint FILE of unknown hash")
    track.add_argument("--device", choices=get_args(Device), default="auto")
    track.add_argument("--precision", choices=get_args(Precision), default="auto")
    track.add_argument("--output", type=Path, metavar="DIR", help="folder of versions; default: beside the footage")
    track.add_argument(
        "--target",
        "--export",
        default=target,
        metavar="TARGET",
        help=f'{", ".join(TARGETS)}; default: {target}; "" tracks only',
    )
    track.add_argument("--refine", choices=get_args(Refine), default="auto", help="exported edges follow the plate's")
    track.add_argument("--invert", action="store_true", help="swap the subject and the rest in what is exported")
    track.add_argument(
        "--transforms", type=Path, metavar="FILE", help="nerfstudio: transforms.json that gets the masks"
    )
    track.add_argument(
        "--scope",
        choices=get_args(Scope),
        default="all",
        help="which frames are written, against the version before",
    )
    track.add_argument("--frames", metavar="A:B", help="first and last frame to export; default: all that are tracked")
    track.add_argument(
        "--static-mask",
        action="append",
        default=[],
        metavar="[CAMERA:]FILE",
        help="white where a camera always sees a tripod and the like, which is left out; CAMERA: the folder it is of",
    )
    track.add_argument("--kept", type=Path, metavar="FILE", help="export only frames in this list of engine select")
    track.add_argument(
        "--into", default="", metavar="latest|v003", help="go on with that version; default: write a new one"
    )
    track.add_argument(
        "--plate-alpha", choices=get_args(PlateAlpha), default="replace", help="what becomes of alpha the footage has"
    )
    track.add_argument(
        "--edge-colours",
        choices=get_args(EdgeColours),
        default="as_shot",
        help="subject: its own colours go on beyond its edge, for who shrinks images; targets with alpha",
    )
    track.add_argument(
        "--ignored-band",
        type=int,
        default=0,
        metavar="PIXELS",
        help="to either side of the edge; for targets that tell ignored from empty",
    )
    track.add_argument(
        "--ignore-doubtful",
        action="store_true",
        help="also where the model gives the subject 10 to 90 percent; for the same targets",
    )
    track.add_argument(
        "--capture",
        choices=get_args(Capture),
        default="any",
        help="what moved: the camera or the subject; the version then holds masks for alignment and for training",
    )
    track.add_argument(
        "--views",
        default="cube",
        metavar="cube|8x3",
        help="pinhole views of a panorama: a cube's faces, or columns around and rows; for the target pinhole",
    )
    track.add_argument("--greys", action="store_true", help="keep soft edges in masks; for targets that weigh by greys")
    track.add_argument(
        "--shadow",
        action="append",
        default=[],
        metavar="NAME",
        help="this object is what the subject casts: neither subject nor empty; may be given again",
    )
    track.add_argument("--fps", type=float, default=0.0, help="of an exported movie; default: the footage's, or 24")
    track.add_argument("--save-job", type=Path, metavar="JOB.json", help="write the Job and do nothing else")


def footage_of(options: argparse.Namespace) -> Footage:
    """The footage that the arguments name. Prints its warnings. Raises FootageError."""
    from .footage.footage import join, scan

    footage, warnings = join([scan(path.absolute(), options.layer) for path in options.footage])
    for warning in warnings:
        print(f"Warning: {warning}", file=sys.stderr)
    _say_folders(footage)
    return dataclasses.replace(footage, panorama=options.panorama)


def job_of(options: argparse.Namespace) -> Job:
    """Make the Job from the arguments of a verb such as `track`. Raises JobError that names the argument."""
    from .selection.kept_list import read_kept

    footage = footage_of(options)
    marks: dict[str, dict[int, Prompt]] = {}

    def mark(name: str, frame: str, where: str) -> tuple[dict[int, Prompt], int, Prompt]:
        number = _frame(frame, where)
        prompts = marks.setdefault(name, {})
        return prompts, number, prompts.get(number, Prompt(number))

    for text in options.point:
        name, frame, x, y, *rest = _split(text, "--point", (4, 5))
        if rest and rest[0] not in ("include", "exclude"):
            raise JobError(f"{rest[0]!r} is neither include nor exclude.", where=f"--point {text}")
        prompts, number, prompt = mark(name, frame, f"--point {text}")
        point = Point(_number(x, f"--point {text}"), _number(y, f"--point {text}"), rest != ["exclude"])
        prompts[number] = dataclasses.replace(prompt, points=(*prompt.points, point))
    for text in options.box:
        name, frame, *corners = _split(text, "--box", (6,))
        prompts, number, prompt = mark(name, frame, f"--box {text}")
        x0, y0, x1, y1 = (_number(corner, f"--box {text}") for corner in corners)
        if prompt.box is not None:
            raise JobError("An object can have only one box per frame.", where=f"--box {text}")
        prompts[number] = dataclasses.replace(prompt, box=Box(x0, y0, x1, y1))
    for text in options.mask:
        name, frame, file = _split(text, "--mask", (3,))
        prompts, number, prompt = mark(name, frame, f"--mask {text}")
        if prompt.mask is not None:
            raise JobError("An object can have only one mask per frame.", where=f"--mask {text}")
        prompts[number] = dataclasses.replace(prompt, mask=Mask(file=str(Path(file).absolute())))
    for name in options.shadow:
        if name not in marks:
            raise JobError(f"No object is called {name!r}.", where="--shadow", hint=f"Marked: {', '.join(marks)}.")
    checkpoint = options.checkpoint
    if Path(checkpoint).suffix in (".pt", ".pth"):
        checkpoint = str(Path(checkpoint).absolute())
    job = Job(
        footage=footage,
        objects=tuple(
            MatteObject(name, tuple(prompts[number] for number in sorted(prompts)), shadow=name in options.shadow)
            for name, prompts in marks.items()
        ),
        model=Model(
            checkpoint,
            options.config,
            options.sha256,
            options.trust_checkpoint,
            options.device,
            options.precision,
        ),
        direction=options.direction,
        memory=options.memory,
        second_opinion=options.second_opinion,
        frame_range=range_of(options.range, "--range"),
        output=str(options.output.absolute()) if options.output else "",
        target=options.target,
        invert=options.invert,
        refine=options.refine,
        transforms=str(options.transforms.absolute()) if options.transforms else "",
        delivery=Delivery(
            options.scope,
            range_of(options.frames, "--frames"),
            options.into,
            options.plate_alpha,
            options.fps,
            options.edge_colours,
            options.ignored_band,
            options.ignore_doubtful,
            options.greys,
            options.capture,
            read_kept(options.kept.absolute(), footage) if options.kept else (),
            options.views,
        ),
        static_masks=tuple(_static_mask(text, footage) for text in options.static_mask),
        **_search(options),  # type: ignore[arg-type]  # by the field's name
    )
    return _holding(job, options.hold) if options.hold else job


def _holding(job: Job, texts: Sequence[str]) -> Job:
    """The Job with frames held from the newest takes in its store. Raises JobError that names the argument."""
    from .store.matte_store import Store

    store = Store(job)
    frames: dict[str, dict[int, Path]] = {matte_object.name: {} for matte_object in job.objects}
    for text in texts:
        name, *ends = _split(text, "--hold", (3,))
        first, last = (_frame(end, f"--hold {text}") for end in ends)
        check_range((first, last), job.footage, f"--hold {text}")
        if name not in frames:
            raise JobError(
                f"No object is called {name!r}.", where=f"--hold {text}", hint=f"Marked: {', '.join(frames)}."
            )
        for frame in range(first, last + 1):
            take = store.newest(name, frame)
            if take is None:
                raise JobError(f"Frame {frame} has no matte to hold.", where=f"--hold {text}", hint="Track it first.")
            frames[name][frame] = take.folder
    held = (dataclasses.replace(some, held=held_of(frames[some.name])) for some in job.objects)
    return dataclasses.replace(job, objects=tuple(held))


def _static_mask(text: str, footage: Footage) -> StaticMask:
    """Parse [CAMERA:]FILE. A colon in the file, as in Windows paths, does not separate a camera."""
    camera, colon, file = text.partition(":")
    folders = {Path(file).parent.relative_to(footage.root).as_posix() for file in footage.files}
    if not colon or camera not in folders:
        camera, file = "", text
    return StaticMask(Mask(file=str(Path(file).absolute())), camera)


def _search(options: argparse.Namespace) -> dict[str, Search]:
    """The Job's field for a verb with a search."""
    if not options.search:
        return {}
    kind = _SEARCHES[options.search][0]
    given: dict[str, Any] = {field.name: getattr(options, field.name) for field in dataclasses.fields(kind)}
    paths = {name: str(value.absolute()) for name, value in given.items() if isinstance(value, Path)}
    return {options.search: kind(**given | paths)}


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of numbers separated by commas") from None


def _say_folders(footage: Footage) -> None:
    """Print which frames belong to which folder, if the footage has several."""
    folders = [Path(file).parent for file in footage.files]
    if len(set(folders)) > 1:
        for folder, frames in itertools.groupby(range(len(folders)), folders.__getitem__):
            numbers = [index + 1 for index in frames]
            print(f"{folder.relative_to(footage.root)}: frames {numbers[0]} to {numbers[-1]}", flush=True)


def range_of(text: str | None, option: str) -> tuple[int, int] | None:
    """First and last frame of A:B; None of nothing. Raises JobError."""
    if not text:
        return None
    first, last = _split(text, option, (2,))
    return _frame(first, option), _frame(last, option)


def _split(text: str, option: str, counts: tuple[int, ...]) -> list[str]:
    """Split an argument at its colons. The last of three parts may contain colons, like a Windows path."""
    parts = text.split(":", 2) if counts == (3,) else text.split(":")
    if len(parts) not in counts:
        raise JobError(f"{text!r} has {len(parts)} parts, not {' or '.join(map(str, counts))}.", where=option)
    return parts


def _number(text: str, where: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise JobError(f"{text!r} is not a number.", where=where)
    return number


def _frame(text: str, where: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise JobError(f"{text!r} is not the number of a frame.", where=where, hint="Frames count from 1.") from None
