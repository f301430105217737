"""Setting the engine up from Blender's preferences: what the buttons do, and what is said when they can't.

The installer itself is tested in tests/setup; here it is Blender's part of it.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import bpy
import pytest
from conftest import part

needs_scripts = pytest.mark.skipif(sys.platform == "win32", reason="Windows starts no script as a program")


@pytest.fixture
def preferences(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    """The extension's, with a data folder of this test; nothing of the environment counts."""
    monkeypatch.delenv("SPLAT_MATTE_PYTHON", raising=False)
    chosen = part("settings.preferences").preferences()
    chosen.folder = str(tmp_path / "Daten für Blender")
    yield chosen
    for name in ("folder", "wheels", "base_python", "build", "device", "gpu", "checkpoint"):
        chosen.property_unset(name)
    part("tasks.setup_run").forget()


@pytest.fixture
def online() -> Iterator[None]:
    system = bpy.context.preferences.system
    before, system.use_online_access = system.use_online_access, True
    yield
    system.use_online_access = before


@pytest.fixture
def offline() -> Iterator[None]:
    system = bpy.context.preferences.system
    before, system.use_online_access = system.use_online_access, False
    yield
    system.use_online_access = before


def test_nothing_is_downloaded_where_blender_is_offline(preferences, offline: None) -> None:
    for button in (
        bpy.ops.splat_matte.set_up,
        bpy.ops.splat_matte.install_engine,
        bpy.ops.splat_matte.download_checkpoint,
    ):
        with pytest.raises(RuntimeError, match="online access is off"):
            button()
    assert not Path(preferences.folder).exists()


def test_a_folder_of_wheels_needs_no_network(preferences, offline: None, tmp_path: Path) -> None:
    """It is read, and says what it lacks; nothing is left behind."""
    preferences.wheels = str(tmp_path)
    with pytest.raises(RuntimeError, match=r"There is no uv-.*\.whl in this folder. Put it there"):
        bpy.ops.splat_matte.install_engine()
    error = part("tasks.setup_run").latest().error
    assert type(error).__name__ == "EngineError"
    runtimes = Path(preferences.folder) / "runtime"
    assert [path.name for path in runtimes.iterdir() if path.is_dir()] == []


def test_set_up_needs_no_network_where_all_is_here(preferences, offline: None, tmp_path: Path) -> None:
    preferences.wheels = str(tmp_path)
    official = part("tasks.setup_run").recommended_checkpoint()
    folder = Path(preferences.folder) / "checkpoints"
    with pytest.raises(RuntimeError, match=rf"put {re.escape(official.file)} into {re.escape(str(folder))}\."):
        bpy.ops.splat_matte.set_up()
    folder.mkdir(parents=True)
    (folder / official.file).touch()
    with pytest.raises(RuntimeError, match=r"There is no uv-.*\.whl in this folder"):
        bpy.ops.splat_matte.set_up()


def test_a_python_that_will_not_do(preferences, online: None) -> None:
    preferences.base_python = "/nowhere/python"
    with pytest.raises(RuntimeError, match=r"/nowhere/python: .*Name one of 3\.11"):
        bpy.ops.splat_matte.install_engine()


INSTALLER = """\
import json, pathlib, sys
verb, folder = sys.argv[4], pathlib.Path(sys.argv[-1])
print(json.dumps({"event": "progress", "words": "Downloading", "fraction": 0.5}), flush=True)
with (folder.parent / "verbs.txt").open("a") as log:
    log.write(" ".join(sys.argv[4:-2]) + "\\n")
if (folder.parent / f"no {verb}").exists():
    message = {"event": "error", "message": "The server does not answer.", "hint": "Try again.", "exit_code": 6}
    print(json.dumps(message), flush=True)
    sys.exit(6)
if verb == "install":
    runtime = folder / "runtime" / "1" / "bin"
    runtime.mkdir(parents=True)
    (folder / "runtime" / "current.txt").write_text("1")
print(json.dumps({"event": "done", "words": f"{verb} is done."}), flush=True)
"""


