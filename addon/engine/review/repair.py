"""Makes new mattes for doubtful frames from the frames around them: offers, each of which may become a mask prompt.

Good frames are those whose mattes agree with the other cameras (visual_hull.py) or, without cameras, are consistent
over time (story.py), suspects or not. For every other frame there are up to five witnesses: SAM 2 tracked from the good
frame before and from the one after, the mattes of the last good frames before and after carried by the optical flow and
matched to the picture (label_fusion.py), and, if there are cameras, the visual hull of all good frames. How reliable
each witness is at a given distance is measured on good frames of the same clip, as a large network sees more than the
flow does, and a small one less.

A frame is repaired only if two sides (before, after, the other cameras) agree and its own matte differs. So a right
matte is never replaced by a guess, and without agreement nothing is offered.

Mattes are float32 (SIDE, SIDE), 0 to 1 (both_sides.py).
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ...contract.errors import JobError
from ...contract.frame_numbers import runs_of, spread
from ...contract.job import Job
from ...contract.job_types import Mask, Prompt
from ..footage.footage import Reader
from ..matting.outlines import Curve, exact_curves_of, matched
from ..sam2.model import Loaded
from ..store.feature_cache import FeatureCache
from ..store.matte_store import Take
from . import visual_hull
from .both_sides import SIDE, Flow, Soft, iou, soft, tracked
from .cameras import Camera
from .label_fusion import Carried, agreement, carried, joined
from .story import story

_SPACING = 2.0  # pixels between the corners of an outline; 5 cost a bicycle 0.04 of IoU, these 0.005
_LONGEST = 40  # frames between two good ones; over a longer distance, carried mattes are unreliable
_ANCHORS = 6  # good frames on each side whose mattes are carried together by the flow
_REACH = 4  # frames over which witnesses are tested
_TRIALS = 3  # number of tests
_CHOICE = 5  # good frames that each test is chosen from
_UNTRIED = 0.1  # misfit of a witness that can't be tested
_KNOWN, _PROMPTED = 0.5, 5.0  # bonus in the story of frames that are not suspects, and of prompted ones
_AGREE = 0.72  # least IoU of two sides that agree
_AGREE_IN_SPACE = 0.6  # the same if one is the other cameras, which can't err as a side does
_SEEN_ALIKE = 0.82  # least IoU of what the flow carried from both sides, where both see the place
_HEARD = 0.6  # least IoU of a third side with one of these, for it to count
_CLEAR = 0.5  # least weight of a kind of witness that is heard, as a share of the best one's
_ALONE = 0.85  # least IoU of two witnesses of one side, if there is no other side
_DIFFERS = 0.06  # how much worse the frame's own matte must fit than the sides fit each other
_SLACK = 0.01  # misfit that every witness is allowed
_ROUNDS = 2  # passes: frames that the first one finds right help the second
_THIN = 2  # pixels: where a matte differs by less from the others, its own edge is kept
_ANOTHER = 0.3  # IoU with the others below which a matte is of another thing
_RIGHT = "fits the frames around it"
_CAMERAS = "the other cameras"

Inside = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Witness:
    """A matte for a frame: how it was found (flow, SAM 2, hull), and its weight."""

    kind: str
    matte: Soft | Carried
    weight: float


@dataclass(frozen=True, slots=True)
class Offer:
    """A new matte for one frame.

    frame: clip frame.
    mask: bool (SIDE, SIDE).
    agreement: IoU of the two sides that agree best, 0 to 1.
    reason: the sides that agree, in words.
    """

    frame: int
    mask: Inside
    agreement: float
    reason: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """A run of suspect clip frames `first` to `last` without an offer, and the reason in words."""

    first: int
    last: int
    reason: str

    def in_words(self) -> str:
        """Describe it, for example: frames 10 to 15: left alone: only one side is known."""
        frames = f"frame {self.first}" if self.first == self.last else f"frames {self.first} to {self.last}"
        return f"{frames}: left alone: {self.reason}"


@dataclass(slots=True)
class Repairs:
    """The offers and refusals of one object, by clip frame in ascending order."""

    offers: list[Offer] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)


class Repairer:
    """Repairs one object; use inside `Loaded.computing()`.

    Args:
        loaded: the model.
        reader, frame_count, features: the footage.
        take: the object's mattes.
        frames, prompted: clip frames that may be used, and those with a prompt.
        cameras: by clip frame, if the clip is solved; the subject must stand still then.
        on_frame: called before each frame that the model processes.
    """

    def __init__(
        self,
        loaded: Loaded,
        reader: Reader,
        frame_count: int,
        features: FeatureCache,
        take: Take,
        frames: Sequence[int],
        prompted: Collection[int],
        cameras: Mapping[int, Camera],
        on_frame: Callable[[int], None],
    ) -> None:
        self._footage = (loaded.predictor, reader, frame_count, features)
        self._flow = Flow(reader)
        self._take = take
        self._frames, self._prompted = set(frames), set(prompted)
        self._cameras = cameras
        self._on_frame = on_frame

    def repairs(self, suspects: Collection[int]) -> Repairs:
        """Return offers and refusals for `suspects`, clip frames with a matte. Raises MatteError."""
        found, reasons = Repairs(), dict[int, str]()
        if not suspects:
            return found
        frames = [frame for frame in self._take.frames() if frame in self._frames]
        known = set(frames) & (self._prompted | (set(frames) - set(suspects)))
        counts = {frame: _PROMPTED if frame in self._prompted else _KNOWN for frame in known}
        there = set(frames)
        in_space = visual_hull.doubts(visual_hull.kept(self._take)) if self._cameras else {}
        good = there & (self._prompted | {frame for frame, (doubt, _) in in_space.items() if doubt < 1})
        if there - set(in_space):
            good |= set(story(self._flow, self._matte, frames, counts)) - set(in_space)
        if there - good:
            self._misfits = self._tried(good)
        hull = self._hull(good, sorted(there - good))
        answers: dict[int, Offer | str] = dict.fromkeys(set(suspects) & good, _RIGHT)
        unknown = runs_of(there - good)
        for _ in range(_ROUNDS):
            right: set[int] = set()
            for stretch in unknown:
                if len(stretch) >= _LONGEST:
                    words = f"at least {_LONGEST} frames lie between good ones: mark one of them"
                    answers |= dict.fromkeys(stretch, words)
                    continue
                for frame, sides in self._sides(stretch, good, hull).items():
                    answers[frame] = answer = self._judged(frame, sides)
                    right |= {frame} if answer == _RIGHT else set()
            good |= right  # a right frame within a stretch is an anchor for the rest of it
            unknown = [stretch for stretch in runs_of(there - good) if {stretch[0] - 1, stretch[-1] + 1} & right]
        for frame, answer in sorted(answers.items()):
            if isinstance(answer, Offer):
                found.offers.append(answer)
            else:
                reasons[frame] = answer
        for reason, refused in itertools.groupby(sorted(reasons), reasons.__getitem__):
            found.refusals += [Refusal(run[0], run[-1], reason) for run in runs_of(refused)]
        return found

    # -- reliability of witnesses ---------------------------------------------------------------------------------

    def _tried(self, good: Collection[int]) -> dict[str, list[float]]:
        """Return by witness 1 - IoU with good mattes 1 to _REACH frames away; it never decreases with the distance."""
        ahead = {
            frame: list(itertools.takewhile(good.__contains__, range(frame + 1, frame + 1 + _REACH))) for frame in good
        }
        most = sorted(good, key=lambda frame: (-len(ahead[frame]), frame))[: _CHOICE * _TRIALS]
        starts = sorted(frame for frame in most if ahead[frame] and (self._matte(frame) >= 0.5).any())
        misfits: dict[str, list[list[float]]] = {name: [[] for _ in range(_REACH)] for name in ("flow", "SAM 2")}
        for start in spread(starts, _TRIALS):
            for name, said in self._carried(start, ahead[start], good).items():
                for frame, matte in said.items():
                    misfits[name][frame - start - 1].append(1 - iou(_matte_of(matte), self._matte(frame)))
        found = {}
        for name, by_distance in misfits.items():
            known = [float(np.median(some)) for some in by_distance if some] or [_UNTRIED]
            found[name] = np.maximum.accumulate(known).tolist()
        return found

    def _misfit(self, name: str, far: int) -> float:
        """Return the expected misfit of a witness at a distance in frames, extrapolated beyond the tested range."""
        known = self._misfits[name]
        if name == "hull" or far <= len(known):
            return known[min(far, len(known)) - 1] + _SLACK
        return known[-1] + (far - len(known)) * (known[-1] - known[0]) / max(len(known) - 1, 1) + _SLACK

    # -- witnesses ------------------------------------------------------------------------------------------------

    def _matte(self, frame: int) -> Soft:
        return soft(self._take.tracked(frame))

    def _carried(
        self, start: int, frames: Sequence[int], good: Collection[int]
    ) -> dict[str, Mapping[int, Soft | Carried]]:
        """Carry the matte of a good frame to frames on one side of it, by the flow and by SAM 2."""
        matte = self._matte(start)
        if not (matte >= 0.5).any():  # the subject is hidden there
            return {"flow": dict.fromkeys(frames, matte)}
        step = start - frames[0]
        behind = range(start, start + _ANCHORS * step, step)
        anchors = {frame: self._matte(frame) for frame in itertools.takewhile(good.__contains__, behind)}
        return {
            "flow": carried(self._flow, anchors, frames),
            "SAM 2": tracked(*self._footage, {start: matte}, frames, self._on_frame),
        }

    def _hull(self, good: Collection[int], frames: Sequence[int]) -> dict[int, Soft]:
        """Return the visual hull of good frames as seen on others, if there are enough cameras, and set its
        reliability.
        """
        trusted = [frame for frame in sorted(good) if frame in self._cameras]
        asked = [frame for frame in frames if frame in self._cameras]
        if not asked or not trusted:
            return {}
        tried = spread(trusted, 2 * _TRIALS)

        def silhouette(frame: int) -> Inside:
            return np.asarray(self._take.tracked(frame).logits > 0)

        try:
            seen = visual_hull.silhouettes(self._cameras, silhouette, [*asked, *tried], trusted)
        except JobError:
            return {}
        large = {
            frame: np.asarray(cv2.resize(outline, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR), np.float32)
            for frame, outline in seen.items()
        }
        self._misfits["hull"] = [float(np.median([1 - iou(large[frame], self._matte(frame)) for frame in tried]))]
        return {frame: large[frame] for frame in asked}

    def _sides(
        self, stretch: Sequence[int], good: Collection[int], hull: Mapping[int, Soft]
    ) -> dict[int, dict[str, list[_Witness]]]:
        """Return by frame and side its witnesses with their weights, which follow from their expected misfits."""
        found: dict[int, dict[str, list[_Witness]]] = {frame: {} for frame in stretch}
        for start, frames in ((stretch[0] - 1, stretch), (stretch[-1] + 1, stretch[::-1])):
            if start not in good:
                continue
            for name, said in self._carried(start, frames, good).items():
                for frame, matte in said.items():
                    side = found[frame].setdefault(f"frame {start}", [])
                    side.append(_Witness(name, matte, 1 / self._misfit(name, abs(frame - start)) ** 2))
        for frame in set(stretch) & set(hull):
            found[frame][_CAMERAS] = [_Witness("hull", hull[frame], 1 / self._misfit("hull", 1) ** 2)]
        return found

    def _judged(self, frame: int, sides: Mapping[str, Sequence[_Witness]]) -> Offer | str:
        """Return an offer, or the reason why there is none."""
        if not sides:
            return "no good frame lies beside it"
        means = {name: _mean(witnesses) for name, witnesses in sides.items()}
        followed = {
            name: witness.matte
            for name, witnesses in sides.items()
            for witness in witnesses
            if isinstance(witness.matte, Carried)
        }
        alike = agreement(*followed.values()) if len(followed) == 2 else 0.0
        heard = set(means)
        if alike >= _SEEN_ALIKE:
            one, other = followed
            limit, usual, reason = _SEEN_ALIKE, 1.0, f"{one} and {other} agree"
        elif len(means) > 1:
            pairs = {pair: iou(means[pair[0]], means[pair[1]]) for pair in itertools.combinations(means, 2)}
            limits = {pair: _AGREE_IN_SPACE if _CAMERAS in pair else _AGREE for pair in pairs}
            one, other = max(pairs, key=lambda pair: pairs[pair] - limits[pair])
            alike, limit = pairs[one, other], limits[one, other]
            usual, reason = _expected(sides), f"{one} and {other} agree"
            heard = {name for pair, fit in pairs.items() if fit >= _HEARD for name in pair} | {one, other}
        else:
            ((one, witnesses),) = sides.items()
            if len(witnesses) < 2:
                return "only one side is known"
            alike = iou(*(_matte_of(witness.matte) for witness in witnesses))
            limit, usual, reason = _ALONE, _expected(sides), f"as {one} has it"
        if alike < limit:
            return f"the frames around it do not agree ({alike:.2f})"
        mean = _mean([witness for name in sorted(heard) for witness in sides[name]])
        if not _curves_of(mean >= 0.5):
            return "the subject seems to be hidden: nothing can be marked"
        if iou(mean, self._matte(frame)) > min(alike, usual) - _DIFFERS:
            return _RIGHT
        return Offer(frame, _mended(self._matte(frame) >= 0.5, mean >= 0.5), alike, reason)


def _expected(sides: Mapping[str, Sequence[_Witness]]) -> float:
    """Return the expected IoU of the best witness with the right matte: two of one kind may err alike."""
    return 1 - 1 / math.sqrt(max(witness.weight for witnesses in sides.values() for witness in witnesses))


def _mended(own: Inside, other: Inside) -> Inside:
    """Return the frame's own matte, replaced where it differs from the other by more than carried edges are off."""
    if iou(own, other) < _ANOTHER:
        return other
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * _THIN + 1, 2 * _THIN + 1))

    def around(mask: Inside) -> Inside:
        return np.asarray(cv2.dilate(mask.astype(np.uint8), disk) > 0)

    wrong = (own & ~around(other)) | (other & ~around(own))
    return np.asarray(np.where(around(wrong), other, own))


