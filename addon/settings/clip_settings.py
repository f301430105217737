"""The settings of a clip, saved with it in the .blend."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import bpy

from ..checkpoints import OFFICIAL
from ..contract.job_checks import MAX_FRAMES, MAX_LENGTH
from ..contract.job_types import DEFAULT_MEMORY, FINE, Held
from ..contract.suspects import read_suspects
from ..contract.targets import TARGETS
from ..installer.recommended import ON_CPU, ON_GPU
from ..language.properties import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    FloatVectorProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)
from ..results.selection import from_text, to_text
from .finishing_settings import FinishingSettings
from .mask_changes import masks_changed
from .palette import PALETTE
from .pick_settings import KINDS, PickSettings

# Paths of a clip may be relative to the .blend (//). Since 4.5 Blender needs this option for that.
RELATIVE_PATH = {"PATH_SUPPORTS_BLEND_RELATIVE"} if bpy.app.version >= (4, 5, 0) else set()


def _published_items() -> list[tuple[str, str, str]]:
    words = "Small, at once there: to try out how things work. Choose a SAM 2.1 model for production"
    items = [("embedded", "Embedded", words)]
    for checkpoint in OFFICIAL.values():
        words = f"As published by Meta, {checkpoint.bytes / 1e6:.0f} MB"
        words += {ON_CPU: ". Recommended on a CPU", ON_GPU: ". Recommended on a GPU"}.get(checkpoint.name, "")
        items.append((checkpoint.name, checkpoint.label, words))
    return items


PUBLISHED_CHECKPOINTS = _published_items()
_CHECKPOINTS = [
    ("DEFAULT", "As in Preferences", "What the preferences of this extension say, the same for all clips"),
    *PUBLISHED_CHECKPOINTS,
    ("FILE", "File...", "Any SAM 2 checkpoint, with its config"),
]


def _to_end(settings: ClipSettings, _: bpy.types.Context) -> None:
    if settings.range_end < settings.range_start:  # setting one calls the other's update
        settings.range_end = settings.range_start


def _to_start(settings: ClipSettings, _: bpy.types.Context) -> None:
    if settings.range_start > settings.range_end:
        settings.range_start = settings.range_end


def _export_end(settings: ClipSettings, _: bpy.types.Context) -> None:
    if settings.export_end < settings.export_start:
        settings.export_end = settings.export_start


def _export_start(settings: ClipSettings, _: bpy.types.Context) -> None:
    if settings.export_start > settings.export_end:
        settings.export_start = settings.export_end


def _forget(settings: ClipSettings, _: bpy.types.Context) -> None:
    masks_changed()


OVERLAY_STYLES = [
    ("fill", "Fill", "The objects' colours over the plate"),
    ("outline", "Outline", "The objects' edges"),
    ("checker", "Checkerboard", "The subject cut out: what a splat trainer sees"),
    ("matte", "Matte", "White where the subject is, black elsewhere"),
]


_EARLIER = 3  # number of takes that the matte store keeps beside the newest one


def _hold_end(settings: ClipSettings, _: bpy.types.Context) -> None:
    if settings.hold_end < settings.hold_start:
        settings.hold_end = settings.hold_start


def _hold_start(settings: ClipSettings, _: bpy.types.Context) -> None:
    if settings.hold_start > settings.hold_end:
        settings.hold_start = settings.hold_end


class HeldSettings(bpy.types.PropertyGroup):
    """A range of frames that keeps the mattes of an earlier take, with the fields of job_types.Held."""

    first: IntProperty(name="First", description="First clip frame that is held")
    last: IntProperty(name="Last", description="Last clip frame that is held")
    take: StringProperty(name="Take", description="The key of the take whose mattes are held")
    sha256: StringProperty(name="SHA-256", description="Identifies these mattes")


class ObjectSettings(bpy.types.PropertyGroup):
    """The settings of a tracking object or mask layer, which are found by its name: those can't hold data of ours."""

    use: BoolProperty(name="Use", description="Make a matte of this object", default=True)
    export: BoolProperty(
        name="Export",
        description="Have this object in what is exported. Off: it is tracked only, to be subtracted from others, say",
        default=True,
    )
    shadow: BoolProperty(
        name="Shadow",
        description="This is what the subject casts, a shadow or a reflection: neither subject nor empty. "
        "Left out of the subject, and marked as ignored for programs that know it",
    )
    solved: EnumProperty(
        name="Solved Tracks",
        description="Where this object's solved tracks are points, also where they have no marker: their 3-D "
        "positions, seen by the solved camera, but where another solved track hides them",
        items=[
            ("OFF", "Markers Only", "Solved tracks are points where they have markers, as others"),
            ("STEP", "Every n-th Frame", "From the first solved frame on"),
            ("LOST", "Where Lost", "On frames without a marker of the track: the first of them, and every n-th"),
        ],
    )
    solved_step: IntProperty(
        name="Every", description="Frames from one of these points to the next", default=10, min=1, max=1000
    )
    colour: FloatVectorProperty(
        name="Colour", description="Colour of this object in the overlay", subtype="COLOR_GAMMA", min=0.0, max=1.0
    )
    hide: BoolProperty(name="Hide", description="Leave this object out of the overlay")
    solo: BoolProperty(name="Solo", description="Show this object alone in the overlay, with others that are solo")
    take: StringProperty(
        name="Mattes", description="The folder of the matte store that holds what was tracked last", options={"HIDDEN"}
    )
    pictures: StringProperty(
        name="Pictures", description="Which files of the footage that was tracked on", options={"HIDDEN"}
    )
    earlier: StringProperty(
        name="Earlier Mattes",
        description="The folders of what was tracked before, the newest first: seen until tracked anew",
        options={"HIDDEN"},
    )
    finishing: PointerProperty(type=FinishingSettings)
    held: CollectionProperty(type=HeldSettings)
    include_layer: StringProperty(
        name="Include",
        description="The annotation layer whose strokes lie on this object: each becomes points along it",
    )
    exclude_layer: StringProperty(
        name="Exclude", description="The annotation layer whose strokes lie beside this object, likewise"
    )

    def held_runs(self) -> tuple[Held, ...]:
        """The held frames, in order."""
        runs = [Held(item.first, item.last, item.take, item.sha256) for item in self.held]
        return tuple(sorted(runs, key=lambda run: run.first))

    def held_frames(self) -> set[int]:
        """The clip frames that are held."""
        return {frame for run in self.held for frame in range(run.first, min(run.last, MAX_FRAMES) + 1)}

    def hold(self, runs: Iterable[Held]) -> None:
        """Hold just these frames."""
        kept = sorted(runs, key=lambda run: run.first)
        self.held.clear()
        for run in kept:
            item = self.held.add()
            item.first, item.last, item.take, item.sha256 = run.first, run.last, run.take, run.sha256

    def takes(self) -> list[str]:
        """The folders of its takes, the newest first."""
        return [take for take in (self.take, *self.earlier.splitlines()) if take]

    def keep_take(self, folder: str, pictures: str) -> None:
        """Remember a new take's folder, and earlier ones. `pictures` identifies the footage's files."""
        self.earlier = "\n".join([take for take in self.takes() if take != folder][:_EARLIER])
        self.take, self.pictures = folder, pictures


