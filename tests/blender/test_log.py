"""The log in the user's folder: messages that an artist has seen, and tracebacks of unexpected errors."""

import logging
from pathlib import Path

import pytest
from conftest import PACKAGE, part


def logged() -> str:
    file = part("runtime.log_file").log_file()
    return file.read_text(encoding="utf-8") if file.exists() else ""


def test_what_an_artist_is_told_is_in_the_log() -> None:
    assert part("cli").main(["track", "--clip", "lost.mp4"]) != 0
    assert "There is no clip of that name" in logged() and "lost.mp4" in logged()


def test_the_unforeseen_is_there_with_its_traceback() -> None:
    with pytest.raises(AttributeError):
        part("tasks.job_run").start("track", None)
    assert "Traceback" in logged() and "AttributeError" in logged()


def test_each_module_has_a_logger_below_the_package() -> None:
    assert logging.getLogger(f"{PACKAGE}.addon").handlers, "one file for all of them"
    for name in ("cli", "tasks.job_run", "tasks.setup_run", "viewer.latest_request"):
        assert part(name)._LOG.name == f"{PACKAGE}.addon.{name}"


def test_the_log_is_rotated() -> None:
    handler = logging.getLogger(f"{PACKAGE}.addon").handlers[0]
    line = "x" * 1000
    for _ in range(handler.maxBytes // 1000 + 1):
        part("cli")._LOG.info(line)
    older = Path(f"{part('runtime.log_file').log_file()}.1")
    assert older.exists() and older.stat().st_size <= handler.maxBytes
