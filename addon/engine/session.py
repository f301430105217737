"""Carrying out Jobs, for the server, the command line and the tests.

A session keeps the model loaded between Jobs. Frames whose mattes are in the store are not tracked again.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import itertools
import os
import platform
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from ..contract.disk import free_name, write_file, writing
from ..contract.errors import Cancelled, JobError, OutputError
from ..contract.job import Job
from ..contract.job_types import Footage, MatteObject
from ..contract.layout import STATIC_AREA
from ..contract.protocol import Stage
from ..contract.suspects import Suspect
from ..contract.targets import TARGETS
from .automatic.evidence import Evidence
from .automatic.find import evidence_of, find, folder_of, masks_on, with_objects
from .automatic.part_masks import PartMasks
from .automatic.suggestions import outlined, suggestions
from .export import export, prepare, segments, try_out
from .export.png import write_grey
from .footage.footage import Reader
from .footage.images import Pixels, to_8_bit
from .matting import finish
from .matting.finish import Logits
from .matting.guided_refine import refine
from .matting.outlines import curves_of, matched
from .matting.pipeline import OVERLAY_SIDE, LogitsOf, Mattes, Refined, Softened, stored
from .matting.soft_edges import soften
from .matting.static_masks import StaticMasks
from .matting.window_refine import look_again
from .review import second_opinion, visual_hull
from .review.cameras import read_poses
from .review.find_suspects import review
from .review.repair import Repairer, Repairs, as_answer
from .sam2 import model
from .sam2.device_memory import fitting, give_back
from .selection.choose import Choice, choose
from .selection.find_static import find_static
from .selection.looks import Look, MaskOf, looks_of
from .splats.clean_file import Cleaned, clean_file
from .splats.version_mattes import latest_version
from .store.feature_cache import FeatureCache
from .store.matte_store import Store, Take, compressing, holding, key_of
from .tracking.cache_speed import is_worth_reading
from .tracking.held import check_held, held_mattes
from .tracking.plan import frames_of, plan_of
from .tracking.preview import Previewer
from .tracking.propagate import READ_AHEAD, Takes, missing, propagate, takes
from .tracking.ways import Way, share_prompts, ways_of

_KEPT_PREVIEWS = 64  # number of frames; Blender keeps as many
_POINTS_AT_ONCE = 64  # points per batch for suggestions; 8 if there is little memory
_OUTLINED = 2048  # longer side, in pixels, of mattes whose outlines are traced

_T = TypeVar("_T")
OnTakes = Callable[[dict[str, Take]], None]  # gets the takes by object name, before their mattes are there
Progress = Callable[[Stage, int, int, int], None]  # stage, done, total, clip frame


@dataclasses.dataclass(frozen=True, slots=True)
class Tracked:
    """The result of `Session.track`.

    takes: the take of each object, by name.
    frames: the clip frames that have a matte of at least one object, in clip order.
    untracked: the Job's clip frames without a matte, which tracking in its direction does not reach.
    model: the model in words.
    seconds: the duration of this call.
    suspects: the suspects of each object, by name, the worst first.
    found: the folder of the results of the Job's search; None if it has no search with results to pick from.
    """

    takes: dict[str, Take]
    frames: list[int]
    untracked: list[int]
    model: str
    seconds: float
    suspects: dict[str, list[Suspect]]
    found: Path | None = None


class Session:
    """Carries out Jobs one after the other. Not thread-safe; `cancelled` is called in the same thread."""

    def __init__(
        self,
        progress: Progress,
        cancelled: Callable[[], bool],
        on_takes: OnTakes = lambda takes: None,
        on_warning: Callable[[str], None] = lambda words: None,
        patience: float = 0.0,
    ) -> None:
        self._progress = progress
        self._cancelled = cancelled
        self._on_takes = on_takes
        self._on_warning = on_warning
        self._patience = patience  # seconds to wait for another engine at work on the same
        self._loaded: model.Loaded | None = None
        self._previewer: Previewer | None = None
        self._slow_caches: dict[
            Path, bool
        ] = {}  # by folder of features: whether reading them takes longer than computing
        self._uncompressed: Iterator[None] = iter(())  # each step compresses one matte
        self._previewed: dict[tuple[Path, int], dict[str, NDArray[np.float16]]] = {}  # by matte folder and clip frame
        self._opened: tuple[Footage, Reader] | None = None  # the last previewed
        self._suggested: tuple[object, list[dict[str, Any]]] | None = (
            None  # the key of the last suggestions, and the suggestions
        )

    def track(self, job: Job) -> Tracked:
        """Track the frames that the Job needs and the matte store lacks. Raises MatteError."""
        reader = _open(job)
        return self._track(job, reader, evidence_of(job, reader))

    def check(self, job: Job) -> None:
        """See that all is there to carry it out on this machine, before it takes hours. Raises MatteError."""
        reader = _open(job)
        source = model.find(job.model)
        evidence_of(job, reader)
        store = Store(job)
        where = takes(job, store, reader.fingerprint(), source.facts)  # reads mask files
        if missing(job, where):
            check_held(job, held_mattes(job, store))
        store.try_out(matte_object.name for matte_object in job.objects)
        if job.target:
            try_out(prepare(job, reader), self._on_warning)

    def warn(self, words: str) -> None:
        """Say what may surprise, to whoever has asked."""
        self._on_warning(words)

    def retrack(self, job: Job) -> Tracked:
        """Delete the mattes of the wanted frames, then track them. Raises MatteError."""
        reader = _open(job)
        store = Store(job)
        source, fingerprint = model.find(job.model), reader.fingerprint()
        check_held(job, held_mattes(job, store))
        ways = ways_of(job, store, fingerprint, source.facts)
        for way in [Way(takes(job, store, fingerprint, source.facts), job.objects, plan_of), *ways]:
            with store.open_for_writing(way.where, self._patience):
                for matte_object in way.objects:
                    for frame in frames_of(job, matte_object, way.planned):
                        way.where[matte_object.name][0].forget_matte(frame)
        return self._track(job, reader, None)

    def review(self, job: Job, poses: Path | None = None) -> dict[str, list[Suspect]]:
        """The suspects among the tracked mattes, by object name, the worst first. Raises MatteError.

        With `poses`, the path of a COLMAP model or a transforms.json, the mattes are also checked against each other in
        3-D.
        """
        kept = {name: take for name, (take, _) in _takes_of(job, Store(job), Reader(job.footage)).items()}
        self._on_takes(kept)
        if poses is not None:
            cameras = read_poses(poses, job.footage)
            for take in kept.values():
                visual_hull.check(take, cameras)
        return _review(job, kept)

    def select(self, job: Job, count: int, takes: Mapping[str, str]) -> tuple[Path, Choice]:
        """Which frames of the Job's range are sharp, and lie apart. Returns it, and the file that says so.

        contract/layout.py says what is in it. The next selection of the clip overwrites it.

        Args:
            count: of frames to keep, at most; 0: all that are sharp and no duplicates.
            takes: by object, the folder of its mattes; where they say where the subject is, that is looked at.

        Raises:
            Cancelled: as asked for.
            FootageError, OutputError: as they say.
        """
        stored_takes = [Take(Path(folder)) for folder in takes.values() if folder]

        def subject(frame: int) -> NDArray[np.bool_] | None:
            found = [matte.logits > 0 for take in stored_takes if (matte := take.matte(frame)) is not None]
            return np.logical_or.reduce(found) if found else None

        choice = self.chosen(job.footage, job.frames, count, subject)
        dropped = sorted(set(job.frames) - set(choice.kept))
        return Store(job).put_json("selection", {**dataclasses.asdict(choice), "dropped": dropped}), choice

    def chosen(self, footage: Footage, frames: Sequence[int], count: int, subject: MaskOf) -> Choice:
        """Select clip frames in order, wherever it is known what the subject is. Raises as `select`."""
        reader = Reader(footage)
        reader.check(frames[-1])
        cameras: list[list[Look]] = []
        done = 0
        for _, of_camera in itertools.groupby(frames, lambda frame: reader.path(frame).parent):
            looks: list[Look] = []
            with contextlib.closing(looks_of(reader, of_camera, (footage.width, footage.height), subject)) as found:
                for look in found:
                    looks.append(look)
                    done += 1
                    self._progress("select", done, len(frames), look.frame)
                    if self._cancelled():
                        raise Cancelled("Stopped. No frames were selected.")
            cameras.append(looks)
        return choose(cameras, count)

    def find_static(self, footage: Footage, frames: Sequence[int], path: Path) -> list[Path]:
        """Find what is fixed to the cameras, and write a mask of each: white there, at the footage's size, upright.

        Args:
            path: of the mask; of several cameras each has the name of its folder added.

        Returns:
            The files, which are never written over others.

        Raises:
            JobError: the picture hardly moves, or nothing in it stands still.
            Cancelled, FootageError, OutputError: as they say.
        """
        reader = Reader(footage)
        reader.check(frames[-1])
        cameras: dict[Path, list[int]] = {}
        for frame in frames:
            cameras.setdefault(reader.path(frame).parent, []).append(frame)

        def on_frame(done: int, total: int, frame: int) -> None:
            self._progress("static", done, total, frame)
            if self._cancelled():
                raise Cancelled("Stopped. No mask was written.")

        written = []
        for folder, of_camera in cameras.items():
            mask = find_static(reader, of_camera, (footage.width, footage.height), on_frame)
            file = free_name(path if len(cameras) == 1 else path.with_stem(f"{path.stem}_{folder.name}"))
            with writing(file.parent):
                file.parent.mkdir(parents=True, exist_ok=True)
                write_file(file, functools.partial(write_grey, grey=mask))
            written.append(file)
        return written

    def clean(self, job: Job, splat: Path, poses: Path, *, views: int, remove_floaters: bool, write: bool) -> Cleaned:
        """Compare a trained splat with the mattes of the Job's latest version. Raises MatteError.

        splats/clean_file.py describes the arguments.
        """

        def on_frame(done: int, total: int, frame: int) -> None:
            self._progress("clean", done, total, frame)
            if self._cancelled():
                raise Cancelled("Stopped. The splat is as it was.")

        version = latest_version(job.matte_folder)
        return clean_file(
            splat, poses, version, views=views, remove_floaters=remove_floaters, write=write, on_frame=on_frame
        )

    def repair(self, job: Job, poses: Path | None = None) -> dict[str, Repairs]:
        """Return the repairs that can be offered for mattes that are doubtful now, by object. Nothing is changed."""
        if job.footage.panorama:
            raise JobError("Panoramas can't be repaired.", where="footage.panorama", hint="Mark the suspect frames.")
        cameras = read_poses(poses, job.footage) if poses is not None else {}
        try:
            suspects = self.review(job, poses)
        except JobError as error:
            if not cameras:
                raise
            self._on_warning(f"Repaired without the cameras: {error}")
            cameras, suspects = {}, self.review(job)
        if not any(suspects.values()):
            return {name: Repairs() for name in suspects}
        reader = _open(job)
        source = model.find(job.model)
        where = takes(job, Store(job), reader.fingerprint(), source.facts)
        features = FeatureCache(job, reader.fingerprint(), source.facts)
        if self._slow_caches.get(features.folder):
            features.switch_off()
        # an earlier range may have been wider, and a prompt lies inside the range
        doubted = {
            name: {frame for suspect in runs for frame in suspect.frames if frame in job.frames}
            for name, runs in suspects.items()
        }
        prompted = {
            matte_object.name: {prompt.frame for prompt in matte_object.prompts} for matte_object in job.objects
        }
        total = 2 * sum(map(len, doubted.values()))
        done = 0

        def on_frame(frame: int) -> None:
            nonlocal done
            if self._cancelled():
                raise Cancelled
            done = min(done + 1, total)
            self._progress("repair", done, total, frame)

        def run(less: bool) -> dict[str, Repairs]:
            loaded = self._model(source)
            with loaded.computing():
                return {
                    name: Repairer(
                        loaded,
                        reader,
                        job.footage.frame_count,
                        features,
                        where[name][0],
                        job.frames,
                        prompted[name],
                        cameras,
                        on_frame,
                    ).repairs(frames)
                    for name, frames in doubted.items()
                }

        return self._fitting(source, run)

    def put_repairs(self, job: Job, repairs: Mapping[str, Repairs]) -> Path:
        """Keep what `repair` offers. Returns the file that holds it; contract/layout.py says what is in it.

        The next repairs of the clip overwrite it. Raises OutputError.
        """
        return Store(job).put_json("repairs", as_answer(repairs, job.footage.width, job.footage.height))

    def preview(self, job: Job, frame: int) -> Path:
        """Make the mattes of one clip frame without tracking. Raises MatteError.

        Returns:
            The file with the mattes, whose format contract/layout.py describes. The clip's next preview overwrites it.
        """
        _check_frame(job, frame)
        reader = self._open_to_look(job)
        source = model.find(job.model)
        store = Store(job)
        where = takes(job, store, reader.fingerprint(), source.facts)
        features = FeatureCache(job, reader.fingerprint(), source.facts)
        if self._slow_caches.get(features.folder):
            features.switch_off()

        def look(less: bool) -> dict[str, NDArray[np.float16]]:
            loaded = self._model(source)
            if self._previewer is None or self._previewer.loaded is not loaded:
                self._previewer = Previewer(loaded)
            return self._previewer.preview(job, frame, reader, store, where, features)

        found = self._fitting(source, look)
        while len(self._previewed) >= _KEPT_PREVIEWS:
            self._previewed.pop(next(iter(self._previewed)))
        self._previewed[job.matte_folder, frame] = found
        return store.put_preview(found)

    def finish(self, job: Job, frame: int, takes: Mapping[str, str]) -> Path:
        """Make the finished mattes of one clip frame for the overlay, from stored mattes; and what static masks cover.

        They are the mattes that the Job's target gets, except that their longer side has at most OVERLAY_SIDE pixels
        and that the model does not look at edges again.

        Args:
            job: the Job, whose finishing and target are applied.
            frame: clip frame.
            takes: the folder of each object's take, by the object's name; empty: the frame's last preview is used.

        Returns:
            The file with the mattes, whose format contract/layout.py describes. The clip's next call overwrites it.

        Raises:
            OutputError: a stored matte is damaged, or the file can't be written.
        """
        previewed = self._previewed.get((job.matte_folder, frame), {})
        logits: dict[str, LogitsOf] = {
            name: stored(Take(Path(folder))) if folder else {frame: previewed[name]}.get
            for name, folder in takes.items()
            if folder or name in previewed
        }
        opened = self._open_to_look(job)
        refined = _refiner(job, opened) if job.refining != "off" else None
        static = StaticMasks(job, opened)
        mattes = Mattes(job, logits, OVERLAY_SIDE, refined, static, _softener(job, opened))
        soft = job.target in TARGETS and TARGETS[job.target].rules.keeps_greys(job.delivery.greys)
        names = [matte_object.name for matte_object in job.objects if mattes.has(frame, matte_object.name)]
        found = {name: mattes.finished(frame, name, soft=soft) for name in names}
        covered = None
        if 1 <= frame <= job.footage.frame_count:
            covered = static.of_camera(static.camera_of(frame), mattes.size)
        return Store(job).put_finished(found if covered is None else {**found, STATIC_AREA: covered})

    def outlines(self, job: Job, frames: Sequence[int], points: int) -> Path:
        """Make the outlines of tracked mattes, with the finishing of the export.

        Args:
            job: the Job.
            frames: clip frames.
            points: number of points of each curve.

        Returns:
            The file with the outlines, whose format contract/layout.py describes. The clip's next outlines overwrite
            it.

        Raises:
            JobError: none of the frames is tracked.
            OutputError: a stored matte is damaged, or the file can't be written.
        """
        store = Store(job)
        reader = Reader(job.footage)
        where = _takes_of(job, store, reader)
        logits = {name: stored(take) for name, (take, _) in where.items()}
        mattes = Mattes(job, logits, _OUTLINED, static=StaticMasks(job, reader))
        found = {}
        for name, (take, _) in where.items():
            there = [frame for frame in sorted(frames) if take.has_matte(frame)]
            curves = []
            for frame in there:
                matte = mattes.finished(frame, name, soft=False)
                scale = job.footage.width / matte.shape[1], job.footage.height / matte.shape[0]
                curves.append([curve * scale for curve in curves_of(matte, points)])
            if any(curves):
                paths = [[curve.tolist() for curve in path] for path in matched(curves)]
                found[name] = {"frames": there, "paths": paths}
        if not found:
            raise JobError("There is no matte on any of these frames.", where="frames", hint="Track them first.")
        return store.put_json("outlines", found)

    def suggest(self, job: Job, frame: int) -> Path:
        """Make the automatic masks of a clip frame, as outlines that are numbered from 1.

        The suggestions of the last frame are kept in memory, as a user often takes several.

        Returns:
            The file with the outlines, whose format contract/layout.py describes. The clip's next suggestions overwrite
            it.

        Raises:
            Cancelled: the user asked to stop.
            JobError, FootageError, CheckpointError: the frame, the footage or the model can't be used.
            OutputError: the file can't be written.
        """
        _check_frame(job, frame)
        source = model.find(job.model)
        reader = Reader(job.footage)
        of = job.footage, frame, reader.fingerprint_of(frame), source

        def suggested(less: bool) -> list[dict[str, Any]]:
            loaded = self._model(source)
            batch = _POINTS_AT_ONCE // 8 if less else _POINTS_AT_ONCE
            with loaded.computing():
                return suggestions(loaded.predictor, reader, frame, self._cancelled, batch)

        if self._suggested is None or self._suggested[0] != of:
            self._suggested = of, self._fitting(source, suggested)
        return Store(job).put_json("suggestions", {"frame": frame, "masks": self._suggested[1]})

    def found(self, job: Job, frame: int) -> tuple[Path, Path]:
        """Read from disk the things or parts that the Job's search found on a clip frame.

        Returns:
            The file with their outlines, in the format of `suggest`, with the number of the thing or part; and the
            folder of the search's results. The clip's next call overwrites the file.

        Raises:
            JobError: the search has not been made yet, or the Job has no search for things or parts.
            FootageError, CheckpointError: the footage or the model can't be used.
            OutputError: a result is damaged, or the file can't be written.
        """
        _check_frame(job, frame)
        if job.things is None and job.parts is None:
            raise JobError(
                "This Job has no search with results to pick from.", where="objects", hint="Ask for things or parts."
            )
        folder = folder_of(job, model.find(job.model), self._open_to_look(job).fingerprint())
        masks = outlined(masks_on(job, folder, frame), job.footage.width, job.footage.height)
        return Store(job).put_json("found", {"frame": frame, "masks": masks}), folder

    def _open_to_look(self, job: Job) -> Reader:
        """A reader of the Job's footage, which is kept from one request to the next."""
        if self._opened is None or self._opened[0] != job.footage or not self._opened[1].is_unchanged():
            self._opened = (job.footage, Reader(job.footage))
        return self._opened[1]

    def export(self, job: Job, picked_from: Path | None = None) -> tuple[Tracked, Path]:
        """Track missing frames, then write a version. Raises MatteError.

        Args:
            job: the Job.
            picked_from: the `Tracked.found` from which the Job's subjects were picked. It is an error if the search
                would have another result now, as numbers are valid within one result only.

        Returns:
            The result of tracking, and the folder of the version.
        """
        return self._export(job, picked_from, None)

    def export_ahead(self, job: Job, frames: range) -> int:
        """Write the files of these clip frames for the export that comes later; any number of engines may be at it.

        What is tracked has to be there. Returns how many of the frames have a matte. Raises MatteError.
        """
        tracked, _ = self._export(job, None, frames)
        return len(set(frames).intersection(tracked.frames))

    def _export(self, job: Job, picked_from: Path | None, ahead: range | None) -> tuple[Tracked, Path]:
        reader = _open(job)
        if picked_from is not None:
            _check_picked_from(folder_of(job, model.find(job.model), reader.fingerprint()), picked_from)
        writer = prepare(job, reader)
        evidence = evidence_of(job, reader)
        if ahead is None:
            try_out(writer, self._on_warning)
        else:
            _check_tracked(job, _takes_of(job, Store(job), reader))
        tracked = self._track(job, reader, evidence)
        request = job
        if job.search is not None:
            if isinstance(writer, segments.Writer):
                assert tracked.found is not None
                writer.parts = PartMasks(tracked.found)
            else:
                job = with_objects(job, tracked.takes)
                writer = prepare(job, reader)

        planned = {matte_object.name: set(frames_of(job, matte_object)) for matte_object in job.objects}
        read = {take.folder for take in tracked.takes.values()}
        if request.search is not None:  # a found object need not be on every frame
            planned = {name: set(take.frames()) for name, take in tracked.takes.items()}
            read = {tracked.found} if tracked.found else {take.folder.parent for take in tracked.takes.values()}
        logits = {name: stored(take, planned.get(name, ())) for name, take in tracked.takes.items()}
        source = model.find(job.model)
        looking = self._fitting(source, lambda less: self._model(source)) if job.refining == "windows" else None
        refined = _refiner(job, reader, looking) if job.refining != "off" else None
        mattes = Mattes(job, logits, refined=refined, static=writer.static, softened=_softener(job, reader))
        writer.strength = mattes.strength

        soft = writer.rules.keeps_greys(job.delivery.greys)

        def made(frame: int, name: str | None) -> NDArray[np.uint8]:
            return mattes.finished(frame, name, soft=soft)

        report = {
            "model": tracked.model,
            "versions": {"torch": torch.__version__, "python": platform.python_version()},
            "tracking_seconds": round(tracked.seconds, 2),
            "frames_without_matte": tracked.untracked,
            "suspects": {
                name: [dataclasses.asdict(suspect) for suspect in found] for name, found in tracked.suspects.items()
            },
            "scores": {name: _scores(take, tracked.frames) for name, take in tracked.takes.items()},
        }
        pieced = {
            matte_object.name: [dataclasses.asdict(held) for held in matte_object.held]
            for matte_object in job.objects
            if matte_object.held
        }
        if pieced:
            report["pieced_together"] = pieced
        with holding(read):
            folder = export(
                writer,
                made,
                frames=tracked.frames,
                key=key_of(
                    {
                        "takes": [take.folder.name for take in tracked.takes.values()],
                        "frames": tracked.frames,
                        "finishing": finish.facts(job),
                        "refine": job.refining,
                        "exported": [matte_object.name for matte_object in job.objects if matte_object.export],
                        **writer.static.facts,
                    }
                ),
                frame_key=mattes.key,
                report=report,
                request=request,
                on_frame=lambda done, total, frame: self._progress("export", done, total, frame),
                cancelled=self._cancelled,
                ahead=ahead,
                patience=self._patience,
            )
        return tracked, folder

    def _track(self, job: Job, reader: Reader, evidence: Evidence | None) -> Tracked:
        began = time.monotonic()
        source = model.find(job.model)
        if job.search is not None:
            found = self._fitting(
                source,
                lambda less: find(
                    job,
                    evidence,
                    source,
                    lambda: self._model(source),
                    reader,
                    lambda done, total, frame: self._progress("track", done, total, frame),
                    self._cancelled,
                ),
            )
            to_pick_from = folder_of(job, source, reader.fingerprint()) if job.transients is None else None
            if to_pick_from is None:
                self._on_takes(found)
            return Tracked(found, list(job.frames), [], str(source), time.monotonic() - began, {}, to_pick_from)
        store = Store(job)
        store.try_out(matte_object.name for matte_object in job.objects)
        fingerprint = reader.fingerprint()
        where = takes(job, store, fingerprint, source.facts)
        frames = sorted({frame for matte_object in job.objects for frame in frames_of(job, matte_object)})
        if not frames:
            first, last = job.wanted[0], job.wanted[-1]
            raise JobError(
                f"Tracking {job.direction} from the prompts does not reach frame {first}."
                if first == last
                else f"Tracking {job.direction} from the prompts reaches none of the frames {first} to {last}.",
                where="part",
                hint="Track both ways, or mark a frame there.",
            )
        ways = ways_of(job, store, fingerprint, source.facts)
        for there in [where, *(way.where for way in ways)]:
            store.adopt(there)
        kept = {name: take for name, (take, _) in where.items()}
        is_missing = bool(missing(job, where))
        # what the job's own way finds is shown until a second opinion on it is there
        shown = {name: take for name, (take, _) in ways[0].where.items()} if is_missing else kept
        self._on_takes(shown)
        if is_missing:
            held = held_mattes(job, store)
            features = FeatureCache(job, fingerprint, source.facts)

            def run(less: bool) -> None:
                loaded, ahead = self._model(source), 1 if less else _ahead(source)
                if features.folder not in self._slow_caches:
                    is_worth = is_worth_reading(features, loaded, reader, frames[0], ahead)
                    self._slow_caches[features.folder] = not is_worth
                if self._slow_caches[features.folder]:
                    features.switch_off()
                # Tracked mattes are kept, so the second try continues from there and gives the same mattes bit for bit.
                before = 0  # frames of what is done
                for number, way in enumerate(ways):
                    after = sum(missing(job, later.where, later.planned) for later in ways[number + 1 :])
                    if number:
                        for name, (take, _) in way.where.items():
                            share_prompts(ways[0].where[name][0], take)
                    for objects in [[matte_object] for matte_object in way.objects] if less else [way.objects]:
                        on_frame = _Counted(self._progress, before, after)
                        propagate(
                            job,
                            loaded,
                            reader,
                            way.where,
                            features,
                            on_frame,
                            self._cancelled,
                            objects=objects,
                            held=held,
                            planned=way.planned,
                            ahead=ahead,
                        )
                        before += on_frame.total

            tracked = [take for way in ways for take, _ in way.where.values()]
            if source.is_gpu:
                self._uncompressed = itertools.chain(self._uncompressed, compressing(tracked))
            with contextlib.ExitStack() as opened:
                opened.enter_context(holding(take.folder for mattes in held.values() for take in mattes.takes))
                for way in ways:
                    opened.enter_context(store.open_for_writing(way.where, self._patience))
                check_held(job, held)
                self._fitting(source, run)
                self._settle(job, store, where, ways)
            if missing(job, where):
                raise OutputError(
                    "Mattes have disappeared during tracking.",
                    where=str(store.folder),
                    hint="Something deletes files there. Run it again.",
                )
        if [take.folder for take in shown.values()] != [take.folder for take in kept.values()]:
            self._on_takes(kept)
        untracked = sorted(set(job.wanted) - set(frames))
        if untracked:
            self._on_warning(
                f"Frame {untracked[0]} has no matte: tracking {job.direction} from the prompts does not reach it."
                if len(untracked) == 1
                else f"{len(untracked)} frames have no matte (frame {untracked[0]} is the first): tracking "
                f"{job.direction} from the prompts does not reach them."
            )
        return Tracked(kept, frames, untracked, str(source), time.monotonic() - began, _review(job, kept))

    def _settle(self, job: Job, store: Store, where: Takes, ways: Sequence[Way]) -> None:
        """Make the mattes that have a second opinion from those of both ways."""
        first, second = ways[0].where, ways[1].where if len(ways) > 1 else {}
        asked = {name: kept for name, kept in where.items() if kept[0].folder != first[name][0].folder}
        if not asked:
            return
        with store.open_for_writing(asked, self._patience):
            for matte_object in job.objects:
                name = matte_object.name
                if name in asked:
                    other = second[name][0] if name in second else None
                    second_opinion.settle(job, matte_object, first[name][0], other, asked[name][0])

    def tidy(self) -> bool:
        """Compress one matte, for moments without other work. False if there is nothing left to compress."""
        return next(self._uncompressed, self) is not self

    def release(self) -> None:
        """Free the memory of the model. The next request that needs the model loads it again."""
        if self._loaded is not None:
            device, self._loaded = self._loaded.source.device, None
            self._make_room(device)

    def _make_room(self, device: torch.device) -> None:
        self._previewer = None
        if self._loaded is not None:
            self._loaded.make_room()
        give_back(device)

    def _fitting(self, source: model.Source, work: Callable[[bool], _T]) -> _T:
        """Like `fitting`, for work that calls `self._model(source)` itself, as loading may exceed the memory, too."""
        return fitting(work, lambda: self._make_room(source.device))

    def _model(self, source: model.Source) -> model.Loaded:
        if self._loaded is None or self._loaded.source != source:
            self._loaded = self._previewer = None  # before the next one is loaded: two large models may not fit
            self._progress("model", 0, 1, 0)
            self._loaded = model.load(source)
            self._progress("model", 1, 1, 0)
        return self._loaded


