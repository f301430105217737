"""Finds doubtful mattes and explains why, so that an artist knows where to look first.

It works on measures of the mattes (measures.py), one object at a time. Each sign of trouble is a doubt: 0 is none, and
1 makes the frame a suspect. A frame's doubt is the largest of these.

A frame is compared with its neighbour on the side that it was tracked from: of two that differ, the one farther from
the prompts is doubted. Next to a prompted frame it is always the tracked one. After a jump, doubt continues, ever
weaker, until the matte jumps back or a prompt is reached: a leak rarely heals by itself, but it moves like the subject.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import median

from ...contract.disk import write_data
from ...contract.suspects import Suspect, suspects_file, suspects_json
from ..store.matte_store import Take
from . import second_opinion, visual_hull
from .measures import Measure, measure

# Limits at which a doubt is 1, chosen with bench/review.py. Those with two numbers are (minimum, factor): the limit is
# the clip's median times the factor, but at least the minimum, which suits a confident model and a subject that hardly
# moves. A small model is never confident, and a subject that moves and turns changes more.
_POOR_IOU = 0.30  # 1 - predicted IoU
_POOR_IOU_BESIDE = 0.12  # predicted IoU below the clip's median
_UNSURE = 0.15  # p * (1 - p), with the probability p of being visible; 0.25 at a score of 0
_DOUBTED = 0.68  # 1 - predicted IoU * stability
_FLICKER = 0.05  # how much better the neighbours fit each other than the frame
_BORDER = 0.25  # length that suddenly touches the border / sqrt(area)
_UNSTABLE = (0.25, 2.0)  # 1 - stability
_PIECES = (0.12, 2.0)  # fraction of the area outside the largest piece
_CHANGE = (0.08, 2.2)  # 1 - overlap with the neighbour, after aligning both
_GROWTH = (0.12, 5.0)  # natural logarithm of the ratio of areas, growing or shrinking
_SLOW_GROWTH = (0.18, 4.0)  # the same over _SLOW frames
_SLOW = 5
_SWERVE = (0.06, 6.0)  # change of the centroid's step / sqrt(area)
_AFTER = (2.0, 3.0)  # least and largest doubt after a jump
_FADE = 0.9  # factor of that doubt per frame: it falls below 1 after 7 to 11 frames
_FORGOTTEN = 0.3  # below this doubt, a jump back is no longer looked for
_BACK = 0.2  # part of the difference to the matte before a jump that a jump back must undo

Doubt = tuple[float, str]  # its size and the reason


def review(take: Take, prompted: Sequence[int], start: int) -> list[Suspect]:
    """Find the doubtful mattes of a take, and store the result beside them for Blender.

    Args:
        take: a take of one object.
        prompted: the clip frames with a prompt, whose mattes the others are compared with.
        start: the clip frame where tracking began; frames before it were tracked backward.

    Returns:
        Runs of doubtful frames, worst first.

    Raises:
        OutputError: a matte is damaged, or the result can't be written.
    """
    if not take.frames():
        return []
    with take.reviewing():
        measures = measure(take)
        others = second_opinion.doubts(second_opinion.kept(take)), visual_hull.doubts(visual_hull.kept(take))
        found = suspects(doubts(measures, prompted, start, *others))
        text = suspects_json(found).encode()
        write_data(suspects_file(take.folder), text, sync=False)
    return found


def suspects(doubts: Mapping[int, Doubt]) -> list[Suspect]:
    """Return runs of frames whose doubt is at least 1, worst first."""
    runs: list[list[int]] = []
    for frame in sorted(frame for frame, (doubt, _) in doubts.items() if doubt >= 1):
        if runs and runs[-1][-1] == frame - 1:
            runs[-1].append(frame)
        else:
            runs.append([frame])
    found = []
    for run in runs:
        worst = max(run, key=lambda frame: doubts[frame][0])
        doubt, reason = doubts[worst]
        found.append(Suspect(worst, run[0], run[-1], round(doubt, 3), reason))
    return sorted(found, key=lambda suspect: (-suspect.doubt, suspect.frame))


def doubts(
    measures: Mapping[int, Measure], prompted: Iterable[int], start: int, *others: Mapping[int, Doubt]
) -> dict[int, Doubt]:
    """Return the doubt of each frame. The arguments are those of `review`; `others`: doubts from other sources."""
    if not measures:
        return {}
    prompts = set(prompted)
    limits = _Limits(measures)
    found = {frame: _alone(entry, limits) for frame, entry in measures.items() if frame not in prompts}
    for frame in found:
        _raise(found, frame, _flicker(measures, frame))
        for more in others:
            _raise(found, frame, more.get(frame, (0.0, "")))
    forward = [frame for frame in sorted(measures) if frame >= start]
    backward = [frame for frame in sorted(measures, reverse=True) if frame <= start]
    for order in filter(None, (forward, backward)):  # a part of a clip may lie on one side only
        _follow(found, measures, order, prompts, limits)
        for segment in _towards(order, prompts):
            _follow(found, measures, segment, prompts, limits, f"differs from the prompt on frame {segment[0]}")
    return {frame: found.get(frame, (0.0, "")) for frame in sorted(measures)}


class _Limits:
    """The limits of this take, at which doubts are 1."""

    def __init__(self, measures: Mapping[int, Measure]) -> None:
        def limit(rule: tuple[float, float], values: Iterable[float]) -> float:
            numbers = [abs(value) for value in values if not math.isnan(value)]
            return max(rule[0], rule[1] * median(numbers)) if numbers else rule[0]

        self.iou = median(entry.iou for entry in measures.values())
        self.unstable = limit(_UNSTABLE, (1 - entry.stability for entry in measures.values() if entry.area))
        self.pieces = limit(_PIECES, (entry.outside for entry in measures.values() if entry.area))
        self.change = limit(_CHANGE, (1 - entry.overlap for entry in measures.values()))
        self.growth = limit(_GROWTH, (growth(measures, frame - 1, frame) for frame in measures))
        self.slow_growth = limit(_SLOW_GROWTH, (growth(measures, frame - _SLOW, frame) for frame in measures))
        self.swerve = limit(_SWERVE, (swerve(measures, frame - 1, frame) for frame in measures))


def growth(measures: Mapping[int, Measure], before: int, frame: int) -> float:
    """Return the natural logarithm of the ratio of areas; NaN if a matte is missing or empty."""
    this, other = measures.get(frame), measures.get(before)
    return math.log(this.area / other.area) if this and other and this.area and other.area else math.nan


def swerve(measures: Mapping[int, Measure], before: int, frame: int) -> float:
    """Return the distance of the centroid from where its last step led / sqrt(area); NaN if unknown."""
    a, b, c = (measures.get(at) for at in (2 * before - frame, before, frame))
    if not (a and b and c and a.area and b.area and c.area):
        return math.nan
    return math.hypot(c.x - 2 * b.x + a.x, c.y - 2 * b.y + a.y) / math.sqrt(min(b.area, c.area))


def _alone(this: Measure, limits: _Limits) -> Doubt:
    """Return the doubt that the frame's own measures raise."""
    visible = 1 / (1 + math.exp(-max(-50.0, min(50.0, this.score))))
    doubts = [(visible * (1 - visible) / _UNSURE, f"the subject may be hidden (object score {this.score:.1f})")]
    if this.area:
        poor = max(
            (1 - this.iou) / _POOR_IOU,
            (limits.iou - this.iou) / _POOR_IOU_BESIDE,
            (1 - this.iou * this.stability) / _DOUBTED,
        )
        doubts += [
            (poor, f"SAM 2 expects a poor matte (predicted IoU {this.iou:.2f})"),
            ((1 - this.stability) / limits.unstable, "the edge is uncertain"),
            (this.outside / limits.pieces, f"{this.outside:.0%} of it is disconnected from the rest"),
        ]
    return max(doubts)


