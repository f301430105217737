"""Owners that die, hang and wake up, on this machine and, as far as they can tell, on others."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from addon.contract.disk import write_bytes
from addon.contract.errors import OutputError
from addon.engine.export import versions
from addon.engine.store import ownership
from addon.engine.store.matte_store import Matte, Take
from addon.engine.store.ownership import HeldError, acquire, owning

ROOT = Path(__file__).resolve().parents[2]
MATTE = Matte(np.ones((2, 2), np.float16), 1.0, 1.0)

# What the others begin with: beats and leases as short as ours, and perhaps another machine.
OTHER = """
import sys
from pathlib import Path
from addon.engine.store import ownership
ownership.BEAT, ownership.LEASE = 0.1, 1.0
if sys.argv[2]:
    ownership._machine = lambda: sys.argv[2]
path = Path(sys.argv[1])
"""
HOLD = OTHER + "owner = ownership.acquire(path)\nprint('mine', flush=True)\nsys.stdin.readline()\n"


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ownership, "BEAT", 0.1)
    monkeypatch.setattr(ownership, "LEASE", 1.0)


@contextlib.contextmanager
def other(script: str, path: Path, machine: str = "") -> Iterator[subprocess.Popen[str]]:
    """A process that works on `path`, once it has printed its first line."""
    command = [sys.executable, "-P", "-c", script, str(path), machine]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


def test_one_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "thing"
    with owning(path), pytest.raises(HeldError, match=f"process {os.getpid()} on "), owning(path):
        pass
    with owning(path):
        pass
    assert len(list(tmp_path.iterdir())) == 1, "nothing adds up"


def test_whoever_waits_gets_it(tmp_path: Path) -> None:
    counter, path = tmp_path / "counter", tmp_path / "thing"
    counter.write_text("0", encoding="ascii")

    def count() -> None:
        for _ in range(5):
            with owning(path, 60):
                number = int(counter.read_text(encoding="ascii"))
                time.sleep(0.002)
                counter.write_text(str(number + 1), encoding="ascii")

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counter.read_text(encoding="ascii") == "20"


@pytest.mark.parametrize("links", [True, False])
def test_a_dead_process_of_this_machine_owns_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    monkeypatch.setattr(ownership, "LEASE", 1000.0)  # nobody waits that long
    with other(HOLD, tmp_path / "thing") as process:
        with pytest.raises(HeldError), owning(tmp_path / "thing"):
            pass
        process.kill()
        process.wait()
    if not links:
        monkeypatch.delattr("os.link")
        monkeypatch.setattr("os.link", lambda *_: (_ for _ in ()).throw(OSError(38, "no links")), raising=False)
    with owning(tmp_path / "thing"):
        pass


def test_another_machine_owns_it_as_long_as_it_is_heard_of(tmp_path: Path) -> None:
    """Its signs show that it lives; a long silence means that it is dead."""
    path = tmp_path / "thing"
    with other(HOLD, path, "elsewhere") as process:
        for patience in (0, 1.5):
            with pytest.raises(HeldError), owning(path, patience):
                pass
        process.kill()
        process.wait()
        with pytest.raises(HeldError), owning(path, None):  # at once nobody knows
            pass
        with owning(path):
            pass


TAKE = (
    OTHER
    + """
import os, numpy as np
from addon.engine.store.matte_store import Matte, Take
with ownership.owning(path) as owner:
    take = Take(path)
    take.owner = owner
    print("mine", flush=True)
    sys.stdin.readline()
    for change in (lambda: take.forget_matte(1), take.clear, lambda: take.describe({"name": "late"})):
        try:
            change()
        except Exception as error:
            print(type(error).__name__, flush=True)
"""
)


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="a process can't be stopped here")
def test_an_orphan_that_wakes_up_late_changes_no_take(tmp_path: Path) -> None:
    path = tmp_path / "take"
    path.mkdir()
    with other(TAKE, path, "elsewhere") as process:
        process.send_signal(signal.SIGSTOP)
        take = Take(path)
        with owning(path) as owner:
            take.owner = owner
            take.put_matte(1, MATTE)
            process.send_signal(signal.SIGCONT)
            assert process.communicate("go on\n")[0].split() == ["OutputError"] * 3
            take.put_matte(2, MATTE)
        assert take.frames() == [1, 2]
        assert not (path / "object.json").exists()


EXPORT = (
    OTHER
    + """
from addon.contract.disk import write_bytes
from addon.engine.export import versions
with versions.claim(path, "key") as partial:
    partial.add("a.png", lambda file: write_bytes(file, b"a"))
    partial._owner.check = lambda: None  # as if it had asked just before it was stopped
    print("half", flush=True)
    sys.stdin.readline()
    for late in (lambda: partial.add("b.png", lambda file: write_bytes(file, b"late")), lambda: partial.publish("{}")):
        try:
            late()
        except Exception as error:
            print(type(error).__name__, flush=True)
