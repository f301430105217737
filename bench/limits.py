"""Fits the limits of suspects on half of the clips and reports on the other half.

    python3 vendor_setup bench limits [--folder FOLDER] [--rounds 2]

The takes are those of `bench review` (injected errors; the rendered clips tracked from clicks on frame 1) and of `bench
tracking` with SAM 2's own memory (drawn clips and DAVIS, tracked from the first true matte). With `--folder`, tracks
are kept for the next call. Clips, sorted by name, alternate between the two halves. Each limit in turn is multiplied by
the factor that is worth most: the order of the frames (mean recall of the worst tenth among 5 to 25 % flagged frames)
and the list (F1 for mattes with an IoU below 0.8) count the same, and so do injected and tracked mattes. A limit
without influence stays as it is.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from addon.contract.job_types import Model
from addon.engine.review import find_suspects
from addon.engine.session import Session

from ._clips import davis_clips, rendered_clips
from ._hiding import hiding_clips
from .review import WORST, Judged, Reviewed, injected, reviewed, small, tracked
from .tracking import job_of

_LIMITS = (
    "_POOR_IOU", "_POOR_IOU_BESIDE", "_UNSURE", "_DOUBTED", "_FLICKER", "_BORDER", "_UNSTABLE", "_PIECES", "_CHANGE",
    "_GROWTH", "_SLOW_GROWTH", "_SWERVE", "_AFTER", "_FADE",
)  # fmt: skip
_STEPS = (0.5, 0.7, 0.85, 1.2, 1.4, 2.0)
_SHARES = (0.05, 0.10, 0.15, 0.20, 0.25)
_LEAST_GAIN = 0.002  # in worth, for a limit to be changed
_WRONG = 0.8  # IoU below which a matte belongs on the list

Half = dict[str, list[Reviewed]]  # by "injected" and "tracked"


def main() -> int:
    """Print the limits, and the recall of both halves before and after."""
    parser = argparse.ArgumentParser(prog="bench limits", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--folder", type=Path, help="folder in which to keep mattes for the next call; default: they are not kept"
    )
    parser.add_argument("--davis", type=Path, help="folder of DAVIS 2016")
    parser.add_argument("--rounds", type=int, default=2, help="passes over all limits; default: %(default)s")
    parser.add_argument("--checkpoint", default="embedded")
    parser.add_argument("--frames", type=int, default=50, help="most frames of each rendered clip that are tracked")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as room:
        options.folder = (options.folder or Path(room)).absolute()
        fitted, reported = halves(options)
    before = [_told(half) for half in (fitted, reported)]
    fit(fitted, options.rounds)
    after = [_told(half) for half in (fitted, reported)]
    for name, *told in zip(("fitted on", "reported on"), before, after, strict=True):
        for words, lines in zip(("before", "after"), told, strict=True):
            print(*(f"{name}, {words}: {line}" for line in lines), sep="\n")
    return 0


def halves(options: argparse.Namespace) -> tuple[Half, Half]:
    """Return the takes of the clips that limits are fitted on, and those of the others."""
    plain = {clip.name: clip for clip in rendered_clips() + davis_clips(options.davis, kept_out=False)}
    lost = {clip.name: clip for clip in hiding_clips(options.folder, 110, 1) + davis_clips(options.davis)}
    found: tuple[Half, Half] = ({"injected": [], "tracked": []}, {"injected": [], "tracked": []})
    session = Session(lambda *_: None, lambda: False)
    for number, name in enumerate(sorted({*plain, *lost})):
        half = found[number % 2]
        if name in plain:
            half["injected"] += injected(plain[name], 2)
        if name in lost:
            clip = lost[name]
            job = job_of(clip, Model(options.checkpoint), options.folder / f"{name}-job")
            take = session.track(job).takes["subject"]
            masks = [take.tracked(frame).logits > 0 for frame in job.frames]
            truths = [small(clip.matte(i), masks[0].shape) for i in range(len(masks))]
            half["tracked"].append(reviewed(take, masks, truths))
        elif plain[name].kind == "rendered":
            half["tracked"].append(tracked(plain[name], options))
    return found


def fit(half: Half, rounds: int) -> None:
    """Set the limits of `find_suspects` to the values that are worth most."""
    best = worth(half)
    for _ in range(rounds):
        for name in _LIMITS:
            start = getattr(find_suspects, name)
            chosen, gained = start, best + _LEAST_GAIN
            for step in _STEPS:
                moved = tuple(value * step for value in start) if isinstance(start, tuple) else start * step
                if name == "_FADE":
                    moved = min(moved, 0.97)
                setattr(find_suspects, name, moved)
                value = worth(half)
                if value > gained:
                    chosen, gained = moved, value
            setattr(find_suspects, name, chosen)
            if chosen is not start:
                print(f"{name}: {start} -> {chosen}, worth {best:.3f} -> {gained:.3f}", flush=True)
                best = gained


def worth(half: Half) -> float:
    """Return the quality of order and list, 0..1, mean over the kinds."""
    return float(
        np.mean(
            [
                (np.mean([_recall(cases, share) for share in _SHARES]) + statistics.harmonic_mean(_listed(cases))) / 2
                for cases in map(_cases, half.values())
            ]
        )
    )


def _cases(takes: Sequence[Reviewed]) -> list[Judged]:
    return [case for take in takes for case in take.judged()]


def _bad(cases: Sequence[Judged]) -> NDArray[np.bool_]:
    truth = np.array([case.truth for case in cases])
    return np.asarray(truth <= np.sort(truth)[max(0, int(WORST * len(truth)) - 1)])


def _recall(cases: Sequence[Judged], share: float) -> float:
    bad = _bad(cases)
    order = np.argsort([-case.doubt for case in cases], kind="stable")
    return float(bad[order[: int(share * len(order))]].sum() / bad.sum())


def _listed(cases: Sequence[Judged]) -> tuple[float, float]:
    """Recall and precision of the list against wrong mattes."""
    flagged, wrong = (
        np.array(said) for said in zip(*((case.flagged, case.truth < _WRONG) for case in cases), strict=True)
    )
    hits = (flagged & wrong).sum()
    return float(hits / max(wrong.sum(), 1)), float(hits / max(flagged.sum(), 1))


def _told(half: Half) -> list[str]:
    lines = []
    for kind, takes in half.items():
        cases = _cases(takes)
        recalls = ", ".join(f"{_recall(cases, share):.2f} at {share:.0%}" for share in _SHARES)
        recall, precision = _listed(cases)
        wrong, share = (
            np.mean(said) for said in zip(*((case.truth < _WRONG, case.flagged) for case in cases), strict=True)
        )
        lines.append(
            f"{kind}, {len(takes)} takes, {len(cases)} frames: recall of the worst tenth {recalls}; the list has "
            f"{share:.1%} of the frames, recall {recall:.2f} and precision {precision:.2f} of the {wrong:.0%} wrong"
        )
    return lines


if __name__ == "__main__":
    sys.exit(main())
