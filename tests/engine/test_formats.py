"""TIFF and EXR: values, depth, camera data and colour space as other programs read them back."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import mmh3
import numpy as np
import OpenImageIO
import pytest
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms

from addon.contract.errors import JobError
from addon.contract.job import Job
from addon.contract.job_types import Delivery, Footage, MatteObject, Point, Prompt
from addon.engine.export import export, prepare
from addon.engine.export.layers import hash_of
from addon.engine.footage.footage import Reader, scan
from tests.engine.export_process import matte, may_mount

ROOT = Path(__file__).resolve().parents[2]
WIDTH, HEIGHT = 70, 50

# A config as small as it can be: a linear space of half the brightness, and sRGB's curve.
CONFIG = """ocio_profile_version: 2
roles: {default: Raw, scene_linear: Linear}
file_rules: [!<Rule> {name: Default, colorspace: default}]
displays: {sRGB: [!<View> {name: Standard, colorspace: sRGB}]}
colorspaces:
  - !<ColorSpace> {name: Linear}
  - !<ColorSpace> {name: Raw, isdata: true}
  - !<ColorSpace>
    name: Half as bright
    aliases: [lin_ap1_scene]
    to_scene_reference: !<MatrixTransform> {matrix: [0.5, 0, 0, 0, 0, 0.5, 0, 0, 0, 0, 0.5, 0, 0, 0, 0, 1]}
  - !<ColorSpace>
    name: sRGB
    from_scene_reference: !<ExponentWithLinearTransform> {gamma: 2.4, offset: 0.055, direction: inverse}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "plätes"
    folder.mkdir()
    return folder


@pytest.fixture
def config(tmp_path: Path) -> str:
    file = tmp_path / "config.ocio"
    file.write_text(CONFIG, encoding="utf-8")
    return str(file)


def job_of(footage: Footage, folder: Path, target: str, **delivery: Any) -> Job:
    marked = (MatteObject("a", (Prompt(1, (Point(1, 1),)),)),)
    return Job(footage, marked, output=str(folder.with_name("out")), target=target, delivery=Delivery(**delivery))


def write(job: Job) -> Path:
    """The file of a single frame."""
    version = export(
        prepare(job, Reader(job.footage)),
        lambda frame, name: matte(frame, job.footage.width, job.footage.height),
        frames=job.frames,
        key="key",
        report={},
        on_frame=lambda *_: None,
        cancelled=lambda: False,
    )
    (file,) = version.iterdir()
    return file


def files_said(file: Path) -> str:
    report = json.loads(file.parent.with_suffix(".json").read_text(encoding="utf-8"))["report"]
    return str(report["export"]["files"])


def read_oiio(file: Path) -> tuple[NDArray[Any], Any]:
    """Pixels as stored, and the header."""
    hint = OpenImageIO.ImageSpec()
    hint.attribute("oiio:UnassociatedAlpha", 1)
    opened = OpenImageIO.ImageInput.open(str(file), hint)
    assert opened is not None, OpenImageIO.geterror()
    pixels, spec = opened.read_image(0, 0, 0, opened.spec().nchannels, str(opened.spec().format)), opened.spec()
    opened.close()
    assert pixels is not None
    return pixels, spec


