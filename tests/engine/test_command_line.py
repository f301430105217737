"""The engine's command line as a person on a farm meets it: exit codes, last lines, bad input, nothing half-written."""

import json
import os
import subprocess
import sys
from pathlib import Path

import av
import cv2
import numpy as np
import OpenImageIO
import pytest
import torch
from PIL import Image

from addon.contract.errors import ExitCode
from addon.contract.job import Job
from addon.engine.matting.upsample import enlarged, union
from addon.engine.session import Session
from addon.runtime import measured

ROOT = Path(__file__).resolve().parents[2]


def engine(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "addon.engine", *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )


@pytest.fixture
def frames(clip) -> Path:
    """Six frames in a folder with a name that breaks careless code."""
    folder = clip.room / "Stühle & co"
    folder.mkdir()
    for i, file in enumerate(clip.files[:6], 1):
        (folder / f"chair {i:04d}.jpg").write_bytes(file.read_bytes())
    return folder


def test_track_and_export(frames: Path, clip) -> None:
    x, y = clip.subject
    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in frames.iterdir()}
    done = engine("track", frames, "--point", f"seat:2:{x}:{y}", "--point", "seat:2:20:20:exclude")
    assert done.returncode == ExitCode.OK, done.stderr
    version = Path(done.stdout.splitlines()[-1])
    assert version == frames / "chair_matte" / "v001"
    assert [path.name for path in sorted(version.iterdir())] == [f"chair {i:04d}.png" for i in range(1, 7)]

    job = Job.from_dict(json.loads((frames / "chair_matte" / "v001.json").read_text())["job"])
    takes = Session(lambda *_: None, lambda: False).track(job).takes
    for i in range(1, 7):
        plate = np.asarray(Image.open(frames / f"chair {i:04d}.jpg").convert("RGB"))
        result = np.asarray(Image.open(version / f"chair {i:04d}.png"))
        assert np.array_equal(result[..., :3], plate), "RGB is the plate's, value for value"
        assert np.array_equal(result[..., 3], union([takes["seat"].matte(i).logits], plate.shape[1], plate.shape[0]))

    again = engine("track", frames, "--point", f"seat:2:{x}:{y}", "--point", "seat:2:20:20:exclude")
    second = Path(again.stdout.splitlines()[-1])
    assert second.name == "v002", "a finished version is never written to"
    assert "track " not in again.stdout, "nothing is tracked twice"
    for path in version.iterdir():
        assert (second / path.name).read_bytes() == path.read_bytes()
    after = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in frames.glob("*.jpg")}
    assert after == before, "footage is never touched"


def test_masks_of_two_objects_by_a_programs_rules(frames: Path, clip) -> None:
    """Each object's own mattes reach its own files; inverted, what was white is black; nothing is tracked twice."""
    x, y = clip.subject
    marked = ("track", frames, "--point", f"seat:1:{x}:{y}", "--box", "left:1:10:10:300:470", "--range", "1:2")
    versions = []
    for arguments in (("objects",), ("objects", "--invert"), ("labels",)):
        done = engine(*marked, "--export", *arguments)
        assert done.returncode == ExitCode.OK, done.stderr
        versions.append(Path(done.stdout.splitlines()[-1]))
    assert "track " not in done.stdout
    takes = Session(lambda *_: None, lambda: False).track(Job.load(_job_beside(versions[0], clip.room))).takes
    labels = np.asarray(Image.open(versions[2] / "chair 0002.png"))
    for name in ("seat", "left"):
        expected = union([takes[name].matte(2).logits], clip.width, clip.height)
        white, black = (np.asarray(Image.open(version / name / "chair 0002.png")) for version in versions[:2])
        assert np.array_equal(white, expected)
        assert np.array_equal(black, 255 - expected)
        assert np.all(labels[expected > 0] > 0)
    seat, left = (enlarged(takes[name].matte(2).logits, clip.width, clip.height, slice(None)) for name in takes)
    expected = np.where((seat > 0) & (seat >= left), 1, np.where(left > 0, 2, 0))
    assert np.array_equal(labels, expected), "where both are, the one that the model is surer of"


