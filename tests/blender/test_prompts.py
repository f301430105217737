"""Markers, plane tracks and masks as prompts."""

from pathlib import Path

import bpy
import pytest
from conftest import compositor, part
from PIL import Image, ImageChops, ImageDraw, ImageOps

WIDTH, HEIGHT, COUNT = 160, 90, 10


@pytest.fixture
def clip(tmp_path: Path) -> bpy.types.MovieClip:
    folder = tmp_path / "seq"
    folder.mkdir()
    for number in range(1, COUNT + 1):
        Image.new("RGB", (WIDTH, HEIGHT)).save(folder / f"{number:04d}.png")
    return bpy.data.movieclips.load(str(folder / "0001.png"))


def read(clip: bpy.types.MovieClip, frame_range: tuple[int, int] | None = None):
    footage = part("clip.footage")
    coordinates = footage.coordinates_of(clip, footage.read_footage(clip)[0])
    return part("clip.prompts").read_prompts(clip, coordinates, frame_range)


def add_track(
    tracking_object: bpy.types.MovieTrackingObject, places: dict[int, tuple[float, float]], **settings: object
) -> bpy.types.MovieTrackingTrack:
    first = min(places)
    track = tracking_object.tracks.new(name="Track", frame=first)
    for frame, place in places.items():
        track.markers.insert_frame(frame, co=place)
    for name, value in settings.items():
        setattr(track, name, value)
    return track


def camera(clip: bpy.types.MovieClip) -> bpy.types.MovieTrackingObject:
    return clip.tracking.objects["Camera"]


def points(prompts, name: str = "Camera") -> dict[int, list[tuple[float, float, bool]]]:
    found = prompts.marks[name].points
    return {frame: [(round(p.x, 3), round(p.y, 3), p.include) for p in points] for frame, points in found.items()}


def test_a_marker_is_a_point_from_the_top_left(clip) -> None:
    add_track(camera(clip), {3: (0.25, 0.8)})
    prompts = read(clip)
    assert points(prompts) == {3: [(40, 18, True)]}
    assert prompts.in_words() == "1 object, 1 point on 1 frame"
    assert prompts.ignored == []


def test_tracking_objects_are_objects(clip) -> None:
    add_track(camera(clip), {1: (0.5, 0.5)})
    add_track(clip.tracking.objects.new("Person"), {1: (0.5, 0.5), 4: (0.6, 0.5)})
    clip.tracking.objects.new("Empty")
    prompts = read(clip)
    assert [matte_object.name for matte_object in prompts.objects()] == ["Camera", "Person"]
    assert [prompt.frame for prompt in prompts.objects()[1].prompts] == [1, 4]
    assert prompts.in_words() == "2 objects, 3 points on 2 frames"


@pytest.mark.parametrize(
    ("colour", "include"),
    [
        (None, True),
        ((0, 1, 0), True),
        ((0.3, 0.6, 0.2), True),
        ((0, 0, 1), True),
        ((1, 1, 1), True),
        ((0, 0, 0), True),
        ((1, 0.9, 0), True),
        ((1, 0, 0), False),
        ((0.4, 0.05, 0.1), False),
        ((0.9, 0.3, 0.25), False),
    ],
)
def test_colour_says_include_or_exclude(clip, colour, include: bool) -> None:
    track = add_track(camera(clip), {1: (0.5, 0.5)})
    if colour is not None:
        track.use_custom_color, track.color = True, colour
    assert points(read(clip)) == {1: [(80, 45, include)]}


def test_a_colour_that_is_not_shown_does_not_count(clip) -> None:
    add_track(camera(clip), {1: (0.5, 0.5)}, color=(1, 0, 0), use_custom_color=False)
    assert points(read(clip)) == {1: [(80, 45, True)]}


def test_what_does_not_count_is_listed(clip) -> None:
    add_track(camera(clip), {1: (0.5, 0.5)})
    add_track(camera(clip), {1: (0.5, 0.5)}, hide=True)
    add_track(camera(clip), {2: (0.5, 0.5)}).markers[0].mute = True
    add_track(camera(clip), {COUNT + 1: (0.5, 0.5), 0: (0.5, 0.5)})
    add_track(camera(clip), {1: (0.9, 0.5)}, offset=(0.2, 0))
    prompts = read(clip)
    assert points(prompts) == {1: [(80, 45, True)]}
    assert prompts.ignored == [
        "Camera: 1 track hidden.",
        "Camera: 1 marker disabled.",
        "Camera: 2 markers outside the clip.",
        "Camera: 1 marker outside the image.",
    ]


