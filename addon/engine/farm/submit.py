"""From Jobs to a bundle that a farm's program has, or can be given: what `engine farm` and *Send to Farm* do."""

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
_LONGEST = 64 * 1024  # bytes of an answer


@dataclass(frozen=True, slots=True)
class Submitted:
    """plan: what is in the bundle. words: how it is sent; empty: it has been."""

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
    """Write a bundle, whose folder must not be there yet, and send it where a manager is named.

    Args:
        engine: one of engines.ENGINES.
        warn: told what may surprise.
        chunk: frames of an export task.
        device: of all workers; None: of each Job.
        runtime, code: folders that workers see, as `vendor_setup runtime` made it, and of the extension; None: ours.
        manager: the address of Flamenco's manager; empty: nothing is sent.

    Raises:
        MatteError: a Job can't be carried out, the bundle can't be written, or the manager does not take it.
    """
    if manager and engine != "flamenco":
        raise JobError("Only Flamenco has a manager that can be sent to.", where="manager", hint="Leave it empty.")
    python = find_python(folder=str(runtime), environ={}) if runtime else Path(sys.executable)
    plan = bundle.make(folder, shots, chunk, device)
    if any(bundle.load_job(folder, shot, None).model.device == "auto" for shot in plan.shots):
        warn(
            "Each worker chooses its own device, and one with a GPU does not find the mattes of one without: say which "
            "all have."
        )
    program = engines.Program(str(python), str((code or EXTENSION) / "addon/engine/farm/start.py"))
    with writing(folder):
        words = engines.tell(engine, folder, plan, program)
    if manager:
        _post(manager, folder / SUBMISSION)
        words = ""
    return Submitted(plan, words)


def _post(manager: str, submission: Path) -> None:
    """Flamenco's API (https://flamenco.blender.org/development/api/): POST /api/v3/jobs. Raises OutputError."""
    if not manager.startswith(("http://", "https://")):
        raise JobError("This is no address.", where=manager, hint="Give one such as http://manager:8080.")
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
            f"Flamenco does not take it ({_said(error)}).",
            where=manager,
            hint="Copy the bundle's splat_matte.js into the manager's folder scripts, and restart the manager.",
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise OutputError(
            f"Flamenco's manager can't be reached ({reason}).", where=manager, hint="Look whether it runs there."
        ) from None


def _said(error: urllib.error.HTTPError) -> str:
    """What an answer says is wrong."""
    try:
        told = json.loads(error.read(_LONGEST))["message"]
    except (OSError, ValueError, KeyError, TypeError):
        return str(error.code)
    return f"{error.code}: {' '.join(str(told).split())[:200]}"
