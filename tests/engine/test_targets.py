"""Export targets: each one's files by the rules of the program that reads them; COLMAP's by COLMAP itself."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import OpenImageIO
import pycolmap
import pytest
from numpy.typing import NDArray
from PIL import ExifTags, Image

from addon.contract.errors import Cancelled, FootageError, JobError
from addon.contract.job import Job
from addon.contract.job_types import Delivery, MatteObject, Point, Prompt
from addon.contract.targets import TARGETS
from addon.engine.export import export, prepare
from addon.engine.export.nerfstudio import with_mask_paths
from addon.engine.export.objects import folders_of
from addon.engine.footage.footage import Reader, join, scan
from addon.engine.footage.images import as_stored, upright
from tests.engine.export_process import matte

CLIP = Path(__file__).resolve().parents[2] / "demo" / "clips" / "toy"
WIDTH, HEIGHT = 90, 60
NAMES = ["IMG_0001.JPG", "IMG_0002.JPG", "IMG_0010.JPG"]


@pytest.fixture
def plates(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    for i, name in enumerate(NAMES):
        save(folder / name, i)
    return folder


def save(file: Path, seed: int, orientation: int = 1) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    pixels = np.random.default_rng(seed).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
    Image.fromarray(pixels).save(file, exif=exif.tobytes())


def job_of(footage: Path, target: str, objects: tuple[str, ...] = ("subject",), **more: Any) -> Job:
    marked = tuple(MatteObject(name, (Prompt(1, (Point(1, 1),)),)) for name in objects)
    return Job(scan(footage)[0], marked, output=str(footage.with_name("out")), target=target, **more)


def made(frame: int, name: str | None, job: Job) -> NDArray[np.uint8]:
    """A disc that wanders; of several objects one below the other."""
    footage = job.footage
    if name is None:
        together = [
            matte_object.name for matte_object in job.objects if matte_object.export and not matte_object.shadow
        ]
        return np.max([made(frame, each_name, job) for each_name in together], axis=0)
    row = [matte_object.name for matte_object in job.objects].index(name)
    return np.roll(matte(frame, footage.width, footage.height), 15 * row, axis=0)


def write(job: Job, frames: list[int] | None = None, stop_after: int = 10**6) -> Path:
    done: list[int] = []
    return export(
        prepare(job, Reader(job.footage)),
        lambda frame, name: made(frame, name, job) if frames is None or frame in frames else made(frame, name, job) * 0,
        frames=frames or list(job.frames),
        key="key",
        report={},
        on_frame=lambda count, _total, _frame: done.append(count),
        cancelled=lambda: len(done) >= stop_after,
    )


def read_grey(file: Path) -> NDArray[np.uint8]:
    """(H, W), the same in Pillow, OpenCV and OpenImageIO."""
    with Image.open(file) as image:
        assert image.mode == "L"
        pixels = np.asarray(image)
    by_opencv = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
    opened = OpenImageIO.ImageInput.open(str(file))
    assert by_opencv is not None
    assert opened is not None, OpenImageIO.geterror()
    assert (opened.spec().nchannels, str(opened.spec().format)) == (1, "uint8")
    np.testing.assert_array_equal(by_opencv, pixels)
    np.testing.assert_array_equal(opened.read_image(0, 0, 0, 1, "uint8")[..., 0], pixels)
    opened.close()
    return pixels


def files_of(version: Path) -> list[str]:
    return sorted(path.relative_to(version).as_posix() for path in version.rglob("*") if path.is_file())


def report_of(version: Path) -> Mapping[str, Any]:
    document = json.loads(version.with_suffix(".json").read_text(encoding="utf-8"))
    return document["report"]["export"]  # type: ignore[no-any-return]


def found_by_colmap(version: Path, image: str) -> Path:
    """mask_path/<name>.png, newer ones also <stem>.png."""
    return version / f"{image}.png"


def found_by_realityscan(version: Path, image: str) -> Path:
    return version / f"{image}.mask.png"


def found_by_metashape(version: Path, image: str) -> Path:
    """The template {filename}.png."""
    return version / f"{Path(image).stem}.png"


def found_by_brush(version: Path, image: str) -> Path:
    """Brush: in a folder masks, X.*, X.png.* or X.mask.* of the image X.jpg; one channel is read as alpha."""
    stem = Path(image).stem
    (found,) = [path for path in (version / "masks").iterdir() if path.stem in (stem, f"{stem}.png", f"{stem}.mask")]
    return found


def found_by_lichtfeld(version: Path, image: str) -> Path:
    """LichtFeld Studio: in masks, the exact name, or stem or full name with one of four endings; a unique base name."""
    endings = (".png", ".jpg", ".jpeg", ".mask.png")
    names = {image, *(Path(image).stem + ending for ending in endings), *(image + ending for ending in endings)}
    (found,) = [path for path in (version / "masks").iterdir() if path.name in names]
    assert len([path for path in (version / "masks").iterdir() if path.stem == found.stem]) == 1
    return found


class TestMasks:
    @pytest.mark.parametrize(
        ("target", "find"),
        [
            ("masks", found_by_metashape),
            ("colmap", found_by_colmap),
            ("realityscan", found_by_realityscan),
            ("metashape", found_by_metashape),
            ("brush", found_by_brush),
            ("lichtfeld", found_by_lichtfeld),
        ],
    )
    @pytest.mark.parametrize("invert", [False, True])
    def test_found_by_the_programs_rule(self, plates: Path, target: str, find: Any, invert: bool) -> None:
        """White is the subject, or the rest if inverted; nothing between; nothing else is in the version."""
        job = job_of(plates, target, invert=invert)
        version = write(job)
        found = [find(version, name) for name in NAMES]
        assert sorted(path.relative_to(version).as_posix() for path in found) == files_of(version)
        for frame, file in enumerate(found, 1):
            subject = made(frame, None, job)
            np.testing.assert_array_equal(read_grey(file), 255 - subject if invert else subject)
        assert ("subject black" if invert else "subject white") in report_of(version)["files"]

    @pytest.mark.parametrize("invert", [False, True])
    def test_t3dgs_has_a_mask_for_every_image(self, plates: Path, invert: bool) -> None:
        """White is static, so the subject is black; masks are numbered as T-3DGS counts the images."""
        job = job_of(plates, "t3dgs", invert=invert)
        version = write(job, frames=[2])
        assert files_of(version) == [f"{i}.png" for i in range(len(NAMES))]
        nothing = np.zeros((HEIGHT, WIDTH), np.uint8)
        for i, subject in enumerate((nothing, made(2, None, job), nothing)):
            mask = read_grey(version / f"{i}.png")
            np.testing.assert_array_equal(mask, subject if invert else 255 - subject)

    @pytest.mark.parametrize("orientation", [1, 6, 7])
    @pytest.mark.parametrize("target", ["masks", "colmap", "labels"])
    def test_lies_on_the_image_as_the_program_sees_it(self, tmp_path: Path, target: str, orientation: int) -> None:
        folder = tmp_path / "images"
        folder.mkdir()
        save(folder / "a.jpg", 1, orientation)
        job = job_of(folder, target)
        (file,) = write(job).iterdir()
        expected = made(1, None, job) > 0
        if target == "colmap":
            expected = as_stored(expected, orientation)
            assert expected.shape == (HEIGHT, WIDTH)
        np.testing.assert_array_equal(read_grey(file) > 0, expected)

    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_stored_is_the_reverse_of_upright(self, orientation: int) -> None:
        pixels = np.arange(12).reshape(3, 4)
        np.testing.assert_array_equal(upright(as_stored(pixels, orientation), orientation), pixels)

    def test_of_a_movie(self, tmp_path: Path) -> None:
        import av

        with av.open(str(tmp_path / "Clip.mp4"), "w") as container:
            stream: Any = container.add_stream("libx264", rate=25)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), "rgb24")))
            container.mux(stream.encode())
        assert files_of(write(job_of(tmp_path / "Clip.mp4", "masks"))) == ["Clip_000001.png"]
        assert files_of(write(job_of(tmp_path / "Clip.mp4", "colmap"))) == ["Clip_000001.png.png"]

    def test_what_was_stopped_goes_on_but_never_as_another_polarity(self, plates: Path) -> None:
        for invert in (False, True):
            with pytest.raises(Cancelled):
                write(job_of(plates, "brush", invert=invert), stop_after=1)
        version = write(job_of(plates, "brush", invert=True))
        for frame, name in enumerate(NAMES, 1):
            subject = made(frame, None, job_of(plates, "brush"))
            np.testing.assert_array_equal(read_grey(found_by_brush(version, name)), 255 - subject)

    def test_inverted_alpha_leaves_the_subject_out(self, plates: Path) -> None:
        job = job_of(plates, "postshot", invert=True)
        version = write(job)
        with Image.open(version / "IMG_0001.png") as image, Image.open(plates / NAMES[0]) as plate:
            pixels = np.asarray(image)
            np.testing.assert_array_equal(pixels[..., :3], np.asarray(plate))
        np.testing.assert_array_equal(pixels[..., 3], 255 - made(1, None, job))
        assert "alpha 0 on the subject" in report_of(version)["files"]


class TestSeveralCameras:
    @pytest.fixture
    def cameras(self, tmp_path: Path) -> Path:
        """Two, whose images have the same names."""
        folder = tmp_path / "shoot"
        for i, name in enumerate(("left", "right")):
            (folder / name).mkdir(parents=True)
            for j in range(2):
                save(folder / name / f"IMG_000{j}.JPG", 2 * i + j)
        return folder

    @pytest.mark.parametrize("target", ["postshot", "masks", "colmap", "realityscan", "tiff", "labels"])
    def test_folders_are_kept(self, cameras: Path, target: str) -> None:
        job = job_of(cameras, target)
        version = write(job)
        ending = TARGETS[target].rules.pattern.format(stem="IMG_000{}", name="IMG_000{}.JPG")
        expected = [f"{folder}/{ending.format(j)}" for folder in ("left", "right") for j in range(2)]
        assert files_of(version) == expected
        if target == "masks":
            for frame, name in enumerate(expected, 1):
                np.testing.assert_array_equal(read_grey(version / name), made(frame, None, job))

    def test_colmap_finds_them(self, cameras: Path) -> None:
        version = write(job_of(cameras, "colmap"))
        database = cameras.parent / "database.db"
        extraction = pycolmap.FeatureExtractionOptions()
        extraction.num_threads, extraction.use_gpu = 1, False
        options = pycolmap.ImageReaderOptions(mask_path=version)
        pycolmap.extract_features(
            database, cameras, reader_options=options, extraction_options=extraction, device=pycolmap.Device.cpu
        )
        opened = pycolmap.Database.open(database)
        points = {image.name: opened.read_keypoints(image.image_id)[:, :2] for image in opened.read_all_images()}
        opened.close()
        assert sorted(points) == ["left/IMG_0000.JPG", "left/IMG_0001.JPG", "right/IMG_0000.JPG", "right/IMG_0001.JPG"]
        for name, found in points.items():
            x, y = found.astype(int).T
            assert len(found)
            assert (read_grey(version / f"{name}.png")[y, x] > 0).all()

    def test_objects_of_each(self, cameras: Path) -> None:
        version = write(job_of(cameras, "objects", ("a", "b")))
        assert len(files_of(version)) == 8
        assert (version / "b" / "right" / "IMG_0001.png").is_file()

    def test_programs_that_count_images(self, cameras: Path) -> None:
        """Through all folders, numbers by value: T-3DGS counts the names that COLMAP has; dropped images are none."""
        (cameras / "left" / "IMG_0001.JPG").rename(cameras / "left" / "IMG_10000.JPG")
        job = job_of(cameras, "t3dgs")
        names = [Path(file).relative_to(cameras).as_posix() for file in job.footage.files]
        counted = ["left/IMG_0000.JPG", "left/IMG_10000.JPG", "right/IMG_0000.JPG", "right/IMG_0001.JPG"]
        version = write(job)
        assert files_of(version) == ["0.png", "1.png", "2.png", "3.png"]
        for place, name in enumerate(counted):
            expected = 255 - made(names.index(name) + 1, None, job)
            np.testing.assert_array_equal(read_grey(version / f"{place}.png"), expected)
        kept = tuple(frame for frame in job.frames if names[frame - 1] != counted[1])
        fewer = write(dataclasses.replace(job, delivery=Delivery(kept=kept)))
        assert files_of(fewer) == ["0.png", "1.png", "2.png", "kept.txt"]
        last = made(names.index(counted[3]) + 1, None, job)
        np.testing.assert_array_equal(read_grey(fewer / "2.png"), 255 - last)

    def test_programs_that_look_at_no_folders(self, cameras: Path) -> None:
        target = "metashape"
        with pytest.raises(FootageError, match=r"same base name as .*ignores folders"):
            write(job_of(cameras, target))
        for j in range(2):
            (cameras / "right" / f"IMG_000{j}.JPG").rename(cameras / "right" / f"IMG_001{j}.JPG")
        assert [Path(name).name for name in files_of(write(job_of(cameras, target)))] == [
            "IMG_0000.png",
            "IMG_0001.png",
            "IMG_0010.png",
            "IMG_0011.png",
        ]

    def test_nerfstudio_matches_by_folder(self, cameras: Path) -> None:
        transforms = cameras / "transforms.json"
        names = ["images/right/IMG_0001.JPG", "left/IMG_0001.JPG", "./images/left/IMG_0000"]
        transforms.write_text(json.dumps({"frames": [{"file_path": name} for name in names]}))
        version = write(job_of(cameras, "nerfstudio", transforms=str(transforms)))
        masks = [entry["mask_path"] for entry in json.loads((version / "transforms.json").read_text())["frames"]]
        assert masks == ["masks/right/IMG_0001.png", "masks/left/IMG_0001.png", "masks/left/IMG_0000.png"]
        transforms.write_text('{"frames": [{"file_path": "images/IMG_0001.JPG"}]}')
        with pytest.raises(JobError, match="is not an image of this footage"):
            prepare(job_of(cameras, "nerfstudio", transforms=str(transforms)), Reader(scan(cameras)[0]))

    def test_versions_lie_beside_the_folders(self, cameras: Path) -> None:
        job = job_of(cameras, "masks")
        assert dataclasses.replace(job, output="").matte_folder == cameras / "shoot_matte"
        (cameras / "shoot_matte" / "v001" / "left").mkdir(parents=True)
        save(cameras / "shoot_matte" / "v001" / "left" / "IMG_0000.png", 1)
        assert scan(cameras)[0] == job.footage, "what was exported is no footage"

    def test_folders_can_be_named(self, cameras: Path, tmp_path: Path) -> None:
        other = tmp_path / "third"
        other.mkdir()
        save(other / "IMG_0000.JPG", 9)
        footage, _ = join([scan(cameras / "right"), scan(other)])
        assert [Reader(footage).stem(frame) for frame in (1, 2, 3)] == [
            "shoot/right/IMG_0000",
            "shoot/right/IMG_0001",
            "third/IMG_0000",
        ]
        Reader(footage).check()
        save(other / "IMG_0000.JPG", 9, orientation=6)
        with pytest.raises(FootageError, match=r"third.IMG_0000\.JPG: This image has 60 x 90 pixels"):
            Reader(footage).check()


class TestObjects:
    OBJECTS = ("Camera", "left/right", "left right")

    def test_a_folder_each(self, plates: Path) -> None:
        job = job_of(plates, "objects", self.OBJECTS)
        version = write(job)
        folders = report_of(version)["folders"]
        assert folders == {"Camera": "Camera", "left/right": "left_right", "left right": "left_right_2"}
        assert len(files_of(version)) == 9
        for name, folder in folders.items():
            mask = read_grey(version / folder / "IMG_0010.png")
            np.testing.assert_array_equal(mask, made(3, name, job))

    @pytest.mark.parametrize(
        ("names", "folders"),
        [
            (["a", "A", "a_2"], ["a", "A_2", "a_2_2"]),
            (["..", "CON", "com1"], ["_", "CON_", "com1_"]),
            (["Bär", "x" * 300], ["Bär", "x" * 60]),
        ],
    )
    def test_folders_for_every_system(self, names: list[str], folders: list[str]) -> None:
        assert folders_of(names) == dict(zip(names, folders, strict=True))

    def test_stopped_between_two_objects(self, plates: Path) -> None:
        job = job_of(plates, "objects", self.OBJECTS)
        reader = Reader(job.footage)
        asked: list[tuple[int, str | None]] = []

        def failing(frame: int, name: str | None) -> NDArray[np.uint8]:
            asked.append((frame, name))
            if (frame, name) == (2, "left/right") and asked.count((frame, name)) == 1:
                raise JobError("as if the disk were full")
            return made(frame, name, job)

        def go() -> Path:
            return export(
                prepare(job, reader),
                failing,
                frames=[1, 2, 3],
                key="key",
                report={},
                on_frame=lambda *_: None,
                cancelled=lambda: False,
            )

        with pytest.raises(JobError):
            go()
        assert not list(plates.with_name("out").glob("v*"))
        assert len(files_of(go())) == 9
        assert asked.count((2, "Camera")) == 1  # what was finished of frame 2 stays

    def test_ids(self, plates: Path) -> None:
        """Numbers in the order of the objects; the later one lies above."""
        job = job_of(plates, "labels", self.OBJECTS)
        version = write(job)
        assert report_of(version)["numbers"] == {"Camera": 1, "left/right": 2, "left right": 3}
        expected = np.zeros((HEIGHT, WIDTH), np.uint8)
        for number, name in enumerate(self.OBJECTS, 1):
            expected[made(2, name, job) > 0] = number
        labels = read_grey(version / "IMG_0002.png")
        np.testing.assert_array_equal(labels, expected)
        assert set(np.unique(labels)) == {0, 1, 2, 3}

    def test_ids_cannot_be_inverted_nor_exceed_a_byte(self, plates: Path) -> None:
        with pytest.raises(JobError, match="invert"):
            write(job_of(plates, "labels", invert=True))
        with pytest.raises(JobError, match="255 objects, not 256"):
            write(job_of(plates, "labels", tuple(map(str, range(256)))))


# As programs write them: numbers that no parser gives back, escapes, odd spaces, fields that nobody knows.
TRANSFORMS = """{
    "camera_model": "OPENCV", "fl_x": 1072.2800000000001, "k1": -1.0e-05, "aabb_scale": 16 ,
    "applied_transform": [[1.0, 0.00, 0E0, 12345678901234567890.123456789]],
    "vendor": {"frames": [{"file_path": "no frame"}], "n\\u00e4me": "\\u00e9\\/é \\"}{][,: "},
    "frames": [
        {
            "file_path": "./images/IMG_0010.JPG",
            "transform_matrix": [[0.1, -1e0, 3.0000000000000000004]],
            "colmap_im_id": 3
        },
        {"colmap_im_id": 1, "mask_path": "old/1.png", "file_path": "images\\\\IMG_0001.JPG", "mask": null},
        {"file_path":"images/IMG_0002"}
    ] , "ply_file_path": "sparse_pc.ply"
}
"""


class TestNerfstudio:
    @pytest.fixture
    def transforms(self, tmp_path: Path) -> Path:
        file = tmp_path / "transforms.json"
        file.write_bytes(TRANSFORMS.encode())
        return file

    def test_only_mask_paths_are_added(self, plates: Path, transforms: Path) -> None:
        version = write(job_of(plates, "nerfstudio", transforms=str(transforms)))
        text = (version / "transforms.json").read_bytes().decode()
        expected = (
            TRANSFORMS.replace('IMG_0010.JPG",', 'IMG_0010.JPG",\n            "mask_path": "masks/IMG_0010.png",')
            .replace("old/1.png", "masks/IMG_0001.png")
            .replace('"images/IMG_0002"', '"images/IMG_0002","mask_path": "masks/IMG_0002.png"')
        )
        assert text == expected
        assert transforms.read_bytes() == TRANSFORMS.encode()
        frames = json.loads(text)["frames"]
        for entry in frames:  # every mask is where nerfstudio looks: from the file's own folder
            assert read_grey(version / entry["mask_path"]).shape == (HEIGHT, WIDTH)
            del entry["mask_path"]
        before = json.loads(TRANSFORMS)
        del before["frames"][1]["mask_path"]
        assert {**json.loads(text), "frames": frames} == before
        assert len(files_of(version)) == len(NAMES) + 1

    @pytest.mark.parametrize(
        "text", ['{"frames":[{"file_path":"a"}]}', '\ufeff { "frames" : [ { "file_path" : "a" } ] } \r\n']
    )
    def test_compact_spaced_and_with_a_byte_order_mark(self, text: str) -> None:
        result = with_mask_paths(text, ["ü.png"])
        assert json.loads(result.removeprefix("\ufeff")) == {"frames": [{"file_path": "a", "mask_path": "ü.png"}]}
        without = result.replace(',"mask_path": "ü.png"', "").replace(', "mask_path": "ü.png"', "")
        assert without == text

    def test_the_last_of_repeated_fields_counts(self) -> None:
        """As it does for every JSON parser."""
        result = with_mask_paths('{"frames": 1, "frames": [{"file_path": "a", "file_path": "b"}]}', ["m"])
        assert result == '{"frames": 1, "frames": [{"file_path": "a", "file_path": "b", "mask_path": "m"}]}'

    def test_images_of_the_footage_that_it_lacks_are_fine(self, plates: Path, transforms: Path) -> None:
        """Photogrammetry leaves out what it can't place."""
        transforms.write_text('{"frames": [{"file_path": "images/IMG_0002.JPG"}]}')
        version = write(job_of(plates, "nerfstudio", transforms=str(transforms)))
        (frame,) = json.loads((version / "transforms.json").read_text())["frames"]
        assert frame["mask_path"] == "masks/IMG_0002.png"

    def test_dropped_frames_are_taken_out(self, plates: Path, transforms: Path) -> None:
        """nerfstudio wants masks for all or none: what is not exported must not be listed. All else stays as it was."""
        job = job_of(plates, "nerfstudio", transforms=str(transforms), delivery=Delivery(kept=(1, 3)))
        version = write(job)
        data = json.loads((version / "transforms.json").read_text(encoding="utf-8"))
        assert [entry["mask_path"] for entry in data["frames"]] == ["masks/IMG_0010.png", "masks/IMG_0001.png"]
        before = json.loads(TRANSFORMS)
        assert data | {"frames": []} == before | {"frames": []}
        assert {entry["file_path"] for entry in before["frames"]} > {entry["file_path"] for entry in data["frames"]}
        assert not (version / "masks/IMG_0002.png").exists()

    def test_masks_for_all_or_none(self, plates: Path, transforms: Path) -> None:
        job = job_of(plates, "nerfstudio", transforms=str(transforms))
        with pytest.raises(JobError, match=r"1 of its images have no matte, IMG_0010\.JPG is the first"):
            write(job, frames=[1, 2])
        assert not plates.with_name("out").exists()

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            (None, "can't be read"),
            ("{", "not JSON"),
            ("[" * 100_000, "not JSON"),
            ("\xff", "not JSON"),
            ("[]", "no frames"),
            ('{"frames": []}', "no frames"),
            ('{"frames": [{"file_path": 1}]}', r"frames\[0\] has no file_path"),
            ('{"frames": [{"file_path": "images/other.jpg"}]}', "other.jpg is not an image of this footage"),
            ('{"frames": [{"file_path": "a/IMG_0001.JPG"}, {"file_path": "b/IMG_0001.JPG"}]}', "both match"),
        ],
    )
    def test_says_what_is_wrong_with_it(self, plates: Path, transforms: Path, text: str | None, said: str) -> None:
        transforms.unlink()
        if text is not None:
            transforms.write_bytes(text.encode("latin-1"))
        with pytest.raises(JobError, match=said) as caught:
            prepare(job_of(plates, "nerfstudio", transforms=str(transforms)), Reader(scan(plates)[0]))
        assert caught.value.where == str(transforms)

    def test_has_to_be_named(self, plates: Path) -> None:
        with pytest.raises(JobError, match="is named"):
            prepare(job_of(plates, "nerfstudio"), Reader(scan(plates)[0]))