def test_an_object_is_left_out(clip) -> None:
    add_track(camera(clip), {1: (0.5, 0.5)})
    add_track(clip.tracking.objects.new("Person"), {1: (0.5, 0.5)})
    with bpy.context.temp_override():
        bpy.context.scene.active_clip = clip
        bpy.ops.splat_matte.switch_object(name="Camera")
    prompts = read(clip)
    assert list(prompts.marks) == ["Person"]
    assert prompts.ignored == ["Camera is switched off."]
    bpy.ops.splat_matte.switch_object(name="Camera")
    assert list(read(clip).marks) == ["Camera", "Person"]


def test_tracked_markers_count_on_request(clip) -> None:
    track = add_track(camera(clip), dict.fromkeys(range(1, 11), (0.5, 0.5)))
    for marker in track.markers[1:]:
        marker.is_keyed = False
    prompts = read(clip)
    assert list(points(prompts)) == [1]
    assert prompts.ignored == ["Camera: 9 markers set by Blender's tracker, not by hand."]
    clip.splat_matte.tracked_step = 4
    assert list(points(read(clip))) == [1, 5, 9]


def test_the_offset_of_a_track_counts(clip) -> None:
    add_track(camera(clip), {1: (0.5, 0.5)}, offset=(0.1, 0.2))
    assert points(read(clip)) == {1: [(96, 27, True)]}


def test_a_range_leaves_out_the_rest(clip) -> None:
    add_track(camera(clip), {2: (0.5, 0.5), 5: (0.5, 0.5), 9: (0.5, 0.5)})
    prompts = read(clip, (4, 6))
    assert list(points(prompts)) == [5]
    assert prompts.ignored == ["Camera: 2 marked frames outside the range 4 to 6."]


def test_start_frame_does_not_move_markers(clip) -> None:
    add_track(camera(clip), {3: (0.5, 0.5)})
    clip.frame_start = 1001
    assert list(points(read(clip))) == [3]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_points_are_upright(tmp_path: Path, orientation: int) -> None:
    """A dot in the stored image, marked where Blender shows it, is found where the upright image has it."""
    image = Image.new("RGB", (WIDTH, HEIGHT))
    image.putpixel((30, 10), (255, 255, 255))
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.save(tmp_path / "photo.png", exif=exif)
    clip = bpy.data.movieclips.load(str(tmp_path / "photo.png"))
    add_track(camera(clip), {1: (30.5 / WIDTH, 1 - 10.5 / HEIGHT)})
    ((x, y, _),) = points(read(clip))[1]
    upright = ImageOps.exif_transpose(Image.open(tmp_path / "photo.png"))
    assert upright.getpixel((int(x), int(y))) == (255, 255, 255)


def make_plane(
    clip, clip_editor, corners: list[tuple[float, float]], frame: int = 1
) -> bpy.types.MovieTrackingPlaneTrack:
    owner = camera(clip)
    for corner in corners:
        add_track(owner, {frame: corner}, select=True)
    clip.tracking.objects.active = owner
    with clip_editor():
        bpy.context.space_data.clip = clip
        bpy.context.scene.frame_set(frame)
        bpy.context.space_data.clip_user.frame_current = frame
        bpy.ops.clip.create_plane_track()
    for track in owner.tracks:
        track.hide = True
    plane = owner.plane_tracks[-1]
    for corner, place in zip(plane.markers[0].corners, corners, strict=True):
        corner[0], corner[1] = place
    plane.markers[0].corners = corners
    return plane


def test_a_plane_track_is_a_box(clip, clip_editor) -> None:
    make_plane(clip, clip_editor, [(0.2, 0.3), (0.7, 0.25), (0.8, 0.9), (0.25, 0.8)])
    prompts = read(clip)
    box = prompts.marks["Camera"].boxes[1]
    assert [round(side, 2) for side in (box.x0, box.y0, box.x1, box.y1)] == [32, 9, 128, 67.5]
    assert prompts.in_words() == "1 object, 1 box on 1 frame"


def test_a_box_ends_with_the_image(clip, clip_editor) -> None:
    make_plane(clip, clip_editor, [(-0.2, 0.5), (0.5, 0.5), (0.5, 1.4), (-0.2, 1.4)])
    box = read(clip).marks["Camera"].boxes[1]
    assert [round(side, 2) for side in (box.x0, box.y0, box.x1, box.y1)] == [0, 0, 80, 45]