def test_soft_mattes_reach_what_keeps_greys(frames: Path, tmp_path: Path, clip) -> None:
    """The same greys in every target that has them, along the edge alone; colours stay; trainers get hard edges."""
    x, y = clip.subject
    path = tmp_path / "job.json"
    engine("track", frames, "--point", f"seat:1:{x}:{y}", "--range", "1:2", "--save-job", path)
    job = json.loads(path.read_text(encoding="utf-8"))
    job["objects"][0]["finishing"] = {"soft": 8}
    versions = {}
    for target in ("postshot", "compositing", "tiff", "layers", "ffv1", "brush"):
        job["target"], job["delivery"] = target, {**job.get("delivery", {}), "greys": target == "brush"}
        path.write_text(json.dumps(job), encoding="utf-8")
        done = engine("run", path)
        assert done.returncode == ExitCode.OK, done.stderr
        versions[target] = Path(done.stdout.splitlines()[-1])
    for i in (1, 2):
        hard = np.asarray(Image.open(versions["postshot"] / f"chair {i:04d}.png"))[..., 3]
        pixels = np.asarray(Image.open(versions["compositing"] / f"chair {i:04d}.png"))
        soft = pixels[..., 3]
        assert np.array_equal(np.unique(hard), [0, 255])
        assert len(np.unique(soft)) > 200
        square = np.ones((17, 17), np.uint8)
        away = cv2.dilate(hard, square) == cv2.erode(hard, square)
        assert np.array_equal(soft[away], hard[away])
        assert np.array_equal(pixels[..., :3], np.asarray(Image.open(frames / f"chair {i:04d}.jpg").convert("RGB")))
        assert np.array_equal(np.asarray(Image.open(versions["tiff"] / f"chair {i:04d}.tif")), pixels)
        assert np.array_equal(np.asarray(Image.open(versions["brush"] / "masks" / f"chair {i:04d}.png")), soft)
        layers = OpenImageIO.ImageInput.open(str(versions["layers"] / f"chair {i:04d}.exr"))
        names = layers.spec().channelnames
        alpha = np.asarray(layers.read_image(0, 0, 0, len(names), "float"))[..., names.index("seat.A")]
        layers.close()
        assert np.abs(255 * alpha - soft).max() < 0.1, "half precision"
    with av.open(str(next(versions["ffv1"].iterdir()))) as movie:
        last = [frame.to_ndarray(format="rgba") for frame in movie.decode(video=0)][1]
    assert np.array_equal(last[..., 3], soft)


@pytest.mark.parametrize("capture", ["any", "turntable"])
def test_doubtful_pixels_are_ignored(frames: Path, clip, capture: str) -> None:
    """By the logits of the surest object; what is certain is as without it, and so is a shadow."""
    x, y = clip.subject
    marked = ("track", frames, "--point", f"seat:1:{x}:{y}", "--box", "left:1:10:10:300:470", "--range", "1:1")
    done = engine(*marked, "--target", "lichtfeld", "--ignore-doubtful", "--capture", capture)
    assert done.returncode == ExitCode.OK, done.stderr
    version = Path(done.stdout.splitlines()[-1])
    told = f"To align, COLMAP: --ImageReader.mask_path {version}/alignment"
    assert (told in done.stdout.splitlines()) == (capture == "turntable")
    assert ("To train, LichtFeld Studio: " in done.stdout) == (capture == "turntable")
    takes = Session(lambda *_: None, lambda: False).track(Job.load(_job_beside(version, clip.room))).takes
    logits = np.max(
        [enlarged(take.matte(1).logits, clip.width, clip.height, slice(None)) for take in takes.values()], axis=0
    )
    bands = np.asarray(Image.open(version / "masks" / "chair 0001.png"))
    doubtful = np.abs(logits) < 2.2
    assert doubtful.any()
    np.testing.assert_array_equal(bands, np.where(doubtful, 0, np.where(logits > 0, 255, 192)))
    told = json.loads(version.with_suffix(".json").read_text(encoding="utf-8"))["report"]["export"]
    assert told["mask_mode"] == "segment_and_ignore"
    assert "10 to 90 percent" in told["files"]


def test_two_cameras_in_one_go(frames: Path, clip) -> None:
    """Same names in two folders; each marked on its own frames; one version with both folders."""
    x, y = clip.subject
    folders = [clip.room / "shoot" / name for name in ("left", "right")]
    for folder in folders:
        folder.mkdir(parents=True)
        for file in sorted(frames.iterdir())[:2]:
            (folder / file.name).write_bytes(file.read_bytes())
    marks = ("--point", f"seat:1:{x}:{y}", "--point", f"seat:3:{x}:{y}", "--export", "masks")
    done = engine("track", *folders, *marks)
    assert done.returncode == ExitCode.OK, done.stderr
    assert done.stdout.splitlines()[:2] == ["left: frames 1 to 2", "right: frames 3 to 4"]
    version = Path(done.stdout.splitlines()[-1])
    assert version == clip.room / "shoot" / "shoot_matte" / "v001"
    names = sorted(file.relative_to(version).as_posix() for file in version.rglob("*.png"))
    assert names == [f"{folder}/chair 000{i}.png" for folder in ("left", "right") for i in (1, 2)]
    again = engine("track", clip.room / "shoot", *marks)
    assert Path(again.stdout.splitlines()[-1]).name == "v002"
    assert "track " not in again.stdout, "the folder above means the same footage"


def _job_beside(version: Path, room: Path) -> Path:
    document = json.loads(version.with_suffix(".json").read_text(encoding="utf-8"))
    path = room / "beside.json"
    path.write_text(json.dumps(document["job"]), encoding="utf-8")
    return path


