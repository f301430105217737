"""Where the engine's Python is, on every system, and what it is started with."""

from pathlib import Path

import pytest

from addon.errors import EngineError
from addon.runtime import engine_environment, find_python, runtime_python


def make(python: Path) -> Path:
    python.parent.mkdir(parents=True, exist_ok=True)
    python.touch()
    return python


@pytest.mark.parametrize(
    ("platform", "environ", "expected"),
    [
        ("linux", {}, ".local/share/splat_matte/runtime/bin/python"),
        ("linux", {"XDG_DATA_HOME": "{home}/data"}, "data/splat_matte/runtime/bin/python"),
        ("darwin", {}, "Library/Application Support/splat_matte/runtime/bin/python"),
        ("win32", {}, "AppData/Local/splat_matte/runtime/Scripts/python.exe"),
        ("win32", {"LOCALAPPDATA": "{home}/local"}, "local/splat_matte/runtime/Scripts/python.exe"),
        ("win32", {"SPLAT_MATTE_FOLDER": "{home}/big"}, "big/runtime/Scripts/python.exe"),
    ],
)
def test_the_runtime_of_the_person(tmp_path: Path, platform: str, environ: dict[str, str], expected: str) -> None:
    python = make(tmp_path / expected)
    environ = {name: value.format(home=tmp_path) for name, value in environ.items()}
    assert find_python(platform=platform, environ=environ, home=tmp_path) == python


def test_the_order(tmp_path: Path) -> None:
    preferred, named = make(tmp_path / "preferred"), make(tmp_path / "named")
    kept = make(runtime_python(tmp_path / "folder" / "runtime", "linux"))
    folder = str(tmp_path / "folder")
    environ = {"SPLAT_MATTE_PYTHON": str(named)}
    assert find_python(str(preferred), folder, environ=environ, home=tmp_path) == preferred
    assert find_python("", folder, environ=environ, home=tmp_path) == named
    assert find_python("", folder, platform="linux", environ={}, home=tmp_path) == kept


@pytest.mark.parametrize(
    ("preference", "environ", "words"),
    [
        ("/nowhere/python", {}, "Preferences, Engine Python: /nowhere/python"),
        ("", {"SPLAT_MATTE_PYTHON": "/nowhere/python"}, "SPLAT_MATTE_PYTHON: /nowhere/python"),
        ("", {}, "vendor_setup runtime"),
    ],
)
def test_what_is_missing_is_said(tmp_path: Path, preference: str, environ: dict[str, str], words: str) -> None:
    with pytest.raises(EngineError, match=words):
        find_python(preference, environ=environ, home=tmp_path)


def test_environment() -> None:
    foreign = {"PYTHONPATH": "/blender", "PYTHONHOME": "/blender", "VIRTUAL_ENV": "/venv", "PATH": "/bin"}
    environment = engine_environment(Path("/extension"), "/big", 3, foreign)
    assert environment["PYTHONPATH"] == str(Path("/extension"))
    assert environment["PATH"] == "/bin"
    assert environment["SPLAT_MATTE_FOLDER"] == "/big"
    assert environment["OMP_NUM_THREADS"] == "3"
    assert environment["OMP_WAIT_POLICY"] == "PASSIVE"
    assert environment["PYTHONNOUSERSITE"] == "1"
    assert not {"PYTHONHOME", "VIRTUAL_ENV"} & set(environment)


def test_environment_without_wishes() -> None:
    environment = engine_environment(Path("/extension"), environ={})
    assert not {"SPLAT_MATTE_FOLDER", "OMP_NUM_THREADS"} & set(environment)
