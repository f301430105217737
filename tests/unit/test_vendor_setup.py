"""What vendor_setup decides: which Python, which torch, which folders, what to run, what is ready."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from addon.checkpoints import EMBEDDED_CONFIG, OFFICIAL, checkpoints_folder
from addon.contract.errors import EngineError
from addon.installer import pins, uv
from addon.runtime.locate import runtime_python
from addon.runtime.processes import quiet_environment, run_quietly
from addon.runtime.user_folder import user_folder
from vendor_setup import checks, cli, environments, gui, pythons
from vendor_setup.environments import BLENDERS, ENGINE, QUICK, REQUIREMENTS, TYPES, Environment

ROOT = Path(__file__).parents[2]
EVERY_ENVIRONMENT = (QUICK, ENGINE, TYPES, *BLENDERS)


# --- which Python


def stub(folder: Path, name: str, script: str) -> Path:
    file = folder / name
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    return file


def test_probe_the_running_python() -> None:
    found = pythons.probe([sys.executable])
    assert found is not None
    assert found.version == sys.version_info[:2]
    assert found.path.exists()


posix_only = pytest.mark.skipif(sys.platform == "win32", reason="shell scripts stand in for Pythons")


@posix_only
@pytest.mark.parametrize(
    "script",
    [
        "echo 'python3.13: command not found' >&2; exit 127",  # a version manager's stub
        "echo \"No module named 'ensurepip'\" >&2; exit 1",  # Debian without python3-venv
        "echo hello",
        "",
    ],
)
def test_probe_what_is_no_python(tmp_path: Path, script: str) -> None:
    assert pythons.probe([str(stub(tmp_path, "python3.13", script))]) is None


def test_probe_what_is_not_there(tmp_path: Path) -> None:
    assert pythons.probe([str(tmp_path / "python3.11")]) is None


@posix_only
def test_the_first_usable_python_of_a_version_counts(tmp_path: Path) -> None:
    def python(name: str, version: str) -> list[str]:
        return [str(stub(tmp_path, name, f"echo {version.replace('.', ' ')} '/opt/{name}/bin/python'"))]

    broken = [str(stub(tmp_path, "stub", "exit 1"))]
    old, new = python("old", "3.9"), python("new", "3.14")
    first, second, thirteen = python("with space", "3.11"), python("second", "3.11"), python("thirteen", "3.13")
    found = pythons.find_pythons([broken, new, thirteen, old, first, second])
    assert {version: python.path for version, python in found.items()} == {
        (3, 13): Path("/opt/thirteen/bin/python"),
        (3, 11): Path("/opt/with space/bin/python"),
    }
    assert list(found) == [(3, 13), (3, 11)]  # in the order of preference
    assert pythons.find_pythons([broken, old, new]) == {}


@posix_only
def test_candidates_come_from_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("python3.13", "python3.12", "py"):
        stub(tmp_path, name, "exit 1")
    monkeypatch.setenv("PATH", str(tmp_path))
    running, thirteen = [sys.executable], [str(tmp_path / "python3.13")]
    assert pythons.candidates(pythons.SUPPORTED, "linux") == [running, thirteen]
    launcher = str(tmp_path / "py")
    assert pythons.candidates(pythons.SUPPORTED, "win32") == [
        running,
        [launcher, "-3.11"],
        thirteen,
        [launcher, "-3.13"],
    ]


# --- which folders


def test_user_folder_on_three_systems() -> None:
    home = Path("/home/mia")
    assert user_folder("linux", {}, home) == home / ".local/share/splat_matte"
    assert user_folder("linux", {"XDG_DATA_HOME": "relative"}, home) == home / ".local/share/splat_matte"
    assert user_folder("darwin", {}, home) == home / "Library/Application Support/splat_matte"
    assert user_folder("win32", {}, home) == home / "AppData/Local/splat_matte"
    assert user_folder("win32", {"LOCALAPPDATA": "/local"}, home) == Path("/local/splat_matte")
    for platform in ("linux", "darwin", "win32"):
        assert user_folder(platform, {"SPLAT_MATTE_FOLDER": "/big/disk"}, home) == Path("/big/disk")


@pytest.mark.skipif(sys.platform == "win32", reason="an absolute path of the other systems")
def test_user_folder_by_xdg() -> None:
    assert user_folder("linux", {"XDG_DATA_HOME": "/data"}, Path("/home/mia")) == Path("/data/splat_matte")


def test_runtime_python_on_three_systems() -> None:
    folder = Path("env")
    assert runtime_python(folder, "linux") == Path("env/bin/python")
    assert runtime_python(folder, "darwin") == Path("env/bin/python")
    assert runtime_python(folder, "win32") == Path("env/Scripts/python.exe")


def test_checkpoints() -> None:
    assert checkpoints_folder().parent == user_folder()
    assert EMBEDDED_CONFIG.is_file()
    assert len(OFFICIAL) == 8
    assert len({checkpoint.sha256 for checkpoint in OFFICIAL.values()}) == 8
    for name, checkpoint in OFFICIAL.items():
        assert checkpoint.name == name
        assert checkpoint.url.endswith(f"/{checkpoint.file}")
        assert re.fullmatch(r"[0-9a-f]{64}", checkpoint.sha256)
        assert 150e6 < checkpoint.bytes < 900e6


# --- what is in an environment, and whether it is ready


def requirements(environment: Environment) -> list[str]:
    lines = []
    for name in environment.requirements:
        lines += (REQUIREMENTS / name).read_text(encoding="utf-8").splitlines()
    engine = [line for file in pins.FILES for line in pins.read(file)] if environment.engine else []
    return engine + [line for line in lines if line and not line.startswith("#")]


@pytest.mark.parametrize("environment", EVERY_ENVIRONMENT, ids=lambda environment: environment.name)
def test_every_requirement_is_exact_and_has_one_version(environment: Environment) -> None:
    versions: dict[str, str] = {}
    for line in requirements(environment):
        found = re.fullmatch(r"([\w.-]+)==([\w.]+)(; platform_system == \"\w+\")?", line)
        assert found, line
        name = found[1].lower().replace("_", "-")
        assert versions.setdefault(name, found[2]) == found[2]


def test_an_artists_engine_has_nothing_for_tests() -> None:
    assert "torch==2.13.0" in pins.read(pins.ENGINE)
    assert not any(line.startswith(("pytest", "torchvision")) for line in pins.read(pins.ENGINE))


def test_every_file_of_the_engine_has_a_hash() -> None:
    for line in (line for file in pins.FILES for line in pins.read(file)):
        name, version = re.split(r"==|;", line)[:2]
        found = pins.hashes_of(name, version, "")
        assert found, f"{line}: run `python3 vendor_setup hashes`"
        assert all(re.fullmatch(r"[0-9a-f]{64}", pin) for pin in found)
    version = pins.version_of("torch")
    for python in ("cp311", "cp312", "cp313", "cp314"):
        for platform in ("manylinux_2_28_x86_64", "manylinux_2_28_aarch64", "win_amd64"):
            file = f"torch-{version}+cpu-{python}-{python}-{platform}.whl"
            assert pins.hashes_of("torch", f"{version}+cpu", file), file


def test_another_comment_makes_no_engine_out_of_date(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would be installed anew by everybody who updates the extension."""
    before = pins.digest()
    shutil.copytree(pins.REQUIREMENTS, tmp_path / "engine")
    monkeypatch.setattr(pins, "REQUIREMENTS", tmp_path / "engine")
    file = tmp_path / "engine" / pins.ENGINE
    file.write_bytes(b"# Another word on it.\r\n" + file.read_bytes().replace(b"\n", b"\r\n"))
    assert pins.digest() == before
    file.write_bytes(file.read_bytes().replace(b"==", b"==1", 1))
    assert pins.digest() != before


