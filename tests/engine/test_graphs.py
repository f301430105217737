"""CUDA graphs give the same mattes, bit for bit. A stand-in for the GPU records operators and computes them again.

It records what torch dispatches: operators and the memory that they work on, as a GPU would. Python code beside them is
not run again, and reading a tensor's values is refused.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from typing import Any

import pytest
import torch
from conftest import Clip
from torch.utils._python_dispatch import TorchDispatchMode

from addon.contract.job import Job
from addon.contract.job_types import MatteObject, Model, Point, Prompt
from addon.engine.sam2 import model
from addon.engine.sam2.cuda import graphs
from addon.engine.sam2.cuda.graphs import Graphs, Recorder, Tensors, works
from addon.engine.sam2.cuda.modules import GraphPredictor, cast_weights, use_graphs
from addon.engine.session import Session

CPU = torch.device("cpu")
LOOKS = {"item", "_local_scalar_dense", "is_nonzero", "nonzero", "equal", "lift_fresh"}  # the last copies from outside
# Those of https://docs.pytorch.org/docs/stable/generated/torch.use_deterministic_algorithms.html whose results, not
# only their gradients, may differ from one time to the next.
UNSTEADY = {
    "bincount", "cumsum", "histc", "index_add", "index_copy", "index_put", "kthvalue", "median", "put", "scatter",
    "scatter_add", "scatter_reduce",
}  # fmt: skip


class Operators(TorchDispatchMode):
    """Records the operators that torch dispatches."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[tuple[Any, Any, Any, Any]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if name_of(func) in LOOKS:
            raise RuntimeError(f"{func.name()} is not permitted while a stream is capturing")
        result = func(*args, **(kwargs or {}))
        self.told.append((func, args, kwargs or {}, result))
        return result

    def again(self) -> None:
        for func, args, kwargs, before in self.told:
            now = func(*args, **kwargs)
            for old, new in zip(tensors(before), tensors(now), strict=True):
                if old.data_ptr() != new.data_ptr():  # neither a view nor in place
                    old.copy_(new)


def name_of(operator: Any) -> str:
    """Return an operator's name without namespace and overload."""
    name: str = operator.name()
    return name.removeprefix("aten::").split(".")[0]


def tensors(found: Any) -> list[torch.Tensor]:
    return [found] if isinstance(found, torch.Tensor) else [item for item in found if isinstance(item, torch.Tensor)]


class Gpu:
    """Records, and counts how often a recording is computed again."""

    def __init__(self) -> None:
        self.recorded = 0
        self.replayed = 0
        self.names: set[str] = set()

    def record(self, compute: Callable[[], Tensors]) -> tuple[Callable[[], None], Tensors]:
        compute()
        with Operators() as operators:
            results = compute()
        self.recorded += 1
        self.names |= {name_of(func) for func, *_ in operators.told}

        def again() -> None:
            self.replayed += 1
            operators.again()

        return again, results


class Failing(Gpu):
    """Runs out of memory."""

    def record(self, compute: Callable[[], Tensors]) -> tuple[Callable[[], None], Tensors]:
        raise torch.OutOfMemoryError("CUDA out of memory.")


class Wrong(Gpu):
    """Computes nothing when replayed."""

    def record(self, compute: Callable[[], Tensors]) -> tuple[Callable[[], None], Tensors]:
        _, results = super().record(compute)
        return lambda: [result.zero_() for result in results], results  # type: ignore[return-value]


@pytest.fixture
def job(clip: Clip, small: Model) -> Job:
    """Two objects, whose memories have the same length on each of three frames."""
    objects = tuple(
        MatteObject(name, (Prompt(1, (Point(*where),)),))
        for name, where in (("toy", clip.subject), ("floor", clip.elsewhere))
    )
    return Job(clip.take(3), objects, small, output=str(clip.room / "out"), target="", cache_megabytes=0)


def loaded(job: Job, recorder: Recorder | None) -> model.Loaded:
    """A model as on a GPU: with upstream's own modules."""
    source = model.find(job.model)
    predictor = model.build(source.config).eval()
    model._load_weights(predictor, source.weights)
    if recorder is not None:
        use_graphs(predictor, Graphs(recorder))
    return model.Loaded(predictor, source)


def mattes(job: Job, by: model.Loaded, room: str) -> dict[tuple[str, int], bytes]:
    session = Session(lambda *_: None, lambda: False)
    session._loaded = by
    done = session.track(dataclasses.replace(job, output=job.output + room))
    return {(n, f): t.tracked(f).logits.tobytes() for n, t in done.takes.items() for f in done.frames}


