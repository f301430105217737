"""Bundles: one folder with everything that a farm's tasks read. Paths may differ between workers."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import json
import shutil
import tomllib
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path, PureWindowsPath
from typing import Any

from ...contract import json_codec
from ...contract.boundary import bounded_text, reading
from ...contract.disk import write_data, writing
from ...contract.errors import CheckpointError, EngineError, JobError, MatteError, OutputError
from ...contract.job import MAX_JOB_BYTES, Job
from ...contract.job_types import Device, Model
from ...runtime.json_line_process import EXTENSION
from ..footage.colour_config import named_files
from .plan import HERE, PLAN_FILE, Plan, PlannedShot, job_file
from .shots import Shot

_MAX_RULES = 1024 * 1024  # bytes
_MAX_CONFIG = 256 * 1024 * 1024  # bytes of a colour config with all files beside it


def release() -> str:
    """Return this release of Splat Matte."""
    return str(tomllib.loads((EXTENSION / "blender_manifest.toml").read_text(encoding="utf-8"))["version"])


def torch_release() -> str:
    """Return the PyTorch release without its local build suffix."""
    return importlib.metadata.version("torch").partition("+")[0]


def make(bundle: Path, shots: Sequence[Shot], chunk: int, device: Device | None) -> Plan:
    """Write a bundle's own files; its folder must not exist yet.

    Args:
        bundle: the bundle's folder.
        shots: the Jobs.
        chunk: frames per export task.
        device: device of all Jobs; None: each Job's own.

    Raises:
        MatteError: a Job, or a file that belongs into the bundle, can't be read.
        OutputError: the bundle can't be written.
    """
    submission = uuid.uuid4().hex
    with writing(bundle):
        try:
            (bundle / "jobs").mkdir(parents=True)
            (bundle / "files").mkdir()
            (bundle / "report").mkdir()
        except FileExistsError:
            raise OutputError("This folder exists already.", where=str(bundle), hint="Name another folder.") from None
        planned = []
        gpu = False
        names: set[str] = set()
        for shot in shots:
            if isinstance(shot.job, MatteError):
                raise shot.job
            name = _name(shot.name, names)
            job = dataclasses.replace(
                shot.job,
                model=dataclasses.replace(_pinned(shot.job.model), device=device or shot.job.model.device),
                delivery=dataclasses.replace(shot.job.delivery, submission=f"{submission}-{name}"),
                output=str(shot.job.matte_folder),
            )
            gpu = gpu or job.model.device == "cuda"
            data = _with_files(json.loads(job.to_json()), bundle)
            entry = PlannedShot(name, *_tasks(job))
            text = json.dumps(data, ensure_ascii=False, indent=1).encode()
            write_data(job_file(bundle, entry), text)
            planned.append(entry)
        plan = Plan(tuple(planned), chunk, submission, release(), torch_release(), gpu)
        write_data(bundle / PLAN_FILE, json_codec.encode(plan).encode())
    return plan


def _pinned(model: Model) -> Model:
    """Add the hash of a trusted checkpoint, so that a worker with another file is noticed. Raises CheckpointError."""
    if not model.trust or model.sha256 or not Path(model.checkpoint).is_absolute():
        return model  # published checkpoints are identified by their hashes, all others are refused
    wrong = reading(CheckpointError, "The checkpoint can't be read", where=model.checkpoint, hint="Choose it again.")
    with wrong, Path(model.checkpoint).open("rb") as file:
        return dataclasses.replace(model, sha256=hashlib.file_digest(file, "sha256").hexdigest())


def _name(wanted: str, taken: set[str]) -> str:
    """Return a unique name that is a valid file name on every system."""
    plain = "".join(c if c.isalnum() or c in "-_." else "_" for c in Path(wanted).stem)[:60] or "shot"
    name, number = plain, 1
    while name.lower() in taken:
        number += 1
        name = f"{plain}-{number}"
    taken.add(name.lower())
    return name


def _tasks(job: Job) -> tuple[tuple[str, ...], int, int]:
    """Return the objects to track, the first frame and the number of frames that may be exported."""
    objects = tuple(matte_object.name for matte_object in job.objects) or ("",)
    if not job.target:
        return objects, 1, 0
    first, last = job.delivery.frame_range or (1, job.footage.frame_count)
    return objects, first, last - first + 1


def _with_files(data: dict[str, Any], bundle: Path) -> dict[str, Any]:
    """Copy a Job's small files into the bundle and return the Job with their new paths. Raises JobError."""
    prompts = [prompt for matte_object in data["objects"] for prompt in matte_object["prompts"]]
    for mask in [holder["mask"] for holder in (*prompts, *data["static_masks"])]:
        if mask and mask["file"]:
            mask["file"] = _bring(mask["file"], bundle)
    if data["transforms"]:
        data["transforms"] = _bring(data["transforms"], bundle)
    if data["footage"]["colour_config"]:
        data["footage"]["colour_config"] = _bring(data["footage"]["colour_config"], bundle, neighbours=True)
    return data


