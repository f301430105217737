"""Measures whether review finds bad mattes: recall of the worst frames by true IoU against the share of flagged frames.

    python3 vendor_setup bench review [--injected | --tracked | --both-ends] [--checkpoint NAME] [--save]

Two kinds of bad mattes are measured separately. *Injected*: typical tracking errors put into true mattes (this needs no
network; predicted IoU and object score carry no information then). *Tracked*: the real engine, from one prompt on frame
1. The clips are the rendered ones of this repository and DAVIS. The baseline flags by predicted IoU alone.

*Both ends* measures the second opinion: the first and the last frame are prompted, with a box and two clicks. The list
of suspects from one direction is compared with the list that also knows the other direction. Its clips are every second
frame of those of `bench tracking`, the rendered ones, and the DAVIS clips that training never sees.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from addon.checkpoints import EMBEDDED_CONFIG
from addon.contract.job import Job
from addon.contract.job_types import Box, Footage, MatteObject, Model, Point, Prompt
from addon.engine.review import second_opinion
from addon.engine.review.find_suspects import Doubt, doubts, suspects
from addon.engine.review.measures import Measure, measure
from addon.engine.session import Session
from addon.engine.store.matte_store import Matte, Take

from . import _charts
from ._clips import Mask, QualityClip, davis_clips, rendered_clips, spread_clicks
from ._davis import jaccard
from ._errors import ERRORS
from ._hiding import hiding_clips

SIDE = 256  # of the logits in pixels
WORST = 0.10
SHARES = (0.05, 0.10, 0.15, 0.20, 0.25, 0.30, 0.40, 0.50)


@dataclass(frozen=True, slots=True)
class Judged:
    """One frame: the true IoU of its matte, its doubt, predicted IoU, and whether it is in a suspect run."""

    kind: str
    truth: float
    doubt: float
    predicted: float
    flagged: bool


@dataclass(frozen=True, slots=True)
class Reviewed:
    """A take: review's measures, true IoU and kind of injected error by clip frame; its prompted frames."""

    measures: dict[int, Measure]
    truths: dict[int, float]
    kinds: dict[int, str]
    prompted: tuple[int, ...]

    def judged(self, others: Mapping[int, Doubt] | None = None) -> Iterator[Judged]:
        """Yield all frames without a prompt. `others`: doubts from another source, by frame."""
        found = doubts(self.measures, self.prompted, 1, others or {})
        flagged = {frame for suspect in suspects(found) for frame in suspect.frames}
        for frame, truth in self.truths.items():
            if frame not in self.prompted:
                iou = self.measures[frame].iou
                yield Judged(self.kinds.get(frame, ""), truth, found[frame][0], iou, frame in flagged)


def main() -> int:
    """Print the curves; return 1 if the worst tenth is not found."""
    parser = argparse.ArgumentParser(prog="bench review", description=__doc__.splitlines()[0] if __doc__ else None)
    way = parser.add_mutually_exclusive_group()
    way.add_argument("--injected", action="store_true", help="measure only errors injected into true mattes")
    way.add_argument("--tracked", action="store_true", help="measure only what the engine tracks")
    way.add_argument("--both-ends", action="store_true", help="measure only the second opinion")
    parser.add_argument("--seeds", type=int, default=5, help="seeds of injected errors for each clip")
    parser.add_argument("--checkpoint", default="embedded", help="a name, or a .pt file of the embedded network")
    parser.add_argument("--frames", type=int, default=60, help="most frames of each clip that are tracked")
    parser.add_argument("--davis", type=Path, help="folder of DAVIS 2016")
    parser.add_argument(
        "--folder", type=Path, help="folder in which to keep mattes for the next call; default: they are not kept"
    )
    _charts.add_option(parser)
    options = parser.parse_args()
    clips = rendered_clips() + davis_clips(options.davis, kept_out=False)
    good = True
    if options.both_ends:
        return both_ends(options)
    if not options.tracked:
        takes = (take for clip in clips for take in injected(clip, options.seeds))
        good &= report("injected", [case for take in takes for case in take.judged()], options.save)
    if not options.injected:
        good &= report("tracked", [case for clip in clips for case in tracked(clip, options).judged()], options.save)
    return int(not good)