class TestTiff:
    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
    @pytest.mark.parametrize("size", [(1, 1), (70, 50), (301, 4000)])
    def test_reads_back_the_same_everywhere(self, folder: Path, dtype: Any, size: tuple[int, int]) -> None:
        pixels = np.random.default_rng(1).integers(0, np.iinfo(dtype).max, (*size[::-1], 3), dtype, endpoint=True)
        assert cv2.imwrite(str(folder / "a.png"), pixels[..., ::-1])
        file = write(job_of(scan(folder)[0], folder, "tiff"))
        assert file.name == "a.tif"
        found, spec = read_oiio(file)
        assert found.dtype == dtype
        assert spec.alpha_channel == 3
        np.testing.assert_array_equal(found[..., :3], pixels)
        np.testing.assert_array_equal(found[..., 3], np.where(matte(1, *size), np.iinfo(dtype).max, 0))
        by_opencv = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
        assert by_opencv is not None
        if dtype == np.uint8:  # of 8 bits, OpenCV multiplies alpha in
            found = found * (found[..., 3:] > 0)
        np.testing.assert_array_equal(by_opencv[..., [2, 1, 0, 3]], found)
        with Image.open(file) as image:
            assert image.mode == "RGBA"
            if dtype == np.uint8:
                np.testing.assert_array_equal(np.asarray(image)[..., :3], pixels)

    @pytest.mark.parametrize("byte_order", [b"II", b"MM"])
    @pytest.mark.parametrize("orientation", [1, 6])
    def test_camera_data_goes_along_upright(self, folder: Path, byte_order: bytes, orientation: int) -> None:
        exif = Image.Exif()
        exif.endian = "<" if byte_order == b"II" else ">"
        exif[ExifTags.Base.Make] = "Kamera mit langem Namen"
        exif[ExifTags.Base.Orientation] = orientation
        exif[ExifTags.IFD.Exif] = {ExifTags.Base.FocalLength: 35.0, ExifTags.Base.MakerNote: bytes(range(200))}
        exif[ExifTags.IFD.GPSInfo] = {ExifTags.GPS.GPSLatitudeRef: "N"}
        data = exif.tobytes()
        assert data[6:8] == byte_order
        icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        pixels = np.random.default_rng(5).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
        Image.fromarray(pixels).save(folder / "IMG_0001.JPG", exif=data, icc_profile=icc)
        job = job_of(scan(folder)[0], folder, "tiff")
        file = write(job)
        with Image.open(file) as image:
            np.testing.assert_array_equal(np.asarray(image)[..., :3], Reader(job.footage).plate(1).pixels)
            assert image.info["icc_profile"] == icc
            found = image.getexif()
            assert found[ExifTags.Base.Orientation] == 1
            assert found[ExifTags.Base.Make] == "Kamera mit langem Namen"
            camera = found.get_ifd(ExifTags.IFD.Exif)
            assert camera[ExifTags.Base.FocalLength] == 35.0
            assert camera[ExifTags.Base.MakerNote] == bytes(range(200))
            assert found.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] == "N"
        assert file.read_bytes()[:2] == byte_order

    @pytest.mark.parametrize("exif", [b"", b"II*\0", b"II*\0\xff\xff\xff\x7f", b"II*\0\x08\0\0\0\xff\xff", b"rubbish!"])
    def test_broken_camera_data(self, tmp_path: Path, exif: bytes) -> None:
        from addon.engine.export.tiff import write_rgba

        pixels = np.random.default_rng(5).integers(0, 255, (HEIGHT, WIDTH, 4), np.uint8)
        with (tmp_path / "a.tif").open("wb") as file:
            write_rgba(file, pixels[..., :3], pixels[..., 3], None, exif)
        np.testing.assert_array_equal(read_oiio(tmp_path / "a.tif")[0], pixels)


def save_exr(file: Path, pixels: NDArray[Any], kind: str, **attributes: Any) -> None:
    spec = OpenImageIO.ImageSpec(pixels.shape[1], pixels.shape[0], pixels.shape[2], kind)
    spec.x, spec.y, spec.full_width, spec.full_height = 3, 2, 100, 80  # a data window inside a larger display window
    for name, value in attributes.items():
        spec.attribute(name, value)
    output = OpenImageIO.ImageOutput.create(str(file))
    assert output is not None
    assert output.open(str(file), spec), output.geterror()
    output.write_image(pixels)
    output.close()


def floats(channels: int = 3) -> NDArray[np.float32]:
    """Beyond 0 to 1, infinite, and not a number."""
    pixels = np.random.default_rng(0).normal(0.5, 2, (HEIGHT, WIDTH, channels)).astype(np.float16).astype(np.float32)
    pixels[0, 0, :3] = np.inf, -np.inf, np.nan
    return pixels


