"""Track and export from Blender, with the real engine: SPLAT_MATTE_PYTHON says which Python runs it."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import get_args

import bpy
import pytest
from conftest import PACKAGE, part
from PIL import Image, ImageDraw

SIZE = (96, 64)
COUNT = 4


@pytest.fixture
def clip(tmp_path: Path) -> bpy.types.MovieClip:
    """A bright disc that moves over grey, marked in the middle of its first frame."""
    return disc(tmp_path / "plätes", COUNT)


def disc(folder: Path, count: int) -> bpy.types.MovieClip:
    folder.mkdir()
    for i in range(count):
        image = Image.new("RGB", SIZE, (60, 60, 60))
        ImageDraw.Draw(image).ellipse((20 + 4 * i, 16, 52 + 4 * i, 48), fill=(230, 200, 40))
        image.save(folder / f"shot.{i + 1:04d}.png")
    clip = bpy.data.movieclips.load(str(folder / "shot.0001.png"))
    clip.use_fake_user = True
    bpy.context.scene.active_clip = clip
    track = clip.tracking.objects["Camera"].tracks.new(name="Track", frame=1)
    track.markers.insert_frame(1, co=(36 / SIZE[0], 0.5))
    return clip


def matte_folder(clip: bpy.types.MovieClip) -> Path:
    return Path(bpy.path.abspath(clip.filepath)).parent / "shot_matte"


def versions(clip: bpy.types.MovieClip) -> list[str]:
    folder = matte_folder(clip)
    return sorted(path.name for path in folder.glob("v*")) if folder.exists() else []


def test_track_then_export(clip, capfd) -> None:
    assert bpy.ops.splat_matte.track() == {"FINISHED"}
    assert versions(clip) == []
    assert bpy.ops.splat_matte.export() == {"FINISHED"}
    assert versions(clip) == ["v001", "v001.json"]
    assert f"{COUNT}/{COUNT}" in capfd.readouterr().out
    source = Path(clip.filepath).parent
    for i in range(COUNT):
        name = f"shot.{i + 1:04d}.png"
        with Image.open(source / "shot_matte" / "v001" / name) as matte, Image.open(source / name) as plate:
            assert matte.mode == "RGBA"
            assert matte.convert("RGB").tobytes() == plate.tobytes()
            assert not any(matte.getchannel("A").histogram()[1:255])


def test_the_engine_stays_warm(clip, monkeypatch) -> None:
    bpy.ops.splat_matte.track()
    first = part("tasks.job_run").latest().engine.pid
    monkeypatch.setenv("WRITTEN_BY_ANOTHER_ADD_ON", "1")
    bpy.ops.splat_matte.export()
    assert part("tasks.job_run").latest().engine.pid == first
    bpy.ops.splat_matte.restart_engine()
    bpy.ops.splat_matte.export()
    assert part("tasks.job_run").latest().engine.pid != first


def test_a_killed_engine_is_reported_and_the_next_run_goes_on(clip) -> None:
    running = part("tasks.job_run")
    run = running.start("track", clip)
    for event in run.reply:
        if event.get("stage") == "track":
            break
    os.kill(run.engine.pid, signal.SIGTERM if os.name == "nt" else signal.SIGKILL)
    with pytest.raises(part("contract.errors").EngineError, match="What was finished is kept"):
        run.wait(print)
    assert running.running() is None
    assert bpy.ops.splat_matte.export() == {"FINISHED"}
    assert versions(clip) == ["v001", "v001.json"]


def test_stopping_keeps_what_is_done(tmp_path: Path) -> None:
    """Of so many frames that tracking can't end before it is stopped."""
    running = part("tasks.job_run")
    run = running.start("track", disc(tmp_path / "long", 10 * COUNT))
    for event in run.reply:
        if event.get("stage") == "track":
            bpy.ops.splat_matte.cancel()
            break
    with pytest.raises(part("contract.errors").Cancelled):
        run.wait(print)
    assert run.in_words() == "Stopping"
    assert run.engine.alive
    assert bpy.ops.splat_matte.export() == {"FINISHED"}


def test_one_at_a_time(clip) -> None:
    runs = part("tasks.job_run")
    run = runs.start("track", clip)
    second = runs.start("track", clip)
    assert second.waits
    assert runs.pending() == [run, second]
    run.wait(print)
    runs.go_on()
    assert not second.waits
    second.wait(print)
    assert runs.running() is None


def test_what_is_wrong_is_said(clip) -> None:
    clip.tracking.objects["Camera"].tracks[0].hide = True
    with pytest.raises(RuntimeError, match="Nothing is marked"):
        bpy.ops.splat_matte.track()
    clip.tracking.objects["Camera"].tracks[0].hide = False
    bpy.context.scene.active_clip = clip
    clip.tracking.objects["Camera"].tracks[0].select = True
    bpy.ops.splat_matte.mark_exclude()
    with pytest.raises(RuntimeError, match="only exclude points"):
        bpy.ops.splat_matte.track()
    bpy.ops.splat_matte.mark_include()
    clip.splat_matte.checkpoint = "FILE"
    with pytest.raises(RuntimeError, match="No checkpoint file"):
        bpy.ops.splat_matte.track()
    clip.splat_matte.checkpoint_file = str(Path(clip.filepath).with_name("none.pt"))
    with pytest.raises(RuntimeError, match=r"none\.pt"):
        bpy.ops.splat_matte.track()


