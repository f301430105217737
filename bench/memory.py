"""Peak memory against the number of frames: ours, and upstream's as the baseline, on the same frames and weights.

    python3 vendor_setup bench memory [FOLDER] [--frames 50 200]

Each row is a process of its own; its peak is what the operating system says of it (ru_maxrss, POSIX only). Ours tracks
both ways from a prompt in the middle and exports a version; upstream loads the folder and propagates both ways.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

from addon.checkpoints import EMBEDDED_CONFIG
from addon.job import Footage, Job, MatteObject, Point, Prompt

ROOT = Path(__file__).resolve().parents[1]
DEMO = ROOT / "demo" / "clips"


def main() -> int:
    """Print the table; returns 1 where ours grows by more than 10 %."""
    parser = argparse.ArgumentParser(prog="bench memory", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path, nargs="?", help="JPEGs of one size; default: the first demo clip")
    parser.add_argument("--frames", type=int, nargs=2, default=(50, 200), metavar=("FEW", "MANY"))
    options = parser.parse_args()
    folder = options.folder or next(each / "rgb" for each in sorted(DEMO.iterdir()) if each.is_dir())
    peaks: dict[tuple[str, int], int] = {}
    with tempfile.TemporaryDirectory() as room:
        for count in options.frames:
            frames = _links(folder, Path(room) / f"{count}", count)
            job = _job(frames, Path(room) / f"mattes{count}")
            peaks["ours", count] = _peak(["-m", "addon.engine", "run", str(job)])
            peaks["upstream", count] = _peak(["-m", "bench.memory", "--upstream", str(frames)])
    few, many = options.frames
    print(f"{'peak MB':>10} {f'{few} frames':>12} {f'{many} frames':>12} {'ratio':>7}")
    for name in ("ours", "upstream"):
        low, high = peaks[name, few], peaks[name, many]
        print(f"{name:>10} {low / 1e6:12.0f} {high / 1e6:12.0f} {high / low:7.3f}")
    return int(peaks["ours", many] > 1.1 * peaks["ours", few])


def _links(folder: Path, to: Path, count: int) -> Path:
    """`count` frames, back and forth through the folder if it has fewer, named as upstream wants them."""
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in (".jpg", ".jpeg"))
    order = [*files, *files[-2:0:-1]]
    to.mkdir()
    for i in range(count):
        (to / f"{i:05d}.jpg").symlink_to(order[i % len(order)].resolve())
    return to


def _job(frames: Path, output: Path) -> Path:
    files = tuple(str(path) for path in sorted(frames.iterdir()))
    with Image.open(files[0]) as image:
        width, height = image.size
    middle = Prompt(len(files) // 2, (Point(width / 2, height / 2),))
    footage = Footage(files, width, height, len(files))
    job = Job(footage, (MatteObject("subject", (middle,)),), output=str(output))
    path = output.with_suffix(".json")
    path.write_text(job.to_json(), encoding="utf-8")
    return path


def _peak(arguments: list[str]) -> int:
    """Peak resident memory of a Python process, in bytes."""
    child = subprocess.Popen(
        [sys.executable, "-P", *arguments],
        stdout=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_WAIT_POLICY": "PASSIVE"},
    )
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(arguments)} failed")
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)  # macOS counts bytes, Linux kilobytes


def _upstream(frames: Path) -> None:
    import torch
    from hydra.utils import instantiate
    from omegaconf import OmegaConf

    model = OmegaConf.load(EMBEDDED_CONFIG).model
    model._target_ = "sam2.sam2_video_predictor.SAM2VideoPredictor"
    predictor = instantiate(model, _recursive_=True).eval()  # memory does not depend on the weights
    with torch.inference_mode():
        state = predictor.init_state(str(frames))
        middle = state["num_frames"] // 2
        predictor.add_new_points_or_box(state, middle, 1, points=[[480.0, 270.0]], labels=[1])
        for reverse in (False, True):
            for _ in predictor.propagate_in_video(state, reverse=reverse):
                pass


if __name__ == "__main__":
    if sys.argv[1:2] == ["--upstream"]:
        _upstream(Path(sys.argv[2]))
    else:
        sys.exit(main())