def _bring(file: str, bundle: Path, *, neighbours: bool = False) -> str:
    """Copy a file into the bundle. With `neighbours`, a file that refers to others takes its whole folder along."""
    source = Path(file)
    try:
        place = bundle / "files" / hashlib.sha256(file.encode()).hexdigest()[:12]
        if not place.exists():
            if neighbours and any(named_files(source).values()):
                size = sum(path.stat().st_size for path in source.parent.rglob("*") if path.is_file())
                if size > _MAX_CONFIG:
                    raise JobError(
                        f"Its folder has {size:,} bytes, which is too much to copy into the bundle.", where=file
                    )
                shutil.copytree(source.parent, place)
            else:
                place.mkdir()
                shutil.copyfile(source, place / source.name)
    except OSError as error:
        raise JobError(f"It can't be copied into the bundle: {error.strerror or error}.", where=file) from None
    return f"{HERE}files/{place.name}/{source.name}"


# -- on the worker ----------------------------------------------------------------------------------------------------


def load_job(bundle: Path, shot: PlannedShot, rules: Path | None) -> Job:
    """Return the Job of a shot with this machine's paths.

    Args:
        bundle: the bundle's folder.
        shot: a shot of its plan.
        rules: path mapping rules of Open Job Description (`pathmapping-1.0`); None: paths are not mapped.

    Raises:
        JobError: the Job or the rules can't be read.
    """
    file = job_file(bundle, shot)
    with reading(JobError, "The Job can't be read", where=str(file), hint="Make the bundle again."):
        data = json_codec.parse(bounded_text(file, MAX_JOB_BYTES))
    return Job.from_dict(_mapped(data, {HERE: f"{bundle.absolute()}/"} | _rules(rules)))


def _rules(file: Path | None) -> dict[str, str]:
    """Return source and destination prefixes of paths; a source ends at a folder boundary."""
    if file is None:
        return {}
    with reading(JobError, "These path mapping rules can't be read", where=str(file)):
        data = json.loads(bounded_text(file, _MAX_RULES))
        found = {}
        for rule in data.get("path_mapping_rules", []):
            found[str(rule["source_path"])] = str(rule["destination_path"])
        return found


def _mapped(value: Any, rules: Mapping[str, str]) -> Any:
    """Map all texts that are paths below a rule's source; the longest matching rule applies."""
    if isinstance(value, dict):
        return {key: _mapped(item, rules) for key, item in value.items()}
    if isinstance(value, list):
        return [_mapped(item, rules) for item in value]
    if isinstance(value, str):
        for source in sorted(rules, key=len, reverse=True):
            rest = _below(value, source)
            if rest is not None:
                return rules[source].rstrip("/\\") + ("/" + rest if rest else "")
    return value


def _below(path: str, source: str) -> str | None:
    """Return the part of `path` after `source`, with `/`; None if it is not below it."""
    if source == HERE:
        return path.removeprefix(HERE) if path.startswith(HERE) else None
    windows = "\\" in source or source[1:2] == ":"  # compared like PureWindowsPath: case-insensitively
    if windows:
        try:
            return PureWindowsPath(path).relative_to(PureWindowsPath(source)).as_posix().removeprefix(".")
        except ValueError:
            return None
    plain = source.rstrip("/")
    if path == plain:
        return ""
    return path[len(plain) + 1 :] if path.startswith(f"{plain}/") else None


def check_release(plan: Plan) -> None:
    """Raise EngineError if this worker has another release than the submitting machine."""
    if (release(), torch_release()) != (plan.release, plan.torch):
        raise EngineError(
            f"This worker has Splat Matte {release()} with PyTorch {torch_release()}; the shots were sent from "
            f"{plan.release} with {plan.torch}.",
            hint="Install the same release on both machines, or send the shots again.",
        )
