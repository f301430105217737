"""The training loop: stages of growing difficulty, resumable, with time limits; it gives averaged weights."""

from __future__ import annotations

import copy
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from typing import Any

import numpy as np
import torch
from torch.multiprocessing.spawn import spawn

from .clips import davis, davis_folder, rendered
from .evaluate import measure
from .network import WEIGHTS, build, set_size
from .optimiser import Optimiser, schedule
from .peers import Peers
from .precision import mixed
from .samples import Batch, Sampler
from .stages import STAGES, Stage
from .start import place_aware
from .steps import clip_step, image_step
from .windows import window_step


@dataclass
class Settings:
    """What the command line says."""

    minutes: float
    clips: Path
    state: Path  # a folder: resume.pt, average.pt, log.txt
    device: str = "cpu"
    processes: int = 1  # that share the CPU's cores
    resume: bool = False
    start: Path | None = WEIGHTS
    stage: str | None = None  # only this one
    rate: float | None = None
    batch: int = 1  # times the stage's pictures: for a GPU
    seed: int = 1
    workers: int = 0  # processes that draw batches; 0: a thread
    eval_every: float = 600.0  # seconds


def _draw(sampler: Sampler, stage: Stage, times: int, queue: Any, kinds: int, seed: int | None) -> None:
    """Fill the queue with batches for ever; a process of its own gets its own seed and one thread.

    Peers seed their kinds of batches alike: at each step none waits for one that has a longer clip.
    """
    kind_rng = np.random.default_rng(kinds)
    windows, single, longer, lost = np.cumsum([stage.windows, stage.single, stage.longer, stage.lost])
    if seed is not None:
        sampler.rng = np.random.default_rng(seed)
        torch.set_num_threads(1)
    while True:
        pictures, frames, kind = stage.pictures * times, stage.frames, kind_rng.random()
        if kind < windows:
            queue.put(sampler.windows(2 * pictures))
        elif kind < single:
            queue.put(sampler.batch(pictures * frames, 1, stage.objects))
        elif kind < longer:
            queue.put(sampler.batch(pictures, 2 * frames, stage.objects))
        else:
            queue.put(sampler.batch(pictures, frames, stage.objects, bool(kind < lost)))


def _prefetch(sampler: Sampler, stage: Stage, times: int, workers: int, kinds: int, seed: int) -> Iterator[Batch]:
    """Batches drawn ahead: by a thread, or by `workers` processes, which a GPU needs to be kept busy."""
    processes: list[Any] = []
    if workers == 0:
        queue: Any = Queue(2)
        threading.Thread(target=_draw, args=(sampler, stage, times, queue, kinds, None), daemon=True).start()
    else:
        fork = torch.multiprocessing.get_context("fork")
        queue = fork.Queue(2 * workers)
        for i in range(workers):
            arguments = (sampler, stage, times, queue, kinds + i, seed + 1000 * (i + 1))
            processes.append(fork.Process(target=_draw, args=arguments, daemon=True))
            processes[-1].start()
    try:
        while True:
            yield queue.get()
    finally:
        for process in processes:
            process.terminate()


def _save(path: Path, content: Any) -> None:
    unfinished = path.with_suffix(".part")
    torch.save(content, unfinished)
    unfinished.replace(path)


