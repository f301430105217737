"""Which of a take's mattes tell one story: the frames whose mattes pass into each other along the optical flow.

Most frames of a clip may be suspects although most of its mattes are right: on a turntable the subject changes its
shape all the time. What tells them apart is how well a matte, carried on by the flow, meets those of the frames after
it, held against how well that goes in this clip as a rule. Right mattes meet each other even across the wrong ones
between them; errors of two kinds don't. So the longest chain of mattes that meet is looked for, each link of which may
leave some frames out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from .both_sides import Flow, Soft, iou

REACH = 12  # frames from one link to the next, at most
_USUAL = 0.3  # quantile of the misfits so far apart: that of right mattes, where as many as half are wrong
_FITS = (2.0, 0.02, 0.35)  # times that, plus that; and at most
_BREAK = 3.0  # what a link costs that does not meet
_ODD = (2.5, 0.02)  # deviations above the median of how a story's frames meet the others, and that more
_HIDDEN = 0.5  # what a link from an empty matte to an empty one counts


def story(flow: Flow, matte: Callable[[int], Soft], frames: Sequence[int], bonus: Mapping[int, float]) -> list[int]:
    """The clip frames of the longest story, in order.

    Args:
        flow: of the footage.
        matte: of a frame, as in both_sides.py.
        frames: clip frames that have a matte, in order.
        bonus: by frame, what it counts beyond its link.

    Raises:
        MatteError: as of Reader, and of a damaged matte.
    """
    misfits, empty = _misfits(flow, matte, frames)
    limits = _limits(misfits)
    links: dict[int, tuple[float, int | None]] = {}  # by frame: what the best story that ends there counts; its link
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


def _odd(chain: Sequence[int], misfits: Mapping[tuple[int, int], float], limits: Mapping[int, float]) -> set[int]:
    """The frames that meet all others of the story worse than those meet each other: what grew into it slowly."""
    found: dict[int, list[float]] = {frame: [] for frame in chain}
    part: dict[int, int] = {}  # those on both sides of a break need not meet
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
    """By two frames: 1 - IoU of the first one's matte, carried to the second, with its own; and which are empty."""
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
    """By distance in frames, up to which misfit two mattes meet."""
    limits: dict[int, float] = {}
    times, more, most = _FITS
    usual = 0.0
    for gap in range(1, REACH + 1):
        found = [misfit for (before, frame), misfit in misfits.items() if frame - before == gap and misfit > 0]
        usual = max(usual, float(np.quantile(found, _USUAL)) if found else 0.0)
        limits[gap] = min(times * usual + more, most)
    return limits
