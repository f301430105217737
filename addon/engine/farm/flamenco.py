"""Flamenco 3: a job type script, which its manager runs, and the submission for its API (POST /api/v3/jobs).

    splat_matte.js   goes into the manager's `scripts` folder
    submission.json  the job; its paths are those of the submitting computer and its `platform`, and Flamenco's two-way
                     variables map them

Each task depends only on tasks of its own shot.
"""

from __future__ import annotations

import dataclasses
import json
import platform
from pathlib import Path
from typing import Any

from ...contract.disk import write_data
from .engines import Program
from .plan import Plan

SUBMISSION = "submission.json"
_SCRIPT = """\
// Splat Matte's job type for Flamenco 3. The manager runs compileJob for each submission.
const JOB_TYPE = {
    label: "Splat Matte",
    settings: [
        { key: "python", type: "string", required: true, description: "The engine's Python" },
        { key: "start", type: "string", required: true, description: "start.py of the extension" },
        { key: "bundle", type: "string", required: true, subtype: "dir_path", description: "The bundle's folder" },
        { key: "plan", type: "string", required: true, visible: "hidden", description: "Shots, as JSON" },
    ],
};

function compileJob(job) {
    const settings = job.settings;
    const plan = JSON.parse(settings.plan);
    let tracks = 0, frames = 0;
    plan.shots.forEach(function (shot, i) {
        const check = add(job, settings, shot, "check", String(i + 1), []);
        const tracked = shot.objects.map(function () {
            return add(job, settings, shot, "track", String(++tracks), [check]);
        });
        const exported = [];
        for (let done = 0; done < shot.frames; done += plan.chunk) {
            const last = Math.min(done + plan.chunk, shot.frames);
            const items = (frames + done + 1) + "-" + (frames + last);
            exported.push(add(job, settings, shot, "export", items, tracked));
        }
        frames += shot.frames;
        add(job, settings, shot, "publish", String(i + 1), exported.length ? exported : tracked);
    });
}

function add(job, settings, shot, step, items, after) {
    const task = author.Task(shot.name + " " + step + " " + items, "misc");
    const words = ["-I", "-X", "utf8", settings.start, "task", step, settings.bundle, items];
    task.addCommand(author.Command("exec", { exe: settings.python, args: words }));
    after.forEach(function (other) { task.addDependency(other); });
    job.addTask(task);
    return task;
}
"""


def write(bundle: Path, plan: Plan, program: Program) -> str:
    """Write the files; see engines.tell."""
    write_data(bundle / "splat_matte.js", _SCRIPT.encode())
    shots = [dataclasses.asdict(shot) for shot in plan.shots]
    settings = {"python": program.python, "start": program.start, "bundle": str(bundle)}
    submission: dict[str, Any] = {
        "name": f"Splat Matte, {len(plan.shots)} shots",
        "type": "splat-matte",
        "submitter_platform": platform.system().lower(),
        "priority": 50,
        "settings": settings | {"plan": json.dumps({"shots": shots, "chunk": plan.chunk})},
        "metadata": {"submission": plan.submission},
    }
    write_data(bundle / SUBMISSION, json.dumps(submission, ensure_ascii=False, indent=1).encode())
    return f"curl --json @{bundle / SUBMISSION} http://MANAGER:8080/api/v3/jobs"
