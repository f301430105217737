"""The training loop: stages of growing difficulty, resumable, with time limits; it gives averaged weights."""

from __future__ import annotations

import copy
import os
import signal
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

from addon.contract.disk import write_data

from .candidates import scale
from .clips import davis, davis_folder, rendered
from .evaluate import measure
from .network import CONFIG, WEIGHTS, build, keep_first_stages, set_size
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
    """The settings of the command line."""

    minutes: float  # time limit of this call
    clips: Path
    state: Path  # a folder: resume.pt, average.pt, log.txt
    config: Path | None = None  # of the network; None: that of the state or of the initial weights
    device: str = "cpu"
    processes: int = 1  # training processes, which share the CPU's cores
    resume: bool = False
    start: Path | None = None  # initial weights; None: the shipped ones, if they have this config
    scratch: bool = False
    decay: bool = False  # lower the learning rate to zero over this call; only average.pt profits
    stage: str | None = None  # train this stage only
    rate: float | None = None
    batch: int = 1  # factor of the stage's batch size: for a GPU
    seed: int = 1
    workers: int = 0  # processes that draw batches; 0: a thread
    measure_every: int = 250  # steps
    save_every: float = 120.0  # seconds


def _draw(sampler: Sampler, stage: Stage, times: int, queue: Any, kinds: int, seed: int | None) -> None:
    """Put batches into the queue forever; each worker process has its own seed and uses one thread.

    Peers share the seed of the kinds of batches, so that at no step one waits for another that has a longer clip.
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
    """Yield batches drawn ahead by a thread, or by `workers` processes, which are needed to keep a GPU busy."""
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
        self.began = time.monotonic()
        self.stopping = False
        torch.manual_seed(settings.seed)
        saved, self.config = _begin(settings)
        self.model = build(self.config).to(self.device)
        place_aware(self.model)
        if saved:
            self.model.load_state_dict(saved["model"])
        keep_first_stages(self.model)
        self.average = copy.deepcopy(self.model).requires_grad_(False)
        self.stage_index, self.spent, self.steps = 0, 0.0, 0
        self.optimiser_state: list[Any] | None = None
        if "optimiser" in saved:  # a resume.pt
            self.average.load_state_dict(saved["average"])
            self.stage_index, self.optimiser_state = saved["stage"], saved["optimiser"]
            self.spent, self.steps = saved["spent"], saved["steps"]
            self._say(f"resumes in stage {STAGES[self.stage_index].name} after {self.steps} steps")

    def _say(self, text: str) -> None:
        if not self.peers.first:
            return
        line = f"{time.strftime('%H:%M:%S')} {text}"
        print(line, flush=True)
        with (self.settings.state / "log.txt").open("a") as log:
            log.write(line + "\n")

    def stop(self, *_: Any) -> None:
        """Finish this step, save everything, and end. Also used as a signal handler."""
        self.stopping = True

    def _passed(self) -> float:
        """Return the fraction of this call's time that has passed."""
        return 1.0 if self.stopping else min(1.0, (time.monotonic() - self.began) / (60 * self.settings.minutes))

    def _keep(self, optimiser: Optimiser) -> None:
        folder, average = self.settings.state, self.average.state_dict()
        _save(folder / "average.pt", {"model": average, "config": self.config})
        if not self.settings.decay:  # a decayed network learns no more, so training resumes from the one before
            saved = {"model": self.model.state_dict(), "average": average, "config": self.config}
            saved |= {"stage": self.stage_index, "spent": self.spent, "steps": self.steps}
            _save(folder / "resume.pt", saved | {"optimiser": optimiser.state()})

    def run(self) -> None:
        """Train from where the run stands until this call's time is over."""
        if self.settings.stage:
            named = next(i for i, stage in enumerate(STAGES) if stage.name == self.settings.stage)
            if named != self.stage_index:
                self.stage_index, self.spent, self.steps, self.optimiser_state = named, 0.0, 0, None
        while not self._stage(STAGES[self.stage_index]):
            self.stage_index, self.spent, self.steps, self.optimiser_state = self.stage_index + 1, 0.0, 0, None

    def _stage(self, stage: Stage) -> bool:
        """Train until the stage has all its steps or the call's time is over; return whether the time is over."""
        settings, device = self.settings, self.device
        set_size(self.model, stage.size)
        set_size(self.average, stage.size)
        known: set[str] = set()
        shots = rendered(settings.clips, known)
        held_out = [c for c in shots if c.name.endswith("9")]
        learnt = [c for c in shots if not c.name.endswith("9")]
        real, unseen = davis(davis_folder(), False), davis(davis_folder(), True)
        counts = f"{len(learnt)} shots + {len(held_out)} held out, {len(real)} + {len(unseen)} DAVIS clips"
        self._say(f"stage {stage.name}: {counts}")
        kinds = settings.seed + self.steps
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
        last = saved = time.monotonic()
        seen: list[tuple[float, float]] = []
        parameters, first, passed = list(self.model.parameters()), self.steps, 0.0
        while passed < 1 and (settings.stage or self.steps < stage.steps):
            batch = next(batches)
            with mixed(device):
                if batch.windows:
                    total, _ = window_step(self.model, batch, rng, device)
                    quality = torch.tensor(torch.nan)
                else:
                    early = stage.early * max(0.0, 1 - 1.5 * self.steps / stage.steps)
                    forward = image_step if batch.images.shape[1] == 1 else clip_step
                    total, quality = forward(self.model, batch, rng, device, early)
            total.backward()  # type: ignore[no-untyped-call]
            passed = self.peers.agree(parameters, self._passed())
            norm = torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            if torch.isfinite(norm):
                optimiser.step(schedule(self.steps, passed if settings.decay else 0.0))
            steps = self.steps - first if settings.decay else self.steps
            self._average(1 - 1 / min(0.05 * steps + 2, 400))  # over the last twentieth of the steps
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
            if self.peers.first and now - saved > settings.save_every:
                self._keep(optimiser)
                saved = now
            if self.peers.first and self.steps % settings.measure_every == 0:
                self._measure(tests, stage)
                last = time.monotonic()
        if self.peers.first:
            self._keep(optimiser)
            if settings.decay:
                self._measure(tests, stage)
        return passed >= 1

    @torch.no_grad()
    def _average(self, keep: float) -> None:
        mine, theirs = list(self.average.parameters()), list(self.model.parameters())
        torch._foreach_lerp_(mine, theirs, 1 - keep)

    def _measure(self, tests: dict[str, Sampler], stage: Stage) -> None:
        numbers = measure(self.average, tests, self.device, clips=stage.frames > 1)
        self._say(f"{stage.name} {self.steps} held out: " + ", ".join(f"{k} {v:.3f}" for k, v in numbers.items()))