def test_a_plane_that_follows_tracks_gives_one_box_a_run(clip, clip_editor) -> None:
    plane = make_plane(clip, clip_editor, [(0.2, 0.2), (0.7, 0.2), (0.7, 0.9), (0.2, 0.8)])
    for frame in (2, 3, 4, 8, 9):
        plane.markers.insert_frame(frame)
    assert list(read(clip).marks["Camera"].boxes) == [1, 8]
    clip.splat_matte.tracked_step = 2
    assert list(read(clip).marks["Camera"].boxes) == [1, 3, 8]


def test_disabled_and_double_boxes_are_listed(clip, clip_editor) -> None:
    square = [(0.2, 0.2), (0.7, 0.2), (0.7, 0.9), (0.2, 0.8)]
    make_plane(clip, clip_editor, square)
    make_plane(clip, clip_editor, square)
    make_plane(clip, clip_editor, square, frame=3).markers[0].mute = True
    ignored = [sentence for sentence in read(clip).ignored if "hidden" not in sentence]
    assert len(ignored) == 2
    assert "is a second box on 1 frame" in ignored[0]
    assert "is disabled on 1 frame" in ignored[1]


def add_mask(clip, clip_editor, layer_name: str, shapes: dict[int, list[list[tuple[float, float]]]]) -> bpy.types.Mask:
    """A mask with one layer, keyed on scene frames; a shape is a list of outlines in mask coordinates."""
    mask = bpy.data.masks.new("Mask")
    layer = mask.layers.new(name=layer_name)
    for outline in next(iter(shapes.values())):
        spline = layer.splines.new()
        spline.use_cyclic = True
        spline.points.add(len(outline) - 1)
    with clip_editor():
        space = bpy.context.space_data
        space.clip, space.mode, space.mask = clip, "MASK", mask
        for frame, outlines in shapes.items():
            bpy.context.scene.frame_set(frame)
            for spline, outline in zip(layer.splines, outlines, strict=True):
                for point, place in zip(spline.points, outline, strict=True):
                    point.co, point.handle_left, point.handle_right, point.select = place, place, place, True
            assert bpy.ops.mask.shape_key_insert() == {"FINISHED"}
        space.mode = "TRACKING"
    bpy.context.scene.frame_set(1)
    clip.splat_matte.mask = mask
    return mask


SQUARE = [(0.2, 0.4), (0.6, 0.4), (0.6, 0.6), (0.2, 0.6)]


def moved(outline: list[tuple[float, float]], by: float) -> list[tuple[float, float]]:
    return [(x + by, y) for x, y in outline]


def test_a_mask_layer_is_a_mask_on_its_keyed_frames(clip, clip_editor) -> None:
    add_mask(clip, clip_editor, "Person", {2: [SQUARE], 7: [moved(SQUARE, 0.2)]})
    bpy.context.scene.frame_set(5)
    prompts = read(clip)
    masks = prompts.marks["Person"].masks
    assert list(masks) == [2, 7]
    corners = [(round(x, 2), round(y, 2)) for x, y in masks[2].polygons[0]]
    # The mask's square is as wide as the frame: 0.6 lies 0.1 * 160 pixels above the middle.
    assert corners == [(32, 61), (96, 61), (96, 29), (32, 29)]
    assert round(masks[7].polygons[0][0][0], 2) == 64
    assert prompts.in_words() == "1 object, 2 masks on 2 frames"
    assert bpy.context.scene.frame_current == 5


def test_mask_keys_are_on_scene_frames(clip, clip_editor) -> None:
    clip.frame_start = 101
    add_mask(clip, clip_editor, "Person", {103: [SQUARE], 99: [SQUARE]})
    prompts = read(clip)
    assert list(prompts.marks["Person"].masks) == [3]
    assert prompts.ignored == ["Mask layer 'Person': its key on scene frame 99 lies outside the clip."]


def test_a_layer_named_as_a_tracking_object_belongs_to_it(clip, clip_editor) -> None:
    add_track(clip.tracking.objects.new("Person"), {2: (0.5, 0.5)})
    add_mask(clip, clip_editor, "Person", {2: [SQUARE]})
    (matte_object,) = read(clip).objects()
    (prompt,) = matte_object.prompts
    assert len(prompt.points) == 1
    assert prompt.mask is not None


