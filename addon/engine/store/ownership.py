"""Ownership of folders on file systems that several machines share: owners give signs of life and can be replaced."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import platform
import re
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from ...contract.disk import patiently, writing
from ...contract.errors import OutputError
from ...runtime.lock import try_lock

BEAT = 5.0  # seconds between two signs of life
LEASE = 45.0  # seconds of silence after which an owner is replaced; several beats, as machines and networks hang
_FREE = b"free"
_POLLS = (0.01, 0.02, 0.05, 0.1, 0.2)  # seconds between two looks at an owner; the last one again and again
_LEFT = 86_400.0  # seconds after which what a killed process left is removed, whatever the clocks say
_COUNTER = 12  # digits
_MAX_BYTES = 4096  # of what an owner says of itself
_LOCKED_BYTE = 1 << 30  # far behind what is read: Windows lets nobody read a byte that is locked


class HeldError(OutputError):
    """Somebody else owns it. `owner` says who, in words."""

    def __init__(self, path: Path, owner: str) -> None:
        self.owner = owner
        super().__init__(
            f"Another engine is at work here: {owner}.",
            where=str(path),
            hint="Wait until it is done or stop it.",
        )


class Ownership:
    """A file that says that this process lives, and that nobody else has while it does."""

    def __init__(self, path: Path, number: int) -> None:
        """Raises FileExistsError: somebody else has that number; OSError: nothing can be written there."""
        self._path = path
        self.token = uuid.uuid4().hex[:12]  # no other owner ever has it
        self._number = 0
        self._beats = 0
        self._file = -1
        self._lost = False
        self._claim(number)
        self._end = threading.Event()
        self._writing = threading.Lock()
        self._beater = threading.Thread(target=self._live, name=f"owner-{path.name}", daemon=True)
        self._beater.start()

    def _claim(self, number: int) -> None:
        now = _now()  # before: what takes long has been silent meanwhile
        file = _create(_file_of(self._path, number))
        if self._file >= 0:
            os.close(self._file)
        self._file, self._number, self._heard = file, number, now

    @property
    def is_newest(self) -> bool:
        """Whether nobody has come after it. Raises OSError."""
        return _newest(self._path)[0] == self._number

    def check(self) -> None:
        """To be asked before each change of what is owned. Raises OutputError: somebody else owns it now."""
        with self._writing:
            if not self._lost and _now() - self._heard < LEASE / 2:
                return
            with writing(self._path.parent):
                self._go_on()
            if self._lost:
                raise OutputError(
                    "Another engine has gone on with this, as nothing was heard from this one for a while.",
                    where=str(self._path),
                    hint="What the other one makes is the same. See that this computer does not sleep meanwhile.",
                )

    def _go_on(self) -> None:
        """After a silence: it is still ours if the next number is free, which others would have taken."""
        try:
            if not self._lost:
                self._claim(self._number + 1)
                self._lost = not self.is_newest
        except FileExistsError:
            self._lost = True

    def _live(self) -> None:
        while not self._end.wait(BEAT):
            with self._writing, contextlib.suppress(OSError):  # `check` finds out what that means
                if self._file < 0:
                    return
                now = _now()
                if self._lost or now - self._heard >= LEASE / 2:
                    self._go_on()
                    continue
                self._beats += 1
                _write_at(self._file, -_COUNTER - 1, f"{self._beats:0{_COUNTER}d}".encode())
                self._heard = now

    def release(self, *, forget: bool = False) -> None:
        """Anybody may own it now. forget: remove what says so, where nobody can be about to."""
        self._end.set()
        with self._writing, contextlib.suppress(OSError):  # with all that is around it, perhaps
            file, self._file = self._file, -1
            if file < 0:
                return
            try:
                _write_at(file, 0, _FREE)
            finally:
                os.close(file)
            if forget and self.is_newest:
                _remove(_file_of(self._path, self._number))


@contextlib.contextmanager
def owning(path: Path, patience: float | None = 0.0) -> Iterator[Ownership]:
    """Own what `path` names; path itself need not be there, its folder must.

    Args:
        patience: seconds to wait for an owner that lives. What is not heard of is waited for until it is known to
            live or to be dead; None: not even that.

    Raises:
        HeldError: somebody else owns it.
        OSError: nothing can be written there.
    """
    owner = acquire(path, patience)
    try:
        yield owner
    finally:
        owner.release()


def acquire(path: Path, patience: float | None = 0.0) -> Ownership:
    """Acquire ownership; see `owning`. The caller releases it."""
    began = _now()
    polls = iter(_POLLS)
    seen: tuple[int, bytes] | None = None
    since, lives = began, False
    while True:
        number, content = _newest(path)
        gone = number == 0 or content.startswith(_FREE)
        locked = None if gone else _is_locked(_file_of(path, number), content)
        if seen != (number, content):
            lives = lives or (seen is not None and seen[0] == number and seen[1] != b"")  # it has given a sign
            seen, since = (number, content), _now()
        if gone or locked is False or _now() - since > LEASE:
            with contextlib.suppress(FileExistsError):
                owner = Ownership(path, number + 1)
                try:
                    if owner.is_newest:
                        _tidy(path, number + 1)
                        return owner
                except BaseException:
                    owner.release()
                    raise
                owner.release(forget=True)  # it was slow: others have come and gone since it looked
        elif patience is None or ((lives or locked) and _now() - began >= patience):
            raise HeldError(path, _in_words(content))
        time.sleep(next(polls, _POLLS[-1]))


# -- marks: many may be there at once ---------------------------------------------------------------------------------


@contextlib.contextmanager
def marking(path: Path, kind: str) -> Iterator[None]:
    """Say that this process uses `path`, as any number of others may. Raises OSError."""
    mark = path.with_name(f"{path.name}.{kind}-{uuid.uuid4().hex}")
    owner = Ownership(mark, 1)
    try:
        yield
    finally:
        owner.release(forget=True)


def is_marked(path: Path, kind: str) -> bool:
    """Whether a process uses `path`, or may; marks of those that are known to be dead are removed."""
    marked = False
    for file in path.parent.glob(f"{path.name}.{kind}-*.lock"):
        content = _read(file)
        try:
            old = abs(time.time() - file.stat().st_mtime) > _LEFT
        except FileNotFoundError:
            continue
        if old or content.startswith(_FREE) or _is_locked(file, content) is False:
            _remove(file)
        else:
            marked = True
    return marked


# -- files ------------------------------------------------------------------------------------------------------------


def _file_of(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number:06d}.lock")


def _files(path: Path) -> dict[int, Path]:
    """Return the files that name the past and present owners, by number."""
    named = re.compile(re.escape(path.name) + r"\.(\d{6,})\.lock")
    names = os.listdir(path.parent)  # noqa: PTH208
    return {int(match[1]): path.with_name(name) for name in names if (match := named.fullmatch(name))}


def _newest(path: Path) -> tuple[int, bytes]:
    """The highest number and what its file says; 0 if there is none."""
    number = max(_files(path), default=0)
    while _file_of(path, number + 1).exists():  # a listing may be older than that
        number += 1
    return number, _read(_file_of(path, number)) if number else b""


def _create(path: Path) -> int:
    """A new file with this process in it, locked; its handle. Raises FileExistsError, OSError."""
    if sys.platform == "win32":  # no second name can be removed while it is open
        return _create_in_place(path)
    temporary = path.with_name(f".{uuid.uuid4().hex}.part")
    file = _open(temporary, os.O_CREAT | os.O_EXCL)
    try:
        try:
            _introduce(file)
            os.link(temporary, path)
        finally:
            _remove(temporary)
    except BaseException as error:
        os.close(file)
        if isinstance(error, FileExistsError) or not isinstance(error, OSError):
            raise
        return _create_in_place(path)  # a disk without links; or a full one, which this will tell
    return file


def _create_in_place(path: Path) -> int:
    """Create the file in place; see `_create`. For a moment it is empty."""
    file = _open(path, os.O_CREAT | os.O_EXCL)
    try:
        _introduce(file)
    except BaseException:
        os.close(file)
        raise
    return file


def _introduce(file: int) -> None:
    """Write who we are, after the system's lock is on it, and see that others can read it."""
    who = {
        "host": platform.node(),
        "process": os.getpid(),
        "machine": _machine(),
        "locked": _lock(file),
        "since": time.strftime("%H:%M:%S"),
    }
    _write_at(file, 0, f"{json.dumps(who)}\n{0:0{_COUNTER}d}\n".encode())