@pytest.mark.parametrize("orientation", [1, 6])
def test_colmap_finds_features_on_the_subject_only(tmp_path: Path, orientation: int) -> None:
    """On a clip of the demo with its true mattes, also if the camera was held upright."""

    folder = tmp_path / "images"
    folder.mkdir()
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    truth: dict[str, NDArray[np.uint8]] = {}
    for file in sorted((CLIP / "rgb").iterdir())[:3]:
        with Image.open(file) as image:
            image.save(folder / file.name, quality=95, exif=exif.tobytes())
        with Image.open(CLIP / "gt" / f"{file.stem}.png") as image:
            truth[file.name] = np.asarray(image.convert("L"))

    def true_matte(frame: int, name: str | None) -> NDArray[np.uint8]:
        stored = list(truth.values())[frame - 1]
        return np.ascontiguousarray(np.rot90(stored, -1)) if orientation == 6 else stored

    job = job_of(folder, "colmap")
    version = export(
        prepare(job, Reader(job.footage)),
        true_matte,
        frames=[1, 2, 3],
        key="key",
        report={},
        on_frame=lambda *_: None,
        cancelled=lambda: False,
    )

    def features(**options: Any) -> dict[str, NDArray[np.float32]]:
        database = tmp_path / f"{len(options)}.db"
        extraction = pycolmap.FeatureExtractionOptions()
        extraction.num_threads = 1
        extraction.use_gpu = False
        pycolmap.extract_features(
            database,
            folder,
            reader_options=pycolmap.ImageReaderOptions(**options),
            extraction_options=extraction,
            device=pycolmap.Device.cpu,
        )
        opened = pycolmap.Database.open(database)
        found = {image.name: opened.read_keypoints(image.image_id)[:, :2] for image in opened.read_all_images()}
        opened.close()
        return found

    def on_subject(name: str, points: NDArray[np.float32]) -> NDArray[np.bool_]:
        x, y = points.astype(int).T
        return truth[name][y, x] > 0

    without, masked = features(), features(mask_path=version)
    assert set(masked) == set(truth)
    for name in truth:
        assert on_subject(name, masked[name]).all()
        assert len(masked[name]) == on_subject(name, without[name]).sum() > 20
        assert not on_subject(name, without[name]).all()


