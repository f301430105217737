"""Soft mattes: how far hard, feathered and soft alpha is from the exact one on hair, fur, leaves and motion blur.

    python3 vendor_setup bench alpha [--kind NAME] [--seed 11] [--size 480x320] [--frames 2] [--reach 16]
                                     [--cost 6000x9000]

Ground truth: clips rendered with exact alpha against nothing (bench/_soft.py), composited in linear light. There are
two hard mattes. *Exact* is the true alpha, cut at one half. *Refined* is the most that a grid with one logit for each 4
pixels can know of it, brought to the plate's size by Refine Edges. For *feathered* mattes, the feather with the least
SAD is chosen for each clip, which a user cannot do without knowing the truth.

Figures, in a band of `--reach` pixels on either side of the hard edge: SAD, in thousands; gradient error (Rhemann et
al., "A Perceptually Motivated Online Benchmark for Image Matting", CVPR 2009: sigma 1.4); dtSSD, in thousandths, the
difference between the changes over time of answer and truth (Erofeev et al., BMVC 2015). Cost: processor seconds of one
core for the first frame, enlarged.
"""

from __future__ import annotations

import argparse
import itertools
import time
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from addon.engine.footage.images import to_8_bit
from addon.engine.matting.guided_refine import refine
from addon.engine.matting.soft_edges import soften

from ._soft import KINDS, clip
from ._thin import ROOT
from .edges import ideal

_PITCH = 4  # pixels per logit
_FEATHERS = (0.5, 1, 1.5, 2, 3, 4, 6, 8, 12, 16)  # pixels
Alpha = NDArray[np.float32]
Picture = NDArray[np.uint8]


def hard_mattes(picture: Picture, alpha: Alpha) -> dict[str, Picture]:
    """Return hard mattes, uint8 (H, W), 0 or 255, by the way they are made: exact and refined."""
    inside = alpha >= 0.5
    rows, columns = (side // _PITCH for side in alpha.shape)
    return {
        "exact": np.where(inside, 255, 0).astype(np.uint8),
        "refined": refine(ideal(inside, columns, rows), picture, to_8_bit),
    }


def _as_alpha(matte: Picture) -> Alpha:
    return matte.astype(np.float32) / np.float32(255)


def feathered(matte: Picture, width: float) -> Alpha:
    """Return the alpha that Finishing's feather gives."""
    return np.asarray(cv2.GaussianBlur(matte.astype(np.float32) / 255, (0, 0), width / 2), np.float32)


def band_of(matte: Picture, reach: int) -> NDArray[np.bool_]:
    """Return the pixels that are at most `reach` pixels from an edge."""
    square = np.ones((2 * reach + 1,) * 2, np.uint8)
    return np.asarray(cv2.dilate(matte, square) != cv2.erode(matte, square))


def _slope(alpha: Alpha) -> Alpha:
    smooth = cv2.GaussianBlur(alpha, (0, 0), 1.4)
    across, down = (cv2.Sobel(smooth, cv2.CV_32F, x, 1 - x, scale=1 / 8) for x in (1, 0))
    return np.hypot(across, down)


def figures(found: list[Alpha], truth: list[Alpha], bands: list[NDArray[np.bool_]]) -> tuple[float, float, float]:
    """Return SAD and gradient error per frame, and dtSSD per pair of frames."""
    triples = list(zip(found, truth, bands, strict=True))
    sad = float(np.mean([np.abs(a - t)[band].sum() / 1000 for a, t, band in triples]))
    gradient = float(np.mean([np.square(_slope(a) - _slope(t))[band].sum() for a, t, band in triples]))
    steps = [
        1000 * np.sqrt(np.square((b - a) - (u - t))[near | far].mean())
        for (a, t, near), (b, u, far) in itertools.pairwise(triples)
    ]
    return sad, gradient, float(np.mean(steps)) if steps else float("nan")


def cost(picture: Picture, matte: Picture, size: tuple[int, int], reach: int) -> float:
    """Return the processor seconds for a plate of size (width, height)."""
    large = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC), np.uint8)
    edge = np.where(cv2.resize(matte, size) >= 128, 255, 0).astype(np.uint8)
    began = time.process_time()
    soften(edge, large, to_8_bit, reach)
    return time.process_time() - began


def main() -> int:
    """Measure and print; returns the exit code."""
    parser = argparse.ArgumentParser(prog="bench alpha", description="Soft mattes against feathered ones.")
    parser.add_argument("--kind", action="append", choices=KINDS, help="only this one; may be given again")
    parser.add_argument("--seed", type=int, default=11, help="seed of the clips; the method was chosen on 1 to 3")
    parser.add_argument("--size", default="480x320", metavar="WxH")
    parser.add_argument("--frames", type=int, default=2)
    parser.add_argument("--reach", type=int, default=16, metavar="PIXELS", help="of Soft Matte")
    parser.add_argument("--cost", default="", metavar="WxH", help="measure processor seconds at this size too")
    parser.add_argument("--folder", type=Path, default=ROOT / "work" / "alpha", help="of the rendered clips")
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    cv2.setNumThreads(1)
    print(f"{'clip':8}{'matte':9}{'edge':14}{'SAD':>8}{'gradient':>10}{'dtSSD':>8}")
    for name in options.kind or KINDS:
        frames = clip(name, options.seed, width, height, options.frames, options.folder)
        truth = [alpha for _, alpha in frames]
        mattes = [hard_mattes(picture, alpha) for picture, alpha in frames]
        for kind in mattes[0]:
            hard = [made[kind] for made in mattes]
            bands = [band_of(matte, options.reach) for matte in hard]
            rows = [("hard", figures([_as_alpha(matte) for matte in hard], truth, bands))]
            tried = {
                feather: figures([feathered(matte, feather) for matte in hard], truth, bands) for feather in _FEATHERS
            }
            best = min(tried, key=lambda feather: tried[feather][0])
            rows.append((f"feather {best:g}", tried[best]))
            soft = [
                _as_alpha(soften(matte, picture, to_8_bit, options.reach))
                for matte, (picture, _) in zip(hard, frames, strict=True)
            ]
            rows.append(("soft", figures(soft, truth, bands)))
            for edge, (sad, gradient, flicker) in rows:
                print(f"{name:8}{kind:9}{edge:14}{sad:8.2f}{gradient:10.1f}{flicker:8.1f}", flush=True)
            less = (f"{1 - ours / theirs:.0%}" for ours, theirs in zip(rows[2][1], rows[1][1], strict=True))
            print(f"{'':17}{'less':14}{next(less):>8}{next(less):>10}{next(less):>8}", flush=True)
        if options.cost:
            large = tuple(map(int, options.cost.split("x")))
            seconds = cost(frames[0][0], mattes[0]["exact"], (large[0], large[1]), options.reach)
            print(f"{name:8}{options.cost}: {seconds:.1f} s of one core", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
