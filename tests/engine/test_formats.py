"""TIFF and EXR: values, depth, camera data and colour space as other programs read them back."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import OpenImageIO
import pytest
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms

from addon.engine.export import export, prepare
from addon.engine.footage import Reader, scan
from addon.errors import JobError
from addon.job import Delivery, Footage, Job, MatteObject, Point, Prompt
from tests.engine.export_process import matte

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
    return Job(footage, marked, output=str(folder.with_name("out")), export=target, delivery=Delivery(**delivery))


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

    def test_exr_keeps_its_values_and_says_its_space(self, folder: Path, config: str) -> None:
        file = write(job_of(self.footage(folder, "Half as bright", config), folder, "exr"))
        pixels, spec = read_oiio(file)
        np.testing.assert_array_equal(pixels[..., :3], floats())
        assert spec.getattribute("colorInteropID") == "lin_ap1_scene"
        assert "colour space Half as bright" in files_said(file)

    @pytest.mark.parametrize(("space", "said"), [("Nope", "has no colour space 'Nope'"), ("Linear", "no OpenColorIO")])
    def test_what_is_not_there_is_said(self, folder: Path, config: str, space: str, said: str) -> None:
        config = f"{config}.none" if space == "Linear" else config
        with pytest.raises(JobError, match=said):
            Reader(self.footage(folder, space, config)).check()
