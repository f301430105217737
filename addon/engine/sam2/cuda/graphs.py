"""CUDA graphs: a sequence of operators is recorded once and then launched as a whole.

SAM 2.1 large launches 927 operators for an image and 817 for each object on it. Launched one by one they keep the
processor busy for longer than the GPU, which waits. Upstream's remedy is torch.compile, which needs a compiler; artists
have none.

A graph computes on fixed memory: inputs are copied into it, results are copied out of it. Each graph is recorded for
one part of the model, one lane and one set of input shapes, after these shapes have come `_WORTH` times. It is used
only if its result equals that of the operators bit for bit, so a frame's bytes depend neither on the frames before it
nor on other objects. If recording fails (an old driver, too little memory), operators are launched one by one as
before; if it fails in one of the lanes that objects have, these are given up first.

Several objects are computed beside each other in lanes, because one alone does not fill a large GPU: SAM 2's memory
attention has one head and 4096 queries, which is work for about 64 of the 128 multiprocessors of an RTX 4090. Each
object still has computations of its own, so its bytes depend neither on the lane nor on what runs beside it.

Source: https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs
"""

from __future__ import annotations

import contextlib
import sys
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Protocol

import torch
from torch import Tensor

Tensors = tuple[Tensor, ...]
Compute = Callable[..., Tensors]  # takes tensors only, and does not read their values

_WORTH = 24  # runs before recording, which costs about five; shapes change until SAM 2's memory is full
_KEPT = 12  # graphs a lane; the least recently used is dropped. A part of the model needs one or two at a time
LANES = 3  # beside each other; each has graphs of its own. Chosen by what follows from above, and not measured
_WARM_UPS = 2  # runs on the recording stream, in which libraries allocate their workspaces
_WRONG = "a graph computes something else than its operators do"


class Lane(Protocol):
    """A queue of a device: operators launched in it run in order, in parallel with those of other lanes."""

    def inside(self) -> contextlib.AbstractContextManager[object]:
        """Launch everything in this `with` block in this lane, after what was launched in the surrounding lane."""

    def join(self) -> None:
        """Order later operators of the current lane after everything that was launched in this one."""

    def wait(self) -> None:
        """Wait until the device has computed everything launched in any lane."""

    def record(self, compute: Callable[[], Tensors]) -> tuple[Callable[[], object], Tensors]:
        """Record the operators of `compute`. Returns a function that runs them again, and the tensors it writes to.

        Raises RuntimeError if the device or its driver can't.
        """


class CudaLane:
    """A CUDA stream, and the memory of the graphs that run on it.

    These graphs share one memory pool for intermediate results, so two must not run at the same time.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._pool = torch.cuda.graph_pool_handle()
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        # Another one to record on, because the writer's thread may note on the first that a copy is done, which must
        # not become a part of a graph; and one for all graphs, because cuBLAS keeps a workspace per stream.
        self._recording = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        """See Lane.inside."""
        self._stream.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(self._stream):
            yield

    def join(self) -> None:
        """See Lane.join."""
        torch.cuda.current_stream(self._device).wait_stream(self._stream)

    def wait(self) -> None:
        """See Lane.wait."""
        torch.cuda.synchronize(self._device)

    def record(self, compute: Callable[[], Tensors]) -> tuple[Callable[[], object], Tensors]:
        """See Lane.record."""
        here = torch.cuda.current_stream(self._device)
        self._recording.wait_stream(here)
        try:
            with torch.cuda.stream(self._recording):
                for _ in range(_WARM_UPS):
                    compute()
            here.wait_stream(self._recording)
            graph = torch.cuda.CUDAGraph()
            # "thread_local", because the writer's thread may wait for its copies while this one records
            with torch.cuda.graph(graph, self._pool, self._recording, capture_error_mode="thread_local"):
                results = compute()
        finally:
            torch.cuda.set_stream(here)  # torch.cuda.graph stays on its stream if the recording can't be ended
        return graph.replay, results


class Graph:
    """A recorded graph and the memory that it computes on. Raises RuntimeError as Lane.record does."""

    def __init__(self, lane: Lane, compute: Compute, inputs: Tensors) -> None:
        self._inputs = tuple(torch.empty_like(given).copy_(given) for given in inputs)
        self._again, self._results = lane.record(lambda: compute(*self._inputs))

    def __call__(self, inputs: Tensors) -> Tensors:
        """The results for `inputs`, which must have the recorded shapes, copied out of the graph's memory."""
        for here, given in zip(self._inputs, inputs, strict=True):
            here.copy_(given, non_blocking=True)
        self._again()
        return _copied(self._results)