def test_tracking_by_graphs(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two objects the first is computed by operators, the other by what was recorded of it."""
    monkeypatch.setattr(graphs, "_WORTH", 1)
    straight = mattes(job, loaded(job, None), "straight")
    gpu = Gpu()
    assert mattes(job, loaded(job, gpu), "graphs") == straight
    assert gpu.recorded == 6  # encoder, decoder, memory encoder of a prompt and of a tracked mask, attention to 1 and 2
    assert gpu.replayed == 3 + 4 + 2 + 4 + 4
    assert not UNSTEADY & gpu.names - {"cumsum"}, "or deterministic mode is needed after all"


def test_weights_in_the_type_that_autocast_converts_them_to(job: Job) -> None:
    """The bits are those of converting them before each use, and half of the memory suffices."""
    half = dataclasses.replace(job.model, precision="bfloat16")  # which this computer may have to emulate
    short = dataclasses.replace(job, objects=job.objects[:1], frame_range=(1, 2), model=half)
    straight, cast = loaded(short, None), loaded(short, None)
    before = sum(weights.nbytes for weights in cast.predictor.parameters())
    cast_weights(cast.predictor, torch.bfloat16)
    assert sum(weights.nbytes for weights in cast.predictor.parameters()) < 0.6 * before
    assert mattes(short, cast, "cast") == mattes(short, straight, "straight")


def double(x: torch.Tensor) -> Tensors:
    return (x * 2,)


def test_each_shape_is_recorded_once_it_has_come_often() -> None:
    gpu = Gpu()
    some = Graphs(gpu)
    with torch.inference_mode():
        kept = [some.run("double", double, torch.full((shape,), float(i)))[0] for i in range(40) for shape in (2, 3)]
        assert [result.tolist() for result in kept] == [[2.0 * i] * shape for i in range(40) for shape in (2, 3)]
        assert gpu.recorded == 2
        some.run("double", double, torch.zeros(4))
        some.run("another", double, torch.zeros(2))
        assert gpu.recorded == 2


def test_only_so_many_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graphs, "_WORTH", 1)
    gpu = Gpu()
    some = Graphs(gpu)
    with torch.inference_mode():
        for length in (*range(1, graphs._KEPT + 2), 1):
            some.run("double", double, torch.zeros(length))
    assert gpu.recorded == graphs._KEPT + 2
    assert len(some._graphs) == graphs._KEPT


def test_what_was_given_twice_is_the_same_twice() -> None:
    """The decoder gives one mask under two names; a copy of each would cost memory."""
    with torch.inference_mode():
        first, second = Graphs(Gpu()).run("twice", lambda x: (x,) * 2, torch.zeros(2))
    assert first is second


@pytest.mark.parametrize("gpu", [Wrong(), Failing(), Gpu()])
def test_what_can_not_be_recorded_is_computed_as_ever(
    gpu: Gpu, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(graphs, "_WORTH", 1)
    some = Graphs(gpu)

    def looked(x: torch.Tensor) -> Tensors:
        return (x * (2 * float(x[0])) if type(gpu) is Gpu else x * 2,)

    with torch.inference_mode():
        assert [some.run("looked", looked, torch.ones(3))[0].tolist() for _ in range(3)] == [[2.0, 2.0, 2.0]] * 3
        assert some.run("double", double, torch.ones(2))[0].tolist() == [2.0, 2.0]
    assert gpu.replayed == 0
    assert "CUDA graphs are not used" in capsys.readouterr().err


def test_it_is_tried_when_a_model_is_loaded(capsys: pytest.CaptureFixture[str]) -> None:
    assert works(Gpu(), CPU)
    assert not works(Wrong(), CPU)
    assert not works(Failing(), CPU)
    assert "out of memory" in capsys.readouterr().err


def test_room_is_made_and_not_taken_again(monkeypatch: pytest.MonkeyPatch, job: Job) -> None:
    monkeypatch.setattr(graphs, "_WORTH", 1)
    gpu = Gpu()
    by_graphs = loaded(job, gpu)
    some: Graphs = by_graphs.predictor.graphs
    with torch.inference_mode():
        some.run("double", double, torch.ones(2))
        by_graphs.make_room()
        assert not some._graphs
        assert some.run("double", double, torch.ones(2))[0].tolist() == [2.0, 2.0]
    assert gpu.recorded == 1


@pytest.mark.skipif(os.environ.get("SPLAT_MATTE_TEST_DEVICE") != "cuda", reason="needs an NVIDIA GPU")
def test_on_a_real_gpu(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """Real graphs, recorded as early as possible, give the same mattes as none."""
    monkeypatch.setattr(graphs, "_WORTH", 1)
    there = dataclasses.replace(job, model=Model(device="cuda"))
    by_graphs, straight = (model.load(model.find(there.model)) for _ in range(2))
    assert isinstance(by_graphs.predictor, GraphPredictor)
    straight.make_room()
    assert mattes(there, by_graphs, "graphs") == mattes(there, straight, "straight")
    assert by_graphs.predictor.graphs._graphs


def test_deterministic_mode_is_left_out_forward_and_comes_back() -> None:
    """cuDNN goes on to choose what always adds in one order."""
    before = torch.get_deterministic_debug_mode(), torch.backends.cudnn.deterministic
    try:
        model.make_deterministic()
        with model.forward_only():
            assert not torch.are_deterministic_algorithms_enabled()
            assert torch.backends.cudnn.deterministic
        assert torch.are_deterministic_algorithms_enabled()
    finally:
        torch.set_deterministic_debug_mode(before[0])
        torch.backends.cudnn.deterministic = before[1]
