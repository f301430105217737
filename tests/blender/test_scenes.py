"""The training data of the embedded checkpoint: a shot is rendered with the ids of its objects, and its draft is
similar.
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
RENDER = """
import sys
from pathlib import Path
from training.scenes.blender import render
from training.scenes.shot import Shot
shot = Shot(5, "stool", width=64, height=36, frames=1, samples=4, clutter=2, draft=sys.argv[2] == "draft")
render(shot, Path(sys.argv[1]))
"""


def test_a_draft_shows_the_same_things_in_like_colours(tmp_path: Path) -> None:
    ids, pictures = [], []
    for kind in ("whole", "draft"):  # in a process of its own: it empties Blender
        folder = tmp_path / kind
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        subprocess.run([sys.executable, "-P", "-c", RENDER, str(folder), kind], check=True, env=environment)
        ids.append(np.asarray(Image.open(folder / "id" / "0001.png")))
        pictures.append(np.asarray(Image.open(folder / "rgb" / "0001.jpg"), np.float64))
    assert np.array_equal(*ids)
    assert 0.01 < (ids[0] == 1).mean() < 0.5, "the subject"
    assert set(np.unique(ids[0])) <= {0, 1, 2, 3}
    assert np.corrcoef(pictures[0].ravel(), pictures[1].ravel())[0, 1] > 0.7
