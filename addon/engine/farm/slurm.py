"""Slurm: array jobs that depend on each other, and are requeued when their machine is lost.

    submit.sh   run it where `sbatch` is; its arguments go to every sbatch: sh submit.sh --partition=gpu
    task.sh     runs one task of an array
    log/        the output of the tasks

A step starts whatever the result of the one before (`afterany`), and processes each shot as far as possible: a failing
shot, even one that fails its check, stops no other. A task that is asked to end (time limit, preemption) stops after
its frame and is requeued.
"""

from __future__ import annotations

import shlex
from pathlib import Path

from ...contract.disk import write_data
from .engines import Program
from .plan import STEPS, Plan, Step

_LARGEST = 1000  # most tasks of an array: Slurm's default MaxArraySize is 1001

_TASK = """\
#!/bin/sh
# task.sh STEP ITEMS_A_TASK: the items of this task of the array
first=$(((SLURM_ARRAY_TASK_ID - 1) * $2 + 1))
last=$((first + $2 - 1))
{program} task "$1" "$BUNDLE" "$first-$last" &
task=$!
trap 'kill -TERM "$task"' TERM
wait "$task"; code=$?
while kill -0 "$task" 2>/dev/null; do wait "$task"; code=$?; done
[ "$code" = 8 ] && exec scontrol requeue "${{SLURM_ARRAY_JOB_ID}}_$SLURM_ARRAY_TASK_ID"
exit "$code"
"""

_SUBMIT = """\
#!/bin/sh
# Arguments are given to each sbatch, such as --partition=NAME or --time=4:00:00.
set -e
BUNDLE=$(cd "$(dirname "$0")" && pwd); export BUNDLE
mkdir -p "$BUNDLE/log"
"""


def write(bundle: Path, plan: Plan, program: Program) -> str:
    """Write the files; see engines.tell."""
    submit = _SUBMIT + "".join(_array(plan, step, before) for before, step in zip((None, *STEPS), STEPS, strict=False))
    submit += "".join(f'echo "{step}: $job_{step}"\n' for step in STEPS)
    words = " ".join(shlex.quote(word) for word in program.words)
    for name, text in (("submit.sh", submit), ("task.sh", _TASK.format(program=words))):
        write_data(bundle / name, text.encode())
        (bundle / name).chmod(0o755)
    return f"sh {bundle / 'submit.sh'} [OPTIONS OF sbatch]"


def _array(plan: Plan, step: Step, before: Step | None) -> str:
    count = plan.count(step)
    items = max(plan.chunk if step == "export" else 1, -(-count // _LARGEST))
    options = ["--parsable", "--requeue", "--signal=B:TERM@120", f"--job-name=splat-matte-{step}"]
    options += [f"--array=1-{-(-count // items)}", f'--output="$BUNDLE/log/{step}-%a.txt"']
    if plan.gpu and step == "track":
        options.append("--gres=gpu:1")
    if before:
        options.append(f'--dependency="afterany:$job_{before}"')
    return f'job_{step}=$(sbatch {" ".join(options)} "$@" "$BUNDLE/task.sh" {step} {items})\n'
