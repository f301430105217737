"""Requests: each survives the pipe, and has its function in the engine."""

import ast
import json
from pathlib import Path

import pytest

from addon.contract.job import Job
from addon.contract.job_types import Footage, MatteObject, Point, Prompt
from addon.contract.requests import (
    Cancel,
    Clean,
    Export,
    Farm,
    FindStatic,
    Finish,
    Found,
    Message,
    Outlines,
    Preview,
    Quit,
    Repair,
    Request,
    Retrack,
    Review,
    Select,
    Suggest,
    Track,
)

HANDLERS = Path(__file__).resolve().parents[2] / "addon" / "engine" / "handlers.py"

JOB = Job(Footage(("/plates/Zoë/0001.png",), 64, 48, 1), (MatteObject("Zoë", (Prompt(1, (Point(3, 4),)),)),))

SENT = [
    Cancel(7),
    Quit(),
    Track(JOB),
    Retrack(JOB),
    Export(JOB, "/mattes/work/automatic/abc"),
    Review(JOB, "/poses"),
    Repair(JOB, poses="/shot/sparse/0"),
    Farm(JOB, "slurm", "/farm/shot", "/engine", "", ""),
    Clean(JOB, "/splats/cloud.ply", "/poses", 3, False, True),
    Outlines(JOB, (3, 1), 32),
    Select(JOB, 200, {"Zoë": "/takes/zoë"}),
    Suggest(JOB, 4),
    Preview(JOB, 5),
    FindStatic(JOB),
    Finish(JOB, 6, {"Zoë": "/takes/zoë", "hat": ""}),
    Found(JOB, 8),
]


def test_all_kinds_are_here() -> None:
    assert {type(message) for message in SENT} == set(Message.kinds.values())


@pytest.mark.parametrize("message", SENT, ids=lambda message: message.verb)
def test_what_arrives_is_what_was_sent(message: Message) -> None:
    plain = json.loads(json.dumps(message.to_plain(12)))
    assert (plain["id"], plain["do"]) == (12, type(message).__name__.lower())
    assert Message.kinds[plain["do"]].from_plain(plain) == message


def test_each_request_has_its_function() -> None:
    """Read, not imported: the engine needs torch."""
    functions = [node for node in ast.parse(HANDLERS.read_text()).body if isinstance(node, ast.FunctionDef)]
    registered = [
        ast.unparse(function.args.args[0].annotation)
        for function in functions
        if function.args.args[0].annotation and "carry_out.register" in map(ast.unparse, function.decorator_list)
    ]
    requests = [kind.__name__ for kind in Message.kinds.values() if issubclass(kind, Request)]
    assert sorted(registered) == sorted(requests)
