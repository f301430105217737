"""The engine's runtime, installed for real: a real Python, a real pip, from a folder of tiny packages made here.

The engine is a stand-in that answers the self-test, because a real one is gigabytes; everything else is what an artist
runs.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.server
import json
import random
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from addon.contract.errors import Cancelled, EngineError, OutputError
from addon.installer import environment, install, pins, torch_build
from addon.installer.plan import InstallPlan
from addon.runtime.locate import current_runtime, engine_environment, find_python, runtime_python
from addon.runtime.lock import only_one
from addon.runtime.processes import run_quietly
from addon.runtime.watch import Watch

ENGINE = """\
import pathlib, sys, time
import torch, tiny
room = pathlib.Path(__file__).parent
device = sys.argv[-1]
if (room / "slow").exists():
    time.sleep(60)
if (room / f"broken {device}").exists():
    print("Error: no kernel image is available for execution on the device.")
    sys.exit(7)
print(f"{device}, torch {torch.__version__}")
"""


def wheel(folder: Path, name: str, version: str, code: str, tag: str = "py3-none-any") -> Path:
    """A wheel of one module."""
    file = folder / f"{name}-{version}-{tag}.whl"
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": code,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n",
    }
    record = "".join(
        f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b'=').decode()},\n"
        for path, text in files.items()
    )
    with zipfile.ZipFile(file, "w") as archive:
        for path, text in {**files, f"{info}/RECORD": record}.items():
            archive.writestr(path, text)
    return file


class Room:
    """What an installation is made of: wheels, their pins, an engine, and the folder that it goes to."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.wheels = folder / "Räder für später"
        self.extension = folder / "extension"
        self.data = folder / "Daten von Zoë"
        self.requirements = folder / "requirements"
        for each in (self.wheels, self.extension / "addon" / "engine", self.requirements):
            each.mkdir(parents=True)
        (self.extension / "addon" / "engine" / "__main__.py").write_text(ENGINE, encoding="utf-8")
        monkeypatch.setattr(pins, "REQUIREMENTS", self.requirements)
        monkeypatch.setattr(pins, "HASHES", self.requirements / "hashes.txt")
        monkeypatch.setattr(install, "this_machine", lambda: torch_build.Machine("linux"))
        for name in ("build.txt", "cuda.txt"):
            (self.requirements / name).touch()
        (self.requirements / "build.txt").write_text("helper==1.0\n", encoding="utf-8")
        wheel(self.wheels, "helper", "1.0", "")
        wheel(self.wheels, "torch", "2.0", "__version__ = '2.0'\n")
        self.pin("1.0")

    def pin(self, version: str) -> None:
        """Let the engine need this version of tiny; pins know all files that are in the folder."""
        wheel(self.wheels, "tiny", version, f"VERSION = {version!r}\n")
        (self.requirements / "engine.txt").write_text(f"torch==2.0\ntiny=={version}\n", encoding="utf-8")
        lines = []
        for each in self.wheels.glob("*.whl"):
            name, number, *_ = each.name.split("-")
            lines.append(f"{hashlib.sha256(each.read_bytes()).hexdigest()}  {name}=={number}\n")
        (self.requirements / "hashes.txt").write_text("".join(lines), encoding="utf-8")

    def plan(self) -> InstallPlan:
        return InstallPlan(self.data, wheels=self.wheels)

    def install(self, watch: Watch | None = None) -> install.Installed:
        return install.install(self.plan(), watch or Watch(), self.extension)

    def version(self) -> str:
        """Of tiny, in the runtime that Blender would start."""
        python = find_python(folder=str(self.data), environ={})
        return run_quietly([str(python), "-c", "import tiny; print(tiny.VERSION)"]).strip()

    def folders(self) -> list[str]:
        return sorted(each.name for each in (self.data / "runtime").iterdir() if each.is_dir())

    def flag(self, name: str) -> Path:
        """Tells the stand-in engine how to behave."""
        file = self.extension / "addon" / "engine" / name
        file.touch()
        return file


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Room:
    return Room(tmp_path, monkeypatch)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A runtime with tiny 1.0, installed once."""
    with pytest.MonkeyPatch.context() as patch:
        room = Room(tmp_path_factory.mktemp("template"), patch)
        room.install()
    return room.data


@pytest.fixture
def used(room: Room, template: Path) -> Room:
    """Where tiny 1.0 is installed already."""
    shutil.copytree(template, room.data, symlinks=True)
    return room


def test_installed_updated_on_the_cpu_and_removed(room: Room) -> None:
    with pytest.raises(EngineError, match="Install Engine"):
        find_python(folder=str(room.data), environ={})
    assert install.installed(room.data / "runtime") is None
    told = Told()
    done = room.install(told)
    assert done.up_to_date
    assert (done.torch, done.device, done.gpu_problem) == ("2.0", "auto, torch 2.0", "")
    assert install.installed(room.data / "runtime") == done
    assert room.version() == "1.0"
    assert room.folders() == ["1"]
    assert told.fractions == sorted(told.fractions)
    assert "pip install" in room.plan().log.read_text(encoding="utf-8")

    room.flag("broken auto")  # a GPU that fails leaves the CPU
    room.pin("2.0")
    found = install.installed(room.data / "runtime")
    assert found is not None and not found.up_to_date
    with engine_of_another_blender(room):
        done = room.install()
        assert room.folders() == ["1", "2"]
    install._remove_unused(room.data / "runtime")  # as the next installation does
    assert done.up_to_date
    assert done.device == "cpu, torch 2.0"
    assert "no kernel image" in done.gpu_problem
    assert room.version() == "2.0"
    assert room.folders() == ["2"]

    (room.data / "checkpoints").mkdir()
    install.remove(room.data, Watch())
    assert install.installed(room.data / "runtime") is None
    assert [each.name for each in room.data.iterdir() if each.is_dir()] == ["checkpoints"]


def test_a_failed_installation_leaves_the_old_one(used: Room) -> None:
    used.pin("2.0")
    (used.wheels / "tiny-2.0-py3-none-any.whl").unlink()
    with pytest.raises(EngineError, match=r"tiny==2\.0") as caught:
        used.install()
    assert str(used.plan().log) in caught.value.hint
    assert used.version() == "1.0"

    used.pin("3.0")
    used.flag("broken auto")
    used.flag("broken cpu")
    with pytest.raises(EngineError, match="no kernel image") as caught:
        used.install()
    assert "CUDA 12.6" in caught.value.hint
    assert used.version() == "1.0"
    assert used.folders() == ["1"]


@pytest.mark.parametrize("moment", ["packages", "Trying"])
def test_cancelled_at_any_moment_it_leaves_the_old_one(used: Room, moment: str) -> None:
    used.pin("2.0")
    if moment == "Trying":
        used.flag("slow")
    with pytest.raises(Cancelled):
        used.install(Told(stop_at=moment))
    assert used.version() == "1.0"
    assert used.folders() == ["1"]


def test_a_changed_file_is_refused(room: Room) -> None:
    known = pins.HASHES.read_bytes()
    wheel(room.wheels, "tiny", "1.0", "VERSION = 'evil'\n")
    pins.HASHES.write_bytes(known)
    with pytest.raises(EngineError, match="sha256 is another") as caught:
        room.install()
    assert caught.value.where == "tiny-1.0-py3-none-any.whl"
    assert room.folders() == []


def test_pythons_that_will_not_do(room: Room) -> None:
    for python in (str(room.data / "nothing"), sys.executable + "-missing"):
        with pytest.raises(EngineError, match=r"3\.11, 3\.12") as caught:
            install.install(InstallPlan(room.data, python=python, wheels=room.wheels), Watch(), room.extension)
        assert caught.value.where == python


def test_a_disk_that_is_too_small(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("addon.installer.plan.free_space", lambda folder: 1_000_000)
    with pytest.raises(OutputError, match="1 MB are free") as caught:
        room.install()
    assert caught.value.where == str(room.data)
    assert room.folders() == []


def test_a_folder_that_can_not_be(room: Room) -> None:
    room.data.write_text("a file", encoding="utf-8")
    with pytest.raises(OutputError, match="can't be written"):
        room.install()


def test_moved_with_its_checkpoints(used: Room, tmp_path: Path) -> None:
    (used.data / "checkpoints").mkdir()
    (used.data / "checkpoints" / "weights.pt").write_bytes(b"weights")
    target = tmp_path / "größere Platte"
    with pytest.raises(OutputError, match="neither inside"):
        install.move(used.data, used.data / "inside", Watch())
    with pytest.raises(Cancelled):
        install.move(used.data, target, Told(stop_at="Copying"))
    assert used.version() == "1.0"
    assert not (target / "runtime").exists()
    old, used.data = used.data, target
    install.move(old, target, Watch())
    assert used.version() == "1.0"
    assert (target / "checkpoints" / "weights.pt").read_bytes() == b"weights"
    assert not (old / "runtime").exists()


def test_its_python_is_gone(used: Room) -> None:
    current = current_runtime(used.data / "runtime")
    assert current is not None
    runtime_python(current).unlink()
    with pytest.raises(EngineError, match="Repair"):
        find_python(folder=str(used.data), environ={})
    assert install.installed(used.data / "runtime") is None


# --- from a registry


class Registry(http.server.ThreadingHTTPServer):
    """The wheels of a folder as an index (PEP 503); the first answer that is longer than `cut` bytes ends there."""

    def __init__(self, wheels: Path) -> None:
        super().__init__(("127.0.0.1", 0), RegistryHandler)
        self.wheels = wheels
        self.cut: int | None = 100_000
        self.fails = False
        self.ranges: list[str] = []


class RegistryHandler(http.server.BaseHTTPRequestHandler):
    server: Registry

    def do_GET(self) -> None:
        kind, _, name = self.path.strip("/").partition("/")
        if kind == "simple":
            files = [each.name for each in self.server.wheels.glob(f"{name.strip('/')}-*.whl")]
            body = "".join(f'<a href="/files/{file}">{file}</a>' for file in files).encode()
        else:
            body = (self.server.wheels / name).read_bytes()
        wanted = self.headers.get("Range", "")
        if wanted:
            self.server.ranges.append(wanted)
        start = int(wanted[len("bytes=") :].rstrip("-") or 0) if wanted.endswith("-") else 0
        asked_whole = self.headers.get("User-Agent", "").startswith("pip")
        cut = self.server.cut if self.command == "GET" and not asked_whole else None
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        self.send_header("Content-Type", "text/html" if kind == "simple" else "application/octet-stream")
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        if self.command == "GET" and not (self.server.fails and start):
            self.wfile.write(body[start : start + cut] if cut else body[start:])

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, *arguments: object) -> None:
        pass


def test_a_download_that_was_cut_goes_on_with_the_next_installation(
    room: Room, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """From a registry of one's own, that only pip's settings name; pip's own wheel can't be reached there."""
    wheel(room.wheels, "torch", "2.0", f"__version__ = '2.0'\nTABLE = '{random.Random(0).randbytes(150_000).hex()}'\n")
    room.pin("1.0")
    settings = tmp_path / "pip.conf"
    monkeypatch.setenv("PIP_CONFIG_FILE", str(settings))
    for name in ("PIP_FIND_LINKS", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(environment, "PIP_URL", "http://127.0.0.1:9/pip.whl")
    monkeypatch.setattr(install, "this_machine", lambda: torch_build.Machine("linux", nvidia=True))
    plan = InstallPlan(room.data)
    with Registry(room.wheels) as registry:
        threading.Thread(target=registry.serve_forever, args=(0.01,), daemon=True).start()
        settings.write_text(f"[global]\nindex-url = http://127.0.0.1:{registry.server_port}/simple\n", encoding="utf-8")
        registry.fails = True
        with pytest.raises(EngineError, match="goes on where it stopped"):
            install.install(plan, Watch(), room.extension)
        downloads = room.data / "runtime" / "downloads"
        part = downloads / "torch-2.0-py3-none-any.whl.part"
        assert part.stat().st_size == 100_000
        assert (downloads / "tiny-1.0-py3-none-any.whl").exists()
        assert room.folders() == ["downloads"]

        registry.fails, registry.cut = False, None
        registry.ranges.clear()
        install.install(plan, Watch(), room.extension)
        registry.shutdown()
    assert registry.ranges == ["bytes=100000-"]
    assert room.version() == "1.0"
    assert room.folders() == ["1"]


# --- as a process of its own


def child(room: Room, *arguments: str) -> subprocess.Popen[str]:
    """The process that Blender starts; it sees the pins of this test."""
    program = (
        "import sys, pathlib; from addon.installer import pins, install, torch_build, __main__ as m;"
        "pins.REQUIREMENTS = pathlib.Path(sys.argv.pop(1)); pins.HASHES = pins.REQUIREMENTS / 'hashes.txt';"
        "m.EXTENSION = pathlib.Path(sys.argv.pop(1)); install.this_machine = lambda: torch_build.Machine('linux');"
        "sys.exit(m.main())"
    )
    command = [sys.executable, "-c", program, str(room.requirements), str(room.extension), *arguments]
    return subprocess.Popen(
        [*command, "--folder", str(room.data)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        cwd=Path(__file__).parents[2],
    )


@contextlib.contextmanager
def engine_of_another_blender(room: Room) -> Iterator[None]:
    """It runs from the runtime that is the current one now."""
    program = "import sys; from addon.engine.__main__ import main; main(['run', 'no.json']); print(); sys.stdin.read()"
    python = find_python(folder=str(room.data), environ={})
    with subprocess.Popen(
        [str(python), "-u", "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=engine_environment(Path(__file__).parents[2], str(room.data)),
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == b""
        yield
        process.communicate()


def events(process: subprocess.Popen[str]) -> Iterator[dict[str, object]]:
    assert process.stdout is not None
    for line in process.stdout:
        yield json.loads(line)


def test_the_process_tells_in_json_lines(room: Room) -> None:
    with child(room, "install", "--wheels", str(room.wheels)) as process:
        *before, last = events(process)
    assert process.returncode == 0
    assert last["event"] == "done"
    assert "PyTorch 2.0" in str(last["words"])
    assert {each["event"] for each in before} <= {"progress", "note"}
    assert room.version() == "1.0"

    with child(room, "self-test") as process:
        *_, last = events(process)
    assert last["words"] == "The engine works, on auto, torch 2.0."
    with child(room, "remove") as process:
        *_, last = events(process)
    assert last["event"] == "done"
    with child(room, "self-test") as process:
        *_, last = events(process)
    assert (last["event"], last["exit_code"], process.returncode) == ("error", 7, 7)


@pytest.mark.parametrize("how", ["asked", "left alone"])
def test_the_process_stops(room: Room, how: str) -> None:
    """On request, and when Blender is gone; here while it waits for another one."""
    with only_one(room.data / "runtime" / "lock", "this test", Watch()), child(room, "install") as process:
        assert next(events(process))["event"] == "note"
        assert process.stdin is not None
        if how == "asked":
            process.stdin.write("stop\n")
            process.stdin.flush()
        else:
            process.stdin.close()
        assert process.wait(15) == 8
    assert room.folders() == []


class Told(Watch):
    """Remembers, and stops when what is done begins with a word."""

    def __init__(self, stop_at: str = "") -> None:
        self.stop_at = stop_at
        self.stopped = False
        self.fractions: list[float] = []

    def progress(self, words: str, fraction: float) -> None:
        self.fractions.append(fraction)
        self.stopped |= bool(self.stop_at) and self.stop_at in words

    def stopping(self) -> bool:
        return self.stopped
