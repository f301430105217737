"""Tests that nothing gets lost or wrong: kills, full disks, vanishing folders, concurrent writers, a blocked reader.

    python3 vendor_setup bench faults [SCENARIO ...] [--kills 1000] [--seed 0]

Processes export or track small frames and are ended by SIGKILL, first at each file system call in turn, then at random
moments. After each kill, all earlier versions must be intact, byte for byte; no visible version may be incomplete; and
the next run must finish what the killed one began, with the bytes of an undisturbed run. POSIX only: the processes are
forked, so that a thousand of them take minutes.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import dataclasses
import functools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import cv2
import numpy as np
import yaml
from numpy.typing import NDArray

from addon.checkpoints import EMBEDDED_CONFIG, EMBEDDED_WEIGHTS
from addon.contract.errors import ExitCode, MatteError
from addon.contract.job import Job
from addon.contract.job_types import Delivery, MatteObject, MemoryRule, Model, Point, Prompt
from addon.contract.layout import matte_file, takes_folder, work_folder
from addon.engine.export import export, prepare
from addon.engine.footage.footage import Reader, scan

from . import _seeds
from ._common import demo_frames, environment

FRAMES = 4
_TRACKED = 8  # frames: enough for the memory policies to differ
_OLD, _NEW = 8, 3  # two results, distinguished by the edge of their mattes
_UNTOLD = 99  # exit code of a child that raised an exception other than MatteError
_PATIENCE = 60  # wall-clock seconds before something counts as hanging; generous, as the machine may be busy
# Audit events of calls that read or change a folder.
_CALLS = {"open", "fcntl.flock", "ctypes.dlsym", "shutil.copyfile"}
_CALLS |= {f"os.{name}" for name in ("rename", "remove", "mkdir", "rmdir", "link", "truncate", "listdir", "scandir")}
_REMOUNT, _NEW_MOUNTS, _NEW_USER = 32, 0x20000, 0x10000000  # mount(2), unshare(2)


# -- processes ------------------------------------------------------------------------------------------------------


def fork(do: Callable[[], object]) -> int:
    """Run `do` in a forked process, whose exit code tells how it ended. Return its process id."""
    pid = os.fork()
    if pid:
        return pid
    code = _UNTOLD
    try:
        do()
        code = ExitCode.OK
    except MatteError as error:
        print(f"    {error}", file=sys.stderr)
        code = error.exit_code
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def wait(pid: int) -> int:
    """Wait for a child and return its exit code; negative: the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@contextlib.contextmanager
def silent() -> Iterator[None]:
    """Discard what children print about expected errors."""
    kept, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(null)