def _matte_of(witness: Soft | Carried) -> Soft:
    return witness.matte if isinstance(witness, Carried) else witness


def _mean(said: Sequence[_Witness]) -> Soft:
    """Return the weighted mean of the clear kinds of witnesses; those of one kind are joined and count as the best."""
    kinds: dict[str, tuple[Soft, float]] = {}
    for kind in dict.fromkeys(witness.kind for witness in said):
        same = [witness for witness in said if witness.kind == kind]
        total, most = sum(witness.weight for witness in same), max(witness.weight for witness in same)
        followed = [witness.matte for witness in same if isinstance(witness.matte, Carried)]
        plain = [witness.matte * (witness.weight / total) for witness in same if not isinstance(witness.matte, Carried)]
        kinds[kind] = (joined(followed) if followed else np.asarray(sum(plain), np.float32), most)
    least = _CLEAR * max(weight for _, weight in kinds.values())
    clear = [(matte, weight) for matte, weight in kinds.values() if weight >= least]
    return np.asarray(sum(matte * weight for matte, weight in clear) / sum(weight for _, weight in clear), np.float32)


def with_repairs(job: Job, repairs: Mapping[str, Repairs]) -> Job:
    """Return the Job with all offers as mask prompts on their frames. `repairs`: by object."""
    objects = []
    for matte_object in job.objects:
        prompts = {prompt.frame: prompt for prompt in matte_object.prompts}
        for offer in repairs[matte_object.name].offers:
            curves = outlines_of(offer, job.footage.width, job.footage.height)
            polygons = tuple(tuple((round(x, 2), round(y, 2)) for x, y in curve.tolist()) for curve in curves)
            prompts[offer.frame] = Prompt(offer.frame, mask=Mask(polygons=polygons, holes=True))
        objects.append(dataclasses.replace(matte_object, prompts=tuple(prompts[frame] for frame in sorted(prompts))))
    return dataclasses.replace(job, objects=tuple(objects))


def outlines_of(offer: Offer, width: int, height: int) -> list[Curve]:
    """Return an offer as closed outlines of (x, y) in pixels of a plate of that size, to be filled by the even-odd
    rule.
    """
    scale = width / SIDE, height / SIDE
    return [curve * scale for curve in _curves_of(offer.mask)]


def _curves_of(mask: Inside) -> list[Curve]:
    return exact_curves_of(np.where(mask, np.uint8(255), np.uint8(0)), _SPACING)


def as_answer(repairs: Mapping[str, Repairs], width: int, height: int) -> dict[str, Any]:
    """Return the repairs by object in the format of contract/layout.py."""
    answer = {}
    for name, found in repairs.items():
        paths = matched([outlines_of(offer, width, height) for offer in found.offers])
        answer[name] = {
            "frames": [offer.frame for offer in found.offers],
            "paths": [[np.round(curve, 2).tolist() for curve in path] for path in paths],
            "reasons": [offer.reason for offer in found.offers],
            "refused": [[refusal.first, refusal.last, refusal.reason] for refusal in found.refusals],
        }
    return answer
