"""Measures seconds per tracked frame with a full memory, and drift, against SAM 2's unmodified predictor in float32.

    python3 vendor_setup bench inference [--checkpoint sam2.1_hiera_tiny] [--frames 3] [--objects 1]
        [--device cuda] [--table FILE] [--drift]

Each predictor is a process of its own on the same images. They take turns, one frame each, as a machine's speed changes
over time; the time of each stage is printed. *Drift* is the difference of our last frame from upstream's, in logits
(relative, L2) and mask (IoU). Without the checkpoint's file, the weights are random, which shows the size of rounding
errors but not their effect on a matte. So with `--drift`, the embedded checkpoint also tracks the DAVIS clips that were
kept out of its training in bfloat16 and in float32, from three clicks on the first frame. *CPU* is the processor time
of all threads, which other processes disturb less than wall-clock time. On a CPU without bfloat16, only float32 is
measured.

On a GPU, upstream's `vos_optimized` also takes part: compiled, in bfloat16, as upstream measures it. If it can't be
compiled, or not within some minutes, it is left out and the output says so. A turn is then twenty frames in a row, on
each of which ours computes the objects beside each other. The stages are those of one more frame that waits for each of
them, and the share of time in which the GPU is busy is measured on five more.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import select
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from addon.checkpoints import OFFICIAL
from addon.contract.job import Job
from addon.contract.job_types import Device, Footage, MatteObject, Model, Point, Precision, Prompt

from ._clips import QualityClip, davis_clips
from ._common import demo_frames, environment, links, model_files, upstream_predictor, weights_in_words
from ._davis import Mask, jaccard
from ._gpu import Busy, add_row

_REACH = 16  # frames after which the memory and the list of object pointers are full
_IMAGES = _REACH + 4  # images that are loaded; then they repeat
_ENDLESS = 1_000_000  # pretended length of the clip in frames
_GPU_WARM_UP = 60  # frames until all shapes are compiled or all graphs recorded
_GPU_TURN, _GPU_WATCHED = 20, 5  # frames
_COMPILING = 240.0  # seconds of patience per turn of vos_optimized, which compiles in its first one
_FOLLOWED = 30  # frames of each clip
_STAGES = {
    "forward_image": "encoder",
    "memory_attention": "memory attention",
    "_forward_sam_heads": "decoder",
    "memory_encoder": "memory encoder",
}


def main() -> int:
    """Print the comparison."""
    parser = argparse.ArgumentParser(prog="bench inference", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--checkpoint", default="sam2.1_hiera_tiny", choices=["embedded", *OFFICIAL])
    parser.add_argument("--frames", type=int, default=3, help="the median of so many")
    parser.add_argument("--objects", type=int, default=1)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--table", type=Path, help="add the rows to this Markdown file")
    parser.add_argument("--drift", action="store_true", help="also the embedded checkpoint on DAVIS, in two precisions")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        room = Path(name)
        folder = links(demo_frames(), room / "frames", _IMAGES)
        files = model_files(options.checkpoint, room)
        checkpoint = weights_in_words(options.checkpoint, files[1])
        print(f"{checkpoint}, seconds a frame, {options.objects} object(s), {options.device}", flush=True)
        expected: Any = None
        those = ["upstream", "float32", "bfloat16"]
        if options.device == "cuda":
            those.insert(1, "vos_optimized")
        elif not _has_bfloat16():
            those.remove("bfloat16")
            print("This CPU has no bfloat16, so tracking computes in float32.")
        how = (options.device, str(options.objects))
        rival: float | None = None
        for who, measured in _by_turns(those, how, files, folder, room, options.frames).items():
            stages = {stage: statistics.median(seconds[stage] for seconds in measured) for stage in measured[0]}
            total, cpu, busy = stages.pop("total"), stages.pop("CPU"), stages.pop("busy", None)
            parts = ", ".join(f"{stage} {seconds:.3f}" for stage, seconds in stages.items())
            found = np.load(room / f"{who}.npy")
            line = f"{who:14}{total:8.4f}   CPU {cpu:.3f}; {parts}"
            if busy is not None:
                line += f"; {1 / total:.1f} frames/s, GPU busy {busy:.0%}"
            if expected is None:
                expected, baseline = found, (total, cpu)
            else:
                drift = np.linalg.norm(found - expected) / np.linalg.norm(expected)
                iou = jaccard(found > 0, expected > 0)
                faster, by_cpu = baseline[0] / total, baseline[1] / cpu
                line += f"; {faster:.2f} times as fast (CPU {by_cpu:.2f}), drift {drift:.1e}, IoU {iou:.4f}"
            if who == "vos_optimized":
                rival = total
            elif rival is not None:
                line += f"; {rival / total:.2f} of vos_optimized"
            print(line, flush=True)
            if options.table:
                columns = {
                    "checkpoint": checkpoint,
                    "objects": str(options.objects),
                    "": who,
                    "ms / frame": f"{1000 * total:.1f}",
                    "frames / s": f"{1 / total:.1f}",
                    "of `vos_optimized`": "" if rival is None else f"{rival / total:.2f}",
                    "GPU busy": "" if busy is None else f"{busy:.0%}",
                }
                add_row(options.table, "One tracked frame with a full memory", columns)
    if options.drift:
        _print_drift()
    return 0


def _has_bfloat16() -> bool:
    from addon.engine.sam2 import model

    return model.choose_precision("auto", model.choose_device("cpu")) == "bfloat16"


class _Again:
    """Images that start anew after the last one."""

    def __init__(self, images: Any) -> None:
        self._images = images

    def __getitem__(self, index: int) -> Any:
        return self._images[index % len(self._images)]


def _by_turns(
    those: Sequence[str], how: tuple[str, ...], files: tuple[Path, Path], folder: Path, room: Path, count: int
) -> dict[str, list[dict[str, float]]]:
    """Let predictors take turns; return seconds by stage of `count` frames each. Their last logits go to `room`."""
    with contextlib.ExitStack() as stack:
        running = {}
        for who in those:
            command = [sys.executable, "-P", "-m", "bench.inference", "--run", who, *how]
            process = subprocess.Popen(
                [*command, *map(str, files), str(folder), str(room / f"{who}.npy")],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                encoding="utf-8",
                env=environment(),
            )
            running[who] = stack.enter_context(process)
        measured: dict[str, list[dict[str, float]]] = {who: [] for who in running}
        for _ in range(1 + count):
            for who, process in list(running.items()):
                assert process.stdin is not None
                assert process.stdout is not None
                with contextlib.suppress(BrokenPipeError):
                    process.stdin.write("next\n")
                    process.stdin.flush()
                patience = _COMPILING if who == "vos_optimized" else None
                is_there, *_ = select.select([process.stdout], [], [], patience)
                answer = process.stdout.readline() if is_there else ""
                if answer:
                    measured[who].append(json.loads(answer))
                elif who == "vos_optimized":
                    process.kill()
                    reason = "it failed" if is_there else f"it was not ready after {_COMPILING:.0f} s"
                    print(f"{who} is left out: {reason}.", flush=True)
                    del running[who], measured[who]
                else:
                    raise SystemExit(f"{who} failed")
    return {who: runs[1:] for who, runs in measured.items()}


def _run(who: str, device: str, objects: int, config: Path, weights: Path, folder: Path, logits: Path) -> None:
    import torch
    from sam2.utils.misc import load_video_frames

    answers = sys.stdout
    sys.stdout = sys.stderr  # upstream prints that it compiles
    upstreams = who in ("upstream", "vos_optimized")
    if upstreams:
        predictor = upstream_predictor(config, weights, compiled=who == "vos_optimized").to(device)
        computing: Any = contextlib.ExitStack()
        computing.enter_context(torch.inference_mode())
        if who == "vos_optimized":
            computing.enter_context(torch.autocast(device, torch.bfloat16))
    else:
        from addon.engine.sam2 import model

        precision: Precision = "float32" if who == "float32" else "bfloat16"
        choice = Model(str(weights), str(config), device=cast(Device, device), precision=precision, trust=True)
        loaded = model.load(model.find(choice))
        predictor, computing = loaded.predictor, loaded.computing()
    seconds: dict[str, float] = {}
    is_gpu = device == "cuda"
    in_stages = False  # whether to wait for each stage

    def now() -> float:
        if is_gpu:
            torch.cuda.synchronize()
        return time.monotonic()

    def timed(function: Callable[..., Any], stage: str) -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            if not in_stages:
                return function(*args, **kwargs)
            began, cpu = now(), time.process_time()
            result = function(*args, **kwargs)
            seconds[stage] = seconds.get(stage, 0.0) + now() - began
            if stage == "total":
                seconds["CPU"] = seconds.get("CPU", 0.0) + time.process_time() - cpu
            return result

        return run

    for name, stage in _STAGES.items():
        part = getattr(predictor, name)
        if isinstance(part, torch.nn.Module):
            part.forward = timed(part.forward, stage)
        else:
            setattr(predictor, name, timed(part, stage))
    with computing:
        if upstreams:
            state = predictor.init_state(str(folder))
        else:
            images, _, _ = load_video_frames(
                str(folder), predictor.image_size, not is_gpu, compute_device=predictor.device
            )
            state = predictor.start(images, len(images), objects)
        state["images"], state["num_frames"] = _Again(state["images"]), _ENDLESS
        for number in range(objects):
            x, y = state["video_width"] * (number + 1) / (objects + 1), state["video_height"] / 2
            predictor.add_new_points_or_box(state, 0, number, points=[[x, y]], labels=[1])
        predictor.propagate_in_video_preflight(state)
        every = [state["output_dict_per_obj"][number] for number in range(objects)]

        def track_frame(index: int) -> None:
            with _apart() if upstreams else predictor.frame(state, index) as lanes:
                for number, outputs in enumerate(every):
                    outputs["non_cond_frame_outputs"].pop(index - _REACH - 1, None)
                    with lanes(number):
                        outputs["non_cond_frame_outputs"][index], _ = predictor._run_single_frame_inference(
                            inference_state=state,
                            output_dict=outputs,
                            frame_idx=index,
                            batch_size=1,
                            is_init_cond_frame=False,
                            point_inputs=None,
                            mask_inputs=None,
                            reverse=False,
                            run_mem_encoder=True,
                        )

        track_frame = timed(track_frame, "total")
        track_frame(1)
        for outputs in every:  # one frame fills all places of the memory
            outputs["non_cond_frame_outputs"] |= dict.fromkeys(range(1, _REACH), outputs["non_cond_frame_outputs"][1])
        frames = itertools.count(_REACH)

        def track_frames(count: int) -> int:
            last = 0
            for last in itertools.islice(frames, count):
                track_frame(last)
            return last

        if is_gpu:
            track_frames(_GPU_WARM_UP)
        for _ in sys.stdin:
            whole: dict[str, float] = {}
            if is_gpu:
                began, cpu = now(), time.process_time()
                track_frames(_GPU_TURN)
                whole["total"] = (now() - began) / _GPU_TURN
                whole["CPU"] = (time.process_time() - cpu) / _GPU_TURN
                with Busy() as busy:
                    track_frames(_GPU_WATCHED)
                whole["busy"] = busy.share
            seconds.clear()
            in_stages = True
            last = track_frames(1)
            in_stages = False
            rest = seconds["total"] - sum(seconds[stage] for stage in _STAGES.values())
            print(json.dumps(seconds | {"rest": rest} | whole), file=answers, flush=True)
        masks = [outputs["non_cond_frame_outputs"][last]["pred_masks"] for outputs in every]
        np.save(logits, torch.cat(masks).float().cpu().numpy())


@contextlib.contextmanager
def _apart() -> Iterator[Callable[[int], contextlib.AbstractContextManager[object]]]:
    """Objects one after the other, as upstream tracks them."""
    yield lambda number: contextlib.nullcontext()


def _print_drift() -> None:
    print("embedded checkpoint, bfloat16 against float32: IoU, mean and lowest of a clip's frames")
    means = []
    for clip in davis_clips():
        with tempfile.TemporaryDirectory() as name:
            full, half = (_tracked(clip, Path(name) / precision, precision) for precision in ("float32", "bfloat16"))
        ious = [jaccard(a, b) for a, b in zip(half, full, strict=True)]
        truth = [clip.matte(i) for i in range(len(full))]
        against = [np.mean([jaccard(a, b) for a, b in zip(masks, truth, strict=True)]) for masks in (full, half)]
        means.append(np.mean(ious))
        print(
            f"{clip.name:16}{np.mean(ious):.4f}{min(ious):8.4f}   J {against[0]:.3f} in float32, {against[1]:.3f} in "
            "bfloat16",
            flush=True,
        )
    if means:
        print(f"{'mean':16}{np.mean(means):.4f}")


def _tracked(clip: QualityClip, room: Path, precision: Precision) -> list[Mask]:
    """Track a clip; return its masks, H x W each."""
    from addon.engine.matting.upsample import union
    from addon.engine.session import Session

    height, width = clip.matte(0).shape
    files = tuple(str(path) for path in clip.pictures[:_FOLLOWED])
    job = Job(
        Footage(files, width, height, len(files)),
        (MatteObject("subject", (Prompt(1, tuple(Point(x, y, bool(label)) for x, y, label in clip.clicks)),)),),
        model=Model(device="cpu", precision=precision),
        output=str(room),
        target="",
    )
    take = Session(lambda *_: None, lambda: False).track(job).takes["subject"]
    mattes = [take.matte(i + 1) for i in range(len(files))]
    return [union([matte.logits], width, height) > 0 for matte in mattes if matte is not None]


if __name__ == "__main__":
    if sys.argv[1:2] == ["--run"]:
        _run(sys.argv[2], sys.argv[3], int(sys.argv[4]), *(Path(path) for path in sys.argv[5:9]))
    else:
        sys.exit(main())