class Graphs:
    """The graphs of one model, and the lanes that they run in.

    What is allocated inside of a lane is used again inside of it as soon as it is freed, although another lane may
    still read it. So between `beside` and `join` nothing is launched outside of lanes, and no lane reads what another
    one has made since the last `join`.
    """

    def __init__(self, home: Lane, others: Sequence[Lane] = ()) -> None:
        """Set the lane for everything that is not launched inside one of the others."""
        self._lanes = [home, *others]
        self._lane = 0
        self._recording = range(len(self._lanes))  # the lanes that graphs are recorded for
        self._seen: Counter[Hashable] = Counter()
        self._graphs: OrderedDict[tuple[int, Hashable], Graph] = OrderedDict()  # by lane and work

    def run(self, part: Hashable, compute: Compute, *inputs: Tensor) -> Tensors:
        """Compute compute(*inputs), by a graph if there is one. Nothing else writes to the returned tensors.

        Args:
            part: names the computation. It must do the same whenever part and input shapes are the same.
            compute: must not read a tensor's values (`item`, `if tensor:`), which a graph can't record.
            inputs: tensors on the device.
        """
        same_work = (part, *((given.shape, given.stride(), given.dtype) for given in inputs))
        key = (self._lane, same_work)
        if key in self._graphs:
            self._graphs.move_to_end(key)
            return self._graphs[key](inputs)
        results = _copied(compute(*inputs))
        self._seen[same_work] += 1
        if self._lane in self._recording and self._seen[same_work] >= _WORTH:
            self._record(key, compute, inputs, results)
        return results

    @property
    def run_beside(self) -> bool:
        """Whether lanes pay off for several objects: not if each operator is launched on its own."""
        return len(self._recording) > 1

    @contextlib.contextmanager
    def beside(self, number: int) -> Iterator[None]:
        """Run this `with` block in the lane of object `number`, after everything that was launched outside."""
        self._lane = 1 + number % (len(self._lanes) - 1)
        try:
            with self._lanes[self._lane].inside():
                yield
        finally:
            self._lane = 0

    def join(self) -> None:
        """Order later operators after everything that was launched in lanes."""
        for lane in self._lanes[1:]:
            lane.join()

    def give_up(self) -> None:
        """Delete all graphs with their memory, and record no more."""
        self._keep(range(0))

    def _keep(self, lanes: range) -> None:
        """Delete the graphs of all lanes but these, and record no others. A lane without graphs can still be used."""
        self._recording = lanes
        self._lanes[0].wait()  # a graph may still be running
        for lane, work in [key for key in self._graphs if key[0] not in lanes]:
            del self._graphs[lane, work]

    def _record(self, key: tuple[int, Hashable], compute: Compute, inputs: Tensors, expected: Tensors) -> None:
        try:
            graph = Graph(self._lanes[self._lane], compute, inputs)
            if not same(graph(inputs), expected):
                raise RuntimeError(_WRONG)
        except RuntimeError as error:  # also raised if memory does not suffice
            _tell(error, " beside each other" if self._lane else "")
            self._keep(range(1 if self._lane else 0))
        else:
            self._graphs[key] = graph
            if len(self._graphs) > _KEPT * len(self._lanes):
                self._graphs.popitem(last=False)


def works(lane: Lane, device: torch.device) -> bool:
    """Whether a small graph can be recorded and gives the operators' results, also for new inputs."""
    kernel, weight = torch.ones(4, 4, 3, 3, device=device), torch.ones(4, 4, device=device)
    zeros = torch.zeros(1, 4, 6, 8, device=device)
    ramp = torch.arange(zeros.numel(), dtype=torch.float32, device=device).view(zeros.shape)

    def compute(x: Tensor) -> Tensors:
        return (torch.nn.functional.conv2d(x, kernel).flatten(2).mT @ weight,)

    try:
        with torch.inference_mode():
            if same(Graph(lane, compute, (zeros,))((ramp,)), compute(ramp)):
                return True
            raise RuntimeError(_WRONG)
    except RuntimeError as error:
        _tell(error)
        return False


def same(some: Tensors, others: Tensors) -> bool:
    """Whether two results are identical, bit for bit."""
    return all(
        torch.equal(a.contiguous().view(torch.uint8), b.contiguous().view(torch.uint8))
        for a, b in zip(some, others, strict=True)
    )


def _tell(error: RuntimeError, how: str = "") -> None:
    """Print a line for the log. Without graphs, results are the same, only slower."""
    print(f"CUDA graphs are not used{how}: {error}", file=sys.stderr)


def _copied(tensors: Tensors) -> Tensors:
    """Copies of tensors; a tensor that is there twice is copied once."""
    copies = {id(tensor): tensor.clone() for tensor in tensors}
    return tuple(copies[id(tensor)] for tensor in tensors)