class TestExr:
    @pytest.mark.parametrize("kind", ["half", "float"])
    def test_values_and_header_stay(self, folder: Path, kind: str) -> None:
        save_exr(folder / "shot.1001.exr", floats(), kind, Copyright="me", compression="piz")
        file = write(job_of(scan(folder)[0], folder, "exr"))
        pixels, spec = read_oiio(file)
        assert file.name == "shot.1001.exr"
        assert str(spec.format) == kind
        assert tuple(spec.channelnames) == ("R", "G", "B", "A")
        np.testing.assert_array_equal(pixels[..., :3], floats())
        np.testing.assert_array_equal(pixels[..., 3], matte(1, WIDTH, HEIGHT) / 255)
        assert (spec.x, spec.y, spec.full_width, spec.full_height) == (3, 2, 100, 80)
        assert spec.getattribute("Copyright") == "me"
        assert f"{kind} values as in the footage, colour space scene-linear Rec. 709 (assumed)" in files_said(file)

    def test_the_same_bytes_every_time(self, folder: Path) -> None:
        save_exr(folder / "a.exr", floats(), "half", DateTime="2001:02:03 04:05:06")
        job = job_of(scan(folder)[0], folder, "exr")
        assert read_oiio(write(job))[1].getattribute("DateTime") == "2001:02:03 04:05:06"
        job = dataclasses.replace(job, target="layers")
        first = write(job).read_bytes()
        time.sleep(1.1)  # OpenEXR's clock counts seconds
        assert write(job).read_bytes() == first

    def test_alpha_of_the_footage(self, folder: Path) -> None:
        source = floats(4)
        save_exr(folder / "a.exr", source, "float")
        pixels, _ = read_oiio(write(job_of(scan(folder)[0], folder, "exr", plate_alpha="multiply")))
        np.testing.assert_array_equal(pixels[..., :3], source[..., :3])
        np.testing.assert_array_equal(pixels[..., 3], np.where(matte(1, WIDTH, HEIGHT), source[..., 3], 0))

    def test_footage_of_integers_is_refused(self, folder: Path) -> None:
        Image.new("RGB", (8, 8)).save(folder / "a.png")
        with pytest.raises(JobError, match=r"keeps float values.*Choose TIFF"):
            write(job_of(scan(folder)[0], folder, "exr"))


_SMALL_DISK = """
import subprocess, sys
from pathlib import Path
import numpy as np
from addon.contract.disk import write_file
from addon.engine.export.exr import write_exr
disk, reference = map(Path, sys.argv[1:])
pixels = np.random.default_rng(0).random((60, 70, 4)).astype(np.float32)
def write(file): write_exr(file, (70, 60), dict.fromkeys("RGBA", "float"), lambda rows: pixels[rows], {})
write_file(reference, write)
pages = -(-reference.stat().st_size // 4096)
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", str(disk)], check=True)
for count in range(pages - 4, pages + 3):
    subprocess.run(["mount", "-o", f"remount,size={4096 * count}", str(disk)], check=True)
    file = disk / "a.exr"
    try:
        write_file(file, write)
        print("whole" if file.read_bytes() == reference.read_bytes() else "HALF")
        file.unlink()
    except OSError as error:
        print(error.strerror if not list(disk.iterdir()) else "LEFT")
"""


@pytest.mark.skipif(
    not may_mount(), reason="EXR ON A FULL DISK NOT TESTED: `unshare -rm` with a tmpfs is not permitted"
)
def test_exr_on_a_disk_that_is_just_too_small(tmp_path: Path) -> None:
    """OpenEXR itself says nothing when only its last bytes find no space."""
    (tmp_path / "disk").mkdir()
    arguments = [sys.executable, "-c", _SMALL_DISK, str(tmp_path / "disk"), str(tmp_path / "reference.exr")]
    result = subprocess.run(
        ["unshare", "-rm", *arguments], cwd=ROOT, capture_output=True, encoding="utf-8", check=False
    )
    assert result.returncode == 0, result.stderr
    said = result.stdout.split("\n")[:-1]
    assert set(said) == {"No space left on device", "whole"}
    assert said == sorted(said)