class TestIgnoredEmptyKept:
    def test_bands_for_lichtfeld(self, plates: Path) -> None:
        """White in the subject, black along its edge and on the shadow, grey elsewhere; without them as it was."""
        objects = ("subject", "shadow")
        job = job_of(plates, "lichtfeld", objects)
        as_shadow = (job.objects[0], dataclasses.replace(job.objects[1], shadow=True))
        job = dataclasses.replace(job, objects=as_shadow, delivery=Delivery(ignored_band=2))
        version = write(job)
        bands = read_grey(version / "masks" / "IMG_0001.png")
        subject, shadow = (made(1, name, job) > 0 for name in objects)
        away = [cv2.distanceTransform(part.astype(np.uint8), cv2.DIST_L2, 5) for part in (subject, ~subject)]
        np.testing.assert_array_equal(bands[away[0] > 3], 255)
        np.testing.assert_array_equal(bands[(away[1] > 3) & ~shadow], 192)
        np.testing.assert_array_equal(bands[shadow & ~subject], 0)
        np.testing.assert_array_equal(bands[(away[0] > 0) & (away[0] < 2)], 0)
        assert (shadow & ~subject).any()
        told = json.loads(version.with_suffix(".json").read_text(encoding="utf-8"))["report"]["export"]
        assert told["mask_mode"] == "segment_and_ignore"
        assert "shadow (shadow)" in told["files"]
        inverted = read_grey(write(dataclasses.replace(job, invert=True)) / "masks" / "IMG_0001.png")
        np.testing.assert_array_equal(inverted[away[0] > 3], 192)
        np.testing.assert_array_equal(inverted[shadow & ~subject], 0)
        plain = dataclasses.replace(job, objects=job.objects[:1], delivery=Delivery())
        assert set(np.unique(read_grey(write(plain) / "masks" / "IMG_0001.png"))) == {0, 255}

    def test_greys_for_brush_alone(self, plates: Path) -> None:
        rules = TARGETS["brush"].rules
        assert rules.keeps_greys(asked=True)
        assert not rules.keeps_greys(asked=False)
        assert not TARGETS["spirula"].rules.keeps_greys(asked=True)
        job = job_of(plates, "brush", delivery=Delivery(greys=True))
        told = json.loads(write(job).with_suffix(".json").read_text(encoding="utf-8"))["report"]["export"]
        assert "soft edges as greys" in told["files"]

    def test_a_band_has_bounds(self, plates: Path) -> None:
        for width in (-1, 1001):
            with pytest.raises(JobError, match="0 to 1000"):
                job_of(plates, "lichtfeld", delivery=Delivery(ignored_band=width))


