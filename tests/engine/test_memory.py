"""Too little memory: a second try with less gives the same mattes, else an error; and memory that is given back."""

from __future__ import annotations

import dataclasses
import io
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from addon.contract.errors import Cancelled, EngineError
from addon.contract.job import Job
from addon.contract.job_types import Finishing, MatteObject, Model, Point, Prompt
from addon.engine import self_test, session
from addon.engine.automatic import suggestions
from addon.engine.footage.footage import scan
from addon.engine.sam2 import model
from addon.engine.serve import Server
from addon.engine.session import Session

FULL: list[Exception] = [
    torch.OutOfMemoryError("CUDA out of memory."),
    RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:128] DefaultCPUAllocator: can't allocate memory"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    MemoryError(),
]


@pytest.fixture
def job(tmp_path: Path) -> Job:
    footage = scan(self_test._draw(tmp_path / "shot", 2))[0]
    objects = tuple(MatteObject(name, (Prompt(1, (Point(x, 96),)),)) for name, x in (("Disc", 64), ("Ground", 160)))
    return Job(footage, objects, Model(device="cpu"), target="", refine="off", cache_megabytes=0)


def full(monkeypatch: pytest.MonkeyPatch, place: Any, name: str, error: Exception, times: int = 1) -> list[int]:
    """Let a function fail as on a full machine when it is called the first `times`; it is the real one afterwards."""
    real, calls = getattr(place, name), []

    def called(*arguments: Any, **more: Any) -> Any:
        calls.append(1)
        if len(calls) <= times:
            raise error
        return real(*arguments, **more)

    monkeypatch.setattr(place, name, called)
    return calls


def run(what: str, job: Job) -> Any:
    worker = Session(lambda *_: None, lambda: False)
    if what == "track":
        return {
            (name, frame): matte.logits
            for name, take in worker.track(job).takes.items()
            for frame in job.frames
            if (matte := take.matte(frame)) is not None
        }
    if what == "export":
        return worker.export(dataclasses.replace(job, target="postshot", refine="windows"))
    return worker.preview(job, 1) if what == "preview" else worker.suggest(job, 1)


@pytest.mark.parametrize(
    ("what", "error"),
    [*(("preview", error) for error in FULL), ("track", FULL[0]), ("suggest", FULL[1]), ("export", FULL[2])],
)
def test_the_model_is_loaded_at_the_second_try(
    what: str, error: Exception, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    if what == "suggest":  # of a grid of points, which takes long
        monkeypatch.setattr(suggestions, "generate", lambda *_, **__: [])
    calls = full(monkeypatch, model, "load", error)
    run(what, job)
    assert len(calls) == 2


@pytest.mark.parametrize("what", ["track", "preview", "suggest"])
def test_what_does_not_fit_at_all_is_said(what: str, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = full(monkeypatch, model, "load", FULL[0], times=100)
    with pytest.raises(EngineError, match="not enough memory") as caught:
        run(what, job)
    assert "smaller checkpoint" in caught.value.hint
    assert len(calls) == 2


def test_other_errors_are_not_tried_again(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = full(monkeypatch, model, "load", RuntimeError("shapes do not fit"))
    with pytest.raises(RuntimeError, match="shapes"):
        run("track", job)
    assert len(calls) == 1


def test_suggestions_are_asked_for_in_smaller_groups(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def generate(predictor: Any, picture: Any, settings: Any, **more: Any) -> list[Any]:
        asked.append(settings.points_per_batch)
        if len(asked) == 1:
            raise FULL[0]
        return []

    monkeypatch.setattr(suggestions, "generate", generate)
    run("suggest", job)
    assert asked == [64, 8]


def test_a_second_look_at_edges_is_tried_again(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = full(monkeypatch, session, "look_again", FULL[0])
    run("export", job)
    assert len(calls) == 1 + 2 * len(job.frames)


@pytest.mark.parametrize("cancelled", [False, True])
def test_one_object_at_a_time_gives_the_same_mattes(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cancelled: bool
) -> None:
    """Memory ends in the middle; what was tracked before is kept, and the rest is as it would have been."""
    job = dataclasses.replace(  # one is nothing without the other
        job, objects=(dataclasses.replace(job.objects[0], finishing=Finishing(subtract="Ground")), job.objects[1])
    )
    expected = run("track", dataclasses.replace(job, output=str(tmp_path / "expected")))
    real: Callable[..., Any] = session.propagate
    tries: list[tuple[int, int]] = []

    def propagate(*arguments: Any, objects: Any, ahead: int, **others: Any) -> None:
        tries.append((len(objects), ahead))
        if len(tries) == 1:
            *first, on_frame, stopped = arguments

            def fail(done: int, total: int, frame: int) -> None:
                if done == 2:
                    raise torch.OutOfMemoryError
                on_frame(done, total, frame)

            arguments = (*first, fail, stopped)
        if cancelled and len(tries) == 3:
            raise Cancelled
        real(*arguments, objects=objects, ahead=ahead, **others)

    monkeypatch.setattr(session, "propagate", propagate)
    job = dataclasses.replace(job, output=str(tmp_path / "found"))
    if cancelled:
        with pytest.raises(Cancelled):
            run("track", job)
    found = run("track", job)
    assert tries[0] == (2, 4)
    assert tries[1:3] == [(1, 1), (1, 1)]
    assert found.keys() == expected.keys()
    assert all(np.array_equal(found[key], expected[key]) for key in expected)


def test_memory_is_given_back_after_a_while(job: Job) -> None:
    """Requests after that are answered as before, including the one to end."""
    server = Server(io.StringIO(), io.StringIO(), patience=0.01)
    worker = server._session
    first = worker.preview(job, 1).read_bytes()
    assert worker._loaded is not None
    waiting = threading.Thread(target=server._next)
    waiting.start()
    while worker._loaded is not None:
        time.sleep(0.01)
    server._todo.put(None)
    waiting.join()
    assert worker._previewer is None
    assert worker.preview(job, 1).read_bytes() == first


def test_without_that_wish_it_stays_warm(job: Job) -> None:
    server = Server(io.StringIO(), io.StringIO())
    server._session.preview(job, 1)
    server._todo.put(None)
    assert server._next() is None
    assert server._session._loaded is not None