@pytest.fixture
def room(preferences, online: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder above the data; the installer is a process that does what it is told to, without a network."""
    script = tmp_path / "installer"
    script.write_text(f"#!{sys.executable}\n{INSTALLER}", encoding="utf-8")
    script.chmod(0o755)
    setup_run = part("tasks.setup_run")
    monkeypatch.setattr(setup_run, "installer_python", lambda: str(script))
    monkeypatch.setattr(setup_run, "_machine", part("installer.torch_build").Machine("linux"))
    Path(preferences.folder).mkdir()
    return tmp_path


def verbs(room: Path) -> list[str]:
    return (room / "verbs.txt").read_text(encoding="utf-8").splitlines()


@needs_scripts
def test_set_up_is_the_engine_then_the_checkpoint(preferences, room: Path) -> None:
    """One press; the checkpoint becomes the model of all clips that name none, if nobody chose another."""
    setup_run = part("tasks.setup_run")
    assert setup_run.can_set_up()
    bpy.ops.splat_matte.set_up()
    assert verbs(room) == ["install --build auto", "checkpoint sam2.1_hiera_tiny"]
    assert not setup_run.can_set_up()
    assert preferences.checkpoint == "sam2.1_hiera_tiny"


@needs_scripts
def test_in_a_window_the_timer_goes_on_to_the_checkpoint(preferences, room: Path) -> None:
    setup_run = part("tasks.setup_run")
    setup_run.start("install", "--build", "auto", with_checkpoint=True)
    while (pause := setup_run._tick()) is not None:
        time.sleep(pause / 10)
    assert verbs(room) == ["install --build auto", "checkpoint sam2.1_hiera_tiny"]
    assert preferences.checkpoint == "sam2.1_hiera_tiny"


@needs_scripts
def test_set_up_keeps_a_model_that_was_chosen(preferences, room: Path) -> None:
    preferences.checkpoint = "sam2.1_hiera_large"
    bpy.ops.splat_matte.set_up()
    assert preferences.checkpoint == "sam2.1_hiera_large"


@needs_scripts
def test_set_up_where_the_checkpoint_is_here_already(preferences, room: Path) -> None:
    checkpoints = Path(preferences.folder) / "checkpoints"
    checkpoints.mkdir()
    (checkpoints / "sam2.1_hiera_tiny.pt").write_bytes(b"weights")
    bpy.ops.splat_matte.set_up()
    assert verbs(room) == ["install --build auto"]


@needs_scripts
def test_set_up_without_its_checkpoint_still_has_an_engine(preferences, room: Path) -> None:
    (room / "no checkpoint").touch()
    setup_run = part("tasks.setup_run")
    with pytest.raises(RuntimeError, match=r"The server does not answer\. Try again\."):
        bpy.ops.splat_matte.set_up()
    assert not setup_run.can_set_up()
    assert setup_run.latest().model == "sam2.1_hiera_tiny", "what the panels say depends on it"
    assert preferences.checkpoint == "embedded"


@needs_scripts
def test_no_checkpoint_without_an_engine(room: Path) -> None:
    (room / "no install").touch()
    with pytest.raises(RuntimeError, match="The server does not answer"):
        bpy.ops.splat_matte.set_up()
    assert verbs(room) == ["install --build auto"]
    assert part("tasks.setup_run").can_set_up()


def test_what_is_not_there_can_not_be_tried_out(preferences) -> None:
    with pytest.raises(RuntimeError, match="Install it first"):
        bpy.ops.splat_matte.self_test()


def test_moved(preferences, tmp_path: Path) -> None:
    checkpoints = Path(preferences.folder) / "checkpoints"
    checkpoints.mkdir(parents=True)
    (checkpoints / "weights.pt").write_bytes(b"weights")
    with pytest.raises(RuntimeError, match="No folder is chosen"):
        bpy.ops.splat_matte.move_data()
    target = tmp_path / "größere Platte"
    target.mkdir()
    bpy.ops.splat_matte.move_data(directory=str(target))
    assert Path(preferences.folder) == target
    assert (target / "checkpoints" / "weights.pt").read_bytes() == b"weights"
    assert not checkpoints.exists()
    bpy.ops.splat_matte.remove_engine()
    assert (target / "checkpoints" / "weights.pt").exists()


def test_a_gpu_that_failed_is_taken_again_once_it_works(preferences) -> None:
    """Automatic means the CPU while the last self-test says so; the user's own choice does not change."""
    settings, measured = part("settings.preferences"), part("runtime.measured")
    folder = Path(preferences.folder)
    assert settings.device() == "auto"
    measured.write(folder, measured.Measured("CPU, 2 threads", "float32"))  # the engine, when the installer asks again
    part("tasks.setup_run")._take_over({"gpu_problem": "no kernel image"})
    assert (preferences.device, settings.device()) == ("auto", "cpu")
    preferences.device = "cuda"
    assert settings.device() == "cuda"
    preferences.device = "auto"
    measured.write(folder, measured.Measured("RTX 5090", "bfloat16"))
    part("tasks.setup_run")._take_over({"gpu_problem": ""})
    assert settings.device() == "auto"


def test_one_gpu_of_several(preferences) -> None:
    """The choice stays when GPUs are added or removed, and a warning appears if the chosen one is gone."""
    measured = part("runtime.measured")
    old, new = measured.Gpu("GPU-1", "RTX 4090"), measured.Gpu("GPU-2", "RTX 5090")

    def seen(*gpus: object) -> None:
        measured.write(Path(preferences.folder), measured.Measured("RTX", "bfloat16", gpus=gpus))

    assert preferences.gpu_choice == "auto"
    seen(old, new)
    preferences.gpu_choice = "GPU-2"
    assert preferences.gpu == "GPU-2"
    seen(new)
    assert preferences.gpu_choice == "GPU-2"
    seen(old)
    assert preferences.gpu_choice == "GPU-2"
    assert part("settings.preferences")._gpu_items(preferences, None)[-1][1] == "One that is not there"
    preferences.gpu_choice = "auto"
    assert preferences.gpu == ""


def test_settings_that_do_nothing_are_not_shown() -> None:
    shown = part("ui.preferences_panel").settings_shown
    assert "gpu_gigabytes" not in shown("darwin", several_gpus=False)
    assert "gpu_gigabytes" in shown("win32", several_gpus=False)
    assert "gpu_choice" not in shown("linux", several_gpus=False)
    assert "gpu_choice" in shown("linux", several_gpus=True)
    for name in shown("linux", several_gpus=True):
        assert hasattr(part("settings.preferences").preferences(), name)


def test_diagnostics_name_no_files(preferences, tmp_path: Path) -> None:
    (tmp_path / "Secret Client").mkdir()
    preferences.wheels = str(tmp_path / "Secret Client")
    with pytest.raises(RuntimeError):
        bpy.ops.splat_matte.install_engine()
    copy = part("operators.copy_diagnostics")
    text = part("runtime.diagnostics").as_text(copy.facts())
    assert bpy.app.version_string in text
    assert "not installed" in text
    assert "install, EngineError" in text
    assert "unknown" not in text
    for private in (str(tmp_path), tmp_path.name, "Secret", "Client", "Daten", str(Path.home())):
        assert private not in text, text


def test_one_model_for_all_clips(preferences, tmp_path: Path) -> None:
    """A clip that names none uses the preferences'."""
    (tmp_path / "still.png").write_bytes(b"")
    settings = bpy.data.movieclips.load(str(tmp_path / "still.png")).splat_matte
    checkpoint_of = part("clip.to_job").checkpoint_of
    assert settings.checkpoint == "DEFAULT"
    assert checkpoint_of(settings) == "embedded"
    preferences.checkpoint = "sam2.1_hiera_tiny"
    assert checkpoint_of(settings) == "sam2.1_hiera_tiny"
    settings.checkpoint = "sam2.1_hiera_large"
    assert checkpoint_of(settings) == "sam2.1_hiera_large"
