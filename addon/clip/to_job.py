"""Makes a Job of a clip and its settings."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import bpy

from ..contract.automatic import Search, Things
from ..contract.errors import CheckpointError, JobError
from ..contract.job import Job
from ..contract.job_types import Delivery, Device, Footage, Model
from ..contract.targets import TARGETS
from ..settings.clip_settings import ClipSettings, settings_of
from ..settings.preferences import preferences
from ..settings.trusted_files import is_trusted
from .finishing import with_finishing
from .footage import coordinates_of, matte_folder, read_footage, scene_frame
from .held import with_held
from .mask_keyframes import forget_shape_keys
from .names import follow_names
from .prompts import read_prompts
from .static_masks import read_static_masks


def make_job(clip: bpy.types.MovieClip, device: Device, export: bool) -> tuple[Job, list[str]]:
    """Return the Job and warnings for the artist.

    Args:
        clip: the clip.
        device: the device chosen in the preferences.
        export: write a version, not only the matte store.

    Raises:
        FootageError, CheckpointError, JobError: the footage, the settings or the prompts are invalid.
    """
    follow_names(clip)
    forget_shape_keys()
    fields, footage, warnings = _fields(clip, device, export)
    coordinates = coordinates_of(clip, footage)
    prompts = read_prompts(clip, coordinates, fields["frame_range"])
    objects = with_held(clip, with_finishing(clip, coordinates, prompts.objects(), prompts.ignored))
    settings = settings_of(clip)
    tracking = {name: getattr(settings, name) for name in ("direction", "memory", "second_opinion")}
    job = Job(objects=objects, **tracking, **fields)
    return job, warnings + prompts.ignored


def make_automatic_job(
    clip: bpy.types.MovieClip, device: Device, export: bool, **search: Search
) -> tuple[Job, list[str]]:
    """Return a Job that finds unmarked things, by a search `transients`, `things` or `parts`; see `make_job`."""
    fields, _, warnings = _fields(clip, device, export)
    return Job(objects=(), **fields, **search), warnings  # type: ignore[arg-type]  # by the field's name


def make_footage_job(clip: bpy.types.MovieClip, device: Device) -> Job:
    """Return a Job for work on the footage alone, without objects: plain pictures, even for a panorama.

    Raises:
        FootageError, CheckpointError, JobError: the footage or the settings are invalid.
    """
    fields, footage, _ = _fields(clip, device, export=False)
    fields["footage"] = dataclasses.replace(footage, panorama=False)
    return Job(objects=(), things=Things(), **fields)


def _fields(clip: bpy.types.MovieClip, device: Device, export: bool) -> tuple[dict[str, Any], Footage, list[str]]:
    """Return the fields that all Jobs of a clip share, its footage, and warnings."""
    settings = settings_of(clip)
    footage, warnings = read_footage(clip)
    footage = dataclasses.replace(footage, panorama=settings.panorama)
    rules = TARGETS[settings.target].rules
    transforms = settings.transforms if rules.writer == "nerfstudio" else ""
    fields: dict[str, Any] = {
        "footage": footage,
        "model": _model(clip, device),
        "frame_range": frame_range_of(clip, footage.frame_count),
        "output": str(matte_folder(clip, footage)) if settings.output or settings.beside else "",
        "target": settings.target if export else "",
        "invert": settings.invert and rules.invertible,
        "refine": settings.refine,
        "transforms": str(Path(bpy.path.abspath(transforms, library=clip.library))) if transforms else "",
        "delivery": _delivery(clip, footage) if export else Delivery(),
        "static_masks": read_static_masks(clip, coordinates_of(clip, footage), warnings),
    }
    return fields, footage, warnings


def _delivery(clip: bpy.types.MovieClip, footage: Footage) -> Delivery:
    """Return the delivery settings. Raises JobError if no frame of the range is in the clip."""
    settings = settings_of(clip)
    frame_range = None
    if settings.export_use_range:
        if settings.export_start > footage.frame_count:
            raise JobError(
                f"The range to export begins with frame {settings.scene_export_start}, the clip ends with frame "
                f"{scene_frame(clip, footage.frame_count)}.",
                hint=f"Set the range anew; the clip's first frame is {clip.frame_start}.",
            )
        frame_range = settings.export_start, min(settings.export_end, footage.frame_count)
    dropped = settings.dropped_frames()
    kept = tuple(frame for frame in range(1, footage.frame_count + 1) if frame not in dropped) if dropped else ()
    if dropped and not kept:
        raise JobError("All frames are dropped.", hint="Keep some of them under Which Frames.")
    rules = TARGETS[settings.target].rules
    render = bpy.context.scene.render
    return Delivery(
        "all" if rules.one_file else settings.export_scope,
        frame_range,
        "" if rules.one_file or settings.export_into == "new" else settings.export_into,
        settings.plate_alpha if rules.has_alpha else "replace",
        0.0 if footage.movie or not rules.one_file else render.fps / render.fps_base,
        settings.edge_colours if rules.edge_colours else "as_shot",
        settings.ignored_band if rules.bands else 0,
        settings.ignore_doubtful and rules.bands,
        settings.greys and rules.weighs,
        settings.capture if rules.pair else "any",
        kept,
        settings.views if rules.views else "cube",
    )


def frame_range_of(clip: bpy.types.MovieClip, count: int) -> tuple[int, int] | None:
    """Return the first and last clip frame to track, or None for all; an end beyond the clip is clamped. Raises
    JobError.
    """
    settings = settings_of(clip)
    if not settings.use_range:
        return None
    if settings.range_start > count:
        raise JobError(
            f"The range begins with frame {settings.scene_range_start}, the clip ends with frame "
            f"{scene_frame(clip, count)}.",
            hint=f"Set the range anew; the clip's first frame is {clip.frame_start}.",
        )
    return settings.range_start, min(settings.range_end, count)


def checkpoint_of(settings: ClipSettings) -> str:
    """Return the name of the published checkpoint that a clip uses, or FILE if it has one of its own."""
    chosen: str = settings.checkpoint
    return preferences().checkpoint if chosen == "DEFAULT" else chosen


def _model(clip: bpy.types.MovieClip, device: Device) -> Model:
    settings = settings_of(clip)
    if settings.checkpoint != "FILE":
        return Model(checkpoint_of(settings), device=device)
    if not settings.checkpoint_file:
        raise CheckpointError("No checkpoint file is chosen.", hint="Choose one, or another model.")
    files = own_files(clip)
    config = str(files[1]) if len(files) > 1 else settings.checkpoint_config
    return Model(str(files[0]), config, trust=all(map(is_trusted, files)), device=device)


def own_files(clip: bpy.types.MovieClip) -> list[Path]:
    """Return the clip's own checkpoint file, if it has one, and its config if that is a file too."""
    settings = settings_of(clip)
    if settings.checkpoint != "FILE" or not settings.checkpoint_file:
        return []
    files = [Path(bpy.path.abspath(settings.checkpoint_file, library=clip.library))]
    config = Path(bpy.path.abspath(settings.checkpoint_config, library=clip.library))
    return [*files, config] if config.is_file() else files
