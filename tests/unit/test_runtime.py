"""Where the engine's Python is, on every system, and what it is started with."""

import dataclasses
from pathlib import Path

import pytest

from addon.contract.errors import EngineError
from addon.runtime import measured
from addon.runtime.locate import CURRENT, current_runtime, engine_environment, find_python, runtime_python
from addon.runtime.measured import Gpu, Measured


def make(python: Path) -> Path:
    python.parent.mkdir(parents=True, exist_ok=True)
    python.touch()
    return python


def installed(folder: Path, platform: str) -> Path:
    """Create the files of an installation that matter here."""
    python = make(runtime_python(folder / "runtime" / "3", platform))
    (folder / "runtime" / CURRENT).write_text("3", encoding="ascii")
    return python


@pytest.mark.parametrize(
    ("platform", "environ", "expected"),
    [
        ("linux", {}, ".local/share/splat_matte"),
        ("linux", {"XDG_DATA_HOME": "{home}/data"}, "data/splat_matte"),
        ("darwin", {}, "Library/Application Support/splat_matte"),
        ("win32", {}, "AppData/Local/splat_matte"),
        ("win32", {"LOCALAPPDATA": "{home}/local"}, "local/splat_matte"),
        ("win32", {"SPLAT_MATTE_FOLDER": "{home}/big"}, "big"),
    ],
)
def test_the_runtime_of_the_person(tmp_path: Path, platform: str, environ: dict[str, str], expected: str) -> None:
    python = installed(tmp_path / expected, platform)
    environ = {name: value.format(home=tmp_path) for name, value in environ.items()}
    assert find_python(platform=platform, environ=environ, home=tmp_path) == python


def test_the_order(tmp_path: Path) -> None:
    preferred, named = make(tmp_path / "preferred"), make(tmp_path / "named")
    kept = installed(tmp_path / "folder", "linux")
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
        ("", {}, "Press Set Up"),
    ],
)
def test_what_is_missing_is_said(tmp_path: Path, preference: str, environ: dict[str, str], words: str) -> None:
    with pytest.raises(EngineError, match=words):
        find_python(preference, environ=environ, home=tmp_path)


def test_environment() -> None:
    foreign = {"PYTHONPATH": "/blender", "PYTHONHOME": "/blender", "VIRTUAL_ENV": "/venv", "PATH": "/bin"}
    environment = engine_environment(
        Path("/extension"), "/big", 3, foreign, gpu="GPU-1", gpu_gigabytes=6.0, idle_minutes=5.0
    )
    assert environment["PYTHONPATH"] == str(Path("/extension"))
    assert environment["PATH"] == "/bin"
    assert environment["SPLAT_MATTE_FOLDER"] == "/big"
    assert environment["OMP_NUM_THREADS"] == "3"
    assert environment["SPLAT_MATTE_GPU_GB"] == "6.0"
    assert environment["CUDA_VISIBLE_DEVICES"] == environment["SPLAT_MATTE_GPU"] == "GPU-1"
    assert environment["SPLAT_MATTE_IDLE_MINUTES"] == "5.0"
    assert environment["OMP_WAIT_POLICY"] == "PASSIVE"
    assert environment["PYTHONNOUSERSITE"] == "1"
    assert not {"PYTHONHOME", "VIRTUAL_ENV"} & set(environment)


def test_environment_without_wishes() -> None:
    environment = engine_environment(Path("/extension"), environ={})
    wishes = {"FOLDER", "GPU", "GPU_GB", "IDLE_MINUTES"}
    assert not {"OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES", *(f"SPLAT_MATTE_{wish}" for wish in wishes)} & set(
        environment
    )


def test_what_was_measured_here(tmp_path: Path) -> None:
    before = Measured("RTX 2080", "float16", 0.00123, {"embedded": 31.0}, (Gpu("GPU-1", "RTX 2080"),))
    measured.write(tmp_path / "new", before)
    assert measured.read(tmp_path / "new") == before
    measured.note_problem(tmp_path / "new", "no kernel image")
    found = measured.read(tmp_path / "new")
    assert found == dataclasses.replace(before, gpu_problem="no kernel image")
    assert found.words == (
        "RTX 2080, float16 (0.12% of a matte differ from float32), 31 frames/s with the embedded checkpoint"
    )


@pytest.mark.parametrize("text", ["", "{", "[]", '{"device": 1}', '{"device": "a", "precision": "b", "more": 1}'])
def test_a_damaged_file_of_measurements_counts_as_none(tmp_path: Path, text: str) -> None:
    assert measured.read(tmp_path) is None
    measured.note_problem(tmp_path, "there is nothing that it belongs to")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "self_test.json").write_text(text, encoding="utf-8")
    assert measured.read(tmp_path) is None


@pytest.mark.parametrize("content", ["", "../../elsewhere", "/etc", "3/../..", "no number"])
def test_only_a_number_names_a_runtime(tmp_path: Path, content: str) -> None:
    (tmp_path / CURRENT).write_text(content, encoding="ascii")
    assert current_runtime(tmp_path) is None
