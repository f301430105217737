"""Doubtful mattes made anew from what is known around them: offers, each of which may become a mask prompt.

Good are the frames whose mattes tell one story (story.py), suspects or not; every other frame is asked of up to five
witnesses: SAM 2 tracked from the good frame before and from the one after, the mattes of
the same two carried by the optical flow, and, where there are cameras, the visual hull of all good frames. How far each
of them can be believed, so many frames from what is known, is measured on good frames of the same clip: a large network
sees more than the flow does, a small one less.

A frame is repaired only if two sides (before, after, the other cameras) say the same and its matte says another thing.
So a matte that is right is never replaced by a guess, and where nobody knows, nothing is offered.

Mattes are float32 (SIDE, SIDE), 0..1, squashed (both_sides.py).
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ...contract.errors import JobError
from ...contract.frame_numbers import runs_of
from ...contract.job import Job
from ...contract.job_types import Mask, Prompt
from ..footage.footage import Reader
from ..matting.outlines import Curve, curves_of, matched
from ..sam2.model import Loaded
from ..store.feature_cache import FeatureCache
from ..store.matte_store import Take
from . import visual_hull
from .both_sides import SIDE, Flow, Soft, iou, soft, tracked
from .cameras import Camera
from .story import story

POINTS = 96  # corners of each outline
_LONGEST = 40  # frames between two good ones; from here on nothing that is carried so far is known any more
_REACH = 4  # frames that witnesses are tried over
_TRIALS = 3  # times
_CHOICE = 5  # good frames to choose each trial from
_UNTRIED = 0.1  # misfit of a witness that can't be tried
_KNOWN, _PROMPTED = 0.5, 5.0  # what frames that are no suspects, and prompted ones, count more in the story
_AGREE = 0.72  # IoU of two sides that say the same
_HEARD = 0.6  # with one of the others, of a third side that is still counted
_ALONE = 0.85  # the same of two witnesses from one side, where there is no other
_DIFFERS = 0.06  # how much worse the frame's own matte fits than the sides each other
_SLACK = 0.01  # misfit that everybody is granted
_ROUNDS = 2  # of asking: what the first one finds right helps the second
_THIN = 7  # pixels: where a matte differs by less from what the others say, its own edge is the better one
_RIGHT = "fits the frames around it"

Inside = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Offer:
    """A new matte of one frame.

    frame: clip frame.
    mask: bool (SIDE, SIDE).
    agreement: IoU of the two sides that agree best, 0..1.
    reason: who says so, in words.
    """

    frame: int
    mask: Inside
    agreement: float
    reason: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """Suspect clip frames `first` to `last` for which there is no offer, and why not, in words."""

    first: int
    last: int
    reason: str

    def in_words(self) -> str:
        """For example: frames 10 to 15: left alone: only one side is known."""
        frames = f"frame {self.first}" if self.first == self.last else f"frames {self.first} to {self.last}"
        return f"{frames}: left alone: {self.reason}"


@dataclass(slots=True)
class Repairs:
    """Of one object, by clip frame in order."""

    offers: list[Offer] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)


class Repairer:
    """Repairs one object; inside `Loaded.computing()`.

    Args:
        loaded: the model.
        reader, frame_count, features: of the footage.
        take: the object's mattes.
        frames, prompted: clip frames that may be looked at, and those that have a prompt.
        cameras: by clip frame, where the clip is solved; the subject stands still then.
        on_frame: called before each frame that the model looks at.
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
        """What can be offered for `suspects`, clip frames that have a matte. Raises MatteError."""
        found, reasons = Repairs(), dict[int, str]()
        if not suspects:
            return found
        frames = [frame for frame in self._take.frames() if frame in self._frames]
        known = set(frames) & (self._prompted | (set(frames) - set(suspects)))
        counts = {frame: _PROMPTED if frame in self._prompted else _KNOWN for frame in known}
        there, good = set(frames), set(story(self._flow, self._matte, frames, counts))
        if there - good:
            self._misfits = self._tried(good)
        hull = self._hull(good, sorted(there - good))
        answers: dict[int, Offer | str] = dict.fromkeys(set(suspects) & good, _RIGHT)
        unknown = runs_of(there - good)
        for _ in range(_ROUNDS):
            right: set[int] = set()
            for stretch in unknown:
                if len(stretch) >= _LONGEST:
                    words = f"{_LONGEST} frames and more lie between good ones: mark one of them"
                    answers |= dict.fromkeys(stretch, words)
                    continue
                for frame, sides in self._sides(stretch, good, hull).items():
                    answers[frame] = answer = self._judged(frame, sides)
                    right |= {frame} if answer == _RIGHT else set()
            good |= right  # what is right in the middle of a stretch is an anchor for the rest of it
            unknown = [stretch for stretch in runs_of(there - good) if {stretch[0] - 1, stretch[-1] + 1} & right]
        for frame, answer in sorted(answers.items()):
            if isinstance(answer, Offer):
                found.offers.append(answer)
            else:
                reasons[frame] = answer
        for reason, refused in itertools.groupby(sorted(reasons), reasons.__getitem__):
            found.refusals += [Refusal(run[0], run[-1], reason) for run in runs_of(refused)]
        return found

    # -- how far whom can be believed -----------------------------------------------------------------------------

    def _tried(self, good: Collection[int]) -> dict[str, list[float]]:
        """By witness: 1 - IoU with good mattes 1 to _REACH frames away from one, at least what the nearer ones have."""
        ahead = {
            frame: list(itertools.takewhile(good.__contains__, range(frame + 1, frame + 1 + _REACH))) for frame in good
        }
        most = sorted(good, key=lambda frame: (-len(ahead[frame]), frame))[: _CHOICE * _TRIALS]
        starts = sorted(frame for frame in most if ahead[frame] and (self._matte(frame) >= 0.5).any())
        chosen = {starts[round(i)] for i in np.linspace(0, len(starts) - 1, min(len(starts), _TRIALS))}
        misfits: dict[str, list[list[float]]] = {name: [[] for _ in range(_REACH)] for name in ("flow", "SAM 2")}
        for start in sorted(chosen):
            for name, said in self._carried(start, ahead[start]).items():
                for frame, matte in said.items():
                    misfits[name][frame - start - 1].append(1 - iou(matte, self._matte(frame)))
        found = {}
        for name, by_distance in misfits.items():
            known = [float(np.median(some)) for some in by_distance if some] or [_UNTRIED]
            found[name] = np.maximum.accumulate(known).tolist()
        return found

    def _misfit(self, name: str, far: int) -> float:
        """Of a witness that is so many frames away; beyond what was tried it grows on as it grew."""
        known = self._misfits[name]
        if name == "hull" or far <= len(known):
            return known[min(far, len(known)) - 1] + _SLACK
        return known[-1] + (far - len(known)) * (known[-1] - known[0]) / max(len(known) - 1, 1) + _SLACK

    # -- witnesses ------------------------------------------------------------------------------------------------

    def _matte(self, frame: int) -> Soft:
        return soft(self._take.tracked(frame))

    def _carried(self, start: int, frames: Sequence[int]) -> dict[str, dict[int, Soft]]:
        """The matte of a good frame on those to one side of it, by the flow and by SAM 2."""
        matte = self._matte(start)
        if not (matte >= 0.5).any():  # the subject is hidden there
            return {"flow": dict.fromkeys(frames, matte)}
        return {
            "flow": self._flow.carried(start, matte, frames),
            "SAM 2": tracked(*self._footage, {start: matte}, frames, self._on_frame),
        }

    def _hull(self, good: Collection[int], frames: Sequence[int]) -> dict[int, Soft]:
        """The visual hull of good frames on others, where there are enough cameras; sets how far it is believed."""
        trusted = [frame for frame in sorted(good) if frame in self._cameras]
        asked = [frame for frame in frames if frame in self._cameras]
        if not asked or not trusted:
            return {}
        tried = {trusted[round(i)] for i in np.linspace(0, len(trusted) - 1, min(len(trusted), 2 * _TRIALS))}

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
    ) -> dict[int, dict[str, list[tuple[Soft, float]]]]:
        """By frame and side: what its witnesses say, and how far they are to be believed."""
        found: dict[int, dict[str, list[tuple[Soft, float]]]] = {frame: {} for frame in stretch}
        for start, frames in ((stretch[0] - 1, stretch), (stretch[-1] + 1, stretch[::-1])):
            if start not in good:
                continue
            for name, said in self._carried(start, frames).items():
                for frame, matte in said.items():
                    side = found[frame].setdefault(f"frame {start}", [])
                    side.append((matte, 1 / self._misfit(name, abs(frame - start)) ** 2))
        for frame in set(stretch) & set(hull):
            found[frame]["the other cameras"] = [(hull[frame], 1 / self._misfit("hull", 1) ** 2)]
        return found

    def _judged(self, frame: int, sides: Mapping[str, Sequence[tuple[Soft, float]]]) -> Offer | str:
        """An offer, or why there is none."""
        if not sides:
            return "no good frame lies beside it"
        means = {name: _mean(witnesses) for name, witnesses in sides.items()}
        if len(means) > 1:
            pairs = {pair: iou(means[pair[0]], means[pair[1]]) for pair in itertools.combinations(means, 2)}
            (one, other), agreement = max(pairs.items(), key=lambda pair: pair[1])
            limit, reason = _AGREE, f"{one} and {other} agree"
            heard = {name for pair, alike in pairs.items() if alike >= _HEARD for name in pair} | {one, other}
            mean = _mean([witness for name in sorted(heard) for witness in sides[name]])
        else:
            ((one, witnesses),) = sides.items()
            if len(witnesses) < 2:
                return "only one side is known"
            agreement, limit, reason = iou(witnesses[0][0], witnesses[1][0]), _ALONE, f"as {one} has it"
            mean = means[one]
        if agreement < limit:
            return f"what lies around it does not agree on it ({agreement:.2f})"
        if not _curves_of(mean >= 0.5):
            return "the subject seems to be hidden: nothing can be marked"
        if iou(mean, self._matte(frame)) > agreement - _DIFFERS:
            return _RIGHT
        return Offer(frame, _mended(self._matte(frame) >= 0.5, mean >= 0.5), agreement, reason)


