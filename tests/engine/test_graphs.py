"""CUDA graphs give the same mattes, bit for bit. A stand-in for the GPU records operators and computes them again.

It records what torch dispatches: operators and the memory that they work on, as a GPU would. Python code beside them is
not run again, and reading a tensor's values is refused.

Objects in lanes are computed one after the other here. Whether a GPU could compute them in another order, and whether
that would change a result, is derived from what each lane reads and writes (`Order`).
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import weakref
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
import torch
from conftest import Clip
from torch.utils._python_dispatch import TorchDispatchMode

from addon.contract.job import Job
from addon.contract.job_types import MatteObject, Model, Point, Prompt
from addon.engine.sam2 import model
from addon.engine.sam2.cuda import graphs
from addon.engine.sam2.cuda.graphs import Graphs, Lane, Tensors, works
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

    def inside(self) -> contextlib.AbstractContextManager[object]:
        return contextlib.nullcontext()

    def join(self) -> None: ...

    def wait(self) -> None: ...

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


def loaded(job: Job, *lanes: Lane) -> model.Loaded:
    """A model as on a GPU: with upstream's own modules."""
    source = model.find(job.model)
    predictor = model.build(source.config).eval()
    model._load_weights(predictor, source.weights)
    if lanes:
        use_graphs(predictor, Graphs(lanes[0], lanes[1:]))
    return model.Loaded(predictor, source)


def mattes(job: Job, by: model.Loaded, room: str) -> dict[tuple[str, int], bytes]:
    session = Session(lambda *_: None, lambda: False)
    session._loaded = by
    done = session.track(dataclasses.replace(job, output=job.output + room))
    return {(n, f): t.tracked(f).logits.tobytes() for n, t in done.takes.items() for f in done.frames}