def _show_suspect(settings: ClipSettings, _: bpy.types.Context) -> None:
    if 0 <= settings.suspect_index < len(settings.suspects):
        clip: bpy.types.MovieClip = settings.id_data  # type: ignore[assignment]
        frame = settings.suspects[settings.suspect_index].frame
        bpy.context.scene.frame_current = frame + clip.frame_start - 1


class SuspectSettings(bpy.types.PropertyGroup):
    """A run of suspect frames, with the fields of suspects.Suspect."""

    object_name: StringProperty(name="Object", description="Whose matte it is")
    frame: IntProperty(name="Frame", description="The worst clip frame of the run")
    first: IntProperty(name="First", description="First clip frame of the run")
    last: IntProperty(name="Last", description="Last clip frame of the run")
    doubt: FloatProperty(name="Doubt", description="How doubtful the run is; 1 and more is doubtful")
    reason: StringProperty(name="Reason", description="Why it is doubtful")


def _scene_frame(name: str) -> dict[str, Any]:
    """The get and set functions of a property that shows the clip frame in the property `name` as a scene frame."""

    def get(settings: ClipSettings) -> int:
        clip: bpy.types.MovieClip = settings.id_data  # type: ignore[assignment]
        return int(getattr(settings, name)) + clip.frame_start - 1

    def put(settings: ClipSettings, frame: int) -> None:
        clip: bpy.types.MovieClip = settings.id_data  # type: ignore[assignment]
        setattr(settings, name, max(1, frame - clip.frame_start + 1))

    return {"get": get, "set": put}


