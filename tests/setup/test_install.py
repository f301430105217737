"""The engine's runtime, installed for real: a real Python, the real uv, from a folder of tiny packages made here.

The engine is a stand-in that answers the self-test, because a real one is gigabytes; everything else is what an artist
runs.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.server
import io
import json
import random
import shutil
import subprocess
import sys
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from addon.contract.errors import Cancelled, EngineError, OutputError
from addon.installer import install, pins, torch_build, uv
from addon.installer.plan import InstallPlan
from addon.runtime.locate import current_runtime, engine_environment, find_python, runtime_python
from addon.runtime.lock import only_one
from addon.runtime.processes import run_quietly
from addon.runtime.watch import Watch
from vendor_setup.environments import RUNTIME

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
        for room in (self.wheels, self.extension / "addon" / "engine", self.requirements):
            room.mkdir(parents=True)
        (self.extension / "addon" / "engine" / "__main__.py").write_text(ENGINE, encoding="utf-8")
        monkeypatch.setattr(pins, "REQUIREMENTS", self.requirements)
        monkeypatch.setattr(pins, "HASHES", self.requirements / "hashes.txt")
        monkeypatch.setattr(install, "this_machine", lambda: torch_build.Machine("linux"))
        for name in ("build.txt", "cuda.txt"):
            (self.requirements / name).touch()
        (self.requirements / "build.txt").write_text("helper==1.0\n", encoding="utf-8")
        wheel(self.wheels, "helper", "1.0", "")
        shutil.copy2(uv.bring_wheel(RUNTIME / "uv", None, Watch()), self.wheels)
        wheel(self.wheels, "torch", "2.0", "__version__ = '2.0'\n")
        self.pin("1.0")

    def pin(self, version: str) -> None:
        """Let the engine need this version of tiny; pins know all files that are in the folder."""
        wheel(self.wheels, "tiny", version, f"VERSION = {version!r}\n")
        (self.requirements / "engine.txt").write_text(f"torch==2.0\ntiny=={version}\n", encoding="utf-8")
        lines = []
        for archive in (*self.wheels.glob("*.whl"), *self.wheels.glob("*.tar.gz")):
            name, number, *_ = archive.name.removesuffix(".tar.gz").split("-")
            lines.append(f"{hashlib.sha256(archive.read_bytes()).hexdigest()}  {name}=={number}\n")
        (self.requirements / "hashes.txt").write_text("".join(lines), encoding="utf-8")

    def plan(self) -> InstallPlan:
        return InstallPlan(self.data, wheels=self.wheels)

    def install(self, watch: Watch | None = None) -> install.Installed:
        return install.install(self.plan(), watch or Watch(), self.extension)

    def version(self) -> str:
        """Return the version of tiny in the runtime that Blender would start."""
        python = find_python(folder=str(self.data), environ={})
        return run_quietly([str(python), "-c", "import tiny; print(tiny.VERSION)"]).strip()

    def folders(self) -> list[str]:
        return sorted(path.name for path in (self.data / "runtime").iterdir() if path.is_dir())

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
    """A folder where tiny 1.0 is installed already."""
    shutil.copytree(template, room.data, symlinks=True)
    return room


def test_installed_updated_on_the_cpu_and_removed(room: Room) -> None:
    with pytest.raises(EngineError, match="Press Set Up"):
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
    assert "uv pip install" in room.plan().log.read_text(encoding="utf-8")

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
    assert [path.name for path in room.data.iterdir() if path.is_dir()] == ["checkpoints"]


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
    assert "PyTorch Build" in caught.value.hint
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


def source_archive(folder: Path, ran: Path | None = None) -> Path:
    """Of a package `sly`, which brings its own build backend; with `ran` it leaves that file when it runs."""
    file = folder / "sly-1.0.tar.gz"
    spy = f"open({str(ran)!r}, 'w').close()\n" if ran else ""
    wheel = """
import base64, hashlib, zipfile
def build_wheel(folder, *others):
    name, info = "sly-1.0-py3-none-any.whl", "sly-1.0.dist-info/"
    texts = {"sly.py": "", info + "METADATA": "Metadata-Version: 2.1\\nName: sly\\nVersion: 1.0\\n",
             info + "WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n", info + "RECORD": ""}
    with zipfile.ZipFile(folder + "/" + name, "w") as archive:
        for path, text in texts.items():
            archive.writestr(path, text)
    return name
