"""Which files a clip consists of, compared with what Blender itself shows."""

import os
import struct
import subprocess
from pathlib import Path

import bpy
import pytest
from conftest import ROOT, compositor, part
from PIL import Image

STEP = 20  # grey levels between two files


def write_sequence(folder: Path, numbers: list[int], name: str = "shot.{:04d}.png", size: tuple[int, int] = (64, 48)):
    """Write flat images whose grey identifies the file."""
    folder.mkdir(parents=True, exist_ok=True)
    for i, number in enumerate(numbers):
        grey = (i + 1) * STEP
        Image.new("RGB", size, (grey, grey, grey)).save(folder / name.format(number))
    return folder / name.format(numbers[0])


def load(path: Path) -> bpy.types.MovieClip:
    return bpy.data.movieclips.load(str(path))


def read(clip: bpy.types.MovieClip):
    bpy.context.view_layer.update()
    return part("clip.footage").read_footage(clip)


def names(footage) -> list[str]:
    return [Path(file).name for file in footage.files]


def compose(clip: bpy.types.MovieClip) -> bpy.types.Scene:
    """Make the scene render the clip unchanged."""
    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y = clip.size
    scene.render.resolution_percentage = 100
    scene.view_settings.view_transform = "Standard"
    scene.render.image_settings.file_format = "PNG"
    scene.render.dither_intensity = 0
    tree, output = compositor(scene)
    node = tree.nodes.new("CompositorNodeMovieClip")
    node.clip = clip
    tree.links.new(node.outputs[0], output.inputs[0])
    return scene


def shown(clip: bpy.types.MovieClip, scene_frame: int, file: Path) -> int:
    """Return which file of write_sequence Blender's compositor shows on a scene frame; 0: none."""
    scene = compose(clip)
    scene.frame_set(scene_frame)
    scene.render.filepath = str(file)
    bpy.ops.render.render(write_still=True)
    with Image.open(file) as image:
        return round(image.convert("L").getpixel((3, 3)) / STEP)


@pytest.mark.parametrize(("start", "offset"), [(1, 0), (101, 0), (-5, 0), (1, 2), (5, 3)])
def test_frame_f_is_the_file_that_blender_shows(tmp_path: Path, start: int, offset: int) -> None:
    clip = load(write_sequence(tmp_path / "seq", list(range(1001, 1011))))
    clip.frame_start, clip.frame_offset = start, offset
    footage, _ = read(clip)
    assert footage.frame_count == 10 - offset
    for frame in (1, footage.frame_count):
        number = int(Path(footage.files[frame - 1]).stem[-4:]) - 1000
        assert shown(clip, frame + start - 1, tmp_path / "shown.png") == number


def test_offset_before_and_after_saving(tmp_path: Path) -> None:
    """Blender counts the frames anew only when a file is opened."""
    clip = load(write_sequence(tmp_path / "seq", list(range(1, 11))))
    clip.use_fake_user = True
    clip.frame_offset = 2
    before, warnings = read(clip)
    assert before.frame_count == 8
    assert not warnings
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "shot.blend"))
    after, _ = read(bpy.data.movieclips[0])
    assert after == before


def test_gap_is_reported(tmp_path: Path) -> None:
    footage, warnings = read(load(write_sequence(tmp_path / "seq", [1001, 1002, 1003, 1005, 1006])))
    assert names(footage) == ["shot.1001.png", "shot.1002.png", "shot.1003.png"]
    (warning,) = warnings
    assert "shot.1004.png is missing" in warning
    assert "2 files from shot.1005.png" in warning


def test_opened_in_the_middle_is_reported(tmp_path: Path) -> None:
    write_sequence(tmp_path / "seq", [1001, 1002, 1003])
    footage, warnings = read(load(tmp_path / "seq" / "shot.1002.png"))
    assert names(footage) == ["shot.1002.png", "shot.1003.png"]
    assert "1 file before it (shot.1001.png" in warnings[0]


def test_files_that_came_later_are_reported(tmp_path: Path) -> None:
    clip = load(write_sequence(tmp_path / "seq", [1, 2]))
    write_sequence(tmp_path / "seq", [3, 4])
    footage, warnings = read(clip)
    assert footage.frame_count == 2
    assert "2 files from shot.0003.png on came after" in warnings[0]


