"""The engine as a child process: what it says, when it stops, how it dies."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from addon.contract.errors import ExitCode
from addon.contract.job import Job
from addon.contract.job_types import MatteObject, Model, Point, Prompt
from addon.contract.suspects import read_suspects
from addon.engine.matting import upsample

ROOT = Path(__file__).resolve().parents[2]


class Child:
    """A running engine, started by `command`."""

    def __init__(self, *command: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-P", *(command or ("-m", "addon.engine", "serve"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if command else None,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        assert self.next()["event"] == "ready"

    def send(self, **request: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()

    def next(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        event: dict[str, Any] = json.loads(self.process.stdout.readline())
        return event

    def answer(self, request: int) -> dict[str, Any]:
        """The `done` or `error` of a request."""
        while True:
            event = self.next()
            if event["id"] == request and event["event"] in ("done", "error"):
                return event


@pytest.fixture
def engine() -> Iterator[Child]:
    child = Child()
    with child.process:
        yield child
        child.process.kill()


@pytest.fixture
def job(clip, checkpoint: Model, tmp_path: Path) -> dict[str, Any]:
    spec = Job(
        clip.take(12),
        (MatteObject("subject", (Prompt(3, (Point(*clip.subject),)),)),),
        model=checkpoint,
        output=str(tmp_path / "mattes"),
    )
    plain: dict[str, Any] = json.loads(spec.to_json())
    return plain


def test_it_tracks_exports_and_stays(engine: Child, job: dict[str, Any]) -> None:
    engine.send(id=1, do="track", job=job)
    events = [engine.next()]
    assert events[0]["event"] == "takes"
    while events[-1]["event"] != "done":
        events.append(engine.next())
    assert len(list((Path(events[0]["takes"]["subject"]) / "matte").iterdir())) == 12
    device, suspects = events[-1]["device"], events[-1]["suspects"]
    assert events[-1] == {"id": 1, "event": "done", "device": device, "frames": 12, "suspects": suspects}
    assert suspects == len(read_suspects(Path(events[0]["takes"]["subject"])))
    tracked = [event for event in events if event.get("stage") == "track"]
    assert [event["done"] for event in tracked] == list(range(1, 13))
    assert {event["total"] for event in tracked} == {12}
    assert [event["frame"] for event in tracked] == [*range(3, 13), 2, 1]
    assert all(event["seconds_left"] >= 0 for event in tracked[1:9])
    engine.send(id=2, do="export", job=job)
    done = engine.answer(2)
    assert Path(done["folder"]).name == "v001"
    assert len(list(Path(done["folder"]).iterdir())) == 12


def test_it_stops_when_asked_and_keeps_what_is_done(engine: Child, job: dict[str, Any]) -> None:
    engine.send(id=1, do="track", job=job)
    while engine.next().get("done") != 4:
        pass
    engine.send(id=0, do="cancel", request=1)
    assert engine.answer(1)["exit_code"] == ExitCode.CANCELLED
    engine.send(id=4, do="track", job=job)
    first = next(event for event in iter(engine.next, None) if event.get("stage") == "track")
    assert first["total"] < 12
    assert engine.answer(4)["event"] == "done"


def test_cancel_ends_the_request_that_it_names_and_no_other(engine: Child, job: dict[str, Any]) -> None:
    """Suggest is closed while it waits behind one Track, before another, and among requests of every other kind."""
    engine.send(id=1, do="track", job=job)
    while engine.next().get("done") != 2:
        pass
    engine.send(id=2, do="suggest", job=job, frame=1)
    engine.send(id=3, do="found", job={**job, "objects": [], "things": {}}, frame=1)
    engine.send(id=4, do="track", job={**job, "frame_range": [2, 5]})
    engine.send(id=5, do="outlines", job=job, frames=[3], points=8)
    engine.send(id=6, do="track", job={**job, "frame_range": [3, 4]})
    for unwanted in (2, 6, 99):
        engine.send(id=0, do="cancel", request=unwanted)
    endings = {}
    while len(endings) < 6:
        event = engine.next()
        if event["event"] in ("done", "error"):
            endings[event["id"]] = event
    assert [i for i, event in endings.items() if event.get("exit_code") == ExitCode.CANCELLED] == [2, 6]
    assert [endings[i]["event"] for i in (1, 4, 5)] == ["done", "done", "done"]
    assert "Nothing has been found" in endings[3]["message"]


def logits(event: dict[str, Any], kind: str = "logits") -> dict[str, np.ndarray]:
    assert event["event"] == "done", event
    with np.load(event["file"]) as data:
        return dict(zip(data["names"].tolist(), data[kind], strict=True))


def test_a_preview_is_what_tracking_makes_of_the_frame(engine: Child, job: dict[str, Any]) -> None:
    engine.send(id=1, do="preview", job=job, frame=3)
    first = logits(engine.answer(1))["subject"]
    engine.send(id=2, do="preview", job=job, frame=4)
    assert logits(engine.answer(2)) == {}, "nothing is known of a frame that is neither marked nor tracked"
    engine.send(id=3, do="track", job=job)
    assert engine.answer(3)["event"] == "done"
    engine.send(id=4, do="preview", job=job, frame=3)
    assert np.array_equal(logits(engine.answer(4))["subject"], first)
    engine.send(id=5, do="preview", job=job, frame=4)
    tracked = logits(engine.answer(5))["subject"]

    subject = job["objects"][0]
    point = subject["prompts"][0]["points"][0]
    off = {"frame": 4, "points": [{**point, "x": 20.0, "y": 20.0, "include": False}], "box": None, "mask": None}
    corrected = {**job, "objects": [{**subject, "prompts": [*subject["prompts"], off]}]}
    engine.send(id=6, do="preview", job=corrected, frame=4)
    corrected_logits = logits(engine.answer(6))["subject"]
    assert not np.array_equal(corrected_logits, tracked)
    either = (corrected_logits > 0) | (tracked > 0)
    assert ((corrected_logits > 0) & (tracked > 0)).sum() > 0.5 * either.sum(), "it corrects, it does not start anew"


def test_previews_interrupt_and_the_newest_wins(engine: Child, job: dict[str, Any]) -> None:
    engine.send(id=1, do="track", job=job)
    while engine.next().get("stage") != "track":
        pass
    for i in range(2, 6):
        engine.send(id=i, do="preview", job=job, frame=3)
    endings = []
    while not endings or endings[-1]["id"] != 1:
        event = engine.next()
        if event["event"] in ("done", "error"):
            endings.append(event)
    assert [event["id"] for event in endings] == [2, 3, 4, 5, 1], "answered while the track runs, and it goes on"
    assert endings[3]["event"] == endings[4]["event"] == "done"
    assert sum(event.get("exit_code") == ExitCode.CANCELLED for event in endings) >= 2


def test_finished_mattes_are_those_of_the_export(engine: Child, job: dict[str, Any]) -> None:
    """Of what is tracked, or was previewed; nothing is tracked for them, and the newest request wins."""
    finishing = {"smooth": 1.0, "invert": True, "temporal": 1, "fill_holes": 5}
    job = {**job, "objects": [{**job["objects"][0], "finishing": finishing}], "frame_range": [2, 5]}

    def finished(request: int, frame: int, take: str) -> dict[str, np.ndarray]:
        engine.send(id=request, do="finish", job=job, frame=frame, takes={"subject": take})
        return logits(engine.answer(request), "alpha")

    assert finished(1, 3, "") == {}, "nothing is there"
    engine.send(id=2, do="preview", job=job, frame=3)
    previewed = logits(engine.answer(2))["subject"]
    from_preview = finished(3, 3, "")["subject"]
    height, width = from_preview.shape
    assert np.mean((from_preview == 0) == (upsample.union([previewed], width, height) > 0)) > 0.9
    engine.send(id=4, do="export", job=job)
    takes = engine.next()["takes"]
    version = Path(engine.answer(4)["folder"])
    for i, file in enumerate(sorted(version.iterdir())):
        with Image.open(file) as image:
            assert image.size == (width, height)
            alpha = np.asarray(image)[..., 3]
        assert np.array_equal(finished(10 + i, 2 + i, takes["subject"])["subject"], alpha)
    assert finished(20, 6, takes["subject"]) == {}, "not one of the Job's frames"

    for i in range(30, 40):
        engine.send(id=i, do="finish", job=job, frame=3, takes=takes)
    engine.send(id=40, do="finish", job=job, frame=99, takes={"subject": str(version / "no folder")})
    assert logits(engine.answer(40), "alpha") == {}


def test_errors_name_the_field_and_the_engine_lives(engine: Child, job: dict[str, Any]) -> None:
    engine.send(id=1, do="track", job={**job, "objects": []})
    error = engine.answer(1)
    assert (error["exit_code"], error["where"]) == (ExitCode.JOB, "objects")
    engine.send(id=2, do="track", job={**job, "model": {"checkpoint": "sam9_huge"}})
    error = engine.answer(2)
    assert (error["exit_code"], error["where"]) == (ExitCode.CHECKPOINT, "sam9_huge")
    assert engine.process.stdin is not None
    engine.process.stdin.write("this is no request\n")
    engine.send(id=3, do="track", job={**job, "frame_range": (3, 4)})
    assert engine.answer(3)["event"] == "done"


# None of them is a request; what has an id gets an answer all the same.
WRONG: list[tuple[object, str | None]] = [
    ([], None),
    ("track", None),
    (None, None),
    ({}, None),
    ({"do": "track"}, None),
    ({"id": "7", "do": "track"}, None),
    ({"id": True, "do": "track"}, None),
    ({"id": None, "do": "track", "job": {}}, None),
    ({"id": [7], "do": "preview", "frame": 1}, None),
    ({"id": 7, "do": ["track"]}, "do"),
    ({"id": 7, "do": None}, "do"),
    ({"id": 7, "do": "dance"}, "do"),
    ({"id": 7, "do": "track"}, "job"),
    ({"id": 7, "do": "track", "job": "Job"}, "job"),
    ({"id": 7, "do": "track", "job": "JOB", "frame": 1}, "track"),
    ({"id": 7, "do": "preview", "job": "JOB", "frame": "1"}, "frame"),
    ({"id": 7, "do": "preview", "job": "JOB", "frame": None}, "frame"),
    ({"id": 7, "do": "preview", "job": "JOB", "frame": 1.5}, "frame"),
    ({"id": 7, "do": "finish", "job": "JOB", "frame": 1, "takes": ["a"]}, "takes"),
    ({"id": 7, "do": "finish", "job": "JOB", "frame": 1, "takes": {"subject": 3}}, "takes.subject"),
    ({"id": 7, "do": "outlines", "job": "JOB", "frames": "12", "points": 8}, "frames"),
    ({"id": 7, "do": "outlines", "job": "JOB", "frames": [1, "2"], "points": 8}, "frames[1]"),
    ({"id": 7, "do": "outlines", "job": "JOB", "frames": [1], "points": {}}, "points"),
    ({"id": 7, "do": "review", "job": "JOB", "poses": 3}, "poses"),
    ({"id": 7, "do": "export", "job": "JOB", "picked_from": []}, "picked_from"),
    ({"id": 0, "do": "cancel"}, None),
    ({"id": 0, "do": "cancel", "request": "1"}, None),
    ({"id": 0, "do": "cancel", "request": [1]}, None),
]


def test_no_message_makes_it_deaf(engine: Child, job: dict[str, Any]) -> None:
    assert engine.process.stdin is not None
    for message, where in WRONG:
        if isinstance(message, dict) and message.get("job") == "JOB":
            message = {**message, "job": job}
        engine.process.stdin.write(json.dumps(message) + "\n")
        engine.process.stdin.flush()
        if where is not None:
            error = engine.answer(7)
            assert (error["exit_code"], error["where"]) == (ExitCode.JOB, where), message
    for line in ("[" * 100_000, '{"id": 1, "do": "track", "job": ' + "{" * 100_000, "\x00", '{"id": NaN}', ""):
        engine.process.stdin.write(line + "\n")
    engine.send(id=8, do="preview", job=job, frame=3)
    assert engine.answer(8)["event"] == "done"
    engine.process.stdin.close()
    assert engine.process.wait(timeout=60) == ExitCode.OK


@pytest.mark.parametrize("last", ["", '{"id": "x", "do": 3}\n', "\xff\n", '{"id": 1, "do": "tra'])
def test_it_ends_when_its_stdin_does_whatever_came_before(engine: Child, last: str) -> None:
    assert engine.process.stdin is not None
    engine.process.stdin.write(last)
    engine.process.stdin.close()
    assert engine.process.wait(timeout=60) == ExitCode.OK


def test_it_ends_with_its_parent(engine: Child, job: dict[str, Any]) -> None:
    engine.send(id=1, do="track", job=job)
    while engine.next().get("stage") != "track":
        pass
    assert engine.process.stdin is not None
    engine.process.stdin.close()
    assert engine.process.wait(timeout=60) in (ExitCode.OK, ExitCode.CANCELLED)


def test_a_start_imports_nothing_that_only_compilers_and_upstreams_builder_need(job: dict[str, Any]) -> None:
    """They took more than half of it. Their engine is deterministic all the same."""
    program = (
        "import sys, torch\n"
        "from addon.engine.__main__ import main\n"
        "main(['serve'])\n"
        "print(torch.get_deterministic_debug_mode(), *sys.modules, file=sys.stderr)\n"
    )
    child = Child("-c", program)
    with child.process:
        child.send(id=1, do="preview", job=job, frame=3)
        assert child.answer(1)["event"] == "done"
        child.send(id=0, do="quit")
        assert child.process.stderr is not None
        deterministic, *modules = child.process.stderr.read().splitlines()[-1].split()
    assert deterministic == "1"
    assert "addon.engine.sam2.model" in modules
    assert not {"torch._inductor", "torch._dynamo", "sympy", "hydra", "torchvision", "scipy"} & set(modules)
