"""Parts of one computation on a CPU, each on a thread of its own.

torch gives every operator to all threads and waits for the last of them. Threads that wait don't spin (a process beside
them would be starved), so each operator pays for waking them up: with operators of half a millisecond, which is what
stays in the caches, a third of the time. Parts that don't need each other pay for it once.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

Part = TypeVar("Part")
Result = TypeVar("Result")

_MOST = 8  # Python hands out operators one at a time: more threads would wait for it


@functools.cache
def _pool(threads: int) -> ThreadPoolExecutor:
    """Workers that share so many of torch's threads."""
    workers = min(threads, _MOST)
    started = threading.Barrier(workers + 1)

    def begin() -> None:
        torch.get_num_threads()  # makes this thread take what holds for all; later its first operator would
        torch.set_num_threads(threads // workers)  # of this thread, and of any that starts from here on
        started.wait()

    pool = ThreadPoolExecutor(workers, "spread", begin)
    for _ in range(workers):
        pool.submit(lambda: None)
    started.wait()
    torch.set_num_threads(threads)
    return pool


def spread(function: Callable[[Part], Result], parts: Sequence[Part]) -> list[Result]:
    """`function` of each part, in their order; on torch's threads for operators, in this thread's modes."""
    threads = torch.get_num_threads()
    if threads == 1 or len(parts) == 1:
        return [function(part) for part in parts]
    inference, autocast = torch.is_inference_mode_enabled(), torch.is_autocast_enabled("cpu")
    dtype = torch.get_autocast_dtype("cpu")

    def run(part: Part) -> Result:
        # not torch.autocast: leaving it empties the cache of weights for all threads
        torch.set_autocast_enabled("cpu", autocast)
        torch.set_autocast_dtype("cpu", dtype)
        with torch.inference_mode(inference):
            return function(part)

    return list(_pool(threads).map(run, parts))