SUSPECT_FIELDS = tuple(SuspectSettings.__annotations__)


_live: set[int] = set()  # session_uid of clips; not saved, so that no .blend starts anything when it is opened


def _is_live(settings: ClipSettings) -> bool:
    return settings.id_data.session_uid in _live


def _set_live(settings: ClipSettings, live: bool) -> None:
    (_live.add if live else _live.discard)(settings.id_data.session_uid)


class ClipSettings(bpy.types.PropertyGroup):
    """All settings of a clip."""

    objects: CollectionProperty(type=ObjectSettings)
    names: StringProperty(
        name="Names", description="Names of the objects when they were last checked", options={"HIDDEN"}
    )
    mask: PointerProperty(
        name="Mask",
        type=bpy.types.Mask,
        description="Drawn mattes: on its keyed frames each layer of this mask marks an object. "
        "A layer named as a tracking object belongs to that object",
        update=_forget,
    )
    tracked_step: IntProperty(
        name="Tracked Step",
        description="Also use markers set by Blender's tracker, on every n-th frame. "
        "0: only markers that were set by hand",
        default=0,
        min=0,
        max=1000,
    )
    panorama: BoolProperty(
        name="360° Panorama",
        description="Equirectangular footage: the right border goes on at the left one, and so do the mattes",
    )
    live: BoolProperty(
        name="Live",
        description="Show the matte of this frame again after each change of its markers. "
        "Off in a file that was just opened",
        get=_is_live,
        set=_set_live,
    )
    overlay_show: BoolProperty(name="Overlay", description="Show the mattes over the plate", default=True)
    overlay_style: EnumProperty(name="Style", description="How the mattes are shown", items=OVERLAY_STYLES)
    overlay_opacity: FloatProperty(
        name="Opacity", description="Opacity of the fill", default=0.45, min=0.0, max=1.0, subtype="FACTOR"
    )
    overlay_marks: BoolProperty(
        name="Marks", description="Show the marks of all objects: clear on their frame, faint on others", default=True
    )
    overlay_wipe: BoolProperty(name="Wipe", description="Show the plate alone on the left of a line, to compare")
    overlay_split: FloatProperty(
        name="Split",
        description="Position of the dividing line, from the left",
        default=0.5,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
    )
    overlay_lane: BoolProperty(
        name="Frame Status",
        description="Show along the bottom which frames are marked (yellow), tracked (green), "
        "tracked from markers that have changed since (orange), held (violet line), suspect (red), in the latest "
        "version (blue line), or dropped (grey line)",
        default=True,
    )
    checkpoint: EnumProperty(name="Model", description="The SAM 2 weights that find the subject", items=_CHECKPOINTS)
    checkpoint_file: StringProperty(
        name="File", description="A SAM 2 checkpoint (.pt)", subtype="FILE_PATH", options=RELATIVE_PATH
    )
    checkpoint_config: StringProperty(
        name="Config",
        description="The config of the checkpoint: a name inside the sam2 package, such as "
        "configs/sam2.1/sam2.1_hiera_s.yaml, or a .yaml file",
    )
    direction: EnumProperty(
        name="Direction",
        description="Where to track from the marked frames",
        items=[
            ("both", "Both Ways", "From the marked frames to the start and to the end"),
            ("forward", "Forward", "From the first marked frame to the end"),
            ("backward", "Backward", "From the last marked frame to the start"),
        ],
    )
    memory: EnumProperty(
        name="Memory",
        description="Which frames tracking looks back to, beside the marked ones",
        items=[
            ("sam2", "Latest", "The frames just before, as SAM 2 does"),
            (
                "selected",
                "Latest in Sight",
                "The last frames that show the subject, however long ago: for subjects that hide, or leave the picture",
            ),
            (
                "tree",
                "Several Histories",
                "Up to three histories side by side, of which the likeliest gives the matte: for what is hard to see. "
                "Takes up to 1.6 times as long",
            ),
            (
                "anchors",
                "Against Look-Alikes",
                "Recent frames, and such as tell the subject from something like it beside it",
            ),
        ],
        default=DEFAULT_MEMORY,
    )
    second_opinion: BoolProperty(
        name="Second Opinion",
        description="Track each stretch between two marked frames from both ends. Where that gives different mattes, "
        "the surer one counts, and Review names the frame. Takes up to twice as long",
    )
    use_range: BoolProperty(
        name="Range",
        description="Track a part of the clip only; markers outside don't count. Some frames after it are tracked too "
        "where its mattes depend on them: those before the first mark read those after it",
    )
    range_start: IntProperty(
        name="Start",
        description="First clip frame to track; the clip starts with frame 1",
        default=1,
        min=1,
        update=_to_end,
    )
    range_end: IntProperty(name="End", description="Last clip frame to track", default=100, min=1, update=_to_start)
    scene_range_start: IntProperty(
        name="Start", description="First frame to track, as the timeline numbers it", **_scene_frame("range_start")
    )
    scene_range_end: IntProperty(
        name="End", description="Last frame to track, as the timeline numbers it", **_scene_frame("range_end")
    )
    hold_start: IntProperty(name="Start", description="First clip frame to hold", default=1, min=1, update=_hold_end)
    hold_end: IntProperty(name="End", description="Last clip frame to hold", default=1, min=1, update=_hold_start)
    scene_hold_start: IntProperty(
        name="Start", description="First frame to hold, as the timeline numbers it", **_scene_frame("hold_start")
    )
    scene_hold_end: IntProperty(
        name="End", description="Last frame to hold, as the timeline numbers it", **_scene_frame("hold_end")
    )
    target: EnumProperty(
        name="Target",
        description="Who reads the files",
        items=[(name, target.label, target.description) for name, target in TARGETS.items()],
    )
    refine: EnumProperty(
        name="Refine Edges",
        description=f"For plates much finer than the model's mattes: of more than {FINE} pixels",
        items=[
            (
                "auto",
                "Automatic",
                f"Filter where the plate has more than {FINE} pixels along its longer side, else off",
            ),
            ("off", "Off", "Edges as the model draws them, on its own grid"),
            ("filter", "Filter", "Edges follow the plate's own at full resolution, and thin parts come out better"),
        ],
    )
    invert: BoolProperty(
        name="Invert",
        description="Swap the subject and the rest in what is exported: to leave the subject out, "
        "or for a program that means the opposite by black and white",
    )
    transforms: StringProperty(
        name="Transforms",
        description="The transforms.json of the data set with these images. It is read, never changed: "
        "the version gets a copy with the masks added",
        subtype="FILE_PATH",
        options=RELATIVE_PATH,
    )
    plate_alpha: EnumProperty(
        name="Footage Alpha",
        description="What becomes of alpha that the footage has",
        items=[
            ("replace", "Replace", "The matte alone is the alpha"),
            ("multiply", "Multiply", "What is transparent in the footage stays so inside the matte"),
        ],
    )
    edge_colours: EnumProperty(
        name="Edge Colours",
        description="Colours beside and under the subject's edge, which programs that shrink images mix into it",
        items=[
            ("as_shot", "As Shot", "The plate's, value for value: the background's shows at the edge when shrunk"),
            (
                "subject",
                "Subject's",
                "The subject's own, continued outwards: no fringes when shrunk. Alpha and all other pixels stay",
            ),
        ],
    )
    ignored_band: IntProperty(
        name="Ignored Band",
        description="Mark so many pixels to either side of the edge as ignored, where the matte is least sure",
        default=0,
        min=0,
        max=MAX_LENGTH,
        soft_max=50,
        subtype="PIXEL",
    )
    ignore_doubtful: BoolProperty(
        name="Ignore Doubtful",
        description="Mark as ignored where the model gives the subject neither less than 10 nor more than 90 percent",
    )
    views: EnumProperty(
        name="Views",
        description="The pinhole views that a panorama is written as. They overlap, but for the faces of a cube",
        items=[
            ("cube", "Cube Faces", "Six views of 90°"),
            ("6x1", "6 Around", "Six views along the horizon, without what is far above and below"),
            ("6x3", "6 Around, 3 Rows", "18 views of 75°"),
            ("8x3", "8 Around, 3 Rows", "24 views of 56°, without the zenith and the nadir"),
        ],
    )
    capture: EnumProperty(
        name="Capture",
        description="What moved during the capture. The version then holds two sets of masks, "
        "for aligning the cameras and for training",
        items=[
            ("any", "Not Said", "The files of the target alone"),
            (
                "walk_around",
                "Walk-Around",
                "The scene stands still. Alignment sees everything but objects that are tracked and not exported: "
                "people, the rig",
            ),
            (
                "turntable",
                "Turntable",
                "The subject turns, the background stands still. Alignment sees the subject alone",
            ),
        ],
    )
    greys: BoolProperty(
        name="Soft Edges",
        description="Keep the soft edges that Soft Matte and Feather make: the program counts grey pixels for less",
    )
    export_scope: EnumProperty(
        name="Write",
        description="Which frames are written, as against the version before",
        items=[
            ("all", "All Frames", "All frames that have a matte"),
            ("missing", "Missing Frames", "Only frames that the version before has no files of"),
            ("changed", "Missing and Changed", "Also frames whose matte or plate has changed since they were written"),
        ],
    )
    export_into: EnumProperty(
        name="Into",
        description="Place of the versions",
        items=[
            ("new", "New Version", "A new version. Frames that are not written again are copied from the one before"),
            ("latest", "Latest Version", "On with the latest version for this target. Its other frames stay untouched"),
        ],
    )
    export_use_range: BoolProperty(name="Range", description="Write a part of the tracked frames only")
    export_start: IntProperty(
        name="Start",
        description="First clip frame to write; the clip starts with frame 1",
        default=1,
        min=1,
        update=_export_end,
    )
    export_end: IntProperty(
        name="End", description="Last clip frame to write", default=100, min=1, update=_export_start
    )
    scene_export_start: IntProperty(
        name="Start", description="First frame to write, as the timeline numbers it", **_scene_frame("export_start")
    )
    scene_export_end: IntProperty(
        name="End", description="Last frame to write, as the timeline numbers it", **_scene_frame("export_end")
    )
    automatic: EnumProperty(name="Find", description="What is looked for in all frames, without a click", items=KINDS)
    things: PointerProperty(type=PickSettings)
    parts: PointerProperty(type=PickSettings)
    transients_masks: StringProperty(
        name="Rough Masks",
        description="The trainer's folder of masks of what moves, one an image, named as the images are",
        subtype="DIR_PATH",
    )
    transients_diffs: StringProperty(
        name="Differences",
        description="The trainer's folder of differences between render and photo, one an image, likewise",
        subtype="DIR_PATH",
    )
    transients_polarity: EnumProperty(
        name="Moving Is",
        description="The colour of what moves in the rough masks",
        items=[
            ("auto", "Automatic", "The colour under which render and photo differ more"),
            ("white", "White", "Black is static"),
            ("black", "Black", "White is static"),
        ],
    )
    output: StringProperty(
        name="Folder",
        description="Where versions (v001, v002, ...) are written. Empty: a folder beside the footage, named after it",
        subtype="DIR_PATH",
        options=RELATIVE_PATH,
    )

    beside: BoolProperty(
        name="Beside the Folder",
        description="Without a folder of its own: write beside the footage's folder instead of in it, "
        "for programs that read all that lies in a folder",
    )
    poses: StringProperty(
        name="Poses",
        description="Where the cameras are, to check the mattes in 3-D: a COLMAP model's folder or a transforms.json. "
        "Empty: the clip's solved camera",
        subtype="FILE_PATH",
    )
    static_mask: PointerProperty(
        name="Static Mask",
        type=bpy.types.Mask,
        description="What the camera always sees at the same place and never belongs to the scene: tripod, car, "
        "lens hood. All closed splines of this mask, as they are",
        update=_forget,
    )
    static_file: StringProperty(
        name="Image",
        description="The same as an image of the footage's size, white there",
        subtype="FILE_PATH",
        options=RELATIVE_PATH,
    )
    select_count: IntProperty(
        name="Keep",
        description="How many frames to keep at most. 0: all that are sharp and no near-duplicates",
        default=0,
        min=0,
        max=100_000,
    )
    dropped: StringProperty(
        name="Dropped", description="The clip frames that are left out of the export", options={"HIDDEN"}
    )
    splat: StringProperty(
        name="Splat",
        description="The PLY that a trainer has made of this footage. It is never changed",
        subtype="FILE_PATH",
        options=RELATIVE_PATH,
    )
    clean_views: IntProperty(
        name="Views",
        description="What so many cameras see beside the subject, and none on it, is removed",
        default=3,
        min=1,
        max=1000,
    )
    clean_floaters: BoolProperty(
        name="Remove Floaters",
        description="Remove also what some cameras see on the subject and many beside it. "
        "Parts of the subject that are hidden in many photos look the same: compare the results",
    )
    suspects: CollectionProperty(
        type=SuspectSettings, name="Suspects", description="Frames where the matte is doubtful, worst first"
    )
    suspect_index: IntProperty(
        name="Suspect",
        description="Frames where the matte is doubtful, worst first. Click one to go there",
        default=-1,
        options={"HIDDEN", "SKIP_SAVE"},
        update=_show_suspect,
    )

    repairs: StringProperty(
        name="Repairs", description="The file with the repairs that are offered", options={"HIDDEN"}
    )

    @property
    def found(self) -> PickSettings:
        """The results of the search whose kind is chosen in the panel."""
        found: PickSettings = getattr(self, self.automatic)
        return found

    def uses(self, name: str) -> bool:
        """Whether the object called `name` gets a matte."""
        found = self.objects.get(name)
        return found is None or found.use

    def exports(self, name: str) -> bool:
        """Whether the object called `name` is exported."""
        found = self.objects.get(name)
        return found is None or found.export

    def shows(self, name: str) -> bool:
        """Whether the overlay shows the object called `name`."""
        found = self.objects.get(name)
        if any(entry.solo for entry in self.objects):
            return found is not None and found.solo
        return found is None or not found.hide

    def take_of(self, name: str) -> str:
        """The folder of the object's newest take; empty if it has never been tracked."""
        found = self.objects.get(name)
        return found.take if found else ""

    def chosen(self) -> ObjectSettings | None:
        """The settings of the tracking object that is chosen in the list; None if it has none yet."""
        clip: bpy.types.MovieClip = self.id_data  # type: ignore[assignment]
        active = clip.tracking.objects.active
        found: ObjectSettings | None = self.objects.get(active.name) if active is not None else None
        return found

    def entry(self, name: str) -> ObjectSettings:
        """The settings of the object called `name`, which are added if there are none yet."""
        found: ObjectSettings | None = self.objects.get(name)
        if found is None:
            found = self.objects.add()
            found.name = name
            found.colour = PALETTE[(len(self.objects) - 1) % len(PALETTE)]
        return found

    def keep_takes(self, takes: dict[str, str], pictures: str) -> None:
        """Remember the folders of new takes by object name. `pictures` identifies the footage's files."""
        for name, folder in takes.items():
            self.entry(name).keep_take(folder, pictures)

    def keep_suspects(self) -> None:
        """Read the suspects that the engine wrote, the worst first."""
        found = [
            (entry.name, suspect) for entry in self.objects if entry.take for suspect in read_suspects(Path(entry.take))
        ]
        self.suspects.clear()
        self.suspect_index = -1
        for name, suspect in sorted(found, key=lambda pair: -pair[1].doubt):
            item = self.suspects.add()
            item.object_name = name
            for field in dataclasses.fields(suspect):
                setattr(item, field.name, getattr(suspect, field.name))

    def dropped_frames(self) -> set[int]:
        """The clip frames that are left out of the export."""
        return from_text(self.dropped)

    def drop(self, frames: Iterable[int]) -> None:
        """Leave just these clip frames out of the export."""
        self.dropped = to_text(frames)

    def suspects_used(self) -> list[SuspectSettings]:
        """The suspects of objects that get a matte, the worst first."""
        return [suspect for suspect in self.suspects if self.uses(suspect.object_name)]


def settings_of(clip: bpy.types.MovieClip) -> ClipSettings:
    """The settings of a clip."""
    settings: ClipSettings = clip.splat_matte  # type: ignore[attr-defined]
    return settings


CLASSES = (FinishingSettings, PickSettings, HeldSettings, ObjectSettings, SuspectSettings, ClipSettings)


def register() -> None:
    """Add the settings to Blender's clips."""
    bpy.types.MovieClip.splat_matte = PointerProperty(type=ClipSettings)  # type: ignore[attr-defined]


def unregister() -> None:
    """Remove the settings from Blender's clips."""
    del bpy.types.MovieClip.splat_matte  # type: ignore[attr-defined]