def _flicker(measures: Mapping[int, Measure], frame: int) -> Doubt:
    """Return the doubt about a frame whose neighbours are alike while it differs."""
    this, after = measures[frame], measures.get(frame + 1)
    if after is None or math.isnan(this.overlap) or math.isnan(after.overlap2):
        return 0.0, ""
    return (after.overlap2 - max(this.overlap, after.overlap)) / _FLICKER, "differs from both neighbours"


def _follow(
    found: dict[int, Doubt],
    measures: Mapping[int, Measure],
    order: Sequence[int],
    prompts: set[int],
    limits: _Limits,
    blame: str = "",
) -> None:
    """Walk away from a prompt; raise the doubt of frames that jump, and of those after a jump."""
    carried = 0.0
    jumped = away = trusted = order[0]  # the last jump; the jump that led away; the frame before that jump
    for previous, frame in itertools.pairwise(order):
        if frame in prompts or abs(frame - previous) != 1:
            carried, jumped = 0.0, frame
            continue
        carried *= _FADE
        doubt, reason = _change(measures, previous, frame, limits, abs(frame - jumped))
        if blame:
            doubt, reason = (doubt, blame) if previous == order[0] else (0.0, "")
        if doubt < 1:
            _raise(found, frame, max((doubt, reason), (carried, f"continues the jump on frame {away}")))
            continue
        if carried >= _FORGOTTEN and _is_back(measures, trusted, previous, frame):
            for between in range(away, frame, frame - previous):
                _raise(found, between, (1.0, f"continues the jump on frame {away}"))
            carried = 0.0
        else:
            if carried < _FORGOTTEN:
                trusted, away = previous, frame
            carried = max(carried, min(max(doubt, _AFTER[0]), _AFTER[1]))
            _raise(found, frame, (max(doubt, carried), reason))
        jumped = frame


