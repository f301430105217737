"""Makes a bundle of Jobs and sends it to a farm's manager: for `engine farm` and *Send to Farm*."""

from __future__ import annotations

import json
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...contract.disk import writing
from ...contract.errors import JobError, OutputError
from ...contract.job_types import Device
from ...runtime.json_line_process import EXTENSION
from ...runtime.locate import find_python
from . import bundle, engines
from .flamenco import SUBMISSION
from .plan import Plan
from .shots import Shot

_PATIENCE = 30.0  # seconds for a manager to answer
_LONGEST = 64 * 1024  # most bytes that are read of an answer


@dataclass(frozen=True, slots=True)
class Submitted:
    """A submission. plan: the bundle's plan. words: instructions for sending it; empty if it has been sent."""

    plan: Plan
    words: str


def submit(
    shots: Sequence[Shot],
    folder: Path,
    engine: str,
    warn: Callable[[str], None],
    *,
    chunk: int = 50,
    device: Device | None = None,
    runtime: Path | None = None,
    code: Path | None = None,
    manager: str = "",
) -> Submitted:
    """Write a bundle to a folder that does not exist yet, and send it if a manager is given.

    Args:
        shots: the Jobs.
        folder: the bundle's folder.
        engine: one of engines.ENGINES.
        warn: called with warnings.
        chunk: frames per export task.
        device: device of all workers; None: that of each Job.
        runtime, code: folders as workers see them: the runtime made by `vendor_setup runtime`, and the extension; None:
            those of this machine.
        manager: address of Flamenco's manager; empty: nothing is sent.

    Raises:
        MatteError: a Job is invalid, the bundle can't be written, or the manager rejects it.
    """
    if manager and engine != "flamenco":
        raise JobError("Only Flamenco has a manager to send the shots to.", where="manager", hint="Leave it empty.")
    python = find_python(folder=str(runtime), environ={}) if runtime else Path(sys.executable)
    plan = bundle.make(folder, shots, chunk, device)
    if any(bundle.load_job(folder, shot, None).model.device == "auto" for shot in plan.shots):
        warn(
            "Each worker chooses its own device, and mattes tracked on a GPU are not found by workers without one: set "
            "the device that all workers have."
        )
    program = engines.Program(str(python), str((code or EXTENSION) / "addon/engine/farm/start.py"))
    with writing(folder):
        words = engines.tell(engine, folder, plan, program)
    if manager:
        _post(manager, folder / SUBMISSION)
        words = ""
    return Submitted(plan, words)


def _post(manager: str, submission: Path) -> None:
    """Send a job to Flamenco's API (https://flamenco.blender.org/development/api/): POST /api/v3/jobs. Raises
    OutputError.
    """
    if not manager.startswith(("http://", "https://")):
        raise JobError("This is not an address.", where=manager, hint="Give one such as http://manager:8080.")
    request = urllib.request.Request(
        f"{manager.rstrip('/')}/api/v3/jobs",
        submission.read_bytes(),
        {"Content-Type": "application/json", "Accept": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=_PATIENCE) as answer:
            answer.read(_LONGEST)
    except urllib.error.HTTPError as error:
        raise OutputError(
            f"Flamenco rejected the job ({_said(error)}).",
            where=manager,
            hint="Copy the bundle's splat_matte.js into the manager's folder scripts, and restart the manager.",
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise OutputError(
            f"Flamenco's manager can't be reached ({reason}).", where=manager, hint="Check that it is running there."
        ) from None


def _said(error: urllib.error.HTTPError) -> str:
    """Return the error message in an answer."""
    try:
        told = json.loads(error.read(_LONGEST))["message"]
    except (OSError, ValueError, KeyError, TypeError):
        return str(error.code)
    return f"{error.code}: {' '.join(str(told).split())[:200]}"