@pytest.mark.parametrize(
    ("pattern", "first", "count"),
    [
        ("{:05d}.jpg", 0, 3),
        ("x {}.png", 9, 3),  # the number grows longer
        ("Zoë çà_{:02d}.png", 1, 3),
        ("a2_b{:03d}c.png", 7, 3),
        ("v2.{:04d}.tif", 3, 3),
        ("20261121{:06d}.png", 123456, 1),  # too large for Blender to count
    ],
)
def test_names(tmp_path: Path, pattern: str, first: int, count: int) -> None:
    clip = load(write_sequence(tmp_path / "a folder, ünïcode", list(range(first, first + 3)), pattern))
    footage, _ = read(clip)
    assert clip.frame_duration == count
    assert names(footage) == [pattern.format(number) for number in range(first, first + count)]


def test_single_image(tmp_path: Path) -> None:
    footage, warnings = read(load(write_sequence(tmp_path, [0], "still.png")))
    assert (footage.frame_count, footage.width, footage.height, warnings) == (1, 64, 48, [])


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_upright_size(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", (64, 48)).save(tmp_path / "photo.jpg", exif=exif)
    footage, _ = read(load(tmp_path / "photo.jpg"))
    assert (footage.width, footage.height) == ((48, 64) if orientation == 6 or orientation == 8 else (64, 48))


def test_missing_file_is_named(tmp_path: Path) -> None:
    clip = load(write_sequence(tmp_path / "seq", [1, 2, 3]))
    (tmp_path / "seq" / "shot.0002.png").unlink()
    with pytest.raises(part("contract.errors").FootageError, match=r"shot\.0002\.png"):
        read(clip)


def test_missing_folder_is_named(tmp_path: Path) -> None:
    clip = load(write_sequence(tmp_path / "seq", [1, 2, 3]))
    for file in (tmp_path / "seq").iterdir():
        file.unlink()
    (tmp_path / "seq").rmdir()
    with pytest.raises(part("contract.errors").FootageError, match="seq"):
        read(clip)


def test_negative_offset_is_explained(tmp_path: Path) -> None:
    clip = load(write_sequence(tmp_path / "seq", [1, 2, 3]))
    clip.frame_offset = -2
    with pytest.raises(part("contract.errors").FootageError, match="offset of -2"):
        read(clip)


def write_movie(folder: Path, count: int) -> Path:
    """A movie of the images of write_sequence, by Blender."""
    scene = compose(load(write_sequence(folder / "seq", list(range(1, count + 1)))))
    settings = scene.render.image_settings
    if bpy.app.version >= (5, 0):
        settings.media_type = "VIDEO"
    settings.file_format = "FFMPEG"
    scene.render.ffmpeg.format = "MPEG4"
    scene.frame_start, scene.frame_end = 1, count
    scene.render.filepath = str(folder / "movie.mp4")
    bpy.ops.render.render(animation=True)
    if bpy.app.version >= (5, 0):
        settings.media_type = "IMAGE"
    return folder / "movie.mp4"


def test_movie(tmp_path: Path) -> None:
    clip = load(write_movie(tmp_path, 10))
    footage, warnings = read(clip)
    assert footage.movie
    assert footage.files == (str(tmp_path / "movie.mp4"),)
    assert (footage.frame_count, footage.movie_offset, warnings) == (10, 0, [])
    clip.frame_offset, clip.frame_start = 3, 5
    footage, warnings = read(clip)
    assert (footage.frame_count, footage.movie_offset) == (7, 3)
    assert "leaves 7 of the movie's 10 frames" in warnings[0]
    # Clip frame 1 stands on scene frame 5: the movie's frame 4.
    assert shown(clip, 5, tmp_path / "shown.png") == 4
    assert shown(clip, 11, tmp_path / "shown.png") == 10


@pytest.mark.parametrize(("offset", "words"), [(-1, "before the movie begins"), (10, "leaves nothing")])
def test_offsets_that_a_movie_does_not_have(tmp_path: Path, offset: int, words: str) -> None:
    clip = load(write_movie(tmp_path, 10))
    clip.frame_offset = offset
    with pytest.raises(part("contract.errors").FootageError, match=words):
        read(clip)


@pytest.mark.parametrize("matrix", [(1, 0, 0, 1), (0, 1, -1, 0), (-1, 0, 0, -1), (0, -1, 1, 0)])
def test_movie_that_is_turned_in_its_header(tmp_path: Path, matrix: tuple[int, ...]) -> None:
    """A phone's movie is upright in the Job, whether this Blender applies the rotation (from 4.4 on) or not."""
    file = write_movie(tmp_path, 2)
    stored_width, stored_height = load(file).size[:]
    data = bytearray(file.read_bytes())
    at = data.index(b"tkhd") + 44
    a, b, c, d = (value << 16 for value in matrix)
    data[at : at + 20] = struct.pack(">5i", a, b, 0, c, d)
    file.write_bytes(data)
    clip = load(file)
    footage, _ = read(clip)
    upright = (stored_height, stored_width) if matrix[0] == 0 else (stored_width, stored_height)
    assert (footage.width, footage.height) == upright
    x, y = part("clip.footage").coordinates_of(clip, footage).from_marker(1, (0.25, 1.0))
    if bpy.app.version >= (4, 4, 0):
        assert (x, y) == (footage.width / 4, 0)
    else:  # a marker on the upper border of what is stored, a quarter from the left
        quarter = stored_width / 4
        expected = {
            (1, 0, 0, 1): (quarter, 0),
            (0, 1, -1, 0): (stored_height, quarter),
            (-1, 0, 0, -1): (stored_width - quarter, stored_height),
            (0, -1, 1, 0): (0, stored_width - quarter),
        }
        assert (x, y) == expected[matrix]


VARIABLE = """
import sys
from fractions import Fraction
from pathlib import Path
import av
import numpy as np
from addon.engine.footage.movie import Movie

with av.open(sys.argv[1], "w") as container:
    stream = container.add_stream("libx264", rate=25, options={"crf": "1"})
    stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
    for i, time in enumerate([0, 1, 2, 4, 5, 8, 9, 10, 13, 14]):
        frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 20 * (i + 1), np.uint8), "rgb24")
        frame = frame.reformat(format="yuv420p", threads=1)
        frame.pts, frame.time_base = time, Fraction(1, 25)
        container.mux(stream.encode(frame))
    container.mux(stream.encode())
movie = Movie(Path(sys.argv[1]))
print(*(round(float(movie.pixels(i).mean()) / 20) for i in range(len(movie))))
"""


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_variable_frame_rate_is_numbered_as_this_blender_shows_it(tmp_path: Path, suffix: str) -> None:
    """As many frames, and the same picture on each, in the clip editor and in the engine."""
    file = tmp_path / f"phone{suffix}"
    result = subprocess.run(
        [os.environ["SPLAT_MATTE_PYTHON"], "-c", VARIABLE, str(file)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    pictures = [int(number) for number in result.stdout.split()]
    clip = load(file)
    footage, _ = read(clip)
    assert footage.frame_count == len(pictures) > 10, "some come twice"
    for frame, picture in enumerate(pictures, 1):
        assert shown(clip, frame, tmp_path / "shown.png") == picture, f"frame {frame}"


def test_missing_movie(tmp_path: Path) -> None:
    clip = load(write_movie(tmp_path, 2))
    (tmp_path / "movie.mp4").unlink()
    with pytest.raises(part("contract.errors").FootageError, match="movie is missing"):
        read(clip)


def test_no_image_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no image")
    with pytest.raises(part("contract.errors").FootageError, match=r"notes\.txt"):
        read(load(tmp_path / "notes.txt"))


@pytest.mark.parametrize("name", ["IMG_0001.HEIC", "DSC_0001.NEF", "IMG_0001.dng"])
def test_what_blender_shows_a_part_of_is_refused(tmp_path: Path, name: str) -> None:
    """Blender shows a tile of a HEIC file as a movie, and the small preview of a RAW file: marks on these would be
    misplaced.
    """
    Image.new("RGB", (64, 48)).save(tmp_path / name, "TIFF")
    with pytest.raises(part("contract.errors").FootageError, match="not the photo"):
        read(load(tmp_path / name))


def test_relative_path(tmp_path: Path) -> None:
    first = write_sequence(tmp_path / "seq", [1, 2])
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    clip = load(first)
    clip.filepath = "//seq/shot.0001.png"
    footage, _ = read(clip)
    assert [Path(file) for file in footage.files] == [first, first.with_name("shot.0002.png")]


def test_no_clip() -> None:
    with pytest.raises(part("contract.errors").FootageError, match="no clip"):
        part("clip.footage").find_clip("")


def test_several_clips(tmp_path: Path) -> None:
    """One of them has to be named, or be the scene's."""
    load(write_sequence(tmp_path / "left", [1, 2])).name = "left"
    clip = load(write_sequence(tmp_path / "right", [1, 2]))
    clip.name = "right"
    bpy.context.scene.active_clip = None
    with pytest.raises(part("contract.errors").FootageError, match=r"left, right: There are several clips.*--clip"):
        part("clip.footage").find_clip("")
    bpy.context.scene.active_clip = clip
    assert part("clip.footage").find_clip("") == clip


def test_unknown_clip(tmp_path: Path) -> None:
    load(write_sequence(tmp_path / "seq", [1, 2]))
    with pytest.raises(part("contract.errors").FootageError, match=r"Clips here: shot\.0001\.png"):
        part("clip.footage").find_clip("other")


@pytest.mark.parametrize("space", ["Linear Rec.709", "ACEScg", "Non-Color"])
def test_float_footage_looks_as_in_blender(tmp_path: Path, space: str) -> None:
    """The clip's colour space reaches the engine with Blender's own config, and both show the same."""
    image = bpy.data.images.new("plate", 8, 8, float_buffer=True)
    image.pixels[:] = [0.3, 0.05, 0.6, 1.0] * 64
    image.file_format, image.filepath_raw = "OPEN_EXR", str(tmp_path / "shot.0001.exr")
    image.save()
    clip = load(tmp_path / "shot.0001.exr")
    clip.colorspace_settings.name = space
    footage, _ = read(clip)
    assert footage.colour_space == space
    scene = compose(clip)
    scene.render.image_settings.color_depth = "16"
    scene.render.filepath = str(tmp_path / "seen.png")
    bpy.ops.render.render(write_still=True)
    program = """
import sys
from addon.engine.footage.footage import Reader
from addon.engine.footage.images import read_plate, to_integers
from addon.contract.job_types import Footage
from pathlib import Path
plate, seen, space, config = sys.argv[1:]
reader = Reader(Footage((plate,), 8, 8, 1, colour_space=space, colour_config=config))
reader.check()
ours = to_integers(reader.plate(1).pixels, reader.to_srgb)[3, 3]
print(*ours, *read_plate(Path(seen)).pixels[3, 3])
"""
    given = (footage.files[0], scene.render.filepath, footage.colour_space, footage.colour_config)
    result = subprocess.run(
        [os.environ["SPLAT_MATTE_PYTHON"], "-c", program, *given],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    values = [int(number) for number in result.stdout.split()]
    assert max(abs(a - b) for a, b in zip(values[:3], values[3:], strict=True)) <= 0.002 * 65535


def write_layers(path: Path, layers: dict[str, float]) -> Path:
    """An EXR of flat layers: one part, scan lines, not compressed (OpenEXR File Layout)."""
    width = height = 16
    channels = sorted((f"{name}.{colour}".lstrip("."), value) for name, value in layers.items() for colour in "RGB")
    listed = b"".join(name.encode() + b"\0" + struct.pack("<iiii", 2, 0, 1, 1) for name, _ in channels) + b"\0"
    window = struct.pack("<iiii", 0, 0, width - 1, height - 1)
    attributes = [
        (b"channels", b"chlist", listed),
        (b"compression", b"compression", b"\0"),
        (b"dataWindow", b"box2i", window),
        (b"displayWindow", b"box2i", window),
        (b"lineOrder", b"lineOrder", b"\0"),
        (b"pixelAspectRatio", b"float", struct.pack("<f", 1)),
        (b"screenWindowCenter", b"v2f", struct.pack("<ff", 0, 0)),
        (b"screenWindowWidth", b"float", struct.pack("<f", 1)),
    ]
    header = b"\x76\x2f\x31\x01" + struct.pack("<I", 2 | (0x400 if max(len(n) for n, _ in channels) > 31 else 0))
    for name, kind, value in attributes:
        header += name + b"\0" + kind + b"\0" + struct.pack("<I", len(value)) + value
    header += b"\0"
    row = b"".join(struct.pack("<f", value) * width for _, value in channels)
    first = len(header) + 8 * height
    table = b"".join(struct.pack("<Q", first + y * (8 + len(row))) for y in range(height))
    path.write_bytes(header + table + b"".join(struct.pack("<ii", y, len(row)) + row for y in range(height)))
    return path


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ({"ViewLayer.AO": 0.1, "ViewLayer.Combined": 0.8}, "ViewLayer.Combined"),
        ({"albedo": 0.8, "beauty": 0.1}, "albedo"),
        ({"albedo": 0.1, "": 0.8}, ""),
        ({"": 0.8}, ""),
    ],
)
def test_layer_is_that_which_blender_shows(tmp_path: Path, layers: dict[str, float], expected: str) -> None:
    """The layer of value 0.8 is shown when this Blender renders it, and the Job names that layer."""
    clip = load(write_layers(tmp_path / "plate.exr", layers))
    footage, _ = read(clip)
    assert footage.layer == expected
    scene = compose(clip)
    scene.render.filepath = str(tmp_path / "seen.png")
    bpy.ops.render.render(write_still=True)
    with Image.open(tmp_path / "seen.png") as image:
        assert image.convert("L").getpixel((8, 8)) > 200


def test_other_footage_has_no_colour_space(tmp_path: Path) -> None:
    """Integer values are never converted."""
    footage, _ = read(load(write_sequence(tmp_path, [1])))
    assert (footage.colour_space, footage.colour_config) == ("", "")