class TestLayers:
    NAMES = ("Camera", "left/right", "Bär.2")

    def mattes(self, seed: int = 0) -> dict[str, NDArray[np.uint8]]:
        """Soft, and over each other."""
        generator = np.random.default_rng(seed)
        shape = HEIGHT, WIDTH
        noise = [generator.integers(0, 256, shape) * (generator.random(shape) < 0.6) for _ in self.NAMES]
        return dict(zip(self.NAMES, (channel.astype(np.uint8) for channel in noise), strict=True))

    def write(self, folder: Path, mattes: dict[str, NDArray[np.uint8]], **more: Any) -> Path:
        Image.new("RGB", (WIDTH, HEIGHT)).save(folder / "shot.0007.png")
        marked = tuple(MatteObject(name, (Prompt(1, (Point(1, 1),)),)) for name in mattes)
        job = dataclasses.replace(job_of(scan(folder)[0], folder, "layers"), objects=marked, **more)
        version = export(
            prepare(job, Reader(job.footage)),
            lambda frame, name: mattes[name or ""],
            frames=[1],
            key="key",
            report={},
            on_frame=lambda *_: None,
            cancelled=lambda: False,
        )
        return version / "shot.0007.exr"

    def test_a_layer_each(self, folder: Path) -> None:
        mattes = self.mattes()
        file = self.write(folder, mattes)
        pixels, spec = read_oiio(file)
        report = json.loads(file.parent.with_suffix(".json").read_text(encoding="utf-8"))["report"]["export"]
        assert report["layers"] == {"Camera": "Camera", "left/right": "left_right", "Bär.2": "Bär_2"}
        for name, layer in report["layers"].items():
            at = spec.channelnames.index(f"{layer}.A")
            np.testing.assert_array_equal(np.rint(pixels[..., at] * 255), mattes[name])

    def decode(self, file: Path) -> dict[str, NDArray[np.float32]]:
        """Decode as the specification tells a reader to: from the header's names alone."""
        pixels, spec = read_oiio(file)
        found = {
            attribute.name: attribute.value
            for attribute in spec.extra_attribs
            if attribute.name.startswith("cryptomatte/")
        }
        (key,) = {name.rpartition("/")[0] for name in found}
        assert found[f"{key}/hash"] == "MurmurHash3_32"
        assert found[f"{key}/conversion"] == "uint32_to_float32"
        layer = found[f"{key}/name"]
        assert key == "cryptomatte/" + f"{mmh3.hash(layer, signed=False):08x}"[:7]
        channels = [name for name in spec.channelnames if name.startswith(layer)]
        levels = sorted({name.partition(".")[0] for name in channels})
        pairs = [(f"{level}.{a}", f"{level}.{b}") for level in levels for a, b in ("RG", "BA")]
        mattes = {}
        for name, text in json.loads(found[f"{key}/manifest"]).items():
            wanted = np.frombuffer(int(text, 16).to_bytes(4, "little"), "<f4")[0]
            total = np.zeros(pixels.shape[:2], np.float32)
            for id_channel, coverage in pairs:
                hit = pixels[..., spec.channelnames.index(id_channel)] == wanted
                total += np.where(hit, pixels[..., spec.channelnames.index(coverage)], 0)
            mattes[name] = total
        return mattes

    def test_cryptomatte_decodes_to_the_mattes(self, folder: Path) -> None:
        mattes = self.mattes()
        decoded = self.decode(self.write(folder, mattes))
        assert set(decoded) == set(self.NAMES)
        for name in self.NAMES:
            np.testing.assert_array_equal(np.rint(decoded[name] * 255), mattes[name])

    def test_ids_are_normal_floats_and_those_of_the_specification(self) -> None:
        """The published test values, and no id that a float can't carry."""
        assert f"{hash_of('hello'):08x}" == "248bfa47"
        assert f"{hash_of('hello, world'):08x}" == "149bbb7f"
        ids = np.array([hash_of(f"object {i}") for i in range(5000)], np.uint32)
        floats = ids.view(np.float32)
        assert np.isfinite(floats).all()
        assert (np.abs(floats) >= np.finfo(np.float32).tiny).all()
        raw = np.array([mmh3.hash(f"object {i}", signed=False) for i in range(5000)], np.uint32)
        assert (raw != ids).any(), "some had to be changed"

    def test_more_objects_than_ranks(self, folder: Path) -> None:
        """Layers hold all; of Cryptomatte the six strongest are in each pixel."""
        mattes = {f"object {i}": np.full((HEIGHT, WIDTH), 20 * (i + 1), np.uint8) for i in range(9)}
        file = self.write(folder, mattes)
        decoded = self.decode(file)
        for i, name in enumerate(mattes):
            np.testing.assert_array_equal(np.rint(decoded[name] * 255), mattes[name] if i >= 3 else 0)
        assert len([name for name in read_oiio(file)[1].channelnames if name.startswith("object")]) == 9

    def test_an_object_that_is_called_as_the_layer(self, folder: Path) -> None:
        mattes = {name: np.full((HEIGHT, WIDTH), 255, np.uint8) for name in ("CryptoObject01", "_CryptoObject01")}
        file = self.write(folder, mattes)
        assert "_CryptoObject01.A" in read_oiio(file)[1].channelnames
        assert set(self.decode(file)) == set(mattes)

    def test_it_can_not_be_inverted(self, folder: Path) -> None:
        with pytest.raises(JobError, match="invert"):
            self.write(folder, self.mattes(), invert=True)


