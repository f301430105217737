"""`blender -b shot.blend --command splat_matte track | export`: the operators' work without a window.

Progress is a line a step; the last line of output is the folder of the finished version (of the matte store,
without an export). Exit codes: errors.ExitCode.
"""

from __future__ import annotations

import argparse
import ctypes
import logging
import sys
import traceback
from pathlib import Path
from typing import get_args

import bpy

from .checkpoints import OFFICIAL
from .clip.footage import find_clip
from .clip.to_job import own_files
from .contract.errors import Cancelled, CheckpointError, ExitCode, MatteError
from .contract.job_types import Direction, EdgeColours, MemoryRule, PlateAlpha, Refine, Scope
from .contract.layout import work_folder
from .contract.targets import TARGETS
from .settings.clip_settings import settings_of
from .settings.trusted_files import trust
from .tasks import job_run

NAME = "splat_matte"
_LOG = logging.getLogger(__name__)

_handle: object = None


def main(arguments: list[str]) -> int:
    """One command; returns the exit code."""
    _flush_blender()
    try:
        options = _parser().parse_args(arguments)
    except SystemExit as usage:
        return int(usage.code or 0)
    try:
        for name in options.clip or [""]:
            _run(find_clip(name), options)
        return ExitCode.OK
    except KeyboardInterrupt:
        print("Error: Stopped.", file=sys.stderr)
        return Cancelled.exit_code
    except MatteError as error:
        _LOG.error("%s", error)
        print(f"Error: {error}", file=sys.stderr, flush=True)
        return error.exit_code
    except Exception:
        _LOG.exception("Unexpected")
        traceback.print_exc()
        return ExitCode.UNEXPECTED


def _run(clip: bpy.types.MovieClip, options: argparse.Namespace) -> None:
    settings = settings_of(clip)
    if options.range:
        settings.use_range = True
        settings.range_start, settings.range_end = options.range
    if options.direction:
        settings.direction = options.direction
    if options.memory:
        settings.memory = options.memory
    if options.second_opinion:
        settings.second_opinion = True
    names = ("embedded", *OFFICIAL)
    if options.checkpoint in names:
        settings.checkpoint = options.checkpoint
    elif options.checkpoint:
        if Path(options.checkpoint).suffix not in (".pt", ".pth"):
            hint = f"Known: {', '.join(names)}; or the path of a .pt file."
            raise CheckpointError("This is no checkpoint.", where=options.checkpoint, hint=hint)
        settings.checkpoint = "FILE"
        settings.checkpoint_file = str(Path(options.checkpoint).absolute())
        settings.checkpoint_config = options.config
        if options.trust_checkpoint:
            for file in own_files(clip):
                trust(file)
    if options.target:
        settings.target = options.target
    if options.invert:
        settings.invert = True
    if options.refine:
        settings.refine = options.refine
    if options.transforms:
        settings.transforms = str(Path(options.transforms).absolute())
    if options.scope:
        settings.export_scope = options.scope
    if options.frames:
        settings.export_use_range = True
        settings.export_start, settings.export_end = options.frames
    if options.into:
        settings.export_into = options.into
    if options.plate_alpha:
        settings.plate_alpha = options.plate_alpha
    if options.edge_colours:
        settings.edge_colours = options.edge_colours
    if options.poses:
        settings.poses = str(Path(options.poses).absolute())
    if options.output:
        settings.output = str(Path(options.output).absolute())
    run = job_run.start_check(clip) if options.verb == "review" else job_run.start(options.verb, clip)
    run.wait(lambda words: print(words, flush=True))
    for suspect in settings.suspects_used():
        print(
            f"Suspect: {suspect.object_name}, frame {suspect.frame} ({suspect.first} to {suspect.last}): "
            f"{suspect.reason}"
        )
    if run.result is not None and options.verb != "review":
        print(f"{run.result.get('frames', 0)} frames, {run.result.get('device', '')}")
        print(run.result.get("folder", work_folder(run.folder)), flush=True)


def _flush_blender() -> None:
    """Flush what Blender itself has printed, which stays in C's buffer unless output is a terminal."""
    ctypes.CDLL("ucrtbase" if sys.platform == "win32" else None).fflush(None)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"blender -b FILE.blend --command {NAME}", description="Mattes from the markers of a .blend's clip."
    )
    parser.add_argument(
        "verb",
        choices=get_args(job_run.Verb),
        help="track: only the matte store; export: a version; "
        "review: check what is tracked in 3-D, with --poses or the solved camera",
    )
    parser.add_argument("--poses", default="", metavar="PATH", help="a COLMAP model's folder or a transforms.json")
    parser.add_argument(
        "--clip",
        action="append",
        metavar="NAME",
        help="may be given for each of several cameras; default: the scene's active clip, or the only one",
    )
    parser.add_argument("--range", type=_range, metavar="A:B", help="first and last clip frame; default: the clip's")
    parser.add_argument("--direction", choices=get_args(Direction), help="default: the clip's")
    parser.add_argument("--memory", choices=get_args(MemoryRule), help="what tracking remembers; default: the clip's")
    parser.add_argument("--second-opinion", action="store_true", help="track from both ends; default: the clip's")
    parser.add_argument("--checkpoint", default="", metavar="NAME|FILE", help="default: the clip's")
    parser.add_argument("--config", default="", help="of a checkpoint FILE: a config of the sam2 package or a .yaml")
    parser.add_argument("--trust-checkpoint", action="store_true", help="use a checkpoint FILE of unknown hash")
    parser.add_argument("--target", choices=TARGETS, help="who reads the files; default: the clip's")
    parser.add_argument("--invert", action="store_true", help="swap the subject and the rest; default: the clip's")
    parser.add_argument("--refine", choices=get_args(Refine), help="exported edges follow the plate's; default: clip's")
    parser.add_argument(
        "--transforms", default="", metavar="FILE", help="nerfstudio: transforms.json that gets the masks"
    )
    parser.add_argument("--scope", choices=get_args(Scope), help="which frames are written; default: the clip's")
    parser.add_argument("--frames", type=_range, metavar="A:B", help="first and last clip frame to write")
    parser.add_argument("--into", choices=("new", "latest"), help="which version gets them; default: the clip's")
    parser.add_argument(
        "--plate-alpha", choices=get_args(PlateAlpha), help="alpha the footage has; default: the clip's"
    )
    parser.add_argument(
        "--edge-colours", choices=get_args(EdgeColours), help="colours at the subject's edge; default: the clip's"
    )
    parser.add_argument("--output", default="", metavar="DIR", help="folder of versions; default: the clip's")
    return parser


def _range(text: str) -> tuple[int, int]:
    try:
        first, last = map(int, text.split(":"))
    except ValueError:
        first = last = 0
    if not 1 <= first <= last:
        raise argparse.ArgumentTypeError(f"{text!r} is not two frames as in 10:20")
    return first, last


def register() -> None:
    """Tell Blender about the command."""
    global _handle
    _handle = bpy.utils.register_cli_command(NAME, main)


def unregister() -> None:
    """Take it away."""
    bpy.utils.unregister_cli_command(_handle)
