"""Open Job Description (specification 2023-09, extension TASK_CHUNKING): a job bundle, as AWS Deadline Cloud takes it.

    template.json           the steps; paths are parameters, so that the farm maps them
    parameter_values.json   the parameters of the engine
    asset_references.json   files that Deadline Cloud has to transfer if workers share no file system

A session's environment starts the engine, which runs all tasks of the session, so that the model stays warm.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ...contract.disk import write_data
from ...contract.job import Job
from .bundle import load_job
from .engines import Program
from .plan import STEPS, Plan, Step

_GRACE = 120  # seconds between the request to stop and the kill: a frame may take long


def write(bundle: Path, plan: Plan, program: Program) -> str:
    """Write the files; see engines.tell."""
    values = {
        "Python": program.python,
        "Engine": program.start,
    }  # passed as values, since defaults may not be absolute paths
    start, stop = (_action("warm", verb, "{{Session.WorkingDirectory}}/warm") for verb in ("start", "stop"))
    template = {
        "specificationVersion": "jobtemplate-2023-09",
        "extensions": ["TASK_CHUNKING"],
        "name": f"Splat Matte, {len(plan.shots)} shots",
        "parameterDefinitions": [
            {"name": "Bundle", "type": "PATH", "objectType": "DIRECTORY", "dataFlow": "INOUT", "default": "."},
            *({"name": name, "type": "PATH", "objectType": "FILE", "dataFlow": "NONE"} for name in values),
        ],
        "jobEnvironments": [{"name": "Engine", "script": {"actions": {"onEnter": start, "onExit": stop}}}],
        "steps": [_step(plan, step, before) for before, step in zip((None, *STEPS), STEPS, strict=False)],
    }
    _write(bundle / "template.json", template)
    given = [{"name": name, "value": value} for name, value in values.items()]
    _write(bundle / "parameter_values.json", {"parameterValues": given})
    jobs = [load_job(bundle, shot, None) for shot in plan.shots]
    _write(bundle / "asset_references.json", {"assetReferences": _assets(jobs)})
    words = " ".join(f'-p "{name}={value}"' for name, value in values.items())
    return f'openjd run "{bundle / "template.json"}" {words}\nor: deadline bundle submit "{bundle}"'


def _step(plan: Plan, step: Step, before: Step | None) -> dict[str, Any]:
    item: dict[str, Any] = {"name": "Item", "type": "INT", "range": f"1-{plan.count(step)}"}
    if step == "export":
        chunks = {"defaultTaskCount": plan.chunk, "rangeConstraint": "CONTIGUOUS"}
        item |= {"type": "CHUNK[INT]", "chunks": chunks}
    rules = ("--map", "{{Session.PathMappingRulesFile}}")
    task = _action("task", step, "{{Param.Bundle}}", "{{Task.Param.Item}}", *rules, "--openjd")
    found: dict[str, Any] = {
        "name": step,
        "parameterSpace": {"taskParameterDefinitions": [item]},
        "script": {"actions": {"onRun": task}},
    }
    if before:
        found["dependencies"] = [{"dependsOn": before}]
    if plan.gpu and step == "track":
        found["hostRequirements"] = {"amounts": [{"name": "amount.worker.gpu", "min": 1}]}
    return found


def _action(*words: str) -> dict[str, Any]:
    arguments = ["-I", "-X", "utf8", "{{Param.Engine}}", *words]
    stop = {"mode": "NOTIFY_THEN_TERMINATE", "notifyPeriodInSeconds": _GRACE}
    return {"command": "{{Param.Python}}", "args": arguments, "cancelation": stop}


def _assets(jobs: list[Job]) -> dict[str, Any]:
    inputs = {"filenames": sorted({file for job in jobs for file in job.footage.files}), "directories": []}
    return {"inputs": inputs, "outputs": {"directories": sorted({str(job.matte_folder) for job in jobs})}}


def _write(path: Path, value: object) -> None:
    write_data(path, f"{json.dumps(value, ensure_ascii=False, indent=1)}\n".encode())
