"""Writes in a thread beside the computation, so that the next frame does not wait for the disk."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from types import TracebackType

import torch

_WAITING = 8  # most pending tasks, as each keeps its data in memory

Task = Callable[[], object]


class Writer:
    """Runs tasks in a thread, in the order in which they are submitted. Leaving the `with` block waits for the last
    one.

    The order on disk is that of the calls, so a killed engine leaves the same files as one that writes between two
    frames. After a task has failed, no later one runs, as later files depend on earlier ones.
    """

    def __init__(self) -> None:
        self._tasks: queue.Queue[Task | None] = queue.Queue(_WAITING)
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._work, name="tracking-writer", daemon=True)

    def __enter__(self) -> Writer:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._tasks.put(None)
        self._thread.join()
        if error is None:
            self._raise()

    def do(self, task: Task) -> None:
        """Submit a task; wait while too many are pending. Raises the exception of an earlier task."""
        self._raise()
        self._tasks.put(task)

    def flush(self) -> None:
        """Wait for all tasks. Raises the exception of a failed task."""
        self._tasks.join()
        self._raise()

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _work(self) -> None:
        with torch.inference_mode():  # inference mode is set per thread; the tensors were made in inference mode
            while (task := self._tasks.get()) is not None:
                try:
                    if self._error is None:
                        task()
                except Exception as error:
                    self._error = error
                finally:
                    del task  # frees its data before waiting for the next one
                    self._tasks.task_done()
