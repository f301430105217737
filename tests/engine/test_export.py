"""Export: what is in the files, and that a version is there whole or not at all, whatever happens."""

from __future__ import annotations

import dataclasses
import io
import json
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import OpenImageIO
import pytest
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms, ImageOps

from addon.contract.errors import Cancelled, ExitCode, FootageError
from addon.contract.job import Job
from addon.contract.job_types import Delivery, MatteObject, Point, Prompt
from addon.engine.export import export, prepare
from addon.engine.export.png import write_rgba
from addon.engine.footage.footage import Reader, scan
from tests.engine.export_process import matte, may_mount, run

PROCESS = Path(__file__).with_name("export_process.py")
WIDTH, HEIGHT, FRAMES = 90, 60, 10


def noise(seed: int, dtype: Any = np.uint8, channels: int = 3) -> Any:
    generator = np.random.default_rng(seed)
    return generator.integers(0, np.iinfo(dtype).max, (HEIGHT, WIDTH, channels), dtype, endpoint=True)


@pytest.fixture
def plates(tmp_path: Path) -> Path:
    folder = tmp_path / "plates ü"
    folder.mkdir()
    for i in range(1, FRAMES + 1):
        Image.fromarray(noise(i)).save(folder / f"shot.{i:04d}.png")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def below(folder: Path) -> list[str]:
    """Return every file below a folder, to show that there is no other one."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def read_everywhere(file: Path) -> NDArray[Any]:
    """Read a file, (H, W, 4), which must be the same in Pillow, OpenCV and OpenImageIO."""
    spec = OpenImageIO.ImageSpec()
    spec.attribute("oiio:UnassociatedAlpha", 1)
    opened = OpenImageIO.ImageInput.open(str(file), spec)
    assert opened is not None, OpenImageIO.geterror()
    pixels = opened.read_image(0, 0, 0, 4, str(opened.spec().format))
    opened.close()
    assert pixels is not None
    by_opencv = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
    assert by_opencv is not None
    np.testing.assert_array_equal(by_opencv[..., [2, 1, 0, 3]], pixels)
    with Image.open(file) as image:
        assert image.mode == "RGBA"
        by_pillow = np.asarray(image)
    np.testing.assert_array_equal(by_pillow, pixels >> 8 if pixels.dtype == np.uint16 else pixels)
    return pixels


class TestPng:
    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
    @pytest.mark.parametrize("size", [(1, 1), (7, 3), (301, 211), (5, 4000), (2_100_000, 2)])
    def test_reads_back_the_same_everywhere(self, tmp_path: Path, dtype: Any, size: tuple[int, int]) -> None:
        """Also where a band of rows ends in the middle, or a row is larger than a band."""
        width, height = size
        generator = np.random.default_rng(1)
        rgb = generator.integers(0, np.iinfo(dtype).max, (height, width, 3), dtype, endpoint=True)
        rgb[height // 2 :] //= 16
        alpha = np.where(generator.random((height, width)) < 0.5, 0, 255).astype(np.uint8)
        file = tmp_path / "straight ü.png"
        with file.open("wb") as out:
            write_rgba(out, rgb, alpha)
        if width > 1_000_000:  # Pillow alone: the others have limits of their own
            with Image.open(file) as image:
                pixels = np.asarray(image)
            rgb = rgb >> 8 if dtype == np.uint16 else rgb
            full = 255
        else:
            pixels = read_everywhere(file)
            assert pixels.dtype == dtype
            full = np.iinfo(dtype).max
        np.testing.assert_array_equal(pixels[..., :3], rgb)
        np.testing.assert_array_equal(pixels[..., 3], np.where(alpha, full, 0))

    def test_chunks(self) -> None:
        """In the order that the specification asks for, each with its checksum, and the same bytes every time."""
        icc, exif = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(), b"II*\0\x08\0\0\0\0\0\0\0\0\0"
        written = []
        for _ in range(2):
            out = io.BytesIO()
            write_rgba(out, noise(1), np.full((HEIGHT, WIDTH), 255, np.uint8), icc, exif)
            written.append(out.getvalue())
        assert written[0] == written[1]
        data, at, kinds = written[0], 8, []
        while at < len(data):
            size = int.from_bytes(data[at : at + 4], "big")
            kinds.append(data[at + 4 : at + 8])
            body = data[at + 4 : at + 8 + size]
            assert zlib.crc32(body) == int.from_bytes(data[at + 8 + size : at + 12 + size], "big")
            at += 12 + size
        assert list(dict.fromkeys(kinds)) == [b"IHDR", b"iCCP", b"eXIf", b"IDAT", b"IEND"]


def write(job: Job) -> Path:
    """Export all frames, with the wandering disc as matte."""
    footage = job.footage
    return export(
        prepare(job, Reader(footage)),
        lambda frame, name: matte(frame, footage.width, footage.height),
        frames=job.frames,
        key="key",
        report={},
        on_frame=lambda *_: None,
        cancelled=lambda: False,
    )


def one(folder: Path, output: Path) -> Path:
    """Export a folder of one image; returns the file."""
    version = run(folder, output, "key", [])
    (file,) = version.iterdir()
    return file


class TestContent:
    @pytest.mark.parametrize("suffix", [".png", ".tif"])
    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
    @pytest.mark.parametrize("channels", [3, 4])
    def test_rgb_and_alpha_value_by_value(self, tmp_path: Path, suffix: str, dtype: Any, channels: int) -> None:
        """RGB under alpha 0 is kept, too; an alpha channel of the footage changes nothing."""
        folder = tmp_path / "plates"
        folder.mkdir()
        pixels = noise(3, dtype, channels)
        written = cv2.imwrite(str(folder / f"shot{suffix}"), pixels[..., [2, 1, 0, *range(3, channels)]])
        assert written
        result = read_everywhere(one(folder, tmp_path / "out"))
        assert result.dtype == dtype
        np.testing.assert_array_equal(result[..., :3], pixels[..., :3])
        expected = np.where(matte(1, WIDTH, HEIGHT), np.iinfo(dtype).max, 0)
        np.testing.assert_array_equal(result[..., 3], expected)
        assert {0, np.iinfo(dtype).max} == set(result[..., 3].ravel().tolist())

    @pytest.mark.parametrize(
        ("suffix", "mode", "dtype"),
        [
            (".png", "RGBA", np.uint8),
            (".png", "LA", np.uint8),
            (".webp", "RGBA", np.uint8),
            (".tif", "RGBA", np.uint8),
            (".tif", "RGBA", np.uint16),
            (".png", "LA", np.uint16),
            (".png", "L", np.uint16),
            (".jpg", "RGB", np.uint8),
        ],
    )
    @pytest.mark.parametrize("orientation", [1, 6])
    def test_alpha_of_the_footage_times_the_matte(
        self, tmp_path: Path, suffix: str, mode: str, dtype: Any, orientation: int
    ) -> None:
        """Colour, or grey, stays; without alpha in the footage the matte is the alpha."""
        folder = tmp_path / "plates"
        folder.mkdir()
        pixels = noise(3, dtype, len(mode))
        source = folder / f"a{suffix}"
        if dtype == np.uint8:
            exif = Image.Exif()
            exif[ExifTags.Base.Orientation] = orientation
            Image.fromarray(pixels, mode).save(source, exif=exif.tobytes(), lossless=True, exact=True)
        else:  # Pillow writes no 16 bits
            spec = OpenImageIO.ImageSpec(WIDTH, HEIGHT, len(mode), "uint16")
            if mode[-1] == "A":
                spec.alpha_channel = len(mode) - 1
            spec.attribute("oiio:UnassociatedAlpha", 1)
            spec.attribute("Orientation", orientation)
            file = OpenImageIO.ImageOutput.create(str(source))
            assert file is not None
            assert file.open(str(source), spec), file.geterror()
            file.write_image(pixels)
            file.close()
        if suffix == ".jpg":
            pixels = Reader(scan(folder)[0]).plate(1).pixels
        elif orientation == 6:
            pixels = np.rot90(pixels, -1)
        footage = scan(folder)[0]
        job = Job(footage, (MatteObject("a", (Prompt(1, (Point(1, 1),)),)),), output=str(tmp_path / "out"))
        job = dataclasses.replace(job, delivery=Delivery(plate_alpha="multiply"))
        version = write(job)
        result = read_everywhere(version / "a.png")
        colours = pixels[..., :3] if len(mode) > 2 else np.repeat(pixels[..., :1], 3, axis=2)
        np.testing.assert_array_equal(result[..., :3], colours)
        inside = matte(1, footage.width, footage.height) > 0
        own = pixels[..., -1] if mode[-1] == "A" else np.iinfo(dtype).max
        np.testing.assert_array_equal(result[..., 3], np.where(inside, own, 0))
        report = json.loads(version.with_suffix(".json").read_text(encoding="utf-8"))["report"]
        assert "alpha multiplied" in report["export"]["files"]

    def test_alpha_of_a_movie(self, tmp_path: Path) -> None:
        import av

        rgba = np.dstack([noise(3), np.tile(np.linspace(0, 255, WIDTH).astype(np.uint8), (HEIGHT, 1))])
        with av.open(str(tmp_path / "Clip.mov"), "w") as container:
            stream: Any = container.add_stream("qtrle", rate=25)
            stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "argb"
            container.mux(stream.encode(av.VideoFrame.from_ndarray(rgba, "rgba").reformat(format="argb", threads=1)))
            container.mux(stream.encode())
        footage = scan(tmp_path / "Clip.mov")[0]
        job = Job(footage, (MatteObject("a", (Prompt(1, (Point(1, 1),)),)),), output=str(tmp_path / "out"))
        (file,) = write(dataclasses.replace(job, delivery=Delivery(plate_alpha="multiply"))).iterdir()
        np.testing.assert_array_equal(read_everywhere(file)[..., 3], np.where(matte(1, WIDTH, HEIGHT), rgba[..., 3], 0))

    @pytest.mark.parametrize("orientation", range(1, 9))
    @pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
    def test_camera_data_goes_along_upright(self, tmp_path: Path, suffix: str, orientation: int) -> None:
        folder = tmp_path / "plates"
        folder.mkdir()
        exif = Image.Exif()
        exif[ExifTags.Base.Make] = "Kamera"
        exif[ExifTags.Base.Orientation] = orientation
        camera: dict[int, Any] = {ExifTags.Base.FocalLength: 35.0, ExifTags.Base.MakerNote: bytes(range(200))}
        exif[ExifTags.IFD.Exif] = camera
        icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        source = folder / f"IMG_0001{suffix}"
        Image.fromarray(noise(5)).save(source, exif=exif.tobytes(), icc_profile=icc, lossless=True)

        result = one(folder, tmp_path / "out")
        with Image.open(result) as image, Image.open(source) as stored:
            upright = np.asarray(ImageOps.exif_transpose(stored))
            np.testing.assert_array_equal(np.asarray(image)[..., :3], upright)
            assert image.info["icc_profile"] == icc
            found = image.getexif()
            assert found[ExifTags.Base.Orientation] == 1
            assert found[ExifTags.Base.Make] == "Kamera"
            found_camera = found.get_ifd(ExifTags.IFD.Exif)
            assert found_camera[ExifTags.Base.FocalLength] == 35.0
            assert found_camera[ExifTags.Base.MakerNote] == bytes(range(200))
            if suffix != ".tif":  # nothing but the orientation was touched
                before = exif.tobytes().removeprefix(b"Exif\0\0")
                after = image.info["exif"].removeprefix(b"Exif\0\0")
                differing = [i for i, (a, b) in enumerate(zip(before, after, strict=True)) if a != b]
                assert len(differing) == (orientation != 1)

    def test_grey_profile_is_not_claimed_for_rgb(self, tmp_path: Path) -> None:
        folder = tmp_path / "plates"
        folder.mkdir()
        grey = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
        grey[16:20] = b"GRAY"
        Image.fromarray(noise(1)[..., 0]).save(folder / "a.jpg", icc_profile=bytes(grey))
        with Image.open(one(folder, tmp_path / "out")) as image:
            assert "icc_profile" not in image.info

    def test_float(self, tmp_path: Path) -> None:
        """Scene-linear EXR becomes 16-bit sRGB, and the report says so."""
        folder = tmp_path / "plates"
        folder.mkdir()
        linear = np.random.default_rng(0).uniform(-0.5, 1.5, (HEIGHT, WIDTH, 3)).astype(np.float32)
        linear[0, 0] = np.nan
        spec = OpenImageIO.ImageSpec(WIDTH, HEIGHT, 3, "float")
        file = OpenImageIO.ImageOutput.create(str(folder / "a.exr"))
        assert file is not None
        file.open(str(folder / "a.exr"), spec)
        file.write_image(linear)
        file.close()
        result = one(folder, tmp_path / "out")
        clipped = np.clip(np.nan_to_num(linear.astype(np.float64)), 0, 1)
        curve = np.where(clipped <= 0.0031308, 12.92 * clipped, 1.055 * clipped ** (1 / 2.4) - 0.055)
        assert np.abs(read_everywhere(result)[..., :3] - curve * 65535).max() <= 1
        report = json.loads(result.parent.with_suffix(".json").read_text(encoding="utf-8"))["report"]
        assert "scene-linear" in report["export"]["files"]

    def test_movie_frames_are_numbered(self, tmp_path: Path) -> None:
        import av

        with av.open(str(tmp_path / "Clip 1.mp4"), "w") as container:
            stream: Any = container.add_stream("libx264", rate=25)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            for i in range(3):
                container.mux(
                    stream.encode(av.VideoFrame.from_ndarray(np.full((48, 64, 3), 80 * i, np.uint8), "rgb24"))
                )
            container.mux(stream.encode())
        version = run(tmp_path / "Clip 1.mp4", tmp_path / "out", "key", [])
        assert sorted(contents(version)) == [f"Clip 1_00000{i}.png" for i in (1, 2, 3)]
        reader = Reader(scan(tmp_path / "Clip 1.mp4")[0])
        for i in (1, 2, 3):
            np.testing.assert_array_equal(
                read_everywhere(version / f"Clip 1_00000{i}.png")[..., :3], reader.plate(i).pixels
            )


class TestVersions:
    def test_layout(self, tmp_path: Path, plates: Path) -> None:
        before = contents(plates)
        said: list[str] = []
        out = tmp_path / "out"
        version = run(plates, out, "key", said)
        names = [f"shot.{i:04d}.png" for i in range(1, FRAMES + 1)]
        assert version == out / "v001"
        assert sorted(contents(version)) == names
        assert [line.split()[0] for line in said] == [f"{i}/{FRAMES}" for i in range(1, FRAMES + 1)]
        assert sorted(int(line.split()[1]) for line in said) == list(range(1, FRAMES + 1))
        document = json.loads((out / "v001.json").read_text(encoding="utf-8"))
        assert Job.from_dict(document["job"]).footage.frame_count == FRAMES
        assert document["report"]["model"] == "none"
        assert document["report"]["export"]["frames"] == FRAMES
        there = [name for name in below(out) if not name.startswith("work/.versions.")]
        assert there == sorted(["v001.json", *(f"v001/{name}" for name in names)])
        assert contents(plates) == before

    def test_twice_is_two_versions_of_the_same_bytes(self, tmp_path: Path, plates: Path) -> None:
        first, second = (run(plates, tmp_path / "out", "key", []) for _ in range(2))
        assert (first.name, second.name) == ("v001", "v002")
        assert contents(first) == contents(second)

    @pytest.mark.parametrize(
        ("there", "expected"),
        [
            (["v001/", "v007/"], "v008"),
            (["v002/", "v005.json"], "v006"),
            (["v999/"], "v1000"),
            (["v1/", "vortex/", "v003.txt"], "v001"),
        ],
    )
    def test_the_number_is_one_above_the_highest(
        self, tmp_path: Path, plates: Path, there: list[str], expected: str
    ) -> None:
        for name in there:
            path = tmp_path / "out" / name
            path.parent.mkdir(exist_ok=True)
            path.mkdir() if name.endswith("/") else path.write_text("{}")
        assert run(plates, tmp_path / "out", "key", []).name == expected

    def test_beside_the_footage_by_default(self, plates: Path) -> None:
        footage, _ = scan(plates)
        job = Job(footage, (MatteObject("a", (Prompt(1, (Point(1, 1),)),)),))
        version = export(
            prepare(job, Reader(footage)),
            lambda frame, name: matte(frame, WIDTH, HEIGHT),
            frames=[2, 3],
            key="key",
            report={},
            on_frame=lambda *_: None,
            cancelled=lambda: False,
        )
        assert version == plates / "shot_matte" / "v001"
        assert sorted(contents(version)) == ["shot.0002.png", "shot.0003.png"]
        assert scan(plates)[0] == footage

    def test_stopped_then_again(self, tmp_path: Path, plates: Path) -> None:
        footage, _ = scan(plates)
        job = Job(footage, (MatteObject("a", (Prompt(1, (Point(1, 1),)),)),), output=str(tmp_path / "out"))
        done: list[int] = []
        asked: list[int] = []

        def alpha(frame: int, name: str | None) -> NDArray[np.uint8]:
            asked.append(frame)
            return matte(frame, WIDTH, HEIGHT)

        def go(stop_after: int) -> Path:
            return export(
                prepare(job, Reader(footage)),
                alpha,
                frames=job.frames,
                key="key",
                report={},
                on_frame=lambda count, _total, _frame: done.append(count),
                cancelled=lambda: len(done) >= stop_after,
            )

        with pytest.raises(Cancelled):
            go(3)
        assert not (tmp_path / "out" / "v001").exists()
        assert not (tmp_path / "out" / "v001.json").exists()
        version = go(100)
        assert sorted(asked) == list(range(1, FRAMES + 1))  # none twice
        assert contents(version) == contents(run(plates, tmp_path / "straight", "key", []))

    def test_damaged_plate_leaves_no_version(self, tmp_path: Path, plates: Path) -> None:
        broken = plates / "shot.0005.png"
        whole = broken.read_bytes()
        broken.write_bytes(whole[:-1000])
        with pytest.raises(FootageError, match=r"shot\.0005\.png"):
            run(plates, tmp_path / "out", "key", [])
        assert [path.name for path in (tmp_path / "out").iterdir()] == ["work"]
        assert not [name for name in below(tmp_path / "out") if name.endswith(".part")]
        broken.write_bytes(whole)
        version = run(plates, tmp_path / "out", "key", [])
        assert len(contents(version)) == FRAMES

    def test_what_was_superseded_is_removed(self, tmp_path: Path, plates: Path) -> None:
        broken = plates / "shot.0005.png"
        whole = broken.read_bytes()
        broken.write_bytes(whole[:-1000])
        with pytest.raises(FootageError):
            run(plates, tmp_path / "out", "old key", [])
        broken.write_bytes(whole)
        run(plates, tmp_path / "out", "new key", [])
        (left,) = (tmp_path / "out" / "work").iterdir()
        assert left.name.startswith(".versions.")


def start(plates: Path, out: Path, key: str, mode: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(PROCESS), str(plates), str(out), key, mode]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8")


class TestProcesses:
    def test_killed_in_the_middle_of_a_frame(self, tmp_path: Path, plates: Path) -> None:
        out = tmp_path / "out"
        process = start(plates, out, "key", "half")
        assert process.stdout is not None
        while process.stdout.readline() != "half\n":
            assert process.poll() is None
        process.kill()
        process.communicate()
        assert [path.name for path in out.iterdir()] == ["work"]
        left = {path.name: path.stat().st_mtime_ns for path in out.glob("work/.export-*/*.png")}
        finished = {name for name in left if not name.startswith(".")}
        assert 0 < len(finished) < FRAMES
        assert list(out.glob("work/.export-*/.*.part"))

        said: list[str] = []
        version = run(plates, out, "key", said)
        assert len(said) == FRAMES - len(finished)
        assert said[0].startswith(f"{len(finished) + 1}/")
        for name in finished:  # not written again
            assert (version / name).stat().st_mtime_ns == left[name]
        assert contents(version) == contents(run(plates, tmp_path / "straight", "key", []))
        assert sorted(path.name for path in out.iterdir()) == ["v001", "v001.json", "work"]

    @pytest.mark.parametrize("keys", [("one", "one", "one"), ("one", "two", "three")])
    def test_three_at_once_get_three_versions(self, tmp_path: Path, plates: Path, keys: tuple[str, ...]) -> None:
        processes = [start(plates, tmp_path / "out", key, "gate") for key in keys]
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        versions = []
        for process in processes:
            output, _ = process.communicate()
            assert process.returncode == 0, output
            versions.append(Path(output.splitlines()[-1].removeprefix("version ")))
        assert sorted(path.name for path in versions) == ["v001", "v002", "v003"]
        expected = contents(run(plates, tmp_path / "straight", "key", []))
        for version in versions:
            assert contents(version) == expected
            assert version.with_suffix(".json").is_file()

    def test_a_second_one_of_the_same_key_keeps_out_of_the_first(self, tmp_path: Path, plates: Path) -> None:
        """While one export is stuck, another of the same key does not touch its files."""
        out = tmp_path / "out"
        process = start(plates, out, "key", "half")
        assert process.stdout is not None
        while process.stdout.readline() != "half\n":
            assert process.poll() is None
        said: list[str] = []
        version = run(plates, out, "key", said)
        assert len(said) == FRAMES
        assert list(out.glob("work/.export-*/.*.part"))
        process.kill()
        process.communicate()
        assert len(contents(version)) == FRAMES


_DISK = """
import os, subprocess, sys
from pathlib import Path
process, plates, disk, copy = sys.argv[1:]
def mount(*options): subprocess.run(["mount", *options, disk], check=True)
def export(): return subprocess.run(
    [sys.executable, process, plates, disk + "/out", "key", "plain"], stdout=subprocess.PIPE, encoding="utf-8")
