"""The log of the extension and of engine commands: a file in the user's folder, which *Open Log* shows.

Each module logs to a logger of its own name. This module adds one file handler to the package's logger above them.
Standard library only.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import ParamSpec, TypeVar

from ..contract.errors import MatteError
from .user_folder import user_folder

_PACKAGE = (__package__ or "").rpartition(".")[0]
_MAX_BYTES = 1_000_000
_FORMAT = "%(asctime)s %(levelname)s %(process)d %(name)s: %(message)s"

Parameters = ParamSpec("Parameters")
Returned = TypeVar("Returned")

_handler: logging.Handler | None = None


def log_file() -> Path:
    """The path of the log. Older parts are beside it as .1 and .2. The file exists once something has been logged."""
    return user_folder() / "splat_matte.log"


class _File(RotatingFileHandler):
    """A handler that makes its folder only when there is something to write."""

    def _open(self) -> TextIOWrapper:
        Path(self.baseFilename).parent.mkdir(parents=True, exist_ok=True)
        return super()._open()

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Ignore errors: a log that can't be written must not stop anything."""


def logged(function: Callable[Parameters, Returned]) -> Callable[Parameters, Returned]:
    """Log an unforeseen exception of `function` with its traceback, and raise it again.

    It can't decorate an operator's own methods, whose arguments Blender counts.
    """

    @functools.wraps(function)
    def watched(*arguments: Parameters.args, **named: Parameters.kwargs) -> Returned:
        try:
            return function(*arguments, **named)
        except MatteError:
            raise
        except Exception:
            logging.getLogger(function.__module__).exception("Unexpected, in %s", function.__qualname__)
            raise

    return watched


def register() -> None:
    """Start writing the log."""
    global _handler
    _handler = _File(log_file(), maxBytes=_MAX_BYTES, backupCount=2, encoding="utf-8", delay=True)
    _handler.setFormatter(logging.Formatter(_FORMAT))
    logger = logging.getLogger(_PACKAGE)
    logger.setLevel(logging.INFO)
    logger.addHandler(_handler)


def unregister() -> None:
    """Stop writing the log and close its file."""
    global _handler
    if _handler is not None:
        logging.getLogger(_PACKAGE).removeHandler(_handler)
        _handler.close()
        _handler = None
