"""Errors that tell an artist what to do next.

Every error that reaches a person is a `MatteError`. It names the file or field, says what to do and carries the exit
code of the headless commands. Standard library only; both processes import it.
"""

from __future__ import annotations

import enum
from typing import ClassVar


class ExitCode(enum.IntEnum):
    """Exit codes of every headless command (documented in docs/headless.md)."""

    OK = 0
    UNEXPECTED = 1  # a defect of ours: please report it
    USAGE = 2  # the command line (argparse uses 2 too)
    JOB = 3  # the Job or the prompts
    FOOTAGE = 4  # an image or movie is missing, broken or does not fit the others
    CHECKPOINT = 5  # the model's weights or config
    OUTPUT = 6  # the output can't be written: full disk, read-only folder
    ENGINE = 7  # the runtime is missing or the engine process died
    CANCELLED = 8  # stopped on request; what was done is kept


_LONGEST = 1000  # characters of each part: names in somebody else's file may have millions


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST // 2]} ... {text[-_LONGEST // 2 :]}"


class MatteError(Exception):
    """An error that names the file or field concerned and says what to do about it.

    Args:
        message: what happened, in one sentence that does not repeat `where`.
        where: the file, folder or Job field concerned; empty if there is none.
        hint: what the user can do about it; empty if there is nothing.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.UNEXPECTED

    def __init__(self, message: str, *, where: str = "", hint: str = "") -> None:
        self.message = _short(message)
        self.where = _short(where)
        self.hint = _short(hint)
        super().__init__(self.__str__())

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        way_out = f" {self.hint}" if self.hint else ""
        return f"{place}{self.message}{way_out}"


class JobError(MatteError):
    """A field of the Job is missing, of the wrong type or out of bounds; `where` names the field."""

    exit_code = ExitCode.JOB


class FootageError(MatteError):
    """An image or movie can't be used; `where` names the file."""

    exit_code = ExitCode.FOOTAGE


class CheckpointError(MatteError):
    """Weights or config can't be used; `where` names the checkpoint."""

    exit_code = ExitCode.CHECKPOINT


class OutputError(MatteError):
    """Something can't be written; `where` names the file or folder."""

    exit_code = ExitCode.OUTPUT


class EngineError(MatteError):
    """The engine process can't be started, died, or was not understood."""

    exit_code = ExitCode.ENGINE


class Cancelled(MatteError):
    """The work was stopped on request. What was finished is kept."""

    exit_code = ExitCode.CANCELLED

    def __init__(self, message: str = "Stopped.", *, where: str = "", hint: str = "") -> None:
        super().__init__(message, where=where, hint=hint)


_BY_CODE: dict[int, type[MatteError]] = {
    kind.exit_code: kind for kind in (JobError, FootageError, CheckpointError, OutputError, EngineError, Cancelled)
}


def from_exit_code(code: int, message: str, *, where: str = "", hint: str = "") -> MatteError:
    """The error with the exit code `code`, made again from an engine's message in its client."""
    return _BY_CODE.get(code, MatteError)(message, where=where, hint=hint)