def say(label, result): print(label, result.returncode, result.stdout.splitlines()[-1], flush=True)
mount("-t", "tmpfs", "-o", "size=120k", "tmpfs")
say("full:", export())
out = Path(disk, "out")
print("there:", sorted(path.name for path in out.iterdir()), flush=True)
finished = [path for path in out.glob("work/.export-*/*") if not path.name.startswith(".")]
print("finished:", len(finished), len(list(out.glob("work/.export-*/.*"))), flush=True)
mount("-o", "remount,ro")
say("read-only:", export())
mount("-o", "remount,rw,size=50m")
result = export()
say("again:", result)
print("written:", len(result.stdout.splitlines()) - 1, flush=True)
subprocess.run(["cp", "-r", str(out), copy], check=True)
"""


@pytest.mark.skipif(
    not may_mount(),
    reason="FULL DISK AND READ-ONLY FOLDER NOT TESTED: `unshare -rm` with a tmpfs is not permitted here",
)
def test_full_disk_and_read_only_folder(tmp_path: Path, plates: Path) -> None:
    """On a real small disk: nothing half, a clear error, and the finished frames count once there is space."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = [
        "unshare",
        "-rm",
        sys.executable,
        "-c",
        _DISK,
        str(PROCESS),
        str(plates),
        str(disk),
        str(tmp_path / "copy"),
    ]
    result = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    lines = dict(line.split(": ", 1) for line in result.stdout.splitlines())
    assert lines["full"].startswith(f"{ExitCode.OUTPUT:d} {disk / 'out'}: The disk is full. Free some space")
    assert lines["there"] == "['work']"
    finished, unfinished = map(int, lines["finished"].split())
    assert 0 < finished < FRAMES
    assert unfinished == 0
    assert lines["read-only"].startswith(f"{ExitCode.OUTPUT:d} {disk / 'out'}: The folder can't be written to")
    assert lines["again"] == f"0 version {disk / 'out' / 'v001'}"
    assert int(lines["written"]) == FRAMES - finished
    assert contents(tmp_path / "copy" / "v001") == contents(run(plates, tmp_path / "straight", "key", []))
