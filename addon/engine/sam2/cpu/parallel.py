"""Runs parts of one computation on a CPU in parallel threads.

torch runs every operator on all threads and waits for the last one. Waiting threads don't spin, which would starve
other processes, so every operator pays for waking them up. That is a third of the time for operators of half a
millisecond, the size that fits the caches. Independent parts pay only once.
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

_MOST = 8  # Python starts operators one at a time, so more threads would wait


@functools.cache
def _pool(threads: int) -> ThreadPoolExecutor:
    """A pool of workers that share a number of torch's threads."""
    workers = min(threads, _MOST)
    started = threading.Barrier(workers + 1)

    def begin() -> None:
        torch.get_num_threads()  # initialises this thread's setting; otherwise its first operator would do so later
        torch.set_num_threads(threads // workers)  # for this thread, and for threads that start later
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
        # not torch.autocast, because leaving it clears the cached weights of all threads
        torch.set_autocast_enabled("cpu", autocast)
        torch.set_autocast_dtype("cpu", dtype)
        with torch.inference_mode(inference):
            return function(part)

    return list(_pool(threads).map(run, parts))
