"""CUDA graphs: a sequence of operators is recorded once and then launched as a whole.

SAM 2.1 large launches 927 operators for an image and 817 for each object on it. Launched one by one they keep the
processor busy for longer than the GPU, which waits. Upstream's remedy is torch.compile, which needs a compiler; artists
have none.

A graph computes on fixed memory: inputs are copied into it, results are copied out of it. Each graph is recorded for
one part of the model and one set of input shapes, after these shapes have come `_WORTH` times. It is used only if its
result equals that of the operators bit for bit, so a frame's bytes depend neither on the frames before it nor on other
objects. If recording fails (an old driver, too little memory), operators are launched one by one as before.

Source: https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs
"""

from __future__ import annotations

import sys
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable
from typing import Protocol

import torch
from torch import Tensor

Tensors = tuple[Tensor, ...]
Compute = Callable[..., Tensors]  # takes tensors only, and does not read their values

_WORTH = 24  # runs before recording, which costs about five; shapes change until SAM 2's memory is full
_KEPT = 12  # graphs; the least recently used is dropped. A part of the model needs one or two at a time
_WARM_UPS = 2  # runs on the recording stream, in which libraries allocate their workspaces
_WRONG = "a graph computes something else than its operators do"


class Recorder(Protocol):
    """Records operators on a device."""

    def record(self, compute: Callable[[], Tensors]) -> tuple[Callable[[], object], Tensors]:
        """Record the operators of `compute`. Returns a function that runs them again, and the tensors it writes to.

        Raises RuntimeError if the device or its driver can't.
        """


class CudaRecorder:
    """Records CUDA graphs. All share one memory pool for intermediate results, so two must not run at the same time."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._pool = torch.cuda.graph_pool_handle()
        # one stream for all graphs, because cuBLAS keeps a workspace per stream
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def record(self, compute: Callable[[], Tensors]) -> tuple[Callable[[], object], Tensors]:
        """See Recorder.record."""
        here = torch.cuda.current_stream(self._device)
        self._stream.wait_stream(here)
        with torch.cuda.stream(self._stream):
            for _ in range(_WARM_UPS):
                compute()
        here.wait_stream(self._stream)
        graph = torch.cuda.CUDAGraph()
        # "thread_local", because the writer's thread may wait for its copies while this one records
        with torch.cuda.graph(graph, self._pool, self._stream, capture_error_mode="thread_local"):
            results = compute()
        return graph.replay, results


class Graph:
    """A recorded graph and the memory that it computes on. Raises RuntimeError as Recorder.record does."""

    def __init__(self, recorder: Recorder, compute: Compute, inputs: Tensors) -> None:
        self._inputs = tuple(torch.empty_like(given).copy_(given) for given in inputs)
        self._again, self._results = recorder.record(lambda: compute(*self._inputs))

    def __call__(self, inputs: Tensors) -> Tensors:
        """The results for `inputs`, which must have the recorded shapes, copied out of the graph's memory."""
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
        """Compute compute(*inputs), by a graph if there is one. Nothing else writes to the returned tensors.

        Args:
            part: names the computation. It must do the same whenever part and input shapes are the same.
            compute: must not read a tensor's values (`item`, `if tensor:`), which a graph can't record.
            inputs: tensors on the device.
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
        """Delete all graphs with their memory, and record no more."""
        self._recorder = None
        self._graphs.clear()

    def _record(self, recorder: Recorder, key: Hashable, compute: Compute, inputs: Tensors, expected: Tensors) -> None:
        try:
            graph = Graph(recorder, compute, inputs)
            if not same(graph(inputs), expected):
                raise RuntimeError(_WRONG)
        except RuntimeError as error:  # also raised if memory does not suffice
            _tell(error)
            self.give_up()
        else:
            self._graphs[key] = graph
            if len(self._graphs) > _KEPT:
                self._graphs.popitem(last=False)


def works(recorder: Recorder, device: torch.device) -> bool:
    """Whether a small graph can be recorded and gives the operators' results, also for new inputs."""
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
    """Whether two results are identical, bit for bit."""
    return all(
        torch.equal(a.contiguous().view(torch.uint8), b.contiguous().view(torch.uint8))
        for a, b in zip(some, others, strict=True)
    )


def _tell(error: RuntimeError) -> None:
    """Print a line for the log. Without graphs, results are the same, only slower."""
    print(f"CUDA graphs are not used: {error}", file=sys.stderr)


def _copied(tensors: Tensors) -> Tensors:
    """Copies of tensors; a tensor that is there twice is copied once."""
    copies = {id(tensor): tensor.clone() for tensor in tensors}
    return tuple(copies[id(tensor)] for tensor in tensors)