def report(name: str, judged: Sequence[Judged], save: bool) -> bool:
    """Print and, with `save`, keep the recall; return whether the worst tenth is found with a quarter flagged."""
    truth = np.array([case.truth for case in judged])
    limit = np.sort(truth)[max(0, int(WORST * len(truth)) - 1)]
    bad = truth <= limit
    print(f"{name}: {len(judged)} frames, mean IoU {truth.mean():.3f}, the worst {bad.mean():.0%} below {limit:.3f}")
    print(f"{'flagged':>24}" + "".join(f"{share:>7.0%}" for share in SHARES))
    recalls = {}
    for ranking, values in (
        ("recall, doubt", [case.doubt for case in judged]),
        ("recall, predicted IoU", [-case.predicted for case in judged]),
    ):
        order = np.argsort(-np.array(values), kind="stable")
        recalls[ranking] = {s: bad[order[: int(s * len(order))]].sum() / bad.sum() for s in SHARES}
        print(f"{ranking:>24}" + "".join(f"{recall:>7.2f}" for recall in recalls[ranking].values()))
    if save:
        _charts.Chart(
            title=f"Bad mattes found among the frames that are looked at, {name}",
            command=f"python3 vendor_setup bench review --{name} --save",
            machine=_charts.machine(),
            kind="lines",
            x="% of all frames looked at, most doubtful first",
            y="recall of the worst tenth",
            at=[round(100 * share) for share in SHARES],
            series={
                "chance": SHARES,
                **{
                    ranking.removeprefix("recall, "): [round(r, 3) for r in found.values()]
                    for ranking, found in recalls.items()
                },
            },
        ).save(f"review-{name}")
    flagged = np.array([case.flagged for case in judged])
    recall, share = (flagged & bad).sum() / bad.sum(), flagged.mean()
    print(
        f"suspects: {share:.1%} of the frames, recall {recall:.2f}, {(flagged & ~bad & (truth > 0.9)).mean():.1%} false"
    )
    for kind in dict.fromkeys(case.kind for case in judged if case.kind):
        of = np.array([case.kind == kind and case.truth < 0.8 for case in judged])
        if of.any():
            print(f"  {kind:14} IoU below 0.8 on {of.sum():4} frames, flagged {(flagged & of).sum() / of.sum():.2f}")
    return bool(recall >= 0.8 and share <= 0.25)


def injected(clip: QualityClip, seeds: int) -> Iterator[Reviewed]:
    """Inject errors into a clip's true mattes, at most one of each kind, and review them."""
    truths = [small(clip.matte(i)) for i in range(len(clip.mattes))]
    for seed in range(seeds):
        random = np.random.default_rng([seed, *clip.name.encode()])
        masks, kinds = list(truths), [""] * len(truths)
        places = random.permutation(np.arange(3, len(truths) - 3, 45))
        for name, place in zip(random.permutation(list(ERRORS)), places, strict=False):
            inject, (least, most) = ERRORS[name]
            last = min(len(masks), int(place) + int(random.integers(least, most + 1)))
            inject(masks, int(place), last, random)
            kinds[place:last] = [name] * (last - place)
        with tempfile.TemporaryDirectory() as folder:
            take = Take(Path(folder))
            for i, mask in enumerate(masks):
                take.put_matte(i + 1, Matte(np.where(mask, 8, -8).astype(np.float16), 0.9, 8.0))
            yield reviewed(take, masks, truths, kinds)


def tracked(clip: QualityClip, options: argparse.Namespace) -> Reviewed:
    """Track a clip with the engine from its clicks on frame 1, and review it."""
    count = min(options.frames, len(clip.pictures))
    files = tuple(str(path) for path in clip.pictures[:count])
    height, width = clip.matte(0).shape
    points = tuple(Point(x, y, bool(label)) for x, y, label in clip.clicks)
    model = Model(options.checkpoint)
    if Path(options.checkpoint).suffix == ".pt":
        model = Model(str(Path(options.checkpoint).absolute()), str(EMBEDDED_CONFIG), trust=True)
    with tempfile.TemporaryDirectory() as room:
        job = Job(
            Footage(files, width, height, count),
            (MatteObject("subject", (Prompt(1, points),)),),
            model,
            output=str((options.folder or Path(room)).absolute() / clip.name),
        )
        take = Session(lambda *_: None, lambda: False).track(job).takes["subject"]
        masks = [matte.logits > 0 for frame in range(1, count + 1) if (matte := take.matte(frame))]
        truths = [small(clip.matte(i), masks[0].shape) for i in range(count)]
        print(f"  {clip.name}: mean IoU {np.mean([jaccard(*pair) for pair in zip(masks, truths, strict=True)]):.3f}")
        return reviewed(take, masks, truths)


