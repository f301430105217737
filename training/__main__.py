"""python -m training render | begin | train | candidates | export. `render` needs bpy, the others the engine."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from .stages import STAGES

HERE = Path(__file__).resolve().parent.parent
STATE = HERE / ".runtime" / "training"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    render = verbs.add_parser("render", help="render training shots, or the demo's clips (--demo)")
    render.add_argument("--out", type=Path, default=STATE / "clips")
    render.add_argument(
        "--demo", nargs="*", metavar="NAME", help="render the shipped clips, or the named ones, instead"
    )
    render.add_argument("--walkers", action="store_true", help="render the shots that transients are measured on")
    render.add_argument("--first", type=int, default=0)
    render.add_argument("--count", type=int, default=200)
    render.add_argument("--minutes", type=float, default=1e9)
    render.add_argument("--threads", type=int, default=2)
    train = verbs.add_parser("train", help="train in stages, from the shipped weights where they exist")
    train.add_argument("--minutes", type=float, default=90.0, help="time limit of this call; --resume continues later")
    train.add_argument("--clips", type=Path, default=STATE / "clips", help="where `render` put its shots")
    train.add_argument("--state", type=Path, default=STATE, help="where resume.pt and average.pt go")
    train.add_argument("--config", type=Path, help="config of the network; default: that of the weights it starts from")
    train.add_argument("--device", default="cpu", help="cpu or cuda (bf16)")
    train.add_argument(
        "--processes",
        type=int,
        help="processes that share the model; default: one per core, at most 4, on a CPU, else 1",
    )
    train.add_argument("--resume", action="store_true", help="continue from resume.pt, if there is one")
    train.add_argument("--from", dest="start", type=Path, default=None, help="weights to start from")
    train.add_argument("--scratch", action="store_true", help="start from random weights")
    train.add_argument(
        "--decay", action="store_true", help="lower the learning rate to zero over this call, before an export: "
        "average.pt becomes better, resume.pt stays as it is",
    )  # fmt: skip
    train.add_argument("--stage", choices=[stage.name for stage in STAGES], help="only this stage")
    train.add_argument("--rate", type=float, help="learning rate instead of the stage's own")
    train.add_argument("--batch", type=int, default=1, help="factor of the stage's batch size; 8 or more on a GPU")
    train.add_argument("--workers", type=int, default=0, help="processes that draw batches; with a GPU, one per core")
    train.add_argument("--seed", type=int, default=1)
    begin = verbs.add_parser("begin", help="write what a training anew starts from: the trunk has ImageNet's weights")
    begin.add_argument("weights", type=Path, help="of EfficientNet-Lite0, as published")
    begin.add_argument("--to", type=Path, default=STATE / "start.pt")
    export = verbs.add_parser("export", help="write averaged weights as the shipped checkpoint, in half precision")
    export.add_argument(
        "sources", metavar="AVERAGE.PT", type=Path, nargs="*", default=[STATE / "average.pt"],
        help="several files are averaged",
    )  # fmt: skip
    export.add_argument(
        "--to", type=Path, default=HERE / "addon" / "checkpoints" / "embedded.pt", help="default: the shipped one"
    )
    export.add_argument(
        "--candidates", type=float, default=1.0, metavar="FACTOR", help="factor of the candidates' logits; weights "
        "that an earlier export gave it already need none",
    )  # fmt: skip
    candidates = verbs.add_parser("candidates", help="how many automatic masks pass, and are right, by that factor")
    candidates.add_argument("weights", type=Path, help="an export of the shipped network")
    candidates.add_argument("--clips", type=Path, default=STATE / "clips", help="where `render` put its shots")
    return parser


def _train(a: argparse.Namespace) -> None:
    from .train import Settings, train

    processes = a.processes or (min(4, os.cpu_count() or 1) if a.device == "cpu" else 1)
    train(
        Settings(
            minutes=a.minutes, clips=a.clips, state=a.state, config=a.config, device=a.device, processes=processes,
            resume=a.resume, start=a.start, scratch=a.scratch, decay=a.decay, stage=a.stage, rate=a.rate,
            batch=a.batch, seed=a.seed, workers=a.workers,
        )
    )  # fmt: skip


def main() -> int:
    """Run one command; return the exit code."""
    arguments = _parser().parse_args()
    if arguments.verb == "render":
        from .render import render_demos, render_training, render_walkers

        if arguments.demo is not None:
            render_demos(HERE / "demo" / "clips", arguments.demo, arguments.threads)
        elif arguments.walkers:
            render_walkers(arguments.out, arguments.threads)
        else:
            made = render_training(
                arguments.out, arguments.first, arguments.count, arguments.minutes, arguments.threads
            )
            print(f"{made} shots rendered")
    elif arguments.verb == "train":
        _train(arguments)
    elif arguments.verb == "candidates":
        from .candidates import report

        report(arguments.weights, arguments.clips)
    elif arguments.verb == "begin":
        from .pretrained import begin

        begin(arguments.weights, arguments.to)
    else:
        from .train import export

        export(arguments.sources, arguments.to, arguments.candidates)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