def test_tracking_by_graphs(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two objects the first is computed by operators, the other by what was recorded of it."""
    monkeypatch.setattr(graphs, "_WORTH", 1)
    straight = mattes(job, loaded(job), "straight")
    gpu = Gpu()
    assert mattes(job, loaded(job, gpu), "graphs") == straight
    assert gpu.recorded == 6  # encoder, decoder, memory encoder of a prompt and of a tracked mask, attention to 1 and 2
    assert gpu.replayed == 3 + 4 + 2 + 4 + 4
    assert not UNSTEADY & gpu.names - {"cumsum"}, "or deterministic mode is needed after all"


def test_weights_in_the_type_that_autocast_converts_them_to(job: Job) -> None:
    """The bits are those of converting them before each use, and half of the memory suffices."""
    half = dataclasses.replace(job.model, precision="bfloat16")  # which this computer may have to emulate
    short = dataclasses.replace(job, objects=job.objects[:1], frame_range=(1, 2), model=half)
    straight, cast = loaded(short), loaded(short)
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


class Order(TorchDispatchMode):
    """Whether what lanes do to memory has an order, whatever the speed of each.

    Launches of a lane come one behind the other. They come behind those of another lane as far as it has waited for
    that one (vector clocks). Memory that is freed is given to the next operator that needs some in the lane that it was
    allocated in, as torch's allocator for CUDA does it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.lane = 0
        self.launched: Counter[int] = Counter()
        self.wrong: list[str] = []
        self._behind: dict[int, Counter[int]] = {}
        self._home: dict[int, int] = {}  # by memory, the lane that it was allocated in
        self._uses: dict[int, list[tuple[int, int, bool]]] = {}  # by memory: lane, launch, whether it wrote
        self._freed: dict[int, list[tuple[int, int, bool]]] = {}  # by lane, the uses of memory that it may use again

    def wait(self, lane: int, other: int) -> None:
        """Have what is launched in a lane from here on come behind what was launched in another one."""
        self._behind.setdefault(lane, Counter())[other] = self.launched[other]
        self._behind[lane] |= self._behind.get(other, Counter())

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        results = func(*args, **(kwargs or {}))
        self.launched[self.lane] += 1
        arguments = func._schema.arguments
        named = {argument.name: argument for argument in arguments}
        given = [*zip(arguments, args, strict=False), *((named[name], value) for name, value in (kwargs or {}).items())]
        for argument, value in given:
            if argument.alias_info is None or argument.alias_info.is_write:  # else the result is only a view
                for tensor in tensors(value) if isinstance(value, torch.Tensor | list | tuple) else []:
                    self._use(func, tensor, writes=argument.alias_info is not None)
        for tensor in tensors(results) if isinstance(results, torch.Tensor | list | tuple) else []:
            storage = tensor.untyped_storage()
            if storage._cdata not in self._home and not any(shares(tensor, value) for _, value in given):
                self._home[storage._cdata] = self.lane
                weakref.finalize(storage, self._free, storage._cdata)
                self._check(func, self._freed.pop(self.lane, []))
                self._use(func, tensor, writes=True)
        return results

    def _use(self, func: Any, tensor: torch.Tensor, *, writes: bool) -> None:
        storage = tensor.untyped_storage()
        memory = storage._cdata
        if memory not in self._home and memory not in self._uses:  # another thread made it, for instance of a picture
            weakref.finalize(storage, self._uses.pop, memory, None)
        self._check(func, [use for use in self._uses.get(memory, []) if writes or use[2]])
        self._uses.setdefault(memory, []).append((self.lane, self.launched[self.lane], writes))

    def _check(self, func: Any, uses: list[tuple[int, int, bool]]) -> None:
        seen = self._behind.get(self.lane, Counter())
        self.wrong += [
            f"{func.name()} in lane {self.lane} does not wait for lane {lane}"
            for lane, launch, _ in uses
            if lane != self.lane and seen[lane] < launch
        ]

    def _free(self, memory: int) -> None:
        self._freed.setdefault(self._home.pop(memory), []).extend(self._uses.pop(memory, []))


def shares(tensor: torch.Tensor, value: Any) -> bool:
    """Whether a tensor is a view of another one's memory."""
    given = tensors(value) if isinstance(value, torch.Tensor | list | tuple) else []
    return any(tensor.untyped_storage()._cdata == other.untyped_storage()._cdata for other in given)


class OrderedLane(Gpu):
    """A lane of an `Order`. It may be defective: forget to wait when it is entered, or to be waited for."""

    def __init__(self, order: Order, number: int, *, enters: bool = True, joins: bool = True) -> None:
        super().__init__()
        self._order, self._number, self._enters, self._joins = order, number, enters, joins

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        around = self._order.lane
        if self._enters:
            self._order.wait(self._number, around)
        self._order.lane = self._number
        try:
            yield
        finally:
            self._order.lane = around

    def join(self) -> None:
        if self._joins:
            self._order.wait(self._order.lane, self._number)


def test_memory_that_is_used_again_is_waited_for_too() -> None:
    order = Order()
    lane = OrderedLane(order, 1)
    with order:
        read = torch.zeros(8)
        with lane.inside():
            read.sum()
        del read
        torch.zeros(8)  # may be the same memory
        assert len(order.wrong) == 1
        read = torch.zeros(8)
        with lane.inside():
            read.sum()
        lane.join()
        del read
        torch.zeros(8)
        assert len(order.wrong) == 1


@pytest.fixture
def many(job: Job, clip: Clip) -> Job:
    """Three objects, both ways; one is corrected on its way."""
    on, off = Point(*clip.subject), Point(*clip.elsewhere, include=False)
    objects = (
        *job.objects,
        MatteObject("corrected", (Prompt(2, (on,)), Prompt(4, (off,)))),
    )
    return dataclasses.replace(job, footage=clip.take(4), objects=objects)


def in_lanes(many: Job, room: str, **defects: bool) -> tuple[Order, list[OrderedLane], dict[tuple[str, int], bytes]]:
    order = Order()
    lanes = [OrderedLane(order, number, **defects) for number in range(3)]
    by_lanes = loaded(many, *lanes)
    with order:
        return order, lanes, mattes(many, by_lanes, room)


def test_objects_in_lanes(many: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """They have the bytes that each has alone, and nothing depends on which lane is faster."""
    monkeypatch.setattr(graphs, "_WORTH", 1)
    alone: dict[tuple[str, int], bytes] = {}
    for matte_object in many.objects:
        alone |= mattes(dataclasses.replace(many, objects=(matte_object,)), loaded(many), matte_object.name)
    order, lanes, found = in_lanes(many, "lanes")
    assert found == alone
    assert not order.wrong
    assert all(lane.replayed for lane in lanes), "or it was not tried"
    assert order.launched[0] < order.launched[1] + order.launched[2], "all but images and first prompts is in lanes"


@pytest.mark.parametrize("defect", ["enters", "joins"])
def test_a_lane_that_does_not_wait_is_found(many: Job, monkeypatch: pytest.MonkeyPatch, defect: str) -> None:
    monkeypatch.setattr(graphs, "_WORTH", 1)
    assert in_lanes(many, defect, **{defect: False})[0].wrong


def test_lanes_that_share_a_graph_are_found(many: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each graph has memory of its own to compute on, so each lane needs graphs of its own."""
    monkeypatch.setattr(graphs, "_WORTH", 1)
    run = Graphs.run

    def at_home(self: Graphs, *args: Any) -> Tensors:
        lane, self._lane = self._lane, 0
        try:
            return run(self, *args)
        finally:
            self._lane = lane

    monkeypatch.setattr(Graphs, "run", at_home)
    assert in_lanes(many, "shared")[0].wrong


def test_images_that_are_encoded_in_a_lane_are_found(many: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graphs, "_WORTH", 1)
    frame = GraphPredictor.frame

    @contextlib.contextmanager
    def late(self: GraphPredictor, state: Any, index: int) -> Iterator[Any]:
        with monkeypatch.context() as patched:
            patched.setattr(GraphPredictor, "_get_image_feature", lambda *_: None, raising=False)
            entered = frame(self, state, index)
            lanes = entered.__enter__()
        with contextlib.ExitStack() as stack:
            stack.push(entered.__exit__)
            yield lanes

    monkeypatch.setattr(GraphPredictor, "frame", late)
    assert in_lanes(many, "late")[0].wrong


def test_without_graphs_there_are_no_lanes(many: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor after they had to be given up: lanes take memory, and where each operator is launched they gain nothing."""
    monkeypatch.setattr(graphs, "_WORTH", 1)
    order = Order()
    lanes: Sequence[Lane] = [Failing(), OrderedLane(order, 1), OrderedLane(order, 2)]
    with order:
        assert mattes(many, loaded(many, *lanes), "failing") == mattes(many, loaded(many), "straight")
    assert not order.wrong
    assert set(+order.launched) == {0}


class FullLane(OrderedLane):
    """Has no memory for graphs."""

    def record(self, compute: Callable[[], Tensors]) -> tuple[Callable[[], None], Tensors]:
        raise torch.OutOfMemoryError("CUDA out of memory.")


def test_lanes_without_memory_leave_graphs_at_home(many: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graphs, "_WORTH", 1)
    order = Order()
    home = OrderedLane(order, 0)
    by_lanes = loaded(many, home, OrderedLane(order, 1), FullLane(order, 2))
    with order:
        found = mattes(many, by_lanes, "full")
    assert found == mattes(many, loaded(many), "straight")
    assert not order.wrong
    assert order.launched[1] + order.launched[2] < order.launched[0], "one frame was begun in lanes"
    assert home.replayed > home.recorded, "objects, too"
    assert {lane for lane, _ in by_lanes.predictor.graphs._graphs} == {0}


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
