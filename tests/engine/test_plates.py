"""Footage: what a path refers to, and pixels equal to upstream SAM 2's and to the source's."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from addon.contract.errors import FootageError
from addon.contract.job_types import Footage
from addon.engine.footage.footage import Reader, read_ahead, scan
from addon.engine.footage.images import read_header, read_model_input, to_8_bit, to_integers

WIDTH, HEIGHT = 60, 40
_OIIO_NAMES = {"float32": "float", "float16": "half", "uint32": "uint"}


def noise(seed: int = 0, channels: int = 3, dtype: Any = np.uint8, size: tuple[int, int] = (WIDTH, HEIGHT)) -> Any:
    generator = np.random.default_rng(seed)
    if dtype == np.float32:
        return generator.normal(0.4, 0.5, (size[1], size[0], channels)).astype(np.float32)
    return generator.integers(0, np.iinfo(dtype).max, (size[1], size[0], channels), dtype, endpoint=True)


def save(path: Path, pixels: NDArray[Any] | None = None, **options: Any) -> Path:
    Image.fromarray(noise() if pixels is None else pixels).save(path, **options)
    return path


def save_oiio(path: Path, pixels: NDArray[Any], names: tuple[str, ...] = (), **attributes: Any) -> Path:
    """Save an image with OpenImageIO, 16 bit or float, values unchanged: alpha is not multiplied in."""
    height, width, channels = pixels.shape
    spec = OpenImageIO.ImageSpec(width, height, channels, _OIIO_NAMES.get(str(pixels.dtype), str(pixels.dtype)))
    if names:
        spec.channelnames = names
        spec.alpha_channel = names.index("A") if "A" in names else -1
    spec.attribute("oiio:UnassociatedAlpha", 1)
    for name, value in attributes.items():
        spec.attribute(name.replace("__", ":"), value)
    file = OpenImageIO.ImageOutput.create(str(path))
    assert file is not None
    assert file.open(str(path), spec), file.geterror()
    assert file.write_image(pixels), file.geterror()
    file.close()
    return path


def sequence(folder: Path, names: list[str]) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    return [save(folder / name) for name in names]


def reader(*files: Path, size: tuple[int, int] = (WIDTH, HEIGHT)) -> Reader:
    return Reader(Footage(tuple(map(str, files)), *size, len(files)))


class TestScan:
    def test_folder_in_natural_order(self, tmp_path: Path) -> None:
        sequence(tmp_path, ["shot.10.png", "shot.9.png", "shot.8.png"])
        footage, warnings = scan(tmp_path)
        assert [Path(file).name for file in footage.files] == ["shot.8.png", "shot.9.png", "shot.10.png"]
        assert (footage.width, footage.height, footage.frame_count, footage.movie) == (WIDTH, HEIGHT, 3, False)
        assert warnings == []

    def test_names_with_spaces_and_letters(self, tmp_path: Path) -> None:
        folder = tmp_path / "Ünïcode ショット 1"
        files = sequence(folder, ["Größe 画 001.jpg", "Größe 画 002.jpg"])
        footage, warnings = scan(folder)
        assert footage.files == tuple(map(str, files))
        assert warnings == []
        opened = Reader(footage)
        opened.check()
        assert opened.plate(2).pixels.shape == (HEIGHT, WIDTH, 3)
        assert opened.stem(2) == "Größe 画 002"

    def test_gaps_are_named(self, tmp_path: Path) -> None:
        sequence(tmp_path, ["shot.1002.png", "shot.1003.png", "shot.1005.png", "shot.1009.png"])
        footage, warnings = scan(tmp_path)
        assert footage.frame_count == 4
        assert warnings == [
            "Frame 1004 is missing between shot.1003.png and shot.1005.png.",
            "Frames 1006 to 1008 are missing between shot.1005.png and shot.1009.png.",
        ]

    def test_many_gaps_are_counted(self, tmp_path: Path) -> None:
        sequence(tmp_path, [f"shot.{number}.png" for number in range(0, 60, 2)])
        _, warnings = scan(tmp_path)
        assert len(warnings) == 11
        assert warnings[-1] == "There are 19 more gaps in the numbering."

    def test_what_is_passed_over_is_named(self, tmp_path: Path) -> None:
        sequence(tmp_path, ["shot.1.png", "shot.2.png", "reference.jpg", ".hidden.png"])
        (tmp_path / "notes.txt").write_text("x")
        (tmp_path / "shot_matte").mkdir()
        footage, warnings = scan(tmp_path)
        assert footage.frame_count == 2
        assert warnings == ["notes.txt was passed over.", "reference.jpg was passed over."]

    def test_one_image_means_its_sequence(self, tmp_path: Path) -> None:
        files = sequence(tmp_path, ["a_01.png", "a_02.png", "b_01.png", "b_02.png", "a_02_x.png", "a.png"])
        footage, _ = scan(files[1])
        assert [Path(file).name for file in footage.files] == ["a_01.png", "a_02.png"]
        footage, _ = scan(files[5])
        assert [Path(file).name for file in footage.files] == ["a.png"]

    def test_two_sequences_are_a_question(self, tmp_path: Path) -> None:
        sequence(tmp_path, ["plate.1.png", "plate.2.png", "clean.1.png", "clean.2.png"])
        with pytest.raises(FootageError, match=r"clean\.1\.png to clean\.2\.png and plate\.1\.png to plate\.2\.png"):
            scan(tmp_path)

    def test_photos_of_two_formats_are_a_question(self, tmp_path: Path) -> None:
        sequence(tmp_path, ["IMG_1.jpg", "IMG_2.jpg", "IMG_1.png", "IMG_2.png"])
        with pytest.raises(FootageError, match="more than one sequence"):
            scan(tmp_path)

    @pytest.mark.parametrize(
        "names",
        [
            ["chair.jpg", "lamp 2.jpg", "table.png"],
            ["DSC_0001.JPG", "DSC_0002.JPG", "IMG_0001.jpg", "IMG_0009.jpg"],
            ["20260101_120000.jpg", "20260101_120007.jpg", "20260102_080000.jpg"],
        ],
    )
    def test_a_set_of_photos(self, tmp_path: Path, names: list[str]) -> None:
        sequence(tmp_path, names)
        footage, warnings = scan(tmp_path)
        assert [Path(file).name for file in footage.files] == names
        assert warnings == []

    def test_nothing_usable(self, tmp_path: Path) -> None:
        (tmp_path / "notes.txt").write_text("x")
        with pytest.raises(FootageError, match="no images"):
            scan(tmp_path)
        with pytest.raises(FootageError, match="not footage"):
            scan(tmp_path / "notes.txt")
        for name in ("nowhere", "nowhere.png", "nowhere.mp4"):
            with pytest.raises(FootageError, match=name):
                scan(tmp_path / name)

    def test_turned_photo_is_upright(self, tmp_path: Path) -> None:
        exif = Image.Exif()
        exif[0x0112] = 6
        footage, _ = scan(save(tmp_path / "IMG_1.jpg", exif=exif))
        assert (footage.width, footage.height) == (HEIGHT, WIDTH)


class TestModelInput:
    @pytest.mark.filterwarnings("ignore:Palette images")
    @pytest.mark.parametrize(
        ("suffix", "mode"),
        [
            (".jpg", "RGB"),
            (".jpg", "L"),
            (".png", "RGB"),
            (".png", "RGBA"),
            (".png", "L"),
            (".png", "LA"),
            (".png", "P"),
            (".png", "1"),
            (".tif", "RGB"),
            (".tif", "RGBA"),
            (".tif", "L"),
            (".webp", "RGB"),
            (".webp", "RGBA"),
        ],
    )
    @pytest.mark.parametrize("size", [(960, 540), (37, 91)])
    def test_equals_upstream(self, tmp_path: Path, suffix: str, mode: str, size: tuple[int, int]) -> None:
        file = tmp_path / f"plate{suffix}"
        Image.fromarray(noise(channels=4, size=size)).convert(mode).save(file, lossless=True)
        for side in (1024, 256):
            with Image.open(file) as image:
                expected = np.asarray(image.convert("RGB").resize((side, side)))
            np.testing.assert_array_equal(read_model_input(file, side), expected)

    def test_equals_upstream_16_bit(self, tmp_path: Path) -> None:
        file = save_oiio(tmp_path / "plate.png", noise(dtype=np.uint16))
        with Image.open(file) as image:
            expected = np.asarray(image.convert("RGB").resize((64, 64)))
        np.testing.assert_array_equal(read_model_input(file, 64), expected)

    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_turned_equals_upright_copy(self, tmp_path: Path, orientation: int) -> None:
        exif = Image.Exif()
        exif[0x0112] = orientation
        file = save(tmp_path / "turned.png", exif=exif)
        with Image.open(file) as image:
            expected = np.asarray(ImageOps.exif_transpose(image).resize((64, 64)))
        np.testing.assert_array_equal(read_model_input(file, 64), expected)

    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_large_jpeg_at_reduced_scale(self, tmp_path: Path, orientation: int) -> None:
        """A smooth picture, 16 times as wide as asked for, whose sides no scale divides."""
        y, x = np.mgrid[0:1021, 0:1531].astype(np.float64)
        picture = np.stack([x / 6, y / 4, 127 + 100 * np.sin(x / 90) * np.cos(y / 70)], -1).astype(np.uint8)
        exif = Image.Exif()
        exif[0x0112] = orientation
        file = save(tmp_path / "large.jpg", picture, quality=98, exif=exif)
        with Image.open(file) as image:
            expected = np.asarray(ImageOps.exif_transpose(image).resize((96, 96))).astype(int)
        difference = np.abs(read_model_input(file, 96).astype(int) - expected)
        assert difference.mean() < 0.5
        assert difference.max() <= 8

    def test_display_of_float(self, tmp_path: Path) -> None:
        linear = np.array([[[0, 0.0031308, 0.2140411], [1, 2, -1], [np.nan, np.inf, -np.inf]]], np.float32)
        expected = [[[0, 10, 127], [255, 255, 0], [0, 255, 0]]]
        assert np.abs(to_8_bit(linear).astype(int) - expected).max() <= 1
        assert to_8_bit(linear)[0, 2].tolist() == [0, 255, 0]
        assert to_integers(linear)[0, 1].tolist() == [65535, 65535, 0]
        assert to_integers(linear)[0, 2].tolist() == [0, 65535, 0]
        file = save_oiio(tmp_path / "plate.exr", np.full((4, 4, 3), 0.2140411, np.float32))
        assert set(read_model_input(file, 8).ravel().tolist()) <= {127, 128}


class TestPlate:
    @pytest.mark.parametrize("suffix", [".png", ".tif"])
    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
    @pytest.mark.parametrize("channels", [1, 2, 3, 4])
    def test_exact(self, tmp_path: Path, suffix: str, dtype: Any, channels: int) -> None:
        """Pixels are exact under alpha 0 and for grey images, too."""
        pixels = noise(channels=channels, dtype=dtype)
        if channels in (2, 4):
            pixels[: HEIGHT // 2, :, -1] = 0
        names = {1: ("Y",), 2: ("Y", "A"), 3: ("R", "G", "B"), 4: ("R", "G", "B", "A")}[channels]
        file = save_oiio(tmp_path / f"plate{suffix}", pixels, names)
        plate = reader(file).plate(1)
        assert plate.pixels.dtype == dtype == read_header(file).dtype
        expected = np.repeat(pixels[..., :1], 3, -1) if channels < 3 else pixels[..., :3]
        np.testing.assert_array_equal(plate.pixels, expected)

    @pytest.mark.parametrize(
        "names", [("R", "G", "B", "A"), ("A", "B", "G", "R"), ("diffuse.R", "diffuse.G", "diffuse.B", "R", "G", "B")]
    )
    def test_exr_channels(self, tmp_path: Path, names: tuple[str, ...]) -> None:
        pixels = noise(channels=len(names), dtype=np.float32)
        pixels[0, 0] = np.inf
        plate = reader(save_oiio(tmp_path / "plate.exr", pixels, names)).plate(1)
        assert plate.pixels.dtype == np.float32
        np.testing.assert_array_equal(plate.pixels, pixels[..., [names.index(channel) for channel in "RGB"]])

    def test_exr_half_and_layer(self, tmp_path: Path) -> None:
        half = noise(dtype=np.float32).astype(np.float16)
        names = ("ViewLayer.Combined.R", "ViewLayer.Combined.G", "ViewLayer.Combined.B")
        plate = reader(save_oiio(tmp_path / "plate.exr", half, names)).plate(1)
        np.testing.assert_array_equal(plate.pixels, half.astype(np.float32))

    def test_exr_without_colour(self, tmp_path: Path) -> None:
        file = save_oiio(tmp_path / "normals.exr", noise(dtype=np.float32), ("X", "Y", "Z"))
        with pytest.raises(FootageError, match="X, Y, Z"):
            reader(file).check()

    @pytest.mark.parametrize("suffix", [".jpg", ".webp"])
    @pytest.mark.parametrize(
        "options",
        [
            {"quality": 95, "subsampling": 0},
            {"quality": 50, "subsampling": 1, "progressive": True},
            {"quality": 80, "subsampling": 2, "optimize": True},
            {"quality": 90, "subsampling": "4:1:1"},
            {"quality": 90, "keep_rgb": True},
        ],
    )
    @pytest.mark.parametrize("mode", ["RGB", "L"])
    def test_lossy_as_pillow(self, tmp_path: Path, suffix: str, options: dict[str, Any], mode: str) -> None:
        file = tmp_path / f"plate{suffix}"
        Image.fromarray(noise(size=(61, 43))).convert(mode).save(file, **options)
        with Image.open(file) as image:
            np.testing.assert_array_equal(reader(file).plate(1).pixels, np.asarray(image.convert("RGB")))

    def test_slightly_odd_jpeg(self, tmp_path: Path) -> None:
        """Rubbish before a marker, as some cameras leave it: libjpeg warns, Pillow reads on."""
        file = save(tmp_path / "plate.jpg")
        with Image.open(file) as image:
            expected = np.asarray(image)
        data = file.read_bytes()
        at = data.index(b"\xff\xdb")
        file.write_bytes(data[:at] + b"\0\0\0" + data[at:])
        with Image.open(file) as image:
            np.testing.assert_array_equal(np.asarray(image), expected)
        np.testing.assert_array_equal(reader(file).plate(1).pixels, expected)

    def test_content_counts_not_the_name(self, tmp_path: Path) -> None:
        file = save(tmp_path / "plate.png", format="JPEG")
        with Image.open(file) as image:
            np.testing.assert_array_equal(reader(file).plate(1).pixels, np.asarray(image))


class TestCheck:
    def test_sizes_differ(self, tmp_path: Path) -> None:
        files = sequence(tmp_path, ["a.1.png", "a.2.png"])
        files.append(save(tmp_path / "a.3.png", noise(size=(WIDTH + 1, HEIGHT))))
        with pytest.raises(
            FootageError, match=rf"a\.3\.png: This image has {WIDTH + 1} x {HEIGHT} pixels.* {WIDTH} x {HEIGHT}"
        ):
            reader(*files).check()

    def test_missing(self, tmp_path: Path) -> None:
        files = sequence(tmp_path, ["a.1.png", "a.2.png"])
        files[1].unlink()
        for ask in (reader(*files).check, reader(*files).fingerprint, lambda: reader(*files).plate(2)):
            with pytest.raises(FootageError, match=r"a\.2\.png"):
                ask()

    @pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp", ".exr"])
    @pytest.mark.parametrize("part", [0.0, 0.02, 0.6])
    def test_truncated(self, tmp_path: Path, suffix: str, part: float) -> None:
        file = tmp_path / f"plate{suffix}"
        if suffix == ".exr":
            save_oiio(file, noise(dtype=np.float32))
        else:
            save(file)
        file.write_bytes(file.read_bytes()[: int(file.stat().st_size * part)])
        with pytest.raises(FootageError, match=f"plate{suffix}"):
            reader(file).plate(1)
        with pytest.raises(FootageError, match=f"plate{suffix}"):
            reader(file).model_input(1, 32)

    def test_not_an_image(self, tmp_path: Path) -> None:
        file = tmp_path / "plate.png"
        file.write_text("a letter to a friend")
        with pytest.raises(FootageError, match=r"plate\.png: This is not an image"):
            reader(file).check()

    @pytest.mark.parametrize("suffix", [".jpg", ".tif"])
    def test_cmyk(self, tmp_path: Path, suffix: str) -> None:
        file = tmp_path / f"plate{suffix}"
        Image.new("CMYK", (WIDTH, HEIGHT)).save(file)
        for ask in (reader(file).check, lambda: reader(file).plate(1), lambda: reader(file).model_input(1, 32)):
            with pytest.raises(FootageError, match="CMYK"):
                ask()

    def test_same_output_name(self, tmp_path: Path) -> None:
        with pytest.raises(FootageError, match=r"a\.png: .* same base name as a\.jpg"):
            reader(*sequence(tmp_path, ["a.jpg", "a.png"])).check()
        with pytest.raises(FootageError, match=r"a\.png: .* same base name as a\.png"):
            reader(tmp_path / "a.png", tmp_path / "a.png").check()

    def test_integer_samples_of_32_bits(self, tmp_path: Path) -> None:
        file = save_oiio(tmp_path / "plate.exr", noise(dtype=np.uint32))
        with pytest.raises(FootageError, match="uint samples"):
            reader(file).check()


def test_fingerprint_follows_the_files(tmp_path: Path) -> None:
    files = sequence(tmp_path, ["a.1.png", "a.2.png"])
    before = reader(*files).fingerprint()
    assert reader(*files).fingerprint() == before
    assert reader(*reversed(files)).fingerprint() != before
    save(files[1], noise(7))
    assert reader(*files).fingerprint() != before


class TestReadAhead:
    def test_in_order(self, tmp_path: Path) -> None:
        files = [save(tmp_path / f"a.{i}.png", noise(i)) for i in range(9)]
        opened = reader(*files)
        order = [5, 1, 9, 2, 2, 8]
        got = list(read_ahead(opened, iter(order), 32, 3))
        assert [frame for frame, _ in got] == order
        for frame, pixels in got:
            np.testing.assert_array_equal(pixels, opened.model_input(frame, 32))

    def test_reads_no_further_ahead(self, tmp_path: Path) -> None:
        asked: list[int] = []

        def frames() -> Any:
            for frame in range(1, 9):
                asked.append(frame)
                yield frame

        files = [save(tmp_path / f"a.{i}.png", noise(i)) for i in range(8)]
        ahead = read_ahead(reader(*files), frames(), 32, 3)
        next(ahead)
        assert asked == [1, 2, 3, 4]  # the one in use and three ahead

    def test_closing_ends_the_threads(self, tmp_path: Path) -> None:
        files = [save(tmp_path / f"a.{i}.png") for i in range(8)]
        before = threading.active_count()
        ahead = read_ahead(reader(*files), range(1, 9), 32, 4)
        next(ahead)
        assert threading.active_count() > before
        ahead.close()  # type: ignore[attr-defined]
        assert threading.active_count() == before

    def test_error_in_its_turn(self, tmp_path: Path) -> None:
        files = [save(tmp_path / f"a.{i}.png") for i in range(4)]
        files[2].write_bytes(files[2].read_bytes()[:200])
        ahead = read_ahead(reader(*files), range(1, 5), 32, 4)
        assert [next(ahead)[0], next(ahead)[0]] == [1, 2]
        with pytest.raises(FootageError, match=r"a\.2\.png"):
            next(ahead)


def test_reader_from_many_threads(tmp_path: Path) -> None:
    files = [save(tmp_path / f"a.{i}.png", noise(i)) for i in range(6)]
    opened = reader(*files)
    wrong: list[int] = []

    def work(ask: Callable[[int], NDArray[Any]]) -> None:
        for frame in (*range(1, 7), *range(6, 0, -1)):
            if not (ask(frame) == noise(frame - 1)).all():
                wrong.append(frame)

    threads = [threading.Thread(target=work, args=[lambda frame: opened.plate(frame).pixels]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
