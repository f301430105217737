"""A child process that communicates in JSON lines: its pipes, its threads and its end. Does not use bpy.

Each process has three threads, none of which calls Blender. One writes messages: a process that is still importing does
not read, and a message can be larger than a pipe's buffer. One reads messages and hands them on. One reads the log and
keeps its end.
"""

from __future__ import annotations

import collections
import contextlib
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, cast

from ..contract.errors import MatteError
from ..contract.protocol import decode, encode, lines

_LOG_LINES = 200
_LOG_LINE_LENGTH = 2_000

EXTENSION = Path(__file__).resolve().parents[2]

Message = Mapping[str, object]


class JsonLineProcess:
    """One child process.

    Args:
        name: beginning of the names of its threads.
        command: the program and its arguments. Its working folder is the extension's.
        environment: the complete environment of the process.
        hear: called with each message, in the reading thread. The process is killed if this raises an exception, or if
            a line is not a message.
        ended: called once, in the same thread, with the exit code and the exception that the process was killed for,
            if there was one.

    Raises:
        OSError: the process can't be started.
    """

    def __init__(
        self,
        name: str,
        command: list[str],
        environment: Mapping[str, str],
        hear: Callable[[dict[str, Any]], None],
        ended: Callable[[int, Exception | None], None],
    ) -> None:
        self._name = name
        self._hear = hear
        self._ended = ended
        self._log: collections.deque[str] = collections.deque(maxlen=_LOG_LINES)
        self._messages: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._process = _start(command, environment)
        self._log_reader = threading.Thread(target=self._read_log, name=f"{name}-log", daemon=True)
        self._reader = threading.Thread(target=self._read, name=f"{name}-reader", daemon=True)
        self._writer = threading.Thread(target=self._write, name=f"{name}-writer", daemon=True)

    def begin(self) -> None:
        """Start the threads. The owner calls this when it is ready for `hear` and `ended`, which may follow at once."""
        for thread in (self._log_reader, self._reader, self._writer):
            thread.start()

    @property
    def alive(self) -> bool:
        """Whether the process is still running."""
        return self._process.poll() is None

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def send(self, message: Message) -> None:
        """Send a message, without waiting for it to be read."""
        self._messages.put(message)

    def stop(self, last: Message, patience: float, *, wait: bool = True) -> None:
        """End the process: send a last message and close its stdin, then kill it if it still runs.

        Args:
            last: the last message.
            patience: seconds until the process is killed.
            wait: return when the process has ended. Otherwise a thread waits, and this returns at once.
        """
        self._messages.put(last)
        self._messages.put(None)
        if wait:
            self._end(patience)
        else:
            threading.Thread(target=self._end, args=(patience,), name=f"{self._name}-end", daemon=True).start()

    def _end(self, patience: float) -> None:
        try:
            self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def last_words(self, count: int) -> list[str]:
        """The last `count` lines of its log that are not blank."""
        return [line for line in list(self._log) if line.strip()][-count:]

    def _write(self) -> None:
        pipe = cast(IO[str], self._process.stdin)
        try:
            while (message := self._messages.get()) is not None:
                pipe.write(encode(message))
                pipe.flush()
            pipe.close()
        except (OSError, ValueError):
            # it is gone; the other end of the conversation notices
            with contextlib.suppress(OSError, ValueError):
                pipe.close()  # now, or Python complains of what is still in it, at any later moment

    def _read(self) -> None:
        wrong: Exception | None = None
        try:
            for line in lines(cast(IO[str], self._process.stdout)):
                self._hear(decode(line))
        except (OSError, ValueError, KeyError, TypeError, MatteError) as error:
            self._process.kill()  # whatever follows can't be trusted either
            wrong = error
        code = self._process.wait()
        self._messages.put(None)
        self._log_reader.join(1.0)
        self._ended(code, wrong)

    def _read_log(self) -> None:
        pipe = cast(IO[str], self._process.stderr)
        while line := pipe.readline(_LOG_LINE_LENGTH):
            self._log.append(line.rstrip())


def _start(command: list[str], environment: Mapping[str, str]) -> subprocess.Popen[str]:
    options: dict[str, Any] = {}
    if sys.platform == "win32":
        options["creationflags"] = subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP
    else:
        options["start_new_session"] = True  # Ctrl-C in the terminal is for Blender; the process is asked
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="backslashreplace",
        cwd=EXTENSION,
        env=dict(environment),
        **options,
    )
