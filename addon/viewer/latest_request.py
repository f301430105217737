"""A question to the engine of which only the newest counts, since its answer is drawn: asked, answered or failed."""

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
    """Waits for nothing; asked and looked at from a timer, or from an operator.

    key: what was asked last, whether it was answered, refused, or is on its way; None before the first.
    error: why there was no answer to it, in words; empty if there was one.
    """

    key: Key | None = None
    error: str = ""
    _reply: Reply | None = None

    @property
    def is_pending(self) -> bool:
        """Whether an answer is on its way."""
        return self._reply is not None

    def ask(self, key: Key, request: Callable[[], Reply]) -> Reply:
        """Ask; an answer to what was asked before is dropped. Raises MatteError, as `request` does."""
        self.key, self._reply = key, None
        self._reply = request()
        return self._reply

    def answer(self) -> tuple[Key, Event] | None:
        """What was asked and its answer, once; None as long as there is none. Raises MatteError: why there is none."""
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
        """What fails inside is kept as `error`, for the panels; but for what a newer question has made pointless."""
        try:
            yield
        except Cancelled:
            pass
        except MatteError as error:
            _LOG.error("%s", error)
            self.error = str(error)
            redraw()

    def cancel(self) -> None:
        """Tell the engine that the answer which is on its way is not wanted any more."""
        if self._reply is not None:
            self._reply.cancel()
            self._reply = None

    def forget(self) -> None:
        """As if nothing had been asked."""
        self.key, self.error, self._reply = None, "", None
