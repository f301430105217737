"""A Job runs, and Blender is quit, its scene deleted, the extension disabled. With the real engine."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import bpy
import pytest
from conftest import PACKAGE, part
from test_jobs import blend, clip  # noqa: F401 (fixtures)

PATIENCE = 60.0  # seconds


def wait_until(condition) -> None:
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def is_gone(pid: int) -> bool:
    """Whether a process has ended, though nobody may have asked for its exit code yet."""
    if os.name == "nt":
        listed = subprocess.run(["tasklist", "/fi", f"PID eq {pid}", "/nh"], capture_output=True, text=True, check=True)
        return str(pid) not in listed.stdout
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z"


def track_until(clip, stage: str):  # noqa: F811
    run = part("tasks.job_run").start("track", clip)

    def there() -> bool:
        run.step()
        return bool(run.progress) and run.progress["stage"] == stage

    wait_until(there)
    return run


def enable() -> None:
    bpy.ops.preferences.addon_enable(module=PACKAGE)


def disable() -> None:
    bpy.ops.preferences.addon_disable(module=PACKAGE)


def test_quitting_while_a_job_runs(blend: Path) -> None:  # noqa: F811
    """Blender ends well, and the engine with it."""
    program = f"""
import sys
import bpy
bpy.ops.preferences.addon_enable(module={PACKAGE!r})
bpy.ops.wm.open_mainfile(filepath={str(blend)!r})
from {PACKAGE}.addon.tasks import job_run
run = job_run.start("track", bpy.data.movieclips[0])
for event in run.reply:
    if event.get("stage") == "track":
        break
print("engine", run.engine.pid, flush=True)
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=120)
    assert ended.returncode == 0, ended.stderr
    (pid,) = [int(line.split()[1]) for line in ended.stdout.splitlines() if line.startswith("engine ")]
    wait_until(lambda: is_gone(pid))
    assert "Traceback" not in ended.stderr


def test_the_scene_is_deleted_while_a_job_runs(clip) -> None:  # noqa: F811
    bpy.context.scene.name = "Shot"
    run = track_until(clip, "track")
    bpy.ops.scene.new(type="NEW")
    bpy.data.scenes.remove(bpy.data.scenes["Shot"])
    run.wait(print)
    assert run.error is None
    assert part("clip.frame_status").lane_of(clip)["tracked"] == {1, 2, 3, 4}


def test_disabled_while_a_job_runs(clip) -> None:  # noqa: F811
    """Nothing is waited for; the engine ends, and what it tracked is there when the extension is enabled again."""
    run = track_until(clip, "track")
    pid = run.engine.pid
    threads = {thread.name for thread in threading.enumerate()}
    try:
        disable()
        assert "splat-matte-engine-end" in {thread.name for thread in threading.enumerate()} - threads or is_gone(pid)
        assert not hasattr(bpy.types, "SPLATMATTE_OT_track")
        wait_until(lambda: is_gone(pid))
    finally:
        enable()
    assert part("tasks.job_run").running() is None
    assert bpy.ops.splat_matte.export() == {"FINISHED"}


def test_preferences_survive_that_the_extension_is_disabled(tmp_path: Path) -> None:
    def chosen():
        return part("settings.preferences").preferences()

    chosen().folder, chosen().device, chosen().cache_gigabytes = str(tmp_path), "cpu", 7.5
    chosen().trusted = "a" * 64
    try:
        disable()
        enable()
        assert (chosen().folder, chosen().device, chosen().cache_gigabytes) == (str(tmp_path), "cpu", 7.5)
        assert chosen().trusted == "a" * 64
        assert not chosen().is_property_set("threads"), "what was not set stays so"
        for name in ("folder", "device", "cache_gigabytes", "trusted"):
            chosen().property_unset(name)
        disable()
        enable()
        assert not chosen().is_property_set("folder"), "nor does what was set before come back"
    finally:
        for name in ("folder", "device", "cache_gigabytes", "trusted"):
            chosen().property_unset(name)


@pytest.mark.parametrize("content", ["", "[", '{"device": "cpu"', "\0"])
def test_kept_preferences_that_are_damaged_are_none(content: str) -> None:
    disable()
    file = Path(bpy.app.tempdir) / "splat_matte_preferences.json"
    file.write_text(content, encoding="utf-8")
    enable()
    assert not part("settings.preferences").preferences().is_property_set("device")
