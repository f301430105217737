"""An engine that stays warm for a farm's session: started with the session, used by each of its tasks.

    <folder>/engine.json    its address and the key to it; only its owner can read it

Each task is one connection (multiprocessing.connection: HMAC with the key, then texts): the task is sent, lines come
back, the last one is the exit code. When a task's process ends, its connection closes and the engine stops after the
current frame. If the engine can't be reached, tasks run without it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...contract.disk import discard, patiently
from ...contract.errors import ExitCode
from ...runtime.processes import HIDDEN
from .tasks import Task

if TYPE_CHECKING:
    from .worker import Worker

VARIABLE = "SPLAT_MATTE_WARM"  # environment variable with the path of the folder
_FILE = "engine.json"
_IDLE = 900.0  # seconds without a task after which it ends, as its session must be gone
_STARTING = 120.0  # seconds that a task waits for it to start


def start(folder: Path) -> None:
    """Start the engine, without waiting for it to import PyTorch, and pass its folder to the farm's session. Raises
    OSError.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    command = [*sys.orig_argv[: sys.orig_argv.index("warm")], "warm", "keep", str(folder)]
    detached: dict[str, Any] = {"creationflags": HIDDEN} if os.name == "nt" else {"start_new_session": True}
    with (folder / "log.txt").open("ab") as log:
        subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, **detached)
    print(f"openjd_env: {VARIABLE}={folder}", flush=True)


def stop(folder: Path) -> None:
    """End the engine, if it is running."""
    connection = _connect(folder, 0.0)
    if connection is not None:
        with connection, contextlib.suppress(OSError, EOFError):
            connection.send_bytes(b"quit")
    discard(folder)


def run(task: Task, stopping: Callable[[], bool]) -> int | None:
    """Run a task on the warm engine and print its output. Return its exit code; None if the engine can't be reached."""
    folder = os.environ.get(VARIABLE)
    connection = _connect(Path(folder), _STARTING) if folder else None
    if connection is None:
        return None
    with connection:
        try:
            connection.send_bytes(json.dumps(dataclasses.asdict(task)).encode())
            while True:
                if stopping():
                    return ExitCode.CANCELLED
                if connection.poll(0.2):
                    kind, _, words = connection.recv_bytes().decode().partition(" ")
                    if kind == "end":
                        return int(words)
                    print(words, flush=True)
        except (OSError, EOFError):
            print("Error: The engine of this session has ended unexpectedly. What was finished is kept.", flush=True)
            return ExitCode.ENGINE


def _connect(folder: Path, patience: float) -> Connection | None:
    end = time.monotonic() + patience
    while True:
        with contextlib.suppress(OSError, ValueError, EOFError):
            data = json.loads((folder / _FILE).read_text(encoding="ascii"))
            return Client(("localhost", data["port"]), authkey=bytes.fromhex(data["key"]))
        if time.monotonic() >= end or not folder.exists() or (folder / _FILE).exists():
            return None  # an engine listens as soon as its file exists, so this one is dead
        time.sleep(0.1)


def keep(folder: Path, worker: Worker) -> int:
    """Be the warm engine until told to quit, or until no task has come for a while."""
    key = secrets.token_bytes(32)
    with Listener(("localhost", 0), authkey=key) as listener:
        port = listener.address[1]
        file = folder / _FILE
        descriptor = os.open(file.with_suffix(".part"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as out:
            json.dump({"port": port, "key": key.hex()}, out)
        patiently(lambda: file.with_suffix(".part").replace(file))
        idle = _Watchdog(folder)
        while True:
            with contextlib.suppress(OSError, EOFError, ValueError, TypeError), listener.accept() as connection:
                message = connection.recv_bytes()
                if message == b"quit":
                    return ExitCode.OK
                with idle.busy():
                    _serve(worker, Task(**json.loads(message)), connection)


def _serve(worker: Worker, task: Task, connection: Connection) -> None:
    def say(words: str) -> None:
        with contextlib.suppress(OSError):  # the task is gone: `stopping` notices it
            connection.send_bytes(f"say {words}".encode())

    def stopping() -> bool:
        try:
            return connection.poll()  # a task sends nothing more, so data means that it has ended
        except OSError:
            return True

    code = worker.run(task, say, stopping)
    connection.send_bytes(f"end {code}".encode())


class _Watchdog:
    """Ends the process once its session is gone: when its folder is deleted, or when no task has come for a while."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._since: float | None = time.monotonic()
        threading.Thread(target=self._watch, daemon=True).start()

    @contextlib.contextmanager
    def busy(self) -> Any:
        """Keep the watchdog from ending the process while a task runs in this `with` block."""
        self._since = None
        try:
            yield
        finally:
            self._since = time.monotonic()

    def _watch(self) -> None:
        while True:
            time.sleep(1.0)
            since = self._since
            if since is not None and (time.monotonic() - since > _IDLE or not self._folder.exists()):
                os._exit(ExitCode.OK)