class Run:
    """A training run: the network, its average, and where it is in which stage."""

    def __init__(self, settings: Settings, peers: Peers) -> None:
        self.settings, self.peers, self.device = settings, peers, torch.device(settings.device)
        torch.manual_seed(settings.seed)
        self.model = build().to(self.device)
        place_aware(self.model)
        resumed = settings.state / "resume.pt"
        resumes = settings.resume and resumed.exists()
        if settings.start and settings.start.exists() and not resumes:
            self.model.load_state_dict(torch.load(settings.start, map_location="cpu", weights_only=True)["model"])
            self._say(f"starts from {settings.start.name}")
        self.average = copy.deepcopy(self.model).requires_grad_(False)
        self.stage_index, self.spent, self.steps = 0, 0.0, 0
        self.optimiser_state: list[Any] | None = None
        if resumes:
            self._load(torch.load(resumed, map_location="cpu", weights_only=False))

    def _say(self, text: str) -> None:
        if not self.peers.first:
            return
        line = f"{time.strftime('%H:%M:%S')} {text}"
        print(line, flush=True)
        with (self.settings.state / "log.txt").open("a") as log:
            log.write(line + "\n")

    def _load(self, saved: dict[str, Any]) -> None:
        self.model.load_state_dict(saved["model"])
        self.average.load_state_dict(saved["average"])
        self.stage_index = saved["stage"]
        self.spent, self.steps, self.optimiser_state = saved["spent"], saved["steps"], saved["optimiser"]
        self._say(f"resumes in stage {self.stage_index} after {self.spent:.0f} s")

    def _keep(self, optimiser: Optimiser) -> None:
        saved = {"model": self.model.state_dict(), "average": self.average.state_dict()}
        saved |= {"stage": self.stage_index, "spent": self.spent, "steps": self.steps, "optimiser": optimiser.state()}
        _save(self.settings.state / "resume.pt", saved)

    def run(self) -> None:
        """All stages from where the run stands."""
        while self.stage_index < len(STAGES):
            stage = STAGES[self.stage_index]
            if self.settings.stage in (None, stage.name):
                self._stage(stage)
            self.stage_index, self.spent, self.steps = self.stage_index + 1, 0.0, 0
            self.optimiser_state = None

    def _stage(self, stage: Stage) -> None:
        settings, device = self.settings, self.device
        seconds = 60 * settings.minutes * (1 if settings.stage else stage.share)
        set_size(self.model, stage.size)
        set_size(self.average, stage.size)
        known: set[str] = set()
        shots = rendered(settings.clips, known)
        held_out = [c for c in shots if c.name.endswith("9")]
        learnt = [c for c in shots if not c.name.endswith("9")]
        real, unseen = davis(davis_folder(), False), davis(davis_folder(), True)
        counts = f"{len(learnt)} shots + {len(held_out)} held out, {len(real)} + {len(unseen)} DAVIS clips"
        self._say(f"stage {stage.name}: {counts}")
        kinds = settings.seed + int(self.spent)
        seed = kinds + 500 * self.peers.rank
        sampler = Sampler(np.random.default_rng(seed), stage.size, learnt, real, stage.mix)
        tests = {}
        if held_out:
            tests["rendered"] = Sampler(np.random.default_rng(7), stage.size, held_out, [], (0, 1, 0))
        if unseen:
            tests["DAVIS"] = Sampler(np.random.default_rng(7), stage.size, [], unseen, (0, 0, 1))
        if not tests:
            tests["composites"] = Sampler(np.random.default_rng(7), stage.size, [], [], (1, 0, 0))
        optimiser = Optimiser(self.model, self.peers, settings.rate or stage.rate)
        if self.optimiser_state:
            optimiser.load(self.optimiser_state)
        batches = _prefetch(sampler, stage, settings.batch, settings.workers, kinds, seed)
        rng = np.random.default_rng(seed + 1)
        self.model.train()
        last = evaluated = time.monotonic()
        seen: list[tuple[float, float]] = []
        parameters, progress = list(self.model.parameters()), self.spent / seconds
        while progress < 1:
            batch = next(batches)
            with mixed(device):
                if batch.windows:
                    total, _ = window_step(self.model, batch, rng, device)
                    quality = torch.tensor(torch.nan)
                else:
                    early = stage.early * max(0.0, 1 - 1.5 * progress)
                    forward = image_step if batch.images.shape[1] == 1 else clip_step
                    total, quality = forward(self.model, batch, rng, device, early)
            total.backward()  # type: ignore[no-untyped-call]
            progress = self.peers.agree(parameters, self.spent / seconds)
            norm = torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            if torch.isfinite(norm):
                optimiser.step(schedule(self.steps, progress))
            self._average(1 - 1 / min(0.05 * self.steps + 2, 400))  # over the last twentieth of the steps
            self.steps += 1
            now = time.monotonic()
            self.spent, last = self.spent + now - last, now
            seen.append((total.item(), quality.item()))
            if self.steps % 25 == 0:
                loss, iou = np.nanmean(seen, 0)
                pace = self.spent / self.steps
                self._say(f"{stage.name} {self.steps} loss {loss:.3f} IoU {iou:.3f} {pace:.2f} s a step")
                seen.clear()
                fresh = rendered(settings.clips, known)
                learnt += [c for c in fresh if not c.name.endswith("9")]
            if self.peers.first and (now - evaluated > settings.eval_every or progress >= 1):
                self._evaluate(tests, stage)
                self._keep(optimiser)
                last = evaluated = time.monotonic()

    @torch.no_grad()
    def _average(self, keep: float) -> None:
        mine, theirs = list(self.average.parameters()), list(self.model.parameters())
        torch._foreach_lerp_(mine, theirs, 1 - keep)

    def _evaluate(self, tests: dict[str, Sampler], stage: Stage) -> None:
        numbers = measure(self.average, tests, self.device, clips=stage.frames > 1)
        self._say(f"{stage.name} held out: " + ", ".join(f"{k} {v:.3f}" for k, v in numbers.items()))
        _save(self.settings.state / "average.pt", {"model": self.average.state_dict()})


# For glibc (mallopt(3), "Tunables" in its manual): otherwise large blocks go back to the system as soon as they are
# free, a step takes thousands of them, and to be handed out anew is a tenth of its time.
_KEEP_MEMORY = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(1 << 40),
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
}


def train(settings: Settings) -> None:
    """All stages, in as many processes as the settings say."""
    settings.state.mkdir(parents=True, exist_ok=True)
    for name, value in _KEEP_MEMORY.items():
        os.environ.setdefault(name, value)  # read when a process starts
    with tempfile.TemporaryDirectory() as folder:
        arguments = (settings, str(Path(folder) / "meeting"))
        spawn(_process, arguments, settings.processes)  # type: ignore[no-untyped-call]


def _process(rank: int, settings: Settings, meeting: str) -> None:
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // settings.processes))
    Run(settings, Peers(rank, settings.processes, meeting)).run()


def export(sources: list[Path], target: Path = WEIGHTS) -> None:
    """Write {"model": weights in half precision} as the shipped checkpoint: an average.pt, or the mean of several.

    The mean of a network and of what further training made of it often does better than both (Wortsman et al.,
    "Model soups", ICML 2022).
    """
    states = [torch.load(each, map_location="cpu", weights_only=True)["model"] for each in sources]
    mean = {
        k: sum(state[k] for state in states) / len(states) if v.is_floating_point() else v for k, v in states[0].items()
    }
    target.parent.mkdir(parents=True, exist_ok=True)
    _save(target, {"model": {k: v.half() if v.is_floating_point() else v for k, v in mean.items()}})
    print(f"{target.name}: {target.stat().st_size / 1e6:.1f} MB")