def both_ends(options: argparse.Namespace) -> int:
    """Compare the suspects of one direction with those of a second opinion, on the mattes of each."""
    with tempfile.TemporaryDirectory() as room:
        folder = (options.folder or Path(room)).absolute()
        clips = [
            dataclasses.replace(clip, pictures=clip.pictures[::2], mattes=clip.mattes[::2])
            for clip in hiding_clips(folder / "clips", 110, 1)
        ]
        one, settled, known = list[Judged](), list[Judged](), list[Judged]()
        for clip in clips + rendered_clips() + davis_clips(options.davis):
            judged = second_opinions(clip, options, folder)
            for cases, found in zip((one, settled, known), judged, strict=True):
                cases += found
    report("one way", one, save=False)
    report("one way, with the other way's doubts", known, save=False)
    return int(not report("both-ends", settled, options.save))


def second_opinions(clip: QualityClip, options: argparse.Namespace, folder: Path) -> tuple[list[Judged], ...]:
    """Track a clip from prompts on its first and last frame; return its frames three times: one way, settled with the
    other way, and one way with the other way's doubts.
    """
    count = min(options.frames, len(clip.pictures))
    height, width = clip.matte(0).shape
    job = Job(
        Footage(tuple(map(str, clip.pictures[:count])), width, height, count),
        (MatteObject("subject", tuple(_boxed(clip, frame) for frame in (1, count))),),
        Model(options.checkpoint),
        second_opinion=True,
        output=str(folder / f"{clip.name}-both-ends"),
        target="",
    )
    session = Session(lambda *_: None, lambda: False)
    settled = session.track(job).takes["subject"]
    one = session.track(dataclasses.replace(job, second_opinion=False)).takes["subject"]
    agreed = second_opinion.doubts(second_opinion.kept(settled))
    found = []
    for take, others in ((one, {}), (settled, agreed), (one, agreed)):
        masks = [take.tracked(frame).logits > 0 for frame in job.frames]
        truths = [small(clip.matte(i), masks[0].shape) for i in range(count)]
        found.append(list(reviewed(take, masks, truths, prompted=(1, count)).judged(others)))
    means = [np.mean([case.truth for case in cases]) for cases in found[:2]]
    print(f"  {clip.name}: mean IoU {means[0]:.3f} one way, {means[1]:.3f} with a second opinion", flush=True)
    return tuple(found)


def _boxed(clip: QualityClip, frame: int) -> Prompt:
    """Return a box and two clicks, as an artist would give them."""
    matte = clip.matte(frame - 1)
    ys, xs = np.nonzero(matte)
    points = tuple(Point(x, y, bool(label)) for x, y, label in spread_clicks(matte, 2))
    return Prompt(frame, points, Box(float(xs.min()), float(ys.min()), float(xs.max() + 1), float(ys.max() + 1)))


def reviewed(
    take: Take, masks: Sequence[Mask], truths: Sequence[Mask], kinds: Sequence[str] = (), prompted: Sequence[int] = (1,)
) -> Reviewed:
    """Review a take, whose frames count from 1, and measure it against the truth."""
    quality = {i + 1: jaccard(*pair) for i, pair in enumerate(zip(masks, truths, strict=True))}
    return Reviewed(measure(take), quality, dict(enumerate(kinds, 1)), tuple(prompted))


def small(mask: Mask, shape: tuple[int, ...] = (SIDE, SIDE)) -> Mask:
    """Shrink a true matte to the size of the logits."""
    return np.asarray(cv2.resize(mask.astype(np.uint8), shape[::-1], interpolation=cv2.INTER_AREA) > 0)


if __name__ == "__main__":
    sys.exit(main())
