"""The log: a file in the person's folder that *Open Log* shows. Of the extension in Blender, and of engine commands.

Each module logs to a logger of its own name; this hangs one file on the package above all of them. Standard library
only.
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
    """The newest log; older parts lie beside it as .1 and .2. It is there once something was logged."""
    return user_folder() / "splat_matte.log"


class _File(RotatingFileHandler):
    """Makes its folder only when there is something to write."""

    def _open(self) -> TextIOWrapper:
        Path(self.baseFilename).parent.mkdir(parents=True, exist_ok=True)
        return super()._open()

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """A log that can't be written stops nothing, and is not worth a traceback."""


def logged(function: Callable[Parameters, Returned]) -> Callable[Parameters, Returned]:
    """Whatever is raised and was not foreseen is logged with its traceback, and raised on.

    Not for an operator's own methods: Blender counts their arguments.
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
    """Start writing."""
    global _handler
    _handler = _File(log_file(), maxBytes=_MAX_BYTES, backupCount=2, encoding="utf-8", delay=True)
    _handler.setFormatter(logging.Formatter(_FORMAT))
    logger = logging.getLogger(_PACKAGE)
    logger.setLevel(logging.INFO)
    logger.addHandler(_handler)


def unregister() -> None:
    """Stop, and close the file."""
    global _handler
    if _handler is not None:
        logging.getLogger(_PACKAGE).removeHandler(_handler)
        _handler.close()
        _handler = None