"""
)


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="a process can't be stopped here")
def test_an_orphan_that_wakes_up_late_publishes_nothing(tmp_path: Path) -> None:
    """Its successor continues with its frames under another name, so the orphan has none left."""
    folder = tmp_path / "out"
    report = '{"report": {"export": {}}}'
    with other(EXPORT, folder, "elsewhere") as process:
        process.send_signal(signal.SIGSTOP)
        time.sleep(1.2)  # longer than the lease: a new export would leave it what may be alive
        owner = acquire(next((folder / "work").glob(".export-*.*/")).with_suffix(""))
        owner.release()
        with versions.claim(folder, "key") as partial:
            assert partial.has("a.png")
            process.send_signal(signal.SIGCONT)
            assert process.communicate("go on\n")[0].split() == ["OutputError"] * 2
            partial.add("b.png", lambda file: write_bytes(file, b"b"))
            version = partial.publish(report)
    assert {path.name: path.read_bytes() for path in version.iterdir()} == {"a.png": b"a", "b.png": b"b"}
    assert sorted(path.name for path in folder.glob("v*")) == ["v001", "v001.json"]
    assert version.with_suffix(".json").read_text(encoding="utf-8") == report


LATE = (
    OTHER
    + """
from addon.contract.disk import write_bytes
from addon.engine.export import versions
with versions.claim(path, "key") as partial:
    partial.add("a.png", lambda file: write_bytes(file, b"a"))
    print("whole", flush=True)
    sys.stdin.readline()
    try:
        print(partial.publish("{}"), flush=True)
    except Exception as error:
        print(type(error).__name__, flush=True)
"""
)


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="a process can't be stopped here")
def test_an_orphan_whose_frames_are_still_there_publishes_nothing(tmp_path: Path) -> None:
    """Whoever comes after it owns its frames a moment before it takes them: then only asking tells the orphan."""
    folder = tmp_path / "out"
    with other(LATE, folder, "elsewhere") as process:
        process.send_signal(signal.SIGSTOP)
        with owning(next((folder / "work").glob(".export-*.*/")).with_suffix("")):
            process.send_signal(signal.SIGCONT)
            assert process.communicate("go on\n")[0].split() == ["OutputError"]
    assert not list(folder.glob("v*"))
    with versions.claim(folder, "key") as partial:
        assert partial.has("a.png"), "for whoever comes after it"


def test_a_submission_has_one_version_however_many_export_it(tmp_path: Path) -> None:
    """Two that have found none may both write one; the second one to publish finds the other's."""
    document = json.dumps({"job": {"delivery": {"submission": "s"}}, "report": {"export": {}}})
    with versions.claim(tmp_path, "one") as one, versions.claim(tmp_path, "another") as another:
        for partial in (one, another):
            partial.add("a.png", lambda file: write_bytes(file, b"a"))
        version = one.publish(document, "s")
        assert another.publish(document, "s") == version
    assert sorted(path.name for path in tmp_path.glob("v*")) == ["v001", "v001.json"]
    assert not list((tmp_path / "work").glob(".export-*/"))


def test_a_machine_that_slept_alone_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If nobody came meanwhile, it still owns its files. Otherwise it gets an error."""
    path = tmp_path / "thing"
    now = ownership._now
    with owning(path) as owner:
        owner._end.set()  # no sign of it from now on
        owner._beater.join()
        monkeypatch.setattr(ownership, "_now", lambda: now() + 100)
        owner.check()
        monkeypatch.setattr(ownership, "_now", lambda: now() + 200)
        monkeypatch.setattr(ownership, "_is_locked", lambda path, content: None)
        with owning(path):  # nothing was heard of it in this while
            monkeypatch.setattr(ownership, "_now", lambda: now() + 300)
            with pytest.raises(OutputError, match="gone on with this"):
                owner.check()


def test_a_swap_that_comes_late_is_not_put_in_place(tmp_path: Path) -> None:
    with versions.claim(tmp_path, "old") as partial:
        partial.add("a.png", lambda file: write_bytes(file, b"old"))
        version = partial.publish('{"report": {"export": {}}}')
    late = tmp_path / "work" / f".swap-v001-{'0' * 12}"
    (late / "new").mkdir(parents=True)
    (late / "new" / ".incoming").touch()
    (late / "document").write_text("{}", encoding="ascii")
    assert versions.find(tmp_path, "", {}) is not None
    assert not late.exists()
    assert (version / "a.png").read_bytes() == b"old"