def at_call(number: int, then: Callable[[], object]) -> None:
    """In a child: call `then` at its `number`-th file system call, counted from 1."""
    left = number

    def hear(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left
        if event in _CALLS:
            left -= 1
            if left == 0:
                then()

    sys.addaudithook(hear)


def kill_oneself() -> None:
    """End this process without warning, as a power failure does."""
    os.kill(os.getpid(), signal.SIGKILL)


# -- exports --------------------------------------------------------------------------------------------------------


class Shot:
    """Footage and the expected results of exporting it."""

    def __init__(self, room: Path) -> None:
        self.room = room
        self.footage = _seeds.footage(room / "plates", FRAMES)
        self.right = {edge: self._right(edge) for edge in (_OLD, _NEW)}

    def _right(self, edge: int) -> dict[str, bytes]:
        folder = self.export(self.room / f"right{edge}", edge)
        return {file.name: file.read_bytes() for file in folder.iterdir()}

    def export(self, output: Path, edge: int, **delivery: Any) -> Path:
        """Export one version and return its folder."""
        footage, _ = (
            scan(Path(self.footage.files[0]).parent) if Path(self.footage.files[0]).exists() else (self.footage, [])
        )
        marked = (MatteObject("a", (Prompt(1, (Point(1, 1),)),)),)
        job = Job(footage, marked, output=str(output), delivery=Delivery(**delivery))

        def matte(frame: int, name: str | None = None) -> NDArray[np.uint8]:
            found = np.zeros((_seeds.HEIGHT, _seeds.WIDTH), np.uint8)
            found[:, : edge + frame] = 255
            return found

        return export(
            prepare(job, Reader(footage)),
            matte,
            frames=list(job.frames),
            key=str(edge),
            frame_key=lambda frame: f"{edge} {frame}",
            report={},
            on_frame=lambda *_: None,
            cancelled=lambda: False,
        )

    def edge_of(self, version: Path) -> int:
        """Return the result in a complete version. Raises AssertionError if it is incomplete or has wrong bytes."""
        found = {file.name: file.read_bytes() for file in version.iterdir() if not file.name.startswith(".")}
        for edge, right in self.right.items():
            if found == right:
                return edge
        lacking = sorted(set(self.right[_OLD]) - set(found))
        raise AssertionError(f"{version} lacks {lacking}" if lacking else f"{version} has wrong bytes")

    def check(self, output: Path, *, mended: bool) -> list[int]:
        """Check all visible versions and return the result of each. mended: an export has finished since the kill."""
        folders = sorted(path for path in output.glob("v[0-9]*") if path.is_dir())
        if mended:
            documents = {path.stem for path in output.glob("v[0-9]*.json")}
            assert documents == {path.name for path in folders}, f"{documents} beside {[path.name for path in folders]}"
            left = [path.name for path in work_folder(output).iterdir() if not path.name.endswith((".lock", ".part"))]
            assert not left, f"{left} was left behind"
            for folder in folders:
                assert all(not path.name.startswith(".") for path in folder.iterdir()), (
                    f"temporary files were left in {folder}"
                )
                json.loads(folder.with_suffix(".json").read_bytes())
        return [self.edge_of(folder) for folder in folders]


KINDS: dict[str, dict[str, str]] = {  # deliveries, and what each does with existing versions
    "a new version": {},
    "into a version": {"into": "latest"},
    "a version that takes over frames": {"scope": "missing"},
}


def _after(kind: str) -> list[list[int]]:
    """Return the allowed sets of versions after an export of _NEW beside _OLD was killed; the last one is the finished
    state.
    """
    if kind == "into a version":
        return [[_OLD], [_NEW]]
    # with scope `missing` nothing is missing, so the version before is the result
    return [[_OLD]] if kind.endswith("frames") else [[_OLD], [_OLD, _NEW]]


def killed(shot: Shot, output: Path, kind: str, kill: Callable[[int], bool], dies_at: int = 0) -> bool:
    """Kill one export, then run another one. Return True if the first one finished before it was killed.

    kill: kills the process with the given id, or waits for it; returns True if it came in time.
    dies_at: number of the file system call at which the process kills itself; 0: it does not.
    """
    shutil.rmtree(output, ignore_errors=True)
    shutil.copytree(shot.room / f"right{_OLD}", output, copy_function=shutil.copy2)

    def do() -> None:
        if dies_at:
            at_call(dies_at, kill_oneself)
        shot.export(output, _NEW, **KINDS[kind])

    pid = fork(do)
    kill(pid)
    code = wait(pid)
    assert code in (0, -signal.SIGKILL), f"it ended with {code}"
    seen = shot.check(output, mended=False)
    assert seen in _after(kind), f"{seen} after the kill"
    assert wait(fork(lambda: shot.export(output, _NEW, **KINDS[kind]))) == 0, "the next export failed"
    done = shot.check(output, mended=True)
    finished = _after(kind)[-1]
    assert done == finished or (not KINDS[kind] and done == [_OLD, _NEW, _NEW]), f"{done} in the end"
    return code == 0


def kills(room: Path, count: int, seed: int) -> str:
    """Kill exports at each file system call in turn, then at random moments."""
    shot = Shot(room)
    output = room / "out"
    done = 0
    with silent():
        for kind in KINDS:
            at = 1
            while done < count and not killed(shot, output, kind, lambda pid: True, dies_at=at):
                at, done = at + 1, done + 1
        at_calls = done
        chance = random.Random(seed)
        began = time.monotonic()
        wait(fork(lambda: shot.export(room / "timed", _NEW)))
        longest = 1.2 * (time.monotonic() - began)

        def kill(pid: int) -> bool:
            time.sleep(chance.uniform(0, longest))
            os.kill(pid, signal.SIGKILL)
            return True

        while done < count:
            done += not killed(shot, output, chance.choice(list(KINDS)), kill)
    return f"{at_calls} kills at each call that touches the file system, {done - at_calls} at random"


# -- tracking -------------------------------------------------------------------------------------------------------


class Track:
    """A Job that the embedded checkpoint tracks on small pictures with one memory policy, and its expected mattes."""

    def __init__(self, room: Path, memory: MemoryRule = "sam2") -> None:
        import torch

        from addon.engine.sam2.model import make_deterministic

        torch.set_num_threads(1)  # a pool of threads would not come along into a fork
        make_deterministic()
        plates = room / "frames"
        plates.mkdir(parents=True)
        for file in demo_frames()[:_TRACKED]:
            shutil.copy(file, plates)
        config = yaml.safe_load(EMBEDDED_CONFIG.read_text(encoding="utf-8"))
        config["model"]["image_size"] //= 2
        (room / "small.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
        model = Model(str(EMBEDDED_WEIGHTS), str(room / "small.yaml"), device="cpu", precision="float32", trust=True)
        footage, _ = scan(plates)
        marked = MatteObject("a", (Prompt(2, (Point(footage.width / 2, footage.height / 2),)),))
        self.job = Job(
            footage,
            (marked,),
            model,
            memory=memory,
            output=str(room / "right"),
            target="",
        )
        self.plates = plates
        self.session()  # once in this process, so that every child has the modules loaded
        self.right = self.mattes(self.job)

    def session(self, output: Path | None = None) -> None:
        """Track in `output`, or beside the footage."""
        from addon.engine.session import Session

        job = dataclasses.replace(self.job, output=str(output)) if output else self.job
        Session(lambda *_: None, lambda: False).track(job)

    @staticmethod
    def mattes(job: Job) -> dict[int, bytes]:
        """Return the bytes of each matte's logits and scores by frame."""
        (take,) = (path for path in takes_folder(job.matte_folder).iterdir() if path.is_dir())
        found = {}
        for frame in job.frames:
            with np.load(matte_file(take, frame)) as data:
                found[frame] = b"".join(data[name].tobytes() for name in sorted(data.files))
        return found

    def check(self, output: Path) -> None:
        """Check that the result equals the expected one."""
        assert self.mattes(dataclasses.replace(self.job, output=str(output))) == self.right, "other mattes"


def tracking(room: Path, count: int, seed: int) -> str:
    """Kill tracking with each memory policy at random moments until it reaches its end."""
    rules = get_args(MemoryRule)
    shares = [count // len(rules) + (number < count % len(rules)) for number in range(len(rules))]
    told = [
        f"{rule}: {_tracking(room / rule, rule, share, seed)}"
        for rule, share in zip(rules, shares, strict=True)
        if share
    ]
    return "; ".join(told)


def _tracking(room: Path, memory: MemoryRule, count: int, seed: int) -> str:
    track = Track(room, memory)
    chance = random.Random(seed)
    began = time.monotonic()
    wait(fork(functools.partial(track.session, room / "timed")))
    longest = time.monotonic() - began
    done = finished = 0
    with silent():
        while done < count:
            output = room / f"out{finished}"
            pid = fork(functools.partial(track.session, output))
            time.sleep(chance.uniform(0, longest))
            os.kill(pid, signal.SIGKILL)
            code = wait(pid)
            assert code in (0, -signal.SIGKILL), f"it ended with {code}"
            done += code != 0
            if code == 0 or done == count:
                assert wait(fork(functools.partial(track.session, output))) == 0, "it could not go on"
                track.check(output)
                finished += 1
    return f"{done} kills at random, {finished} tracks finished with the right mattes"


# -- disks ----------------------------------------------------------------------------------------------------------


def _on_a_disk(folder: Path, options: str, do: Callable[[], None]) -> None:
    """In a child: run `do` on a small disk mounted at `folder`, then again once the disk has grown."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_NEW_MOUNTS) and libc.unshare(_NEW_USER | _NEW_MOUNTS):
        raise OSError(ctypes.get_errno(), "no mounts of its own")
    if libc.mount(b"none", b"/", None, 0x4000 | 0x40000, None):  # private: nobody else sees it
        raise OSError(ctypes.get_errno(), "no private mounts")

    def mount(flags: int, data: str) -> None:
        if libc.mount(b"tmpfs", os.fsencode(folder), b"tmpfs", flags, data.encode()):
            raise OSError(ctypes.get_errno(), "no mount")

    mount(0, options)
    full = ""
    try:
        do()
    except MatteError as error:
        full = str(error)
        assert error.exit_code == ExitCode.OUTPUT and "full" in full, full
    assert not full or not list(folder.glob("out/v[0-9]*")), "a version was written although the disk was full"
    mount(_REMOUNT, "size=64m,nr_inodes=10000")
    do()


def may_mount(room: Path) -> bool:
    """Whether a child may mount a disk of its own on this system."""
    folder = room / "mount"
    folder.mkdir(parents=True)
    with silent():
        return sys.platform == "linux" and wait(fork(lambda: _on_a_disk(folder, "size=64m", lambda: None))) == 0


def disks(room: Path, count: int, seed: int) -> str:
    """Export and track on disks that run out of bytes or of files."""
    if not may_mount(room):
        return "NOT CHECKED: on this system, a process can't mount a disk of its own"
    shot, folder = Shot(room), room / "disk"
    folder.mkdir()
    sizes = [f"size={4 * pages}k" for pages in range(1, min(count, 40) + 1)]
    sizes += [f"size=8m,nr_inodes={files}" for files in range(2, min(count, 22) + 2)]

    def exported() -> None:
        version = shot.export(folder / "out", _NEW)
        assert shot.edge_of(version) == _NEW

    for options in sizes:
        assert wait(fork(functools.partial(_on_a_disk, folder, options, exported))) == 0, f"export, {options}"
    track = Track(room)
    tracked = [f"size={size}k" for size in (16, 64, 256, 1000, 2000, 4000, 8000)] + ["size=64m,nr_inodes=12"]

    def again() -> None:
        track.session(folder / "out")
        track.check(folder / "out")

    for options in tracked[: max(1, count // 8)]:
        assert wait(fork(functools.partial(_on_a_disk, folder, options, again))) == 0, f"tracking, {options}"
    return f"{len(sizes)} full disks while exporting, {len(tracked[: max(1, count // 8)])} while tracking"


# -- folders that vanish, writers at once, readers that are stopped -------------------------------------------------


def vanishing(room: Path, count: int, seed: int) -> str:
    """Delete `work`, the matte folder or the footage at a file system call; the run must report an error or finish
    correctly.
    """
    chance = random.Random(seed)
    with silent():
        tracked = _vanishing_while_tracking(room / "track", max(1, count // 8), chance)
        exported = _vanishing_while_exporting(room / "export", count - max(1, count // 8), chance)
    return f"folders deleted on the way: {exported} while exporting, {tracked} while tracking"


def _told(do: Callable[[], None], what: str) -> bool:
    """Return whether `do` ended with an error that says what is wrong. Raises AssertionError for other exceptions."""
    code = wait(fork(do))
    assert code in (0, ExitCode.FOOTAGE, ExitCode.OUTPUT, ExitCode.JOB), f"{what}: it ended with {code}"
    return code != 0


def _restore(plates: Path, kept: Path, count: int) -> None:
    if not plates.exists() or len(list(plates.iterdir())) < count:
        shutil.rmtree(plates, ignore_errors=True)
        shutil.copytree(kept, plates)


def _vanishing_while_exporting(room: Path, count: int, chance: random.Random) -> str:
    shot = Shot(room)
    output, plates, kept = room / "out", room / "plates", room / "kept"
    shutil.copytree(plates, kept)
    told = 0
    for _ in range(count):
        at, folder = chance.randint(1, 120), chance.choice([work_folder(output), output, plates])
        shutil.rmtree(output, ignore_errors=True)
        shutil.copytree(shot.room / f"right{_OLD}", output)
        kind = chance.choice(list(KINDS))

        def do(at: int = at, folder: Path = folder, kind: str = kind) -> None:
            at_call(at, functools.partial(shutil.rmtree, folder, ignore_errors=True))
            shot.export(output, _NEW, **KINDS[kind])

        told += _told(do, f"{folder} at {at}, {kind}")
        shot.check(output, mended=False)
        _restore(plates, kept, FRAMES)
    return f"{count} ({told} told)"


def _vanishing_while_tracking(room: Path, count: int, chance: random.Random) -> str:
    track = Track(room)
    output, kept = room / "out", room / "kept"
    shutil.copytree(track.plates, kept)
    told = 0
    for _ in range(count):
        at, folder = chance.randint(1, 150), chance.choice([work_folder(output), output, track.plates])
        shutil.rmtree(output, ignore_errors=True)

        def do(at: int = at, folder: Path = folder) -> None:
            at_call(at, functools.partial(shutil.rmtree, folder, ignore_errors=True))
            track.session(output)

        ended = _told(do, f"{folder} at {at}, tracking")
        told += ended
        _restore(track.plates, kept, _TRACKED)
        track.session(output)  # it continues, and the result is correct
        track.check(output)
    return f"{count} ({told} told)"


def at_once(room: Path, count: int, seed: int) -> str:
    """Export the same Job from eight processes at once."""
    shot = Shot(room)
    done = 0
    while done < count:
        output = room / f"out{done}"
        pids = [fork(functools.partial(shot.export, output, _NEW)) for _ in range(8)]
        assert [wait(pid) for pid in pids] == [0] * 8
        assert shot.check(output, mended=True) == [_NEW] * 8
        done += 8
    return f"{done} exports, eight at once, all whole"


def stopped(room: Path, count: int, seed: int) -> str:
    """Test that a Blender that reads no answers, or an engine that is stopped while reading mattes, blocks nobody."""
    from addon.engine.store.matte_store import Matte, Store, Take, holding

    engine = subprocess.Popen(
        [sys.executable, "-P", "-m", "addon.engine", "serve"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(),
    )
    assert engine.stdin is not None
    os.set_blocking(engine.stdin.fileno(), False)
    with contextlib.suppress(BlockingIOError):
        for number in range(20_000):  # together, the answers are longer than a pipe's buffer
            engine.stdin.write(f'{{"id": {number}, "do": "nothing"}}\n'.encode())
            engine.stdin.flush()
    with contextlib.suppress(BlockingIOError, BrokenPipeError):
        engine.stdin.close()
    engine.wait(_PATIENCE)

    footage = _seeds.footage(room / "plates", 1)
    store = Store(Job(footage, (MatteObject("a", (Prompt(1, (Point(1, 1),)),)),), output=str(room / "out")))

    def tracked(number: int) -> Take:
        take = store.take("a", {"number": number})
        with store.open_for_writing({"a": (take, {})}):
            take.put_matte(1, Matte(np.ones((2, 2), np.float16), 1.0, 1.0))
        return take

    take = tracked(0)

    def read() -> None:
        with holding([take.folder]):
            os.kill(os.getpid(), signal.SIGSTOP)

    pid = fork(read)
    os.waitpid(pid, os.WUNTRACED)
    try:
        for number in range(1, 8):
            tracked(number)
        assert take.has_matte(1), "what is read was pruned"
    finally:
        os.kill(pid, signal.SIGKILL)
        wait(pid)
    return "a client that reads nothing, and a stopped engine"


SCENARIOS: dict[str, tuple[Callable[[Path, int, int], str], float]] = {  # and the fraction of the kills
    "kills": (kills, 0.85),
    "tracking": (tracking, 0.1),
    "disks": (disks, 0.06),
    "vanishing": (vanishing, 0.2),
    "at_once": (at_once, 0.04),
    "stopped": (stopped, 0.0),
}


def main() -> int:
    """Print one line per scenario; return 1 if anything was lost or wrong."""
    parser = argparse.ArgumentParser(prog="bench faults", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=", ".join(SCENARIOS))
    parser.add_argument("--kills", type=int, default=1000, help="approximate number of kills; default: %(default)s")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if not hasattr(os, "fork"):
        print("NOT CHECKED: this system can't fork")
        return 0
    cv2.setNumThreads(1)  # a pool of threads would not come along into a fork
    good = True
    for name in options.scenarios or SCENARIOS:
        scenario, share = SCENARIOS[name]
        count = options.kills if options.scenarios else max(1, round(options.kills * share))
        with tempfile.TemporaryDirectory() as room:
            try:
                print(f"{name}: {scenario(Path(room), count, options.seed)}", flush=True)
            except AssertionError as wrong:
                good = False
                print(f"{name}: WRONG: {wrong}", flush=True)
    print("nothing lost, nothing wrong" if good else "something was lost, or wrong")
    return int(not good)


if __name__ == "__main__":
    sys.exit(main())