def _mended(own: Inside, other: Inside) -> Inside:
    """The frame's own matte, but where the other one differs by more than the edges of what is carried are worth."""
    if not own.any():
        return other
    disk, wider = (
        cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)) for side in (2 * _THIN + 1, 2 * _THIN + 3)
    )
    wrong = cv2.morphologyEx((own ^ other).astype(np.uint8), cv2.MORPH_OPEN, disk)
    return np.asarray(np.where(cv2.dilate(wrong, wider) > 0, other, own))


def _mean(said: Sequence[tuple[Soft, float]]) -> Soft:
    total = sum(weight for _, weight in said)
    return np.asarray(sum(matte * weight for matte, weight in said) / total, np.float32)


def with_repairs(job: Job, repairs: Mapping[str, Repairs]) -> Job:
    """The Job with all that is offered as mask prompts on their frames. `repairs` by object."""
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
    """An offer as closed outlines of (x, y) in pixels of a plate of that size; they fill by even-odd."""
    scale = width / SIDE, height / SIDE
    return [curve * scale for curve in _curves_of(offer.mask)]


def _curves_of(mask: Inside) -> list[Curve]:
    return curves_of(np.where(mask, np.uint8(255), np.uint8(0)), POINTS)


def as_answer(repairs: Mapping[str, Repairs], width: int, height: int) -> dict[str, Any]:
    """As contract/layout.py has it, by object."""
    answer = {}
    for name, found in repairs.items():
        paths = matched([outlines_of(offer, width, height) for offer in found.offers])
        answer[name] = {
            "frames": [offer.frame for offer in found.offers],
            "paths": [[curve.tolist() for curve in path] for path in paths],
            "reasons": [offer.reason for offer in found.offers],
            "refused": [[refusal.first, refusal.last, refusal.reason] for refusal in found.refusals],
        }
    return answer