class TestColour:
    def footage(self, folder: Path, space: str, config: str) -> Footage:
        save_exr(folder / "a.exr", floats(), "float")
        return dataclasses.replace(scan(folder)[0], colour_space=space, colour_config=config)

    @pytest.mark.parametrize("target", ["postshot", "tiff"])
    def test_float_becomes_srgb_by_the_config(self, folder: Path, config: str, target: str) -> None:
        file = write(job_of(self.footage(folder, "Half as bright", config), folder, target))
        linear = np.clip(np.nan_to_num(floats().astype(np.float64), nan=0.0) / 2, 0, 1)
        srgb = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
        pixels, _ = read_oiio(file)
        assert np.abs(pixels[..., :3] - srgb * 65535).max() <= 3  # OpenColorIO's power is good to 1e-5
        assert "Half as bright (OpenColorIO config" in files_said(file)

    def test_the_model_sees_the_same(self, folder: Path, config: str) -> None:
        footage = self.footage(folder, "Half as bright", config)
        plain = dataclasses.replace(footage, colour_space="", colour_config="")
        assert Reader(footage).model_input(1, 16).mean() < Reader(plain).model_input(1, 16).mean()
        assert Reader(footage).fingerprint() != Reader(plain).fingerprint()
        data = dataclasses.replace(footage, colour_space="Raw")  # shown as linear, as Blender does
        difference = Reader(data).model_input(1, 16).astype(int) - Reader(plain).model_input(1, 16)
        assert np.abs(difference).max() <= 1

    @pytest.mark.parametrize(
        "search", ["search_path: luts", "search_path: [elsewhere, luts]", "search_path:\n  - luts"]
    )
    def test_a_copy_of_the_config_counts_as_the_same(self, folder: Path, config: str, search: str) -> None:
        """Its content and the files that it names are in the key, and its path is not."""
        file = "    to_scene_reference: !<FileTransform> {src: half.spi1d, interpolation: linear}"
        text = "\n".join(file if "MatrixTransform" in line else line for line in CONFIG.splitlines())
        studio = Path(config).parent / "studio"
        (studio / "luts").mkdir(parents=True)
        (studio / "config.ocio").write_text(f"{text}\n{search}\n", encoding="utf-8")
        (studio / "luts" / "half.spi1d").write_text("the first", encoding="utf-8")
        copy, changed = shutil.copytree(studio, folder.parent / "copy"), shutil.copytree(studio, folder.parent / "new")
        (changed / "luts" / "half.spi1d").write_text("a second", encoding="utf-8")

        footage = self.footage(folder, "Half as bright", config)

        def keys(place: Path) -> tuple[str, str]:
            reader = Reader(dataclasses.replace(footage, colour_config=str(place / "config.ocio")))
            return reader.fingerprint(), reader.fingerprint_of(1)

        assert keys(studio) == keys(copy)
        assert not set(keys(studio)) & set(keys(changed))
        (studio / "luts" / "half.spi1d").write_text("changed beside a running engine", encoding="utf-8")
        with pytest.raises(JobError, match="has changed since"):
            keys(studio)

    def test_exr_keeps_its_values_and_says_its_space(self, folder: Path, config: str) -> None:
        file = write(job_of(self.footage(folder, "Half as bright", config), folder, "exr"))
        pixels, spec = read_oiio(file)
        np.testing.assert_array_equal(pixels[..., :3], floats())
        assert spec.getattribute("colorInteropID") == "lin_ap1_scene"
        assert "colour space Half as bright" in files_said(file)

    @pytest.mark.parametrize(("space", "said"), [("Nope", "has no colour space 'Nope'"), ("Linear", "not an Open")])
    def test_what_is_not_there_is_said(self, folder: Path, config: str, space: str, said: str) -> None:
        config = f"{config}.none" if space == "Linear" else config
        with pytest.raises(JobError, match=said):
            Reader(self.footage(folder, space, config)).check()
