"""Writing beside computing: a thread takes what is finished, so that the next frame need not wait for the disk."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from types import TracebackType

import torch

_WAITING = 8  # tasks; each holds what it writes in memory

Task = Callable[[], object]


class Writer:
    """Does tasks in a thread of its own, in the order in which they come. Leaving the `with` waits for the last.

    The order on disk is that of the calls, so a killed engine leaves what one leaves that writes between two frames.
    After a task has failed, no later one is done: what depends on it must not be there without it.
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
        """Hand over a task; waits while too many are on their way. Raises what an earlier one has raised."""
        self._raise()
        self._tasks.put(task)

    def flush(self) -> None:
        """Wait until all is done. Raises what a task has raised."""
        self._tasks.join()
        self._raise()

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _work(self) -> None:
        with torch.inference_mode():  # a thread has a mode of its own; tensors are those of a thread that was in it
            while (task := self._tasks.get()) is not None:
                try:
                    if self._error is None:
                        task()
                except Exception as error:
                    self._error = error
                finally:
                    del task  # what it has written need not wait in memory for the next one
                    self._tasks.task_done()
