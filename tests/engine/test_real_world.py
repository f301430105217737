"""Footage as cameras, phones, drones and other programs write it: each test one kind, with the right values."""

from __future__ import annotations

import dataclasses
import os
import shutil
import struct
import sys
import zlib
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import OpenImageIO
import pytest
from av.stream import Disposition
from PIL import ExifTags, Image

from addon.contract.display_matrix import read_movie_orientation
from addon.contract.errors import FootageError, MatteError, OutputError
from addon.contract.exr_layers import read_layers
from addon.contract.job import Job
from addon.contract.job_types import Footage, MatteObject, Point, Prompt
from addon.engine.arguments import command_line, job_of
from addon.engine.export import prepare, try_out
from addon.engine.footage.footage import Reader, scan
from addon.engine.footage.mask_images import read_mask
from addon.engine.footage.movie import Movie
from addon.engine.session import Session

WIDTH, HEIGHT = 60, 40


def noise(seed: int = 0, width: int = WIDTH, height: int = HEIGHT) -> Any:
    return np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8)


def photos(folder: Path, names: list[str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for i, name in enumerate(names):
        Image.fromarray(noise(i)).save(folder / name)
    return folder


def names_of(path: Path) -> list[str]:
    return [Path(file).name for file in scan(path)[0].files]


class TestNames:
    """Photos are all taken, in the order in which they were made."""

    @pytest.mark.parametrize(
        "names",
        [
            # drones: two photos in a second; visible light of a Mavic 3
            [f"DJI_2026010112000{second}_000{i}_V.JPG" for i, second in enumerate((0, 0, 3, 4, 9), 1)],
            [f"DJI_2026010112000{second}_000{i}_D.JPG" for i, second in enumerate((0, 0, 3, 4, 9), 1)],
            ["PXL_20260101_120000000.MP.jpg", "PXL_20260101_120004000.jpg", "PXL_20260101_120005000.MP.jpg"],
            ["20260101_120000(0).jpg", "20260101_120000.jpg", "20260101_120001.jpg", "20260102_080000(0).jpg"],
            ["IMG-20260101-WA0001.jpg", "IMG-20260101-WA0002.jpg", "IMG-20260102-WA0001.jpg"],
            ["IMG_0001.jpg", "IMG_0002 (1).jpg", "IMG_0003.jpg", "IMG_0009~2.jpg"],
            ["WhatsApp Image 2026-01-01 at 12.00.00 (1).jpeg", "WhatsApp Image 2026-01-01 at 12.00.07.jpeg"],
            ["signal-2026-01-01-120000.jpg", "signal-2026-01-01-120000_002.jpg", "signal-2026-01-02-080000.jpg"],
        ],
    )
    def test_all_photos(self, tmp_path: Path, names: list[str]) -> None:
        photos(tmp_path, names)
        footage, warnings = scan(tmp_path)
        assert [Path(file).name for file in footage.files] == names
        assert warnings == []
        assert names_of(tmp_path / names[1]) == names, "one of them means them all"

    def test_never_most_are_left_out(self, tmp_path: Path) -> None:
        names = ["attic.jpg", "church1.jpg", "church2.jpg", "door.jpg", "roof.jpg", "tower.jpg"]
        footage, warnings = scan(photos(tmp_path, names))
        assert [Path(file).name for file in footage.files] == names
        assert "photos" in warnings[0]

    def test_seconds_as_decimals(self, tmp_path: Path) -> None:
        """What players and ffmpeg scripts call a frame by its time."""
        names = ["12.05.jpg", "12.1.jpg", "12.75.jpg", "13.5.jpg", "100.25.jpg"]
        footage, warnings = scan(photos(tmp_path, list(reversed(names))))
        assert [Path(file).name for file in footage.files] == names
        assert warnings == []

    @pytest.mark.parametrize("names", [["a.0999.png", "a.1000.png"], ["v1.9.png", "v1.10.png"]])
    def test_counters_are_no_decimals(self, tmp_path: Path, names: list[str]) -> None:
        assert names_of(photos(tmp_path, names)) == names

    def test_times_have_no_gaps(self, tmp_path: Path) -> None:
        for names in (
            ["cam_1700000000.jpg", "cam_1700000500.jpg"],
            ["x_2026-01-01-120000.jpg", "x_2026-01-01-120500.jpg"],
        ):
            folder = photos(tmp_path / names[0][:3], names)
            footage, warnings = scan(folder)
            assert (footage.frame_count, warnings) == (2, [])

    @pytest.mark.skipif(os.name != "posix" or sys.platform == "darwin", reason="names are text there")
    @pytest.mark.parametrize("suffix", [".png", ".jpg"])
    def test_name_in_another_encoding(self, tmp_path: Path, suffix: str) -> None:
        photos(tmp_path, [f"gr{suffix}"])
        name = os.fsdecode(b"gr\xfcn" + suffix.encode())
        (tmp_path / f"gr{suffix}").rename(tmp_path / name)
        with pytest.raises(FootageError, match="not valid Unicode") as error:
            scan(tmp_path)
        assert str(error.value).encode()

    @pytest.mark.parametrize("target", ["colmap", "realityscan"])
    def test_names_that_get_too_long_are_told_before_tracking(self, tmp_path: Path, target: str) -> None:
        photos(tmp_path, ["a" * 249 + ".jpg"])
        footage, _ = scan(tmp_path)
        job = Job(footage, MARKED, output=str(tmp_path / "out"), target=target)
        with pytest.raises(FootageError, match="bytes; file systems allow"):
            prepare(job, Reader(footage))


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def long_folder(above: Path) -> Path:
    """A folder whose path is just short enough, but leaves no room for what a version or a take has in it."""
    longest = os.pathconf(above, "PC_PATH_MAX") - 60
    folder = above
    while len(str(folder)) < longest - 200:
        folder /= "o" * 150
    folder /= "o" * (longest - len(str(folder)) - 1)
    folder.mkdir(parents=True)
    return folder


class TestOutput:
    """An unusable output folder is reported before the first frame is tracked: no model is loaded here."""

    def refused(self, job: Job, kind: type[MatteError], match: str) -> None:
        """The export stops with that error before it loads the model, and leaves no files."""

        def progress(*stage: Any) -> None:
            pytest.fail(f"it began: {stage}")

        with pytest.raises(kind, match=match):
            Session(progress, lambda: False).export(job)
        assert not [path for path in Path(job.output).rglob("*") if path.is_file() and path.suffix != ".lock"]

    def job(self, folder: Path, output: Path, **more: Any) -> Job:
        footage, _ = scan(photos(folder / "plates", ["IMG_0001.jpg", "IMG_0002.jpg"]))
        return Job(footage, MARKED, output=str(output), **more)

    @pytest.mark.skipif(os.name != "posix", reason="a path that is too long for this system")
    @pytest.mark.parametrize("target", ["postshot", "objects", "prores"])
    def test_path_that_gets_too_long(self, tmp_path: Path, target: str) -> None:
        """Windows allows 260 characters, others 1024 or 4096: what is just short enough itself holds no version."""
        job = self.job(tmp_path, long_folder(tmp_path), target=target)
        self.refused(job, OutputError, "too long")

    def test_too_little_room(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Two photos of noise, about 7 kB each as PNG: 10 kB may suffice; 0 means that the free space is unknown."""
        usage = shutil.disk_usage(tmp_path)
        job = self.job(tmp_path, tmp_path / "out")
        warnings: list[str] = []
        for free, said in ((1_000_000, 0), (0, 0), (10_000, 1)):
            monkeypatch.setattr("shutil.disk_usage", lambda path, free=free: usage._replace(free=free))
            try_out(prepare(job, Reader(job.footage)), warnings.append)
            assert len(warnings) == said
        assert "kB are needed for 2 frames, 10 kB are free" in warnings[0]
        monkeypatch.setattr("shutil.disk_usage", lambda path: usage._replace(free=3000))
        self.refused(job, OutputError, r"About \d+ kB are needed for 2 frames, 3 kB are free")

    @pytest.mark.skipif(os.name != "posix", reason="a path that is too long for this system")
    def test_what_is_only_tracked_has_paths_too(self, tmp_path: Path) -> None:
        job = dataclasses.replace(self.job(tmp_path, long_folder(tmp_path)), target="")
        with pytest.raises(OutputError, match="too long"):
            Session(lambda *stage: pytest.fail("it began"), lambda: False).track(job)

    def test_output_that_is_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "out").write_bytes(b"mine")
        job = self.job(tmp_path, tmp_path / "out")
        with pytest.raises(OutputError, match="Can't write here"):
            Session(lambda *stage: pytest.fail("it began"), lambda: False).export(job)
        assert (tmp_path / "out").read_bytes() == b"mine"

    def test_what_a_format_can_not_hold(self, tmp_path: Path) -> None:
        header = struct.pack(">IIBBBBB", 32_000, 32_000, 8, 0, 0, 0, 0)
        (tmp_path / "large.png").write_bytes(
            b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", zlib.compress(b""))
        )
        job = Job(scan(tmp_path / "large.png")[0], MARKED, output=str(tmp_path / "out"), target="prores")
        self.refused(job, MatteError, "can't hold 32000 x 32000 pixels")

    def test_names_that_are_one_elsewhere(self, tmp_path: Path) -> None:
        """Two spellings of an accent are one name on a Mac, two letter cases on Windows too."""
        photos(tmp_path, ["caf\u00e9.jpg", "cafe\u0301.png"])
        files = tuple(sorted(str(path) for path in tmp_path.iterdir()))
        if len(files) < 2:
            pytest.skip("they are one here")
        with pytest.raises(FootageError, match="the same base name"):
            Reader(Footage(files, WIDTH, HEIGHT, 2)).check()


class TestFolders:
    def test_companions_are_no_cameras(self, tmp_path: Path) -> None:
        names = ["IMG_0001.jpg", "IMG_0002.jpg"]
        for folder in ("images", "images_2", "masks", "thumbnails", "depth", "v001", "shot_matte"):
            photos(tmp_path / folder, names)
        (tmp_path / "v001.json").write_text("{}")
        footage, warnings = scan(tmp_path)
        assert footage.files == tuple(str(tmp_path / "images" / name) for name in names)
        assert sorted(warning.split()[0] for warning in warnings) == [
            "depth", "images_2", "masks", "shot_matte", "thumbnails", "v001",
        ]  # fmt: skip
        assert names_of(tmp_path / "masks") == names, "named directly it is footage"

    def test_cameras_of_a_rig_stay(self, tmp_path: Path) -> None:
        for folder in ("cam_1", "cam_2"):
            photos(tmp_path / folder, ["a_1.jpg", "a_2.jpg"])
        assert scan(tmp_path)[0].frame_count == 4

    def test_links_end(self, tmp_path: Path) -> None:
        """Two folders link to each other and to their parent: each counts once."""
        for folder in ("left", "right"):
            photos(tmp_path / folder / "images", ["a_1.jpg"])
        try:
            (tmp_path / "left" / "loop").symlink_to(tmp_path, target_is_directory=True)
        except OSError:
            pytest.skip("no links here")
        (tmp_path / "left" / "other").symlink_to(tmp_path / "right", target_is_directory=True)
        (tmp_path / "right" / "other").symlink_to(tmp_path / "left", target_is_directory=True)
        footage, warnings = scan(tmp_path)
        assert footage.files == tuple(str(tmp_path / side / "images" / "a_1.jpg") for side in ("left", "right"))
        assert any("link" in warning for warning in warnings)

    def test_what_to_convert_with(self, tmp_path: Path) -> None:
        (tmp_path / "IMG_0001.avif").write_bytes(b"x")
        for path in (tmp_path, tmp_path / "IMG_0001.avif"):
            with pytest.raises(FootageError, match=r"IMG_0001.avif is an AVIF picture") as error:
                scan(path)
            assert "ImageMagick" in error.value.hint

    def test_portrait_and_landscape(self, tmp_path: Path) -> None:
        """A photographer's set has both: the way out is said, for photos turned by EXIF too."""
        photos(tmp_path, ["IMG_0001.jpg", "IMG_0002.jpg"])
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = 6
        Image.fromarray(noise()).save(tmp_path / "IMG_0003.jpg", exif=exif.tobytes())
        footage, _ = scan(tmp_path)
        with pytest.raises(FootageError, match="40 x 60") as error:
            Reader(footage).check()
        assert "folder of their own" in error.value.hint


@pytest.mark.parametrize("orientation", [3, 6, 8])
@pytest.mark.parametrize("target", ["brush", "lichtfeld", "spirula", "t3dgs", "colmap", "realityscan", "metashape"])
def test_masks_for_programs_that_read_pixels_as_stored(tmp_path: Path, target: str, orientation: int) -> None:
    """The mask of a photo held upright is oriented like the stored pixels, and is in its camera's folder."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    for folder in ("left", "right"):
        photos(tmp_path / folder, [])
        Image.fromarray(noise()).save(tmp_path / folder / f"IMG_{folder}.jpg", exif=exif.tobytes())
    footage, _ = scan(tmp_path)
    subject = np.zeros((footage.height, footage.width), np.uint8)
    subject[:10, :25] = 255
    job = Job(footage, (MatteObject("a", (Prompt(1, (Point(1, 1),)),)),), output=str(tmp_path / "out"), target=target)
    ((name, write),) = prepare(job, Reader(footage)).frame_files(1, lambda frame, name: subject).items()
    assert ("left/IMG_left" in name) != (target in ("t3dgs", "metashape"))  # one counts, one looks at no folders
    with (tmp_path / "mask.png").open("wb") as file:
        write(file)
    mask = np.asarray(Image.open(tmp_path / "mask.png"))
    assert mask.shape == (HEIGHT, WIDTH)
    stored = {3: subject[::-1, ::-1], 6: np.rot90(subject), 8: np.rot90(subject, -1)}[orientation]
    np.testing.assert_array_equal(mask, 255 - stored if target == "t3dgs" else stored)


def write_movie(
    path: Path, frames: list[Any], codec: str = "mpeg4", pixel_format: str = "yuv420p", **more: Any
) -> Path:
    """more: times in frames at 25 a second; options; metadata and colours of the track; a rotation."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=25, options=more.get("options", {}))
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = pixel_format
        stream.metadata.update(more.get("metadata", {}))
        if more.get("rotation") is not None:
            stream.set_display_rotation(more["rotation"])
        for name, value in more.get("colours", {}).items():
            setattr(stream.codec_context, name, value)
        for i, pixels in enumerate(frames):
            kind = "rgba" if pixels.shape[2] == 4 else "rgb24"
            frame = av.VideoFrame.from_ndarray(pixels, kind)
            frame = frame.reformat(format=pixel_format, dst_colorspace=more.get("space"), threads=1)
            frame.pts, frame.time_base = more.get("times", range(len(frames)))[i], Fraction(1, 25)
            for name, value in more.get("colours", {}).items():
                setattr(frame, name, value)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def flat(value: int, width: int = 64, height: int = 48, channels: int = 3) -> Any:
    return np.full((height, width, channels), value, np.uint8)


def shown(movie: Movie) -> list[int]:
    """Return which of `GREYS` each frame shows."""
    return [round((float(movie.pixels(i).mean()) - 10) / 12) for i in range(len(movie))]


GREYS = [flat(10 + 12 * i) for i in range(16)]
TIMES = [0, 1, 2, 4, 5, 8, 9, 10, 13, 14, 15, 16, 17, 20, 21, 22]
# what the clip editors of Blender 4.2.0 and 5.0.1 show of a movie with these times, read off their renderings
BY_BLENDER = [0, 1, 2, 2, 3, 4, 4, 4, 5, 6, 7, 7, 7, 8, 9, 10, 11, 12, 12, 12, 13, 14, 15]


class TestMovies:
    @pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
    def test_variable_rate_as_blender_numbers_it(self, tmp_path: Path, suffix: str) -> None:
        file = write_movie(tmp_path / f"phone{suffix}", GREYS, "libx264", times=TIMES)
        footage, warnings = scan(file)
        assert footage.frame_count == len(BY_BLENDER)
        assert "variable frame rate" in warnings[0]
        assert shown(Movie(file)) == BY_BLENDER
        reader = Reader(footage)
        reader.check()
        assert reader.frame_rate == 25

    def test_another_count_is_told_before_tracking(self, tmp_path: Path) -> None:
        footage, _ = scan(write_movie(tmp_path / "phone.mp4", GREYS, "libx264", times=TIMES))
        with pytest.raises(FootageError, match="16 frames were counted where it was marked, 23 are counted here"):
            Reader(dataclasses.replace(footage, frame_count=16)).check()

    @pytest.mark.parametrize("suffix", [".mkv", ".ts"])
    def test_cut_elsewhere_than_at_a_key_frame(self, tmp_path: Path, suffix: str) -> None:
        """HEVC with an open GOP: the first pictures need some that are gone; Blender doesn't count them either."""
        options = {"x265-params": "keyint=12:bframes=3:open-gop=1:log-level=none"}
        y, x = np.mgrid[0:48, 0:64]
        pictures = [np.dstack([x * 3 + i * 5, y * 4 + i * 3, (x + y + 7 * i) * 2]).astype(np.uint8) for i in range(40)]
        whole = write_movie(tmp_path / f"whole{suffix}", pictures, "libx265", options=options)
        cut = tmp_path / f"cut{suffix}"
        with av.open(str(whole)) as source, av.open(str(cut), "w") as target:
            track = source.streams.video[0]
            copy = target.add_stream_from_template(track)
            keys = kept = 0
            for packet in source.demux(track):
                keys += packet.is_keyframe
                if packet.size and keys > 1:
                    kept += 1
                    packet.stream = copy
                    target.mux(packet)
        with av.open(str(cut)) as plain:
            expected = [frame.to_ndarray(format="rgb24", threads=1) for frame in plain.decode(video=0)]
        footage, warnings = scan(cut)
        assert (footage.frame_count, warnings) == (len(expected), [])
        assert 20 < len(expected) < kept, "some can't be decoded"
        for i in (0, len(expected) - 1, 5):
            np.testing.assert_array_equal(Movie(cut).pixels(i), expected[i])

    def test_size_that_changes(self, tmp_path: Path) -> None:
        """As a call records it, or a player that switches its stream."""
        parts = [write_movie(tmp_path / f"{w}.ts", [flat(90, w, w)] * 8, "mpeg2video") for w in (64, 96)]
        file = tmp_path / "both.ts"
        file.write_bytes(b"".join(part.read_bytes() for part in parts))
        movie = Movie(file)
        assert movie.pixels(0).shape == (64, 64, 3)
        with pytest.raises(FootageError, match=r"changes its size.* 96 x 96"):
            for i in range(len(movie)):
                movie.pixels(i)

    def test_cover_and_second_track(self, tmp_path: Path) -> None:
        """A small preview before the main track."""
        file = tmp_path / "drone.mkv"
        with av.open(str(file), "w") as container:
            streams: list[Any] = [container.add_stream("mpeg4", rate=25) for _ in range(2)]
            for stream, width in zip(streams, (32, 64), strict=True):
                stream.width, stream.height, stream.pix_fmt = width, 48, "yuv420p"
            streams[0].disposition = 0
            streams[1].disposition = Disposition.default
            for i in range(5):
                for stream, width in zip(streams, (32, 64), strict=True):
                    frame = av.VideoFrame.from_ndarray(flat(200, width), "rgb24").reformat(format="yuv420p")
                    frame.pts, frame.time_base = i, Fraction(1, 25)
                    container.mux(stream.encode(frame))
            for stream in streams:
                container.mux(stream.encode())
        footage, warnings = scan(file)
        assert (footage.width, footage.height, footage.frame_count) == (64, 48, 5)
        assert "2 tracks" in warnings[0]

    def test_sound_with_a_cover_is_no_movie(self, tmp_path: Path) -> None:
        file = tmp_path / "song.mp4"
        with av.open(str(file), "w") as container:
            cover: Any = container.add_stream("mjpeg")
            cover.width, cover.height, cover.pix_fmt = 64, 48, "yuvj420p"
            cover.disposition = Disposition.attached_pic
            frame = av.VideoFrame.from_ndarray(flat(9), "rgb24").reformat(format="yuvj420p")
            container.mux(cover.encode(frame))
            container.mux(cover.encode())
        with pytest.raises(FootageError, match="no video"):
            scan(file)

    def test_alpha_of_webm(self, tmp_path: Path) -> None:
        """VP9 keeps its alpha in a stream of its own beside the colours."""
        pixels = flat(120, channels=4)
        pixels[..., 3] = 0
        pixels[:, 32:, 3] = 255
        options = {"auto-alt-ref": "0", "crf": "4"}
        more = {"options": options, "metadata": {"alpha_mode": "1"}}
        movie = Movie(write_movie(tmp_path / "cut-out.webm", [pixels] * 6, "libvpx-vp9", "yuva420p", **more))
        for i in (3, 0, 5):
            alpha = movie.alpha(i)
            assert alpha is not None
            np.testing.assert_allclose(alpha.astype(int), pixels[..., 3], atol=12)

    def test_opaque_of_prores_is_opaque(self, tmp_path: Path) -> None:
        pixels = flat(120, channels=4)
        pixels[..., 3] = 255
        movie = Movie(write_movie(tmp_path / "a.mov", [pixels] * 2, "prores_ks", "yuva444p10le"))
        alpha = movie.alpha(0)
        assert alpha is not None
        assert set(np.unique(alpha)) == {65535}

    @pytest.mark.parametrize("tagged", [True, False])
    def test_high_definition_is_rec_709(self, tmp_path: Path, tagged: bool) -> None:
        pixels = np.full((720, 1280, 3), (200, 40, 90), np.uint8)
        colours = {"colorspace": 1, "color_primaries": 1, "color_trc": 1} if tagged else {}
        more = {"options": {"qp": "1"}, "colours": colours, "space": "ITU709"}
        movie = Movie(write_movie(tmp_path / "hd.mp4", [pixels], "libx264", **more))
        np.testing.assert_allclose(movie.pixels(0).astype(int), pixels, atol=3)

    @pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm"])
    @pytest.mark.parametrize("degrees", [None, 90, 180, -90])
    def test_turn_in_the_header(self, tmp_path: Path, suffix: str, degrees: int | None) -> None:
        """Blender's side reads it without ffmpeg, and as ffmpeg does."""
        codec = "libvpx" if suffix == ".webm" else "mpeg4"
        file = write_movie(tmp_path / f"phone{suffix}", [flat(9)] * 2, codec, rotation=degrees)
        orientation = read_movie_orientation(file)
        assert orientation == {None: 1, 90: 8, 180: 3, -90: 6}[degrees]
        assert orientation == Movie(file).orientation
        data = file.read_bytes()
        header = data.index(b"tkhd") + 30 if suffix in (".mp4", ".mov") else data.index(b"\x16\x54\xae\x6b") + 20
        for size in (0, 20, header):
            file.write_bytes(data[:size])
            assert read_movie_orientation(file) == 1, "cut short"

    @pytest.mark.parametrize(("primaries", "transfer", "expected"), [(9, 18, (9, 18)), (12, 1, (12, 1)), (1, 1, None)])
    def test_wide_and_high_range_is_tagged(
        self, tmp_path: Path, primaries: int, transfer: int, expected: tuple[int, int] | None
    ) -> None:
        """HLG of phones and drones, Display P3: values as they are, with a tag (PNG: cICP) that says what they mean."""
        colours = {"colorspace": 9 if primaries == 9 else 1, "color_primaries": primaries, "color_trc": transfer}
        movie = write_movie(tmp_path / "phone.mov", [flat(90)] * 2, "prores_ks", "yuv422p10le", colours=colours)
        footage, _ = scan(movie)
        reader = Reader(footage)
        assert reader.cicp == expected
        data = written(Job(footage, MARKED, output=str(tmp_path / "out"), target="postshot"), reader).read_bytes()
        job = Job(footage, MARKED, output=str(tmp_path / "out"), target="prores")
        matte = np.full((footage.height, footage.width), 255, np.uint8)
        ((_, write),) = prepare(job, reader).other_files([1, 2], lambda frame, name: matte, lambda frame: None).items()
        with (tmp_path / "graded.mov").open("wb") as file:
            write(file)
        assert Movie(tmp_path / "graded.mov").cicp == expected
        if expected is None:
            assert b"cICP" not in data
        else:
            assert data[data.index(b"cICP") + 4 :][:4] == bytes((*expected, 0, 1))


MARKED = (MatteObject("a", (Prompt(1, (Point(1, 1),)),)),)


def written(job: Job, reader: Reader) -> Path:
    """The first frame's file, all of it subject."""
    subject = np.full((job.footage.height, job.footage.width), 255, np.uint8)
    ((name, write),) = prepare(job, reader).frame_files(1, lambda frame, name: subject).items()
    file = Path(job.output).with_name(f"written-{name}")
    with file.open("wb") as opened:
        write(opened)
    return file


def write_exr(path: Path, parts: list[tuple[str, dict[str, float]]]) -> Path:
    """Parts with a name and the value of each channel, flat."""
    specs = []
    for title, channels in parts:
        spec = OpenImageIO.ImageSpec(WIDTH, HEIGHT, len(channels), "half")
        spec.channelnames = tuple(channels)
        if title:
            spec.attribute("oiio:subimagename", title)
        specs.append(spec)
    output = OpenImageIO.ImageOutput.create(str(path))
    assert output is not None
    for i, (_, channels) in enumerate(parts):
        opened = output.open(str(path), specs[i], "AppendSubimage") if i else output.open(str(path), tuple(specs))
        assert opened, output.geterror()
        pixels = np.broadcast_to(np.array(list(channels.values()), np.float32), (HEIGHT, WIDTH, len(channels)))
        assert output.write_image(np.ascontiguousarray(pixels)), output.geterror()
    output.close()
    return path


def layer(name: str, value: float, alpha: bool = True) -> dict[str, float]:
    channels = {f"{name}{channel}": value for channel in "RGB"}
    return {**channels, f"{name}A": 1.0} if alpha else channels


class TestImages:
    @pytest.mark.parametrize(
        "parts",
        [
            [("", {**layer("ViewLayer.AO.", 0.125, alpha=False), **layer("ViewLayer.Combined.", 0.75)})],
            [("", {**layer("albedo.", 0.125), **layer("", 0.75)})],
            [("", {**layer("albedo.", 0.75), **layer("beauty.", 0.125)})],  # Blender takes the first, too
            [("AO", layer("", 0.125)), ("Combined", layer("", 0.75))],
            [("V.AO", layer("V.AO.", 0.125)), ("V.Combined", layer("V.Combined.", 0.75))],
            [("Depth", {"Z": 0.125}), ("V.Noisy", layer("V.Noisy.", 0.75))],
        ],
    )
    def test_layer_that_blender_shows(self, tmp_path: Path, parts: list[tuple[str, dict[str, float]]]) -> None:
        """Blender 4.2.0 and 5.0.1 show 0.75 in their clip editors, measured on their renderings."""
        footage, warnings = scan(write_exr(tmp_path / "plate.exr", parts))
        (said,) = warnings
        assert "is taken, as Blender shows it" in said
        assert "AO is taken" not in said
        assert set(np.unique(Reader(footage).plate(1).pixels)) == {0.75}

    @pytest.mark.parametrize(
        "parts",
        [
            [("", {**layer("ViewLayer.AO.", 0.125, alpha=False), **layer("ViewLayer.Combined.", 0.75)})],
            [("", {**layer("ViewLayer.AO.", 0.125), **layer("", 0.75)})],
            [("ViewLayer.AO", layer("", 0.125)), ("Combined", layer("", 0.75))],
            [("Depth", {"Z": 0.5}), ("Noisy", layer("Noisy.", 0.75)), ("AO", layer("ViewLayer.AO.", 0.125))],
        ],
    )
    def test_layer_that_is_chosen(self, tmp_path: Path, parts: list[tuple[str, dict[str, float]]]) -> None:
        """By its name or its part's: the model and the export read it, and its mattes are not those of another."""
        file = write_exr(tmp_path / "plate.exr", parts)
        shown, (said,) = scan(file)
        assert "There are ViewLayer.AO too: --layer" in said
        arguments = ["track", str(file), "--point", "a:1:5:5", "--layer", "ViewLayer.AO", "--target", "exr"]
        job = job_of(command_line().parse_args(arguments))
        assert Job.from_json(job.to_json()).footage.layer == "ViewLayer.AO"
        reader = Reader(job.footage)
        reader.check()
        assert set(np.unique(reader.plate(1).pixels)) == {0.125}
        assert set(np.unique(reader.model_input(1, 8))) == {99}, "sRGB of 0.125"
        assert reader.fingerprint() != Reader(shown).fingerprint()
        assert reader.fingerprint_of(1) != Reader(shown).fingerprint_of(1)
        with pytest.raises(FootageError, match=r"no layer 'ViewLayer\.Depth'") as error:
            scan(file, "ViewLayer.Depth")
        assert "ViewLayer.AO" in error.value.hint

    def test_layers_of_what_is_no_whole_header(self, tmp_path: Path) -> None:
        data = write_exr(tmp_path / "plate.exr", [("V.AO", layer("", 0.1)), ("V.B", layer("V.B.", 0.2))]).read_bytes()
        for size in range(0, 700, 7):
            (tmp_path / "cut.exr").write_bytes(data[:size])
            assert len(read_layers(tmp_path / "cut.exr")) in (0, 2)
        photos(tmp_path, ["photo.png"])
        assert read_layers(tmp_path / "photo.png") == []
        with pytest.raises(FootageError, match="no layer"):
            scan(tmp_path / "photo.png", "V.AO")

    def test_grey_tiff_with_an_unspecified_channel(self, tmp_path: Path) -> None:
        grey = noise()[..., 0]
        spec = OpenImageIO.ImageSpec(WIDTH, HEIGHT, 2, "uint8")
        spec.channelnames = ("Y", "mask")
        spec.alpha_channel = -1
        output = OpenImageIO.ImageOutput.create(str(tmp_path / "scan.tif"))
        assert output is not None
        output.open(str(tmp_path / "scan.tif"), spec)
        output.write_image(np.dstack([grey, 255 - grey]))
        output.close()
        footage, _ = scan(tmp_path)
        np.testing.assert_array_equal(Reader(footage).plate(1).pixels, np.dstack([grey] * 3))

    def test_damage_in_the_middle_is_told_everywhere(self, tmp_path: Path) -> None:
        """A few wrong bytes in a photo's data spoil everything after them, for the model and for the export."""
        file = tmp_path / "photo.jpg"
        Image.fromarray(np.kron(noise(1, 40, 30), np.ones((16, 16, 1), np.uint8))).save(file, quality=90)
        footage, _ = scan(file)
        Reader(footage).model_input(1, 64)
        data = bytearray(file.read_bytes())
        middle = len(data) // 2
        data[middle : middle + 6] = bytes(6)
        file.write_bytes(data)
        for read in (lambda: Reader(footage).plate(1), lambda: Reader(footage).model_input(1, 64)):
            with pytest.raises(FootageError, match="damaged"):
                read()

    @pytest.mark.parametrize("target", ["postshot", "tiff"])
    def test_poses_of_drones_stay(self, tmp_path: Path, target: str) -> None:
        """Gimbal and position in XMP, which photogrammetry reads; its orientation is 1, as the pixels are turned."""
        xmp = b'<x:xmpmeta><a tiff:Orientation="6" drone-dji:GimbalPitchDegree="-90"/></x:xmpmeta>'
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = 6
        Image.fromarray(noise()).save(tmp_path / "DJI_0001.jpg", xmp=xmp, exif=exif.tobytes())
        footage, _ = scan(tmp_path)
        job = Job(footage, MARKED, output=str(tmp_path / "out"), target=target)
        with Image.open(written(job, Reader(footage))) as image:
            image.load()
            kept = image.info["xmp"]
        kept = kept.encode() if isinstance(kept, str) else kept
        assert kept == xmp.replace(b'Orientation="6"', b'Orientation="1"')


DISC = np.hypot(*np.mgrid[-20:20, -30:30]) < 12


def drawn(kind: str, folder: Path) -> Path:
    """The same disc, as different programs save a mask."""
    file = folder / "mask.png"
    subject = np.uint8(255) * DISC
    white = np.full((*DISC.shape, 3), 255, np.uint8)
    if kind == "cut-out on white":
        Image.fromarray(np.dstack([white, subject])).save(file)
    elif kind == "0 and 1":
        Image.fromarray(DISC.astype(np.uint8)).save(file)
    elif kind == "palette":
        image = Image.fromarray(DISC.astype(np.uint8), "P")
        image.putpalette([0, 0, 0, 128, 0, 0])
        image.save(file)
    elif kind == "16 bit":
        Image.fromarray(DISC.astype(np.uint16) * 65535).save(file)
    elif kind == "1 bit":
        Image.fromarray(DISC).save(file)
    elif kind == "turned by EXIF":
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = 6
        Image.fromarray(np.rot90(subject).copy()).save(file, exif=exif.tobytes())
    elif kind == "opaque RGBA":
        Image.fromarray(np.dstack([subject, subject, subject, white[..., 0]])).save(file)
    elif kind == "EXR":
        file = file.with_suffix(".exr")
        OpenImageIO.ImageBuf(np.ascontiguousarray(np.dstack([DISC] * 3).astype(np.float32))).write(str(file))
    else:
        Image.fromarray(subject).save(file)
    return file


@pytest.mark.parametrize(
    "kind",
    ["plain", "cut-out on white", "0 and 1", "palette", "16 bit", "1 bit", "turned by EXIF", "opaque RGBA", "EXR"],
)
def test_masks_mean_what_their_makers_meant(tmp_path: Path, kind: str) -> None:
    np.testing.assert_array_equal(read_mask(drawn(kind, tmp_path)) > 0, DISC)