def _open(path: Path, flags: int) -> int:
    return os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0) | flags, 0o644)


def _write_at(file: int, place: int, data: bytes) -> None:
    os.lseek(file, place, os.SEEK_SET if place >= 0 else os.SEEK_END)
    os.write(file, data)
    os.fsync(file)


def _read(path: Path) -> bytes:
    """Opened anew each time: so NFS asks its server (RFC 1813, 4.11). What can't be read says nothing."""
    try:
        with path.open("rb") as file:
            return file.read(_MAX_BYTES)
    except OSError:
        return b""


def _lock(file: int) -> bool:
    os.lseek(file, _LOCKED_BYTE, os.SEEK_SET)
    return try_lock(file)


def _is_locked(path: Path, content: bytes) -> bool | None:
    """Whether the process lives that wrote `content`, on this machine; None if nobody here can know."""
    who = _who(content)
    if who.get("machine") != _machine() or who.get("locked") is not True:
        return None
    try:
        file = _open(path, 0)
    except OSError:
        return None
    try:
        for _ in range(3):
            if _lock(file):
                return False
            time.sleep(0.002)  # another that asks the same may have it for a moment
        return True
    finally:
        os.close(file)


def _who(content: bytes) -> dict[str, object]:
    try:
        who = json.loads(content.partition(b"\n")[0])
    except ValueError:
        return {}
    return who if isinstance(who, dict) else {}


def _in_words(content: bytes) -> str:
    who = _who(content)
    if not who:
        return "it is just beginning"
    return f"process {who.get('process')} on {who.get('host')}, since {who.get('since')}"


def _remove(file: Path) -> None:
    with contextlib.suppress(OSError):  # with all that is around it, perhaps
        patiently(functools.partial(file.unlink, missing_ok=True))


def _tidy(path: Path, newest: int) -> None:
    """Remove who owned it before, and what killed processes left."""
    for number, file in _files(path).items():
        if number < newest:
            _remove(file)
    for file in path.parent.glob(".*.part"):
        with contextlib.suppress(OSError):
            if abs(time.time() - file.stat().st_mtime) > _LEFT:
                _remove(file)


@functools.cache
def _machine() -> str:
    """This machine since it was started: processes of the same one hear of each other's death by the system's locks."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return f"{platform.node()} {uuid.getnode():x}"


def _now() -> float:
    """Seconds, sleep included where the system counts it."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if sys.platform == "linux" else time.monotonic()