def test_a_saved_job_runs_alike(frames: Path, tmp_path: Path) -> None:
    path = tmp_path / "job.json"
    box = ("track", frames, "--box", "seat:1:200:100:600:400", "--range", "1:3")
    assert engine(*box, "--save-job", path).returncode == ExitCode.OK
    assert not (frames / "chair_matte").exists()
    done = engine("run", path)
    assert done.returncode == ExitCode.OK, done.stderr
    assert len(list(Path(done.stdout.splitlines()[-1]).iterdir())) == 3


def truncate(frames: Path) -> None:
    path = frames / "chair 0003.jpg"
    path.write_bytes(path.read_bytes()[:4000])


def shrink(frames: Path) -> None:
    with Image.open(frames / "chair 0003.jpg") as image:
        half = image.resize((image.width // 2, image.height // 2))
    half.save(frames / "chair 0003.jpg")


def nothing(frames: Path) -> None:
    pass


ON = ("--point", "seat:1:400:240")


@pytest.mark.parametrize(
    ("spoil", "arguments", "code", "words"),
    [
        pytest.param(truncate, ON, ExitCode.FOOTAGE, "chair 0003.jpg", id="truncated image"),
        pytest.param(shrink, ON, ExitCode.FOOTAGE, "chair 0003.jpg", id="sizes that differ"),
        pytest.param(nothing, (), ExitCode.JOB, "Nothing is marked", id="no prompts"),
        pytest.param(nothing, ("--point", "seat:1:400:240:exclude"), ExitCode.JOB, "only exclude", id="only excludes"),
        pytest.param(nothing, (*ON, "--range", "2:5"), ExitCode.JOB, "frame 1", id="prompt outside the range"),
        pytest.param(nothing, ("--point", "seat:1:4000:240"), ExitCode.JOB, "outside the image", id="point outside"),
        pytest.param(nothing, ("--point", "seat:1:400"), ExitCode.JOB, "--point", id="half a point"),
        pytest.param(nothing, ("--point", "seat:1:nan:240"), ExitCode.JOB, "'nan' is not a number", id="not a number"),
        pytest.param(nothing, ("--box", "seat:1:0:0:9:inf"), ExitCode.JOB, "'inf' is not a number", id="infinite"),
        pytest.param(nothing, ("--point", "seat:1.7:4:24"), ExitCode.JOB, "'1.7' is not the number", id="no frame"),
        pytest.param(nothing, (*ON, "--range", "nan:3"), ExitCode.JOB, "--range", id="no range"),
        pytest.param(nothing, ("--mask", "seat:1:no.png"), ExitCode.JOB, "no.png", id="missing mask"),
        pytest.param(nothing, (*ON, "--checkpoint", "sam9"), ExitCode.CHECKPOINT, "sam9", id="unknown checkpoint"),
        pytest.param(
            nothing, (*ON, "--checkpoint", "sam2.1_hiera_tiny"), ExitCode.CHECKPOINT, "vendor_setup", id="not there"
        ),
        pytest.param(nothing, (*ON, "--export", "fax"), ExitCode.JOB, "postshot", id="unknown target"),
    ],
)
def test_bad_input(frames: Path, spoil, arguments: tuple[str, ...], code: ExitCode, words: str, tmp_path: Path) -> None:
    spoil(frames)
    result = subprocess.run(
        [sys.executable, "-P", "-m", "addon.engine", "track", str(frames), *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "XDG_DATA_HOME": str(tmp_path), "LOCALAPPDATA": str(tmp_path)},
        check=False,
    )
    assert result.returncode == code, result.stderr
    assert words in result.stderr
    assert "Traceback" not in result.stderr
    assert not list(frames.glob("chair_matte/v*")), "nothing half-written"


def test_no_footage(tmp_path: Path) -> None:
    result = engine("track", tmp_path / "nowhere", *ON)
    assert result.returncode == ExitCode.FOOTAGE
    assert "nowhere" in result.stderr


def test_a_gap_is_reported(frames: Path) -> None:
    (frames / "chair 0004.jpg").unlink()
    result = engine("track", frames, *ON, "--export", "")
    assert result.returncode == ExitCode.OK, result.stderr
    assert "chair 0003.jpg" in result.stderr
    assert "missing" in result.stderr


def test_self_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the installer runs: the device in words at the end; a device that is not there is an error in words."""
    monkeypatch.setenv("SPLAT_MATTE_FOLDER", str(tmp_path / "Daten"))
    done = engine("self-test", "--device", "cpu")
    assert done.returncode == ExitCode.OK, done.stderr
    assert done.stdout.splitlines()[-1].startswith("CPU, ")
    found = measured.read(tmp_path / "Daten")
    assert found is not None
    assert done.stdout.splitlines()[-1] == found.words
    assert found.speeds.keys() == {"embedded"}
    assert found.speeds["embedded"] > 0
    if not torch.backends.mps.is_available():
        refused = engine("self-test", "--device", "mps")
        assert refused.returncode == ExitCode.CHECKPOINT
        assert "has no mps" in refused.stderr
