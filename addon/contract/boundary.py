"""The boundary for data from outside: any exception of a reader becomes an error that names the file or field.

A decoder may raise anything on a damaged or hostile file: struct.error, SyntaxError, RecursionError, MemoryError or an
exception of its own. No list of types is ever complete, so a boundary catches every Exception. It logs the traceback at
level debug and shows people the short message only. Standard library only; both processes import it.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from .disk import explained
from .errors import EngineError, MatteError, OutputError

# Pixels of one image, more than the largest panoramas have. A small file can claim any size, and decoders allocate it.
MAX_PIXELS = 1 << 30

_MAX_WORDS = 200  # characters of a foreign message that are quoted
_log = logging.getLogger(__name__)
_T = TypeVar("_T")


@contextlib.contextmanager
def reading(kind: type[MatteError], message: str, *, where: str = "", hint: str = "") -> Iterator[None]:
    """Turn any exception that is raised inside into an error of the type `kind`. A MatteError passes unchanged.

    Args:
        kind: the type of the error to raise.
        message: what could not be read, without a full stop; the reason is added in brackets.
        where: the file or field concerned.
        hint: what the user can do about it.
    """
    try:
        yield
    except MatteError:
        raise
    except Exception as error:
        _log.debug("%s: %s", where, message, exc_info=True)
        raise kind(f"{message} ({in_words(error)}).", where=where, hint=hint) from None


def read_or(otherwise: _T, read: Callable[[], _T]) -> _T:
    """The result of `read`, or `otherwise` if the file is missing or damaged. For files that can be made again."""
    try:
        with reading(OutputError, "This file is missing or damaged"):
            return read()
    except OutputError:
        return otherwise


def unexpected(error: Exception) -> MatteError:
    """A short MatteError for an unforeseen exception; its traceback goes to the log. A MatteError is returned as is."""
    if isinstance(error, MatteError):
        return error
    _log.error("Unexpected", exc_info=error)
    if isinstance(error, OSError):  # disks and folders may go away at any time
        return explained(error, str(error.filename or ""))
    if isinstance(error, MemoryError):
        return EngineError("There is not enough memory.", hint="Close other programs, or use a smaller checkpoint.")
    return MatteError(f"{type(error).__name__}: {in_words(error)}.", hint="Please report this, with the log.")


def in_words(error: BaseException) -> str:
    """The first line of an exception's text, shortened, for a message to a person."""
    if isinstance(error, MemoryError):
        return "it needs more memory than there is"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    said = getattr(error, "strerror", None) or str(error)
    lines = str(said).strip().splitlines()
    text = lines[0].strip().rstrip(".") if lines else type(error).__name__
    return text if len(text) <= _MAX_WORDS else f"{text[: _MAX_WORDS - 3]}..."


def check_pixels(width: int, height: int, kind: type[MatteError], where: str) -> None:
    """Check an image's size, in pixels, before anything is decoded. Raises `kind` if it is above MAX_PIXELS."""
    if not (width > 0 and height > 0 and width * height <= MAX_PIXELS):
        raise kind(
            f"It says that it has {width} x {height} pixels; up to {MAX_PIXELS:,} in all can be read.",
            where=where,
            hint="Copy or render it again, or make it smaller.",
        )


def bounded_text(path: Path, limit: int) -> str:
    """The content of a UTF-8 text file of at most `limit` bytes. Raises OSError or ValueError."""
    with path.open("rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise ValueError(f"it is larger than {limit:,} bytes")
    return data.decode("utf-8-sig")