def _begin(settings: Settings) -> tuple[dict[str, Any], str]:
    """Return what the run starts from, {} for random weights, and the text of its network's config.

    Raises ValueError if the requested config differs from that of what it starts from.
    """
    asked = settings.config.read_text() if settings.config else ""
    resumed, shipped = settings.state / "resume.pt", CONFIG.read_text()
    if settings.resume and resumed.exists():
        start = resumed
    elif settings.scratch:
        return {}, asked or shipped
    elif settings.start:
        start = settings.start
    elif WEIGHTS.exists() and asked in ("", shipped):
        start = WEIGHTS
    else:
        return {}, asked or shipped
    saved = torch.load(start, map_location="cpu", weights_only=True)
    config = saved.get("config", shipped)
    if asked not in ("", config):
        raise ValueError(f"{start} has another network than {settings.config} describes: leave --config out")
    return saved, config


# For glibc (mallopt(3), "Tunables" in its manual). By default, freed large blocks return to the system at once; a step
# takes thousands of them, and allocating them anew takes a tenth of its time.
_KEEP_MEMORY = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(1 << 40),
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
}


def train(settings: Settings) -> None:
    """Train through all stages in as many processes as the settings say; SIGINT and SIGTERM end it with everything
    saved.
    """
    settings.state.mkdir(parents=True, exist_ok=True)
    for name, value in _KEEP_MEMORY.items():
        os.environ.setdefault(name, value)  # read when a process starts
    with tempfile.TemporaryDirectory() as folder:
        arguments = (settings, str(Path(folder) / "meeting"))
        processes: Any = spawn(_process, arguments, settings.processes, join=False)  # type: ignore[no-untyped-call]

        def stop(*_: Any) -> None:
            for pid in processes.pids():
                os.kill(pid, signal.SIGTERM)

        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, stop)
        while not processes.join():
            pass


def _process(rank: int, settings: Settings, meeting: str) -> None:
    if settings.processes > 1:  # a single process uses OMP_NUM_THREADS
        torch.set_num_threads(max(1, (os.cpu_count() or 1) // settings.processes))
    run = Run(settings, Peers(rank, settings.processes, meeting))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, run.stop)
    run.run()


def export(sources: list[Path], target: Path, candidates: float = 1.0) -> None:
    """Write {"model": weights in half precision}, the format of a shipped checkpoint, and its config beside it as
    .yaml.

    A source is an average.pt; several are averaged. The mean of a network and of its further training is often better
    than both (Wortsman et al., "Model soups", ICML 2022). The candidates' logits are multiplied by `candidates`.
    Raises ValueError if the sources have different networks.
    """
    saved = [torch.load(path, map_location="cpu", weights_only=True) for path in sources]
    configs = {checkpoint.get("config", CONFIG.read_text()) for checkpoint in saved}  # the shipped weights have none
    if len(configs) > 1:
        raise ValueError(f"different networks can't be averaged: {', '.join(map(str, sources))}")
    states = [checkpoint["model"] for checkpoint in saved]
    mean = {
        k: sum(state[k] for state in states) / len(states) if v.is_floating_point() else v for k, v in states[0].items()
    }
    target.parent.mkdir(parents=True, exist_ok=True)
    scaled = scale(mean, candidates)
    _save(target, {"model": {k: v.half() if v.is_floating_point() else v for k, v in scaled.items()}})
    write_data(target.with_suffix(".yaml"), configs.pop().encode())
    print(f"{target.name}: {target.stat().st_size / 1e6:.1f} MB")