def _towards(order: Sequence[int], prompts: set[int]) -> Iterator[list[int]]:
    """Yield for each prompt that tracking arrived at: its frame and those before it, back to the prompt before."""
    segment: list[int] = []
    for frame in order:
        segment.append(frame)
        if frame in prompts:
            if len(segment) > 1:
                yield segment[::-1]
            segment = []


def _is_back(measures: Mapping[int, Measure], reference: int, previous: int, frame: int) -> bool:
    """Whether a jump undoes enough of the difference to an earlier frame."""

    def difference(other: int) -> float:
        ratio = growth(measures, reference, other)
        return 1 - measures[reference].likeness(measures[other]) + (5.0 if math.isnan(ratio) else abs(ratio))

    return difference(frame) < (1 - _BACK) * difference(previous)


def _change(measures: Mapping[int, Measure], previous: int, frame: int, limits: _Limits, since: int) -> Doubt:
    """Return the doubt about a jump from the neighbour `previous`; `since`: frames since the last jump."""
    this, other = measures[frame], measures[previous]
    overlap = measures[max(frame, previous)].overlap
    if not this.area or not other.area:
        if this.area == other.area:
            return 0.0, ""
        return 1.5, "disappears suddenly" if other.area else "appears suddenly"
    log = growth(measures, previous, frame)
    words = [  # the most informative first
        (abs(log) / limits.growth, _grows(log, "suddenly")),
        ((this.border - other.border) / math.sqrt(this.area) / _BORDER, "touches the image's border suddenly"),
    ]
    if since > 1:  # the step before was not a jump
        words.append((swerve(measures, previous, frame) / limits.swerve, "jumps to another place"))
    if since > _SLOW:
        slow = growth(measures, frame - _SLOW * (frame - previous), frame)
        words.append((abs(slow) / limits.slow_growth, _grows(slow, f"in {_SLOW} frames")))
    words.append(((1 - overlap) / limits.change, "changes its shape suddenly"))
    doubt = max(doubt for doubt, _ in words if not math.isnan(doubt))
    return doubt, next((reason for value, reason in words if value >= min(doubt, 1)), "")


def _grows(log: float, when: str) -> str:
    if math.isnan(log):
        return ""
    change = abs(math.exp(log) - 1)
    return f"grows by {change:.0%} {when}" if log > 0 else f"shrinks by {change:.0%} {when}"


def _raise(found: dict[int, Doubt], frame: int, doubt: Doubt) -> None:
    """Add a doubt to a frame's; all reasons that reach the limit are listed, the strongest first."""
    one, other = sorted((found.get(frame, (0.0, "")), doubt), reverse=True)
    both = other[0] >= 1 and other[1] not in one[1]
    found[frame] = one[0], f"{one[1]}; {other[1]}" if both else one[1]
