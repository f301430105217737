"""A request to the engine of which only the newest matters, because its answer is drawn."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

from ..clip.editors import redraw
from ..contract.errors import Cancelled, MatteError
from ..contract.protocol import Event
from ..runtime.engine_client import Reply

_LOG = logging.getLogger(__name__)

Key = TypeVar("Key")


@dataclass(slots=True)
class LatestRequest(Generic[Key]):
    """Sends requests without waiting for answers; called from a timer or an operator.

    key: the last request, answered, failed or pending; None before the first one.
    error: why the last request failed; empty if it did not.
    """

    key: Key | None = None
    error: str = ""
    _reply: Reply | None = None

    @property
    def is_pending(self) -> bool:
        """Whether an answer is on its way."""
        return self._reply is not None

    def ask(self, key: Key, request: Callable[[], Reply]) -> Reply:
        """Send a request; the answer to an earlier one is dropped. Raises MatteError, as `request` does."""
        self.key, self._reply = key, None
        self._reply = request()
        return self._reply

    def answer(self) -> tuple[Key, Event] | None:
        """Return the request and its answer, once; None while it is pending. Raises MatteError if it failed."""
        if self._reply is None or self.key is None:
            return None
        try:
            self._reply.poll()
        except MatteError:
            self._reply = None
            raise
        if (result := self._reply.result) is None:
            return None
        self._reply, self.error = None, ""
        return self.key, result

    @contextmanager
    def failing(self) -> Iterator[None]:
        """Keep errors of the `with` block as `error`, for the panels, unless a newer request has superseded it."""
        try:
            yield
        except Cancelled:
            pass
        except MatteError as error:
            _LOG.error("%s", error)
            self.error = str(error)
            redraw()

    def cancel(self) -> None:
        """Tell the engine that the pending answer is no longer wanted."""
        if self._reply is not None:
            self._reply.cancel()
            self._reply = None

    def forget(self) -> None:
        """Return to the initial state."""
        self.key, self.error, self._reply = None, "", None