def test_the_panel_sees_a_new_key(clip, clip_editor) -> None:
    mask = add_mask(clip, clip_editor, "Person", {2: [SQUARE]})
    assert list(read(clip).marks["Person"].masks) == [2]
    with clip_editor():
        space = bpy.context.space_data
        space.clip, space.mode, space.mask = clip, "MASK", mask
        bpy.context.scene.frame_set(4)
        bpy.ops.mask.shape_key_insert()
        bpy.context.view_layer.update()
        space.mode = "TRACKING"
    assert list(read(clip).marks["Person"].masks) == [2, 4]


def test_layers_that_do_not_count_are_listed(clip, clip_editor) -> None:
    mask = add_mask(clip, clip_editor, "Good", {2: [SQUARE]})
    mask.layers.new(name="Empty")
    for name in ("Unkeyed", "Hidden", "Inverted", "Subtracted"):
        layer = mask.layers.new(name=name)
        layer.splines.new().points.add(3)
    mask.layers["Hidden"].hide = True
    mask.layers["Inverted"].invert = True
    mask.layers["Subtracted"].blend = "SUBTRACT"
    mask.layers["Good"].splines.new().points.add(2)
    part("clip.mask_keyframes").forget_shape_keys()
    prompts = read(clip)
    assert not prompts.marks
    reasons = "\n".join(prompts.ignored)
    for name, reason in {
        "Empty": "is empty",
        "Unkeyed": "has no keyed frame",
        "Hidden": "is hidden",
        "Inverted": "is inverted",
        "Subtracted": "is set to subtract",
        "Good": "key it again",
    }.items():
        assert f"Mask layer '{name}'" in reasons
        assert reason in reasons


@pytest.mark.parametrize("holes", [False, True])
@pytest.mark.parametrize("size", [(320, 180), (180, 320), (200, 200)])
def test_polygons_cover_what_blender_fills(tmp_path: Path, clip_editor, size: tuple[int, int], holes: bool) -> None:
    """Polygons fill the same area as Blender's own compositor, with curved and nested outlines and any aspect ratio."""
    Image.new("RGB", size).save(tmp_path / "still.png")
    clip = bpy.data.movieclips.load(str(tmp_path / "still.png"))
    hole = [(0.35, 0.45), (0.45, 0.45), (0.45, 0.55), (0.35, 0.55)]
    mask = add_mask(clip, clip_editor, "Round", {1: [SQUARE, hole]})
    mask.layers[0].use_fill_holes = holes
    for point, (dx, dy) in zip(mask.layers[0].splines[0].points, [(1, -1), (1, 1), (-1, 1), (-1, -1)], strict=True):
        x, y = point.co
        point.handle_left = x - dx * 0.1, y - dy * 0.05
        point.handle_right = x + dx * 0.1, y + dy * 0.05
        point.select = True
    with clip_editor():
        space = bpy.context.space_data
        space.clip, space.mode, space.mask = clip, "MASK", mask
        bpy.ops.mask.shape_key_insert()
        space.mode = "TRACKING"
    part("clip.mask_keyframes").forget_shape_keys()

    drawn = read(clip).marks["Round"].masks[1]
    assert drawn.holes == holes
    assert len(drawn.polygons[0]) > 20
    fine = 8
    ours = Image.new("1", (size[0] * fine, size[1] * fine))
    for polygon in drawn.polygons:
        outline = Image.new("1", ours.size)
        ImageDraw.Draw(outline).polygon([(x * fine, y * fine) for x, y in polygon], fill=1)
        ours = (ImageChops.logical_xor if holes else ImageChops.logical_or)(ours, outline)
    ours = as_binary(ours.convert("L").resize(size, Image.Resampling.BOX))
    theirs = as_binary(render_mask(mask, size, tmp_path / "mask.png"))
    both = ImageChops.logical_and(ours, theirs).histogram()[255]
    either = ImageChops.logical_or(ours, theirs).histogram()[255]
    assert both > 1000
    assert both / either > 0.97  # the rest: pixels on the outline


def as_binary(image: Image.Image) -> Image.Image:
    return image.point(lambda value: 255 * (value > 127)).convert("1")


def render_mask(mask: bpy.types.Mask, size: tuple[int, int], file: Path) -> Image.Image:
    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y = size
    scene.render.resolution_percentage = 100
    scene.view_settings.view_transform = "Raw"
    scene.render.image_settings.file_format = "PNG"
    tree, output = compositor(scene)
    node = tree.nodes.new("CompositorNodeMask")
    node.mask = mask
    tree.links.new(node.outputs[0], output.inputs[0])
    scene.render.filepath = str(file)
    bpy.ops.render.render(write_still=True)
    with Image.open(file) as image:
        return image.convert("L")