class TestBothSets:
    """What alignment sees and what training sees, in one version."""

    @staticmethod
    def people(plates: Path, target: str, capture: Any) -> Job:
        """A subject, and somebody who is tracked and not exported; the photo is held upright."""
        (plates / NAMES[0]).unlink()
        save(plates / NAMES[0], 0, orientation=6)
        for name in NAMES[1:]:
            (plates / name).unlink(missing_ok=True)
        job = job_of(plates, target, ("subject", "person"), delivery=Delivery(capture=capture))
        return dataclasses.replace(job, objects=(job.objects[0], dataclasses.replace(job.objects[1], export=False)))

    @pytest.mark.parametrize("capture", ["walk_around", "turntable"])
    @pytest.mark.parametrize(
        ("target", "training", "alignment"),
        [
            ("brush", "masks/IMG_0001.png", "alignment/IMG_0001.JPG.png"),
            ("lichtfeld", "masks/IMG_0001.png", "alignment/IMG_0001.JPG.png"),
            ("colmap", "training/IMG_0001.png", "IMG_0001.JPG.png"),
            ("realityscan", "training/IMG_0001.png", "IMG_0001.JPG.mask.png"),
        ],
    )
    def test_masks(self, plates: Path, target: str, training: str, alignment: str, capture: str) -> None:
        job = self.people(plates, target, capture)
        version = write(job)
        assert sorted(str(path.relative_to(version)) for path in version.rglob("*.png")) == sorted(
            [training, alignment]
        )
        subject, person = (as_stored(made(1, name, job), 6) for name in ("subject", "person"))
        assert (person & ~subject).any()
        np.testing.assert_array_equal(read_grey(version / training), subject)
        seen = subject if capture == "turntable" else ~person
        np.testing.assert_array_equal(read_grey(version / alignment), seen)
        told = json.loads(version.with_suffix(".json").read_text(encoding="utf-8"))["report"]["export"]
        assert told["capture"] == capture
        assert "--ImageReader.mask_path" in str(told["to_align"]) or target == "realityscan"
        assert told["to_train"]
        assert ("person" in told["alignment"]) == (capture == "walk_around")

    def test_only_where_there_is_a_pair(self, plates: Path) -> None:
        """Targets that neither align nor train, and Jobs that say nothing, get their own files alone."""
        for target, capture in (("labels", "turntable"), ("brush", "any")):
            version = write(self.people(plates, target, capture))
            assert len(list(version.rglob("*.png"))) == 1