def test_an_engine_that_is_not_there(clip, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SPLAT_MATTE_PYTHON", str(tmp_path / "python"))
    with pytest.raises(RuntimeError, match="SPLAT_MATTE_PYTHON"):
        bpy.ops.splat_matte.track()


def command_line(blend: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Call the same function as `blender -b blend --command splat_matte ...`, as the wheels' Blender has no command
    line.
    """
    program = f"""
import sys
import bpy
bpy.ops.preferences.addon_enable(module={PACKAGE!r})
bpy.ops.wm.open_mainfile(filepath={str(blend)!r})
from {PACKAGE}.addon import cli
code = cli.main({list(arguments)!r})
sys.stdout.flush()
bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
sys.exit(code)
"""
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, encoding="utf-8", check=False
    )


@pytest.fixture
def blend(clip, tmp_path: Path) -> Path:
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    return tmp_path / "shot.blend"


def test_command_line(blend: Path, clip) -> None:
    matte = matte_folder(clip)
    result = command_line(blend, "export", "--range", "1:2", "--direction", "forward")
    assert result.returncode == 0, result.stderr
    assert Path(result.stdout.splitlines()[-1]) == matte / "v001"
    assert sorted(path.name for path in (matte / "v001").iterdir()) == ["shot.0001.png", "shot.0002.png"]
    shutil.rmtree(matte)
    result = command_line(blend, "track", "--clip", clip.name)
    assert result.returncode == 0, result.stderr
    assert versions(clip) == []
    assert f"{COUNT} frames" in result.stdout
    assert Path(result.stdout.splitlines()[-1]) == matte / "work"


def test_clips_of_several_cameras(blend: Path, clip) -> None:
    """Each clip named gets its version, in the order of the names."""
    folder = Path(bpy.path.abspath(clip.filepath)).parent
    second = shutil.copytree(folder, folder.with_name("second"))
    other = bpy.data.movieclips.load(str(second / "shot.0001.png"))
    other.name, other.use_fake_user = "other", True
    other.tracking.objects["Camera"].tracks.new(name="Track", frame=1).markers.insert_frame(1, co=(0.4, 0.5))
    bpy.ops.wm.save_as_mainfile(filepath=str(blend))
    result = command_line(blend, "export", "--clip", "other", "--clip", clip.name, "--frames", "1:1")
    assert result.returncode == 0, result.stderr
    found = [line for line in result.stdout.splitlines() if line.endswith("v001")]
    assert [Path(line) for line in found] == [second / "shot_matte" / "v001", matte_folder(clip) / "v001"]


def test_masks_for_nerfstudio(blend: Path, clip) -> None:
    """The clip's choices reach the engine, from the panel's settings and from the command line."""
    transforms = blend.with_name("transforms.json")
    transforms.write_text('{"frames": [{"file_path": "plates/shot.0002.png"}]}')
    settings = part("settings.clip_settings").settings_of(clip)
    targets = part("contract.targets").TARGETS
    assert settings.bl_rna.properties["target"].enum_items.keys() == list(targets)
    assert settings.target == "postshot"
    settings.target, settings.transforms, settings.invert = "nerfstudio", str(transforms), True
    job, _ = part("clip.to_job").make_job(clip, "cpu", export=True)
    assert (job.target, job.invert, Path(job.transforms)) == ("nerfstudio", True, transforms)
    assert not job.footage.panorama
    settings.target, settings.panorama = "labels", True
    job, _ = part("clip.to_job").make_job(clip, "cpu", export=True)
    assert (job.target, job.invert, job.transforms) == ("labels", False, "")
    assert job.footage.panorama
    settings.panorama = False

    result = command_line(blend, "export", "--target", "nerfstudio", "--invert", "--transforms", str(transforms))
    assert result.returncode == 0, result.stdout + result.stderr
    version = Path(result.stdout.splitlines()[-1])
    assert '"mask_path": "masks/shot.0002.png"' in (version / "transforms.json").read_text()
    with Image.open(version / "masks" / "shot.0002.png") as mask:
        assert mask.mode == "L"
        assert mask.size == SIZE
    assert '"invert": true' in version.with_suffix(".json").read_text(encoding="utf-8")


def test_going_on_with_a_version(blend: Path, clip) -> None:
    """The panel's choices and the command line's: which frames, and which version to continue."""
    settings = part("settings.clip_settings").settings_of(clip)
    settings.export_scope, settings.export_into, settings.export_use_range = "changed", "latest", True
    settings.export_start, settings.export_end = 2, 900
    settings.plate_alpha = "multiply"
    settings.edge_colours = "subject"
    job, _ = part("clip.to_job").make_job(clip, "cpu", export=True)
    assert job.delivery.edge_colours == "subject"
    settings.edge_colours = "as_shot"
    job, _ = part("clip.to_job").make_job(clip, "cpu", export=True)
    assert job.delivery == part("contract.job_types").Delivery("changed", (2, COUNT), "latest", "multiply")
    bpy.context.scene.render.fps, bpy.context.scene.render.fps_base = 24, 1.001
    settings.target = "prores"  # one file for all frames: written whole, at the scene's rate
    job, _ = part("clip.to_job").make_job(clip, "cpu", export=True)
    assert (job.delivery.scope, job.delivery.into) == ("all", "")
    assert job.delivery.frame_rate == pytest.approx(24000 / 1001)
    settings.capture = "turntable"
    settings.ignored_band, settings.ignore_doubtful, settings.greys = (
        3,
        True,
        True,
    )  # those too are for some targets only
    settings.edge_colours = "subject"  # a movie's stay as shot
    job, _ = part("clip.to_job").make_job(clip, "cpu", export=True)
    assert job.delivery.edge_colours == "as_shot"
    delivery = job.delivery
    assert (delivery.ignored_band, delivery.ignore_doubtful, delivery.greys) == (0, False, False)
    assert delivery.capture == "any"
    for target, delivered in (("lichtfeld", (3, True, False)), ("brush", (0, False, True))):
        settings.target = target
        job, _ = part("clip.to_job").make_job(clip, "cpu", export=True)
        assert (job.delivery.ignored_band, job.delivery.ignore_doubtful, job.delivery.greys) == delivered
        assert job.delivery.capture == "turntable"
    settings.target = "postshot"
    settings.export_start = 1000
    assert settings.export_end == 1000
    with pytest.raises(part("contract.errors").JobError, match="range to export begins with frame 1000"):
        part("clip.to_job").make_job(clip, "cpu", export=True)

    shots = []
    for arguments in (["--frames", "1:2"], ["--scope", "missing", "--into", "latest"]):
        result = command_line(blend, "export", "--target", "masks", *arguments)
        assert result.returncode == 0, result.stdout + result.stderr
        version = Path(result.stdout.splitlines()[-1])
        assert version.name == "v001"
        shots.append(sorted(path.name for path in version.iterdir()))
    assert [len(names) for names in shots] == [2, COUNT]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["export", "--clip", "other"], 4, "no clip of that name"),
        (["export", "--range", "3:9000"], 3, "Nothing is marked"),
        (["export", "--range", "9:10"], 3, "ends with frame 4"),
        (["export", "--range", "x"], 2, "not two frames"),
        (["export", "--range", "2:1"], 2, "not two frames"),
        (["track", "--checkpoint", "sam9"], 5, "sam9"),
        ([], 2, "usage"),
    ],
)
def test_command_line_errors(blend: Path, arguments: list[str], code: int, words: str) -> None:
    result = command_line(blend, *arguments)
    assert result.returncode == code, result.stdout + result.stderr
    assert words in result.stderr


def test_what_is_asked_for_meanwhile_waits_its_turn(clip, tmp_path: Path) -> None:
    """Three Jobs of two clips wait; one is moved up, one removed. Each runs as it was when it was requested."""
    runs = part("tasks.job_run")
    other = tmp_path / "other"
    shutil.copytree(Path(clip.filepath).parent, other)
    second = bpy.data.movieclips.load(str(other / "shot.0001.png"))
    second.name = "second"
    track = second.tracking.objects["Camera"].tracks.new(name="Track", frame=1)
    track.markers.insert_frame(1, co=(36 / SIZE[0], 0.5))
    first = runs.start("track", clip)
    exported, other_export = runs.start("export", clip), runs.start("export", second)
    tracked = runs.start("track", second)
    assert runs.pending() == [first, exported, other_export, tracked]
    assert [run.waits for run in runs.pending()] == [False, True, True, True]
    runs.move(tracked, -2)
    assert runs.waiting() == [tracked, exported, other_export]
    with pytest.raises(RuntimeError, match="running already"):
        bpy.ops.splat_matte.track()
    other_export.stop()
    bpy.data.movieclips.remove(second)
    begun = []
    while runs.pending():
        runs.go_on()
        begun.append(runs.running())
        begun[-1].wait(print)
    assert begun == [first, tracked, exported]
    assert type(other_export.error).__name__ == "Cancelled"
    assert [run.error for run in begun] == [None] * 3
    assert versions(clip) == ["v001", "v001.json"]
    assert sorted(folder.name for folder in (other / "shot_matte").iterdir()) == ["work"]
    assert runs.latest("second") is tracked and runs.latest() is exported


def test_whatever_waits_has_a_name_in_the_queue() -> None:
    assert set(part("ui.panels.queue")._VERBS) == set(get_args(part("tasks.job_run").Verb))