"""
    texts = {
        "pyproject.toml": "[build-system]\nrequires = []\nbuild-backend = 'backend'\nbackend-path = ['.']\n",
        "backend.py": spy + wheel,
        "setup.py": spy,
        "PKG-INFO": "Metadata-Version: 2.1\nName: sly\nVersion: 1.0\n",
    }
    with tarfile.open(file, "w:gz") as archive:
        for name, text in texts.items():
            entry = tarfile.TarInfo(f"sly-1.0/{name}")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return file


def tamper(room: Room, kind: str, ran: Path) -> str:
    """Change a file whose hash is pinned so that it leaves `ran` when it runs; returns its name."""
    spy = f"open({str(ran)!r}, 'w').close()\n"
    if kind == "source archive":
        return source_archive(room.wheels, ran).name
    if kind == "uv":
        file = next(room.wheels.glob("uv-*.whl"))
        file.write_bytes(file.read_bytes() + b"!")
        return file.name
    name, version = {"wheel": ("tiny", "1.0"), "build tool": ("helper", "1.0"), "torch": ("torch", "2.0")}[kind]
    return wheel(room.wheels, name, version, spy).name


KINDS = ("wheel", "source archive", "build tool", "torch", "uv")


@pytest.fixture
def with_source(room: Room) -> Room:
    """Where the engine needs a package that exists as source only, as sam2 does."""
    source_archive(room.wheels)
    room.pin("1.0")
    engine = room.requirements / "engine.txt"
    engine.write_text(engine.read_text(encoding="utf-8") + "sly==1.0\n", encoding="utf-8")
    return room


def test_a_source_archive_is_built(with_source: Room) -> None:
    with_source.install()
    python = find_python(folder=str(with_source.data), environ={})
    run_quietly([str(python), "-c", "import sly"])


@pytest.mark.parametrize("kind", KINDS)
def test_of_a_changed_file_nothing_runs(with_source: Room, kind: str, tmp_path: Path) -> None:
    file = tamper(with_source, kind, tmp_path / "ran")
    with pytest.raises(EngineError, match=r"sha256 is another|sha256 of this file is not") as caught:
        with_source.install()
    assert Path(caught.value.where).name == file
    assert not (tmp_path / "ran").exists()
    assert with_source.folders() == []


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
    with pytest.raises(OutputError, match="can't be inside the old one"):
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
    """The files of a folder as an index (PEP 503) that behaves as servers and networks do.

    cut: the first answer to our downloader that is longer ends after so many bytes.
    fails: what was cut does not go on either.
    stalls: it sends nothing of a file, and keeps the line open until `calm` is set.
    lies: the hash that the index names for a file; else the one that it has.
    lengths: how long a file is, when our downloader only asks about it; else as long as it is.
    """

    def __init__(self, wheels: Path) -> None:
        super().__init__(("127.0.0.1", 0), RegistryHandler)
        self.wheels = wheels
        self.cut: int | None = None
        self.fails = False
        self.stalls = ""
        self.lies: dict[str, str] = {}
        self.lengths: dict[str, int] = {}
        self.asked = threading.Event()
        self.calm = threading.Event()
        self.ranges: list[str] = []

    @property
    def index(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/simple"


class RegistryHandler(http.server.BaseHTTPRequestHandler):
    server: Registry

    def do_GET(self) -> None:
        kind, _, name = self.path.strip("/").partition("/")
        if kind == "simple":
            files = [
                archive
                for archive in self.server.wheels.glob(f"{name.strip('/')}-*")
                if archive.suffix in (".whl", ".gz")
            ]
            body = "".join(
                f'<a href="/files/{archive.name}#sha256={self._hash(archive)}">{archive.name}</a>' for archive in files
            ).encode()
        else:
            body = (self.server.wheels / name).read_bytes()
        wanted = self.headers.get("Range", "")
        ours = self.headers.get("User-Agent", "").startswith("Python-urllib")
        if wanted and ours:
            self.server.ranges.append(wanted)
        begin, _, end = wanted.removeprefix("bytes=").partition("-")
        start = int(begin) if begin else len(body) - int(end) if end else 0
        part = body[start : int(end) + 1 if begin and end else len(body)]
        self.send_response(206 if wanted else 200)
        if wanted:
            self.send_header("Content-Range", f"bytes {start}-{start + len(part) - 1}/{len(body)}")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Type", "text/html" if kind == "simple" else "application/octet-stream")
        length = self.server.lengths.get(name, len(part)) if self.command == "HEAD" and ours else len(part)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        if self.command == "HEAD" or (self.server.fails and ours and start):
            return
        if kind == "files" and ours and self.server.stalls and name.startswith(self.server.stalls):
            self.server.asked.set()
            self.server.calm.wait()
            return
        self.wfile.write(part[: self.server.cut] if ours else part)

    def do_HEAD(self) -> None:
        self.do_GET()

    def _hash(self, file: Path) -> str:
        return self.server.lies.get(file.name) or hashlib.sha256(file.read_bytes()).hexdigest()

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def registry(room: Room, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Registry]:
    """A private registry that only pip's settings name; the default one can't be reached."""
    settings = tmp_path / "pip.conf"
    monkeypatch.setenv("PIP_CONFIG_FILE", str(settings))
    for name in ("PIP_FIND_LINKS", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(uv, "_FILES", "http://127.0.0.1:9")
    monkeypatch.setattr(install, "this_machine", lambda: torch_build.Machine("linux", nvidia=True))
    with Registry(room.wheels) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        settings.write_text(f"[global]\nindex-url = {server.index}\n", encoding="utf-8")
        yield server
        server.calm.set()
        server.shutdown()


def fetch_uv_before(room: Room) -> None:
    """Install uv as an earlier installation did."""
    downloads = room.data / "runtime" / "downloads"
    downloads.mkdir(parents=True)
    shutil.copy2(next(room.wheels.glob("uv-*.whl")), downloads)


def test_a_download_that_was_cut_goes_on_with_the_next_installation(room: Room, registry: Registry) -> None:
    wheel(room.wheels, "torch", "2.0", f"__version__ = '2.0'\nTABLE = '{random.Random(0).randbytes(150_000).hex()}'\n")
    room.pin("1.0")
    plan = InstallPlan(room.data)
    registry.cut, registry.fails = 100_000, True
    with pytest.raises(EngineError, match="resumes where it stopped"):
        install.install(plan, Watch(), room.extension)
    downloads = room.data / "runtime" / "downloads"
    part = downloads / "torch-2.0-py3-none-any.whl.part"
    assert part.stat().st_size == 100_000
    assert (downloads / "tiny-1.0-py3-none-any.whl").exists()
    assert room.folders() == ["downloads"]

    registry.fails, registry.cut = False, None
    registry.ranges.clear()
    install.install(plan, Watch(), room.extension)
    assert registry.ranges == ["bytes=100000-"]
    assert room.version() == "1.0"
    assert room.folders() == ["1"]


@pytest.mark.parametrize("lies", [True, False], ids=["its index has the pinned hash", "its index has the other hash"])
@pytest.mark.parametrize("kind", KINDS)
def test_of_a_changed_file_in_a_registry_nothing_runs(
    with_source: Room, registry: Registry, kind: str, lies: bool, tmp_path: Path
) -> None:
    right = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in with_source.wheels.iterdir()}
    if kind != "uv":
        fetch_uv_before(with_source)
    tamper(with_source, kind, tmp_path / "ran")
    registry.lies = right if lies else {}
    with pytest.raises(EngineError):
        install.install(InstallPlan(with_source.data), Watch(), with_source.extension)
    assert not (tmp_path / "ran").exists()
    assert with_source.folders() == ["downloads"]


def test_a_registry_that_can_not_be_reached(room: Room, registry: Registry) -> None:
    fetch_uv_before(room)
    registry.shutdown()
    registry.server_close()
    with pytest.raises(EngineError) as caught:
        install.install(InstallPlan(room.data), Watch(), room.extension)
    assert "Check the connection" in caught.value.hint
    assert room.folders() == ["downloads"]


# --- as a process of its own


def child(room: Room, *arguments: str) -> subprocess.Popen[str]:
    """The process that Blender starts; it sees the pins of this test."""
    program = (
        "import sys, pathlib; from addon.installer import pins, install, torch_build, __main__ as m;"
        "pins.REQUIREMENTS = pathlib.Path(sys.argv.pop(1)); pins.HASHES = pins.REQUIREMENTS / 'hashes.txt';"
        "m.EXTENSION = pathlib.Path(sys.argv.pop(1));"
        "install.this_machine = lambda: torch_build.Machine('linux', nvidia=True);"
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
    assert {event["event"] for event in before} <= {"progress", "note"}
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


def test_more_than_was_announced_is_asked_about(room: Room, registry: Registry) -> None:
    """Before anything of it is downloaded; a yes goes on."""
    fetch_uv_before(room)
    registry.lengths["torch-2.0-py3-none-any.whl"] = 9_000_000_000
    with child(room, "install") as process:
        *_, last = events(process)
    assert (last["event"], last.get("build"), process.returncode) == ("ask", "pypi-cuda", 7), last
    assert "9,000 MB" in str(last["message"])
    downloads = room.data / "runtime" / "downloads"
    assert not list(downloads.glob("torch-*"))
    assert room.folders() == ["downloads"]

    registry.lengths.clear()
    with child(room, "install", "--agreed", "pypi-cuda") as process:
        *_, last = events(process)
    assert last["event"] == "done"


@pytest.mark.parametrize("moment", ["a download stalls", "it is tried out"])
def test_stop_is_answered_at_once(room: Room, registry: Registry, moment: str) -> None:
    """The answer comes while what was interrupted is still what it was."""
    arguments: tuple[str, ...] = ("install",)
    if moment == "a download stalls":
        registry.stalls = "tiny"
    else:
        room.flag("slow")
        arguments = ("install", "--wheels", str(room.wheels))
    fetch_uv_before(room)
    with child(room, *arguments) as process:
        heard = events(process)
        if moment == "a download stalls":
            assert registry.asked.wait(120)
        else:
            assert any("Trying the engine" in str(event.get("words")) for event in heard)
        assert process.stdin is not None
        process.stdin.write("stop\n")
        process.stdin.flush()
        last = next(event for event in heard if event["event"] == "error")
        assert not registry.calm.is_set()
        assert (last["exit_code"], last["message"]) == (8, "Stopped. What was downloaded is kept.")
        registry.calm.set()
        assert next(heard, None) is None, "that was the last word"
        assert process.wait() == 8
    assert [name for name in room.folders() if name.isdecimal()] == []


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
