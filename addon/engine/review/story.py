"""Finds the longest consistent chain of a take's mattes, its story: mattes that match each other along the optical
flow.

Most frames of a clip may be suspects although most of its mattes are right: on a turntable, the subject changes its
shape all the time. They differ in how well a matte, carried by the flow, matches later ones, compared with what is
usual in this clip. Right mattes match each other even across wrong ones between them; errors of two kinds do not. Each
link of the chain may skip some frames.

An error that grows slowly, or lasts, matches its neighbours. It is found by those beyond it: the farther the flow
carries a matte, the worse it matches. Where it matches a farther frame better than a nearer one, that speaks against
the nearer one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from .both_sides import Flow, Soft, iou

REACH = 12  # longest link in frames
_USUAL = 0.3  # quantile of the misfits at a distance that stands for right mattes, even if half of them are wrong
_FITS = (2.0, 0.02, 0.35)  # the limit of a match: factor of that quantile, addend, and largest limit
_BREAK = 3.0  # cost of a link between mattes that do not match
_ODD = (2.5, 0.02)  # limit of a frame's misfit to the story: median + factor x deviation + addend
_BETTER = 0.03  # by how much a farther frame must match better
_AGAINST = 0.4  # share of the frames around that speak against a frame of no story
_FEW = 3  # fewer frames around do not count
_HIDDEN = 0.5  # largest gain of a link between two empty mattes


def story(flow: Flow, matte: Callable[[int], Soft], frames: Sequence[int], bonus: Mapping[int, float]) -> list[int]:
    """Return the clip frames of the longest story, ascending.

    Args:
        flow: the flow of the footage.
        matte: returns a frame's matte, as in both_sides.py.
        frames: clip frames with a matte, ascending.
        bonus: by frame: gain in addition to that of its link.

    Raises:
        MatteError: a frame can't be read, or a matte is damaged.
    """
    misfits, empty = _misfits(flow, matte, frames)
    limits = _limits(misfits)
    against = _spoken_against(misfits, frames)
    frames = [frame for frame in frames if frame not in against or bonus.get(frame, 0) > 1]
    links: dict[
        int, tuple[float, int | None]
    ] = {}  # by frame: gain of the best story that ends there, and the frame before it
    longest: int | None = None
    for at, frame in enumerate(frames):
        choices: list[tuple[float, int | None]] = [(0.0, None)]
        if longest is not None:
            choices.append((links[longest][0] - _BREAK, longest))
        for before in frames[max(0, at - REACH) : at]:
            misfit, limit = misfits.get((before, frame), 1.0), limits.get(frame - before, 0.0)
            if misfit <= limit:
                gain = 1 - misfit / limit
                choices.append((links[before][0] + (min(gain, _HIDDEN) if frame in empty else gain), before))
        counts, before_it = max(choices, key=lambda choice: choice[0])
        links[frame] = counts + bonus.get(frame, 0.0), before_it
        if longest is None or links[frame][0] >= links[longest][0]:
            longest = frame
    chain = []
    while longest is not None:
        chain.append(longest)
        longest = links[longest][1]
    odd = _odd(chain, misfits, limits)
    return [frame for frame in chain[::-1] if frame not in odd or bonus.get(frame, 0) > 1]


def _spoken_against(misfits: Mapping[tuple[int, int], float], frames: Sequence[int]) -> set[int]:
    """Return frames that many of those around them match worse than they match frames beyond.

    A frame that is spoken against has no say about others, until nothing changes.
    """
    against: set[int] = set()
    for _ in range(REACH):
        heard = set(frames) - against
        found = set()
        for frame in frames:
            said = []
            for other in heard.intersection(range(frame - REACH, frame + REACH + 1)) - {frame}:
                way = 1 if frame > other else -1
                farther = heard.intersection(range(frame + way, other + way * (REACH + 1), way))
                beyond = [misfits[pair] for far in farther if (pair := _pair(other, far)) in misfits]
                if beyond and (pair := _pair(other, frame)) in misfits:
                    said.append(misfits[pair] > min(beyond) + _BETTER)
            if len(said) >= _FEW and sum(said) >= _AGAINST * len(said):
                found.add(frame)
        if found == against:
            break
        against = found
    return against


def _pair(one: int, other: int) -> tuple[int, int]:
    return min(one, other), max(one, other)


def _odd(chain: Sequence[int], misfits: Mapping[tuple[int, int], float], limits: Mapping[int, float]) -> set[int]:
    """Return frames that match the rest of the story worse than it matches itself: slowly growing errors."""
    found: dict[int, list[float]] = {frame: [] for frame in chain}
    part: dict[int, int] = {}  # frames on both sides of a break need not match
    for frame in sorted(chain):
        before = max(part, default=frame)
        meets = misfits.get((before, frame), 1.0) <= limits.get(frame - before, 0.0)
        part[frame] = part[before] if part and meets else frame
    for (before, frame), misfit in misfits.items():
        if before in found and frame in found and part[before] == part[frame]:
            for one in (before, frame):
                found[one].append(misfit / limits[frame - before])
    usual = {frame: float(np.median(some)) for frame, some in found.items() if some}
    if not usual:
        return set()
    middle = float(np.median(list(usual.values())))
    spread = 1.4826 * float(np.median([abs(value - middle) for value in usual.values()]))
    return {frame for frame, value in usual.items() if value > middle + _ODD[0] * spread + _ODD[1]}


def _misfits(
    flow: Flow, matte: Callable[[int], Soft], frames: Sequence[int]
) -> tuple[dict[tuple[int, int], float], set[int]]:
    """Return 1 - IoU of frame a's matte, carried to b, with b's own, by (a, b); and the frames with empty mattes."""
    misfits: dict[tuple[int, int], float] = {}
    empty: set[int] = set()
    carried: dict[int, Soft] = {}
    for frame in frames:
        own = matte(frame)
        if not (own >= 0.5).any():
            empty.add(frame)
        if frame - 1 in carried:
            carried = flow.moved({k: said for k, said in carried.items() if frame - k <= REACH}, frame - 1, frame)
        else:
            carried = {}
        misfits |= {(start, frame): 1 - iou(said, own) for start, said in carried.items()}
        carried[frame] = own
    return misfits, empty


def _limits(misfits: Mapping[tuple[int, int], float]) -> dict[int, float]:
    """Return by distance in frames the largest misfit of two mattes that match."""
    limits: dict[int, float] = {}
    times, more, most = _FITS
    usual = 0.0
    for gap in range(1, REACH + 1):
        found = [misfit for (before, frame), misfit in misfits.items() if frame - before == gap and misfit > 0]
        usual = max(usual, float(np.quantile(found, _USUAL)) if found else 0.0)
        limits[gap] = min(times * usual + more, most)
    return limits