def test_environment_is_ready_only_with_a_stamp_of_its_pins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(REQUIREMENTS, tmp_path / "requirements")
    monkeypatch.setattr(environments, "REQUIREMENTS", tmp_path / "requirements")
    folder = tmp_path / "env"
    assert not environments.is_ready(QUICK, folder)
    python = runtime_python(folder)
    run_quietly([sys.executable, "-m", "venv", "--without-pip", str(folder)])
    assert not environments.is_ready(QUICK, folder)  # interrupted before its stamp
    (folder / "ready.txt").write_text(environments.pins(QUICK), encoding="utf-8")
    assert environments.is_ready(QUICK, folder)

    pins = tmp_path / "requirements" / "lint.txt"
    text = pins.read_bytes()
    pins.write_bytes(text.replace(b"\n", b"\r\n"))  # Git on Windows
    assert environments.is_ready(QUICK, folder)
    pins.write_bytes(b"# Another word on it.\n" + text)
    assert environments.is_ready(QUICK, folder)
    pins.write_bytes(text.replace(b"ruff==", b"ruff==1"))
    assert not environments.is_ready(QUICK, folder)
    pins.write_bytes(text)

    python.unlink()  # its Python was uninstalled
    assert not environments.is_ready(QUICK, folder)


def test_the_engines_pins_are_pins_of_its_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(REQUIREMENTS, tmp_path / "tests")
    shutil.copytree(pins.REQUIREMENTS, tmp_path / "engine")
    monkeypatch.setattr(environments, "REQUIREMENTS", tmp_path / "tests")
    monkeypatch.setattr(pins, "REQUIREMENTS", tmp_path / "engine")
    seen = {environments.pins(ENGINE)}
    files = [tmp_path / "tests" / name for name in ENGINE.requirements]
    for file in (*files, *(tmp_path / "engine" / name for name in pins.FILES)):
        file.write_text(file.read_text(encoding="utf-8") + "more==1.0\n", encoding="utf-8")
        seen.add(environments.pins(ENGINE))
    assert len(seen) == 1 + len(ENGINE.requirements) + len(pins.FILES)