@dataclasses.dataclass(slots=True)
class _Counted:
    """Tells of tracked frames, between so many that were tracked before and so many that will be after them."""

    progress: Progress
    before: int
    after: int
    total: int = 0

    def __call__(self, done: int, total: int, frame: int) -> None:
        self.total = total
        self.progress("track", self.before + done, self.before + total + self.after, frame)


def _ahead(source: model.Source) -> int:
    """The number of frames to decode ahead. A GPU needs as many as there are threads to spare, since it is faster."""
    return min(4 * READ_AHEAD, max(READ_AHEAD, (os.cpu_count() or 1) // 2)) if source.is_gpu else READ_AHEAD


def _refiner(job: Job, reader: Reader, loaded: model.Loaded | None = None) -> Refined:
    """The refinement of edges that the Job asks for, including a second look if there is a model. Thread-safe."""
    one_at_a_time = threading.Lock()
    to_srgb = functools.partial(to_8_bit, to_srgb=reader.to_srgb)
    panorama = job.footage.panorama

    def refined(frame: int, logits: Logits, size: tuple[int, int]) -> NDArray[np.uint8]:
        plate = _plate(job, reader, frame, size)
        cells = logits.shape
        if loaded is not None:
            with one_at_a_time, loaded.computing():
                again = functools.partial(look_again, loaded.predictor, logits, plate, to_srgb, panorama=panorama)
                logits = fitting(lambda less: again(), lambda: give_back(loaded.source.device))
        return refine(logits, plate, to_srgb, panorama=panorama, cells=cells)

    return refined


def _softener(job: Job, reader: Reader) -> Softened:
    """The estimate of alpha along edges that the Job's finishing asks for. Thread-safe."""
    to_srgb = functools.partial(to_8_bit, to_srgb=reader.to_srgb)

    def softened(frame: int, matte: NDArray[np.uint8], reach: float) -> NDArray[np.uint8]:
        plate = _plate(job, reader, frame, (matte.shape[1], matte.shape[0]))
        return soften(matte, plate, to_srgb, reach, panorama=job.footage.panorama)

    return softened


def _plate(job: Job, reader: Reader, frame: int, size: tuple[int, int]) -> Pixels:
    """A frame at most as large as its footage, width and height in pixels, as its export reads it."""
    plate = reader.plate(frame, alpha=job.delivery.plate_alpha == "multiply").pixels
    if plate.shape[1::-1] != size:
        plate = cast("Pixels", cv2.resize(plate, size, interpolation=cv2.INTER_AREA))
    return plate


def _takes_of(job: Job, store: Store, reader: Reader) -> Takes:
    """The take of each object, which may not exist yet. Raises FootageError, JobError or CheckpointError."""
    return takes(job, store, reader.fingerprint(), model.find(job.model).facts)


def _check_tracked(job: Job, where: Takes) -> None:
    """Raises OutputError: another task would have to track first, and so did not."""
    if job.search is None and missing(job, where):
        raise OutputError(
            "Not all of it is tracked.", where=str(job.matte_folder), hint="See why tracking has failed, and run that."
        )


def _check_picked_from(now: Path, then: Path) -> None:
    """Check that a search has the result that subjects were picked from. Only names count: folders may have moved."""
    if now.name != then.name:
        raise JobError(
            "Footage, model or range have changed since the subjects were picked.",
            where="subjects",
            hint="Find and pick again.",
        )


def _check_frame(job: Job, frame: int) -> None:
    if frame not in range(1, job.footage.frame_count + 1):
        raise JobError(f"The clip has no frame {frame}.", where="frame")


def _review(job: Job, kept: dict[str, Take]) -> dict[str, list[Suspect]]:
    def prompted(matte_object: MatteObject) -> list[int]:
        return [prompt.frame for prompt in matte_object.prompts]

    return {
        matte_object.name: review(kept[matte_object.name], prompted(matte_object), plan_of(job, matte_object).start + 1)
        for matte_object in job.objects
    }


def _scores(take: Take, frames: list[int]) -> dict[str, dict[str, float]]:
    """SAM 2's own scores of an object, by clip frame, for the report."""
    scores = {frame: take.scores(frame) for frame in frames}
    return {
        str(frame): {"predicted_iou": round(score[0], 4), "object_score": round(score[1], 3)}
        for frame, score in scores.items()
        if score
    }


def _open(job: Job) -> Reader:
    reader = Reader(job.footage)
    reader.check(job.frames[-1])
    return reader
