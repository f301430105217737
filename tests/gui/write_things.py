"""Writes the things that good weights find of demo/clips/toy, the first two frames, drawn by hand.

    python tests/gui/write_things.py JOB.json

With the engine's Python. A story's pictures shall not depend on weights; where and how it is kept is the engine's own.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import cv2
import numpy as np

from addon.contract.automatic import thing_name
from addon.contract.job import Job
from addon.engine.automatic.find import _keep, folder_of
from addon.engine.automatic.grid import to_logits
from addon.engine.footage.footage import Reader
from addon.engine.sam2 import model
from addon.engine.store.matte_store import Matte, Take

CLIP = Path(__file__).resolve().parents[2] / "demo" / "clips" / "toy"
POT = 1  # as its true mattes have it
DRAWN = {  # by number: corners, x y
    2: (
        "264 442  263 452  258 460  250 467  241 470  230 470  221 467  213 460  208 452  206 442  "
        "208 432  213 423  221 417  230 413  241 413  250 417  258 423  263 432"
    ),
    3: (
        "695 275  702 265  716 266  734 253  763 249  775 252  793 212  796 196  801 203  819 203  "
        "824 214  807 224  803 226  790 265  782 277  776 322  767 322  772 287  736 289  731 328  "
        "723 328  728 289  720 316  712 315  716 277"
    ),
    4: ("0 141  15 128  79 135  85 170  47 201  39 201  36 214  24 217  10 209  6 197  0 195"),
}

job = Job.load(Path(sys.argv[1]))
folder = folder_of(job, model.find(job.model), Reader(job.footage).fingerprint())
takes = {number: Take(folder / f"label-{number:04d}") for number in (POT, *DRAWN)}
for frame in job.frames:
    truth = cv2.imread(str(CLIP / "gt" / f"{frame:04d}.png"), cv2.IMREAD_GRAYSCALE)
    assert truth is not None
    for number, take in takes.items():
        mask = truth
        if number in DRAWN:
            corners = np.array(DRAWN[number].split(), np.int32).reshape(-1, 2)
            mask = cv2.fillPoly(np.zeros_like(truth), [corners], (255,))
        take.put_matte(frame, Matte(to_logits(mask > 127), 1.0, 1.0))
_keep(folder, {thing_name(number): take for number, take in takes.items()})
