"""CUDA graphs: what a GPU is to compute is recorded once, then told as a whole.

SAM 2.1 large is 927 operators for an image and 817 for each object on it. A GPU that is told each of them waits for
the processor that tells them; of a graph it knows all. Upstream's way to the same, torch.compile, needs a compiler,
which artists don't have.

A graph computes on fixed memory: inputs are copied into it, results out of it. It is recorded for the shapes of its
inputs, once these have come often enough, and used only if it gives what the operators give, to the last bit. So a
frame's bytes depend neither on which frames came before, nor on which other objects there are. Where recording fails
(an old driver, too little memory), the operators go on to be told one by one.
"""

from __future__ import annotations

import sys
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable
from typing import Protocol

import torch
from torch import Tensor

Tensors = tuple[Tensor, ...]
Compute = Callable[..., Tensors]  # of tensors alone, without asking for what is in them

_WORTH = 24  # times: recording costs as much as some five runs, and until memory is full each frame has more of it
_KEPT = 12  # graphs, those used last; of each part there are one or two at a time
_WARM_UPS = 2  # runs, in which libraries make what they keep
_WRONG = "a graph computes something else than its operators do"


class Recorder(Protocol):
    """What records on a device."""

    def record(self, compute: Callable[[], Tensors]) -> tuple[Callable[[], object], Tensors]:
        """What `compute` asks for: a function that has it computed again, and where its results lie then.

        Raises RuntimeError: the device or its driver can't.
        """


class CudaRecorder:
    """Records CUDA graphs. They share memory for what is between inputs and results: none runs beside another."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._pool = torch.cuda.graph_pool_handle()
        # libraries keep memory for each stream, so all use one
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def record(self, compute: Callable[[], Tensors]) -> tuple[Callable[[], object], Tensors]:
        """As Recorder's."""
        here = torch.cuda.current_stream(self._device)
        self._stream.wait_stream(here)
        with torch.cuda.stream(self._stream):
            for _ in range(_WARM_UPS):
                compute()
        here.wait_stream(self._stream)
        graph = torch.cuda.CUDAGraph()
        # the writer's thread waits for copies meanwhile, which is not this thread's recording
        with torch.cuda.graph(graph, self._pool, self._stream, capture_error_mode="thread_local"):
            results = compute()
        return graph.replay, results


class Graph:
    """One that is recorded, with the memory that it computes on. Raises RuntimeError, as Recorder.record."""

    def __init__(self, recorder: Recorder, compute: Compute, inputs: Tensors) -> None:
        self._inputs = tuple(torch.empty_like(given).copy_(given) for given in inputs)
        self._again, self._results = recorder.record(lambda: compute(*self._inputs))

    def __call__(self, inputs: Tensors) -> Tensors:
        """What it computes of `inputs`, in memory of its own; they are shaped as those that it was recorded for."""
        for here, given in zip(self._inputs, inputs, strict=True):
            here.copy_(given, non_blocking=True)
        self._again()
        return _copied(self._results)


class Graphs:
    """The graphs of one model."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder: Recorder | None = recorder
        self._seen: Counter[Hashable] = Counter()
        self._graphs: OrderedDict[Hashable, Graph] = OrderedDict()

    def run(self, part: Hashable, compute: Compute, *inputs: Tensor) -> Tensors:
        """compute(*inputs), in memory of its own, by a graph where there is one.

        Args:
            part: says which computation it is: that, the shapes of its inputs and the weights decide all it does.
            compute: without a look into a tensor, which would have to wait for it.
            inputs: on the device, none of them kept anywhere after it was changed.
        """
        key = (part, *((given.shape, given.stride(), given.dtype) for given in inputs))
        if key in self._graphs:
            self._graphs.move_to_end(key)
            return self._graphs[key](inputs)
        results = _copied(compute(*inputs))
        self._seen[key] += 1
        if self._recorder is not None and self._seen[key] >= _WORTH:
            self._record(self._recorder, key, compute, inputs, results)
        return results

    def give_up(self) -> None:
        """Record nothing any more, and give back the memory of what was recorded."""
        self._recorder = None
        self._graphs.clear()

    def _record(self, recorder: Recorder, key: Hashable, compute: Compute, inputs: Tensors, expected: Tensors) -> None:
        try:
            graph = Graph(recorder, compute, inputs)
            if not same(graph(inputs), expected):
                raise RuntimeError(_WRONG)
        except RuntimeError as error:  # too little memory is one, too
            _tell(error)
            self.give_up()
        else:
            self._graphs[key] = graph
            if len(self._graphs) > _KEPT:
                self._graphs.popitem(last=False)


def works(recorder: Recorder, device: torch.device) -> bool:
    """Whether a small graph can be recorded, and gives what its operators give, of other inputs than at first, too."""
    kernel, weight = torch.ones(4, 4, 3, 3, device=device), torch.ones(4, 4, device=device)
    zeros = torch.zeros(1, 4, 6, 8, device=device)
    ramp = torch.arange(zeros.numel(), dtype=torch.float32, device=device).view(zeros.shape)

    def compute(x: Tensor) -> Tensors:
        return (torch.nn.functional.conv2d(x, kernel).flatten(2).mT @ weight,)

    try:
        with torch.inference_mode():
            if same(Graph(recorder, compute, (zeros,))((ramp,)), compute(ramp)):
                return True
            raise RuntimeError(_WRONG)
    except RuntimeError as error:
        _tell(error)
        return False


def same(some: Tensors, others: Tensors) -> bool:
    """Whether two results are the same, bit for bit."""
    return all(
        torch.equal(a.contiguous().view(torch.uint8), b.contiguous().view(torch.uint8))
        for a, b in zip(some, others, strict=True)
    )


def _tell(error: RuntimeError) -> None:
    """In the log: it is slower so, not wrong."""
    print(f"CUDA graphs are not used: {error}", file=sys.stderr)


def _copied(tensors: Tensors) -> Tensors:
    """Each in memory of its own; what was given twice is the same twice."""
    copies = {id(tensor): tensor.clone() for tensor in tensors}
    return tuple(copies[id(tensor)] for tensor in tensors)