# --- what runs


def test_asked_for_help_it_runs_nothing(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "test", pytest.fail)
    assert cli.main(["test", "engine", "--help"]) == 0
    told = capsys.readouterr().out
    assert all(part in told for part in ("usage", *checks.PARTS))


def test_parts() -> None:
    every = checks.all_checks(BLENDERS)
    assert checks.choose([], every) == ([check for check in every if check.part != "gui-long"], [])
    chosen, rest = checks.choose(["unit", "blender"], every)
    assert {check.part for check in chosen} == {"unit", "blender"}
    assert len([check for check in chosen if check.part == "blender"]) == len(BLENDERS)
    assert rest == []


def test_arguments_for_pytest() -> None:
    every = checks.all_checks(BLENDERS)
    chosen, rest = checks.choose(["engine", "-k", "unit", "-x"], every)
    assert [check.part for check in chosen] == ["engine"]
    assert rest == ["-k", "unit", "-x"]
    chosen, rest = checks.choose(["-k", "resume"], every)
    assert {check.part for check in chosen} == set(checks.PARTS) - {"lint", "types", "gui", "gui-long"}
    assert rest == ["-k", "resume"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not say")
def test_what_a_check_asks_of_the_processors_counts_its_children() -> None:
    busy = "import time\nwhile time.process_time() < 0.3: pass"
    check = checks.all_checks([])[0]
    program = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {busy!r}]); sys.exit(3)"
    result = checks._timed(check, [sys.executable, "-c", program], None)
    assert result.code == 3
    assert result.processor is not None and result.processor >= 0.3


def test_what_checks_import_is_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    assert "PYTHONDONTWRITEBYTECODE" not in checks.child_environment()


def test_environment_variables_of_a_child() -> None:
    clean = quiet_environment({"PYTHONPATH": "/elsewhere", "VIRTUAL_ENV": "/v", "PATH": "/bin"})
    assert clean == {"PATH": "/bin", "PYTHONNOUSERSITE": "1", "PYTHONUTF8": "1"}


def test_run_quietly_tells_the_last_words() -> None:
    assert run_quietly([sys.executable, "-c", "print('ü')"]).strip() == "ü"
    with pytest.raises(EngineError) as caught:
        run_quietly([sys.executable, "-c", "import sys; print('noise'); sys.exit('first\\nthe reason\\n\\n')"])
    assert caught.value.message == "the reason"
    with pytest.raises(EngineError, match="can't be started"):
        run_quietly(["/no/such/program"])


def run_setup(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "vendor_setup"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_command_line() -> None:
    helped = run_setup("--help")
    assert helped.returncode == 0
    assert all(f"  {command} " in helped.stdout for command in cli.COMMANDS)
    unknown = run_setup("tset")
    assert unknown.returncode == 2
    assert "'tset'" in unknown.stderr
    assert len(unknown.stderr.splitlines()) == 1
    assert run_setup().returncode == 2
    assert run_setup("checkpoint", "sam3").returncode == 2


def test_every_package_and_its_version_is_documented() -> None:
    """docs/dependencies.md names each with its licence."""
    text = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    for line in [requirement for environment in EVERY_ENVIRONMENT for requirement in requirements(environment)] + [
        f"uv=={uv.VERSION}"
    ]:
        name, version = re.split(r"==|[; ]", line)[:2]
        assert re.search(rf"\b{re.escape(name)} (?:[\w.]+, )*{re.escape(version)}\b", text), line


def test_the_gui_test_says_what_it_lacks() -> None:
    everything = {"BLENDER": "/opt/blender/blender", "DISPLAY": ":0"}
    assert gui.missing("linux", everything, lambda tool: tool) == []
    assert gui.missing("linux", {"BLENDER": "blender"}, lambda tool: tool) == [], "xvfb-run makes a display"
    nothing = gui.missing("linux", {}, lambda tool: None)
    assert [words.split()[0].strip(",") for words in nothing] == ["BLENDER", "a", "xdotool", "import"]
    (wrong,) = gui.missing("linux", everything, lambda tool: None if "blender" in tool else tool)
    assert "/opt/blender/blender" in wrong
    assert gui.missing("win32", everything, lambda tool: tool)


@pytest.mark.parametrize(("code", "word", "passed"), [(0, "ok", True), (77, "NOT RUN", True), (1, "FAILED", False)])
def test_a_gui_test_that_did_not_run_is_no_failure(code: int, word: str, passed: bool) -> None:
    (check,) = (check for check in checks.all_checks([]) if check.part == "gui")
    assert checks._outcome(check, code, []).strip() == word
    assert checks._passed(check, code, []) is passed
    other = checks.all_checks([])[0]
    assert not checks._passed(other, 77, [])
