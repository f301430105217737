"""Edge colours: the error at the subject's edge after a trainer has shrunk a PNG with alpha, as shot and extended.

    python3 vendor_setup bench colours [--scene NAME] [--size 3000x2000] [--to 1600 1920] [--cost 6000x9000]

Ground truth: scenes whose subject is also rendered alone (into work/edges, some minutes each). The matte is the exact
alpha, once cut at one half, as most trainers get it, and once soft. Each channel is shrunk on its own with Lanczos, as
Postshot and Brush do. Where the shrunk alpha is 5 to 95 % and the subject's true coverage at least 5 %, the colour is
compared with that of the subject alone, shrunk the same way with its exact premultiplied alpha. Figures: mean absolute
difference in levels of 255. Cost: processor seconds of one core for the enlarged scene.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from addon.engine.export.edge_colours import continue_colours

from ._alone import Scene, scene
from ._thin import ROOT, SEEDS

_EDGE = (0.05, 0.95)  # range of alpha that counts as edge


def shrunk(pixels: NDArray[Any], longest: int) -> NDArray[np.float32]:
    """Reduce (H, W) or (H, W, C) by Lanczos until its longer side is `longest` pixels."""
    scale = longest / max(pixels.shape[:2])
    size = round(pixels.shape[1] * scale), round(pixels.shape[0] * scale)
    channels = np.atleast_3d(pixels).astype(np.float32)
    found = [
        np.asarray(Image.fromarray(channels[..., i]).resize(size, Image.Resampling.LANCZOS))
        for i in range(channels.shape[2])
    ]
    return np.squeeze(np.dstack(found))


def error(known: Scene, rgb: NDArray[Any], matte: NDArray[np.uint8], longest: int) -> float:
    """Return the mean absolute difference at the shrunk edge, in levels of 255."""
    seen, opacity = shrunk(rgb, longest), shrunk(matte, longest) / 255
    covered = shrunk(known.alpha, longest)
    truth = shrunk(known.alone * known.alpha[..., None], longest) / np.maximum(covered, 0.01)[..., None]
    edge = (opacity > _EDGE[0]) & (opacity < _EDGE[1]) & (covered > _EDGE[0])
    return float(np.abs(seen - truth)[edge].mean())


def cost(known: Scene, width: int, height: int) -> tuple[float, float]:
    """Return the processor seconds for a plate of that size, with 8 and with 16 bits."""
    picture = cv2.resize(known.picture, (width, height), interpolation=cv2.INTER_CUBIC)
    matte = np.where(cv2.resize(known.alpha, (width, height)) >= 0.5, 255, 0).astype(np.uint8)
    found = []
    plates: list[Any] = [picture, picture.astype(np.uint16) * 257]
    for pixels in plates:
        began = time.process_time()
        continue_colours(pixels, matte)
        found.append(time.process_time() - began)
    return found[0], found[1]


def main() -> int:
    """Measure and print; returns the exit code."""
    parser = argparse.ArgumentParser(prog="bench colours", description="Edge colours after shrinking.")
    parser.add_argument("--scene", action="append", choices=SEEDS, help="only this one; may be given again")
    parser.add_argument("--size", default="3000x2000", metavar="WxH")
    parser.add_argument("--to", type=int, nargs="+", default=[1600, 1920], metavar="PIXELS", help="longer side")
    parser.add_argument("--cost", default="6000x9000", metavar="WxH")
    parser.add_argument("--folder", type=Path, default=ROOT / "work" / "edges", help="of the rendered scenes")
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    cv2.setNumThreads(1)
    print(f"{'scene':12}{'matte':8}{'to':>6}{'as shot':>9}{'subject':>9}{'less':>7}")
    for name in options.scene or SEEDS:
        known = scene(name, width, height, options.folder)
        hard = np.where(known.alpha >= 0.5, 255, 0).astype(np.uint8)
        for kind, matte in (("hard", hard), ("exact", np.rint(known.alpha * 255).astype(np.uint8))):
            continued = known.picture.copy()
            continue_colours(continued, matte)
            for longest in options.to:
                before, after = (error(known, rgb, matte, longest) for rgb in (known.picture, continued))
                less = 1 - after / before
                print(f"{name:12}{kind:8}{longest:6}{before:9.2f}{after:9.2f}{less:7.0%}", flush=True)
        large = tuple(map(int, options.cost.split("x")))
        seconds = cost(known, large[0], large[1])
        print(f"{name:12}{options.cost}: {seconds[0]:.2f} s of one core, {seconds[1]:.2f} s at 16 bits", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
