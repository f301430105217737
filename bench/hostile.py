"""Tests that nothing from outside gets through: damaged and hostile Jobs, images, movies, configs, checkpoints, poses
...

    python3 vendor_setup bench hostile [FAMILY ...] [--inputs 20000] [--seed 0]

Hypothesis damages valid files of each family, with a seed, and Splat Matte reads them. The outcome must be correct, or
a MatteError of one line that says where. Reading may not start anything, open connections or write elsewhere, which an
audit hook watches, and no input may take more than ten processor seconds. A failing input is shrunk to the smallest one
that still fails, and printed.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import functools
import io
import json
import math
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import torch
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from addon.checkpoints import EMBEDDED_CONFIG
from addon.clip.blendfile import read_shape_keys
from addon.contract.errors import CheckpointError, ExitCode, FootageError, JobError, MatteError, OutputError
from addon.contract.job import Job
from addon.contract.job_types import MatteObject, Point, Prompt
from addon.contract.requests import Message
from addon.contract.rle import Rle
from addon.contract.suspects import read_suspects
from addon.engine.automatic.part_masks import PartMasks, write_masks
from addon.engine.export import prepare
from addon.engine.footage.footage import Reader
from addon.engine.footage.images import read_header, read_model_input, read_plate
from addon.engine.footage.mask_images import read_mask
from addon.engine.footage.movie import Movie
from addon.engine.review.cameras import read_poses
from addon.engine.review.find_suspects import review
from addon.engine.review.visual_hull import disagreements
from addon.engine.sam2 import config
from addon.engine.sam2.model import _load_weights
from addon.engine.store import checked_file
from addon.engine.store.matte_store import Matte, Store
from addon.results import take_reader

from . import _seeds
from ._blend import blend
from ._common import environment
from ._damage import damaged, hostile_json

_SECONDS = 10  # processor seconds for one input
_PATIENCE = 300  # wall-clock seconds for one input; generous, as the machine may be busy
_EVERY = 50  # one in so many well-formed inputs is also built or carved, which takes longer

Check = Callable[[Any], None]  # raises AssertionError on a wrong outcome
Family = Callable[[Path], tuple[SearchStrategy[Any], Check]]


# -- what reading must never do -------------------------------------------------------------------------------------


class Watch:
    """An audit hook that records processes, connections and writes outside `room` while something is read."""

    _NEVER = re.compile(
        r"os\.(system|exec|fork|forkpty|posix_spawn|spawn|startfile)|(subprocess|pty|socket|urllib|http|ftplib|smtplib|"
        r"webbrowser)\.|pickle\.find_class|ctypes\.dlopen"
    )
    _WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC

    def __init__(self, room: Path) -> None:
        self._room = os.path.realpath(room)
        self._on = False
        self.seen: list[str] = []
        sys.addaudithook(self._hear)

    @contextlib.contextmanager
    def __call__(self) -> Iterator[None]:
        """Watch a block. Raises AssertionError if it does anything that reading never does."""
        self.seen.clear()
        self._on = True
        try:
            yield
        finally:
            self._on = False
        assert not self.seen, f"reading it had a side effect: {self.seen[0]}"

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._on:
            return
        if self._NEVER.match(event):
            self.seen.append(f"{event} {arguments!r}"[:200])
        elif event == "open" and isinstance(arguments[2], int) and arguments[2] & self._WRITING:
            path = os.path.realpath(os.fsdecode(arguments[0])) if isinstance(arguments[0], str | bytes) else self._room
            if not path.startswith((self._room, os.devnull)):
                self.seen.append(f"{event} {arguments!r}"[:200])


@contextlib.contextmanager
def limited() -> Iterator[None]:
    """End the process with a traceback if the block takes too long."""
    faulthandler.dump_traceback_later(_PATIENCE, exit=True)
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, _SECONDS)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_PROF, 0)


def told(
    read: Callable[[], Any], kind: type[MatteError] | tuple[type[MatteError], ...], where: Path | None = None
) -> Any:
    """Return the result of `read`; None if it raises an error of this kind. Its text must be one line and name its
    place.
    """
    try:
        return read()
    except kind as error:
        assert error.where, f"it does not say where: {error}"
        assert where is None or str(where) in error.where, f"it names {error.where!r}"
        assert "\n" not in str(error) and len(str(error)) < 4000, f"not one line: {str(error)!r}"
        return None


# -- families -------------------------------------------------------------------------------------------------------


def jobs(room: Path) -> tuple[SearchStrategy[str], Check]:
    """Inputs of the family `jobs`: Job files."""
    seeds = _seeds.jobs(_seeds.footage(room / "plates", 3), room / "out")

    def check(text: str) -> None:
        file = room / "job.json"
        file.write_bytes(text.encode("utf-8", "surrogateescape"))
        job = told(lambda: Job.load(file), JobError)
        if job is not None:
            assert Job.from_json(job.to_json()) == job, "it does not round-trip through JSON"

    return hostile_json(seeds), check


def images(room: Path) -> tuple[SearchStrategy[tuple[str, bytes]], Check]:
    """Inputs of the family `images`: JPEG, PNG, TIFF, WebP and EXR, read as plates and as masks."""
    seeds = _seeds.images() | _seeds.deep_images(room)

    def check(made: tuple[str, bytes]) -> None:
        name, data = made
        file = room / f"damaged {name}"
        file.write_bytes(data)
        header = told(lambda: read_header(file), FootageError, file)
        plate = told(lambda: read_plate(file, alpha=True), FootageError, file)
        if plate is not None:
            assert plate.pixels.ndim == 3 and plate.pixels.shape[2] == 3
            assert header is None or plate.pixels.shape[1::-1] == (header.width, header.height)
        pixels = told(lambda: read_model_input(file, 32), FootageError, file)
        assert pixels is None or pixels.shape == (32, 32, 3)
        with contextlib.suppress(Exception):  # its callers handle these errors at their own boundary
            read_mask(file)

    return _named(seeds), check


def movies(room: Path) -> tuple[SearchStrategy[tuple[str, bytes]], Check]:
    """Inputs of the family `movies`: damaged MP4, MOV, AVI, Matroska and WebM files of a few frames."""
    seeds = _seeds.movies(room)

    def check(made: tuple[str, bytes]) -> None:
        name, data = made
        file = room / f"damaged {name}"
        file.write_bytes(data)
        movie = told(lambda: Movie(file), FootageError, file)
        for index in (0, len(movie) - 1) if movie is not None else ():
            pixels = told(functools.partial(movie.pixels, index), FootageError, file)
            assert pixels is None or pixels.shape == (movie.height, movie.width, 3)

    return _named(seeds), check


def configs(room: Path) -> tuple[SearchStrategy[bytes], Check]:
    """Inputs of the family `configs`: model configs."""
    canary = room / "ran"
    fragments = [
        f"!!python/object/apply:os.system ['touch {canary}']",
        "!!python/name:os.system",
        "&a [*a, *a]",
        "<<: *a",
        "${oc.env:HOME}",
        "_target_: os.system",
        "_target_: numpy.load",
        "_target_: sam2.modeling.position_encoding.np.testing.measure",
        "sam2.modeling.sam2_base.SAM2Base",
        "_args_: [1]",
        "weights_path: /etc/passwd",
        "- " * 40,
        "[" * 3000,
        ".inf",
        ".nan",
        "1e9",
        "!!binary aaaa",
        "? a\n: b",
        "\t",
    ]
    count = 0

    def check(data: bytes) -> None:
        nonlocal count
        file = room / "model.yaml"
        file.write_bytes(data)
        if told(lambda: config.read_config(file), CheckpointError, file) is not None:
            count += 1
            if count % _EVERY == 1:
                told(lambda: config.build(file), CheckpointError, file)
        assert not canary.exists(), "it ran code"

    return damaged([EMBEDDED_CONFIG.read_bytes()], [fragment.encode() for fragment in fragments]), check


def checkpoints(room: Path) -> tuple[SearchStrategy[bytes], Check]:
    """Inputs of the family `checkpoints`: weights, and pickles that would run code."""
    torch.manual_seed(0)
    model: Any = torch.nn.Linear(3, 2)
    canary = room / "ran"
    names = sorted(model.state_dict())

    def check(data: bytes) -> None:
        file = room / "weights.pt"
        file.write_bytes(data)
        told(lambda: _load_weights(model, file), CheckpointError, file)
        assert not canary.exists(), "it ran code"
        assert all(torch.isfinite(model.state_dict()[name]).all() for name in names), "weights that are not numbers"

    seeds = _seeds.checkpoints(model.state_dict(), canary)
    return st.one_of(st.sampled_from(seeds), damaged(seeds), damaged(seeds)), check


def poses(room: Path) -> tuple[SearchStrategy[Any], Check]:
    """Inputs of the family `poses`: transforms.json, for the 3-D check and for nerfstudio, and COLMAP models."""
    footage = _seeds.footage(room / "plates", 8)
    model = _seeds.colmap(footage)
    marked = MatteObject("a", (Prompt(1, (Point(1, 1),)),))
    points = np.random.default_rng(0).uniform(-1, 1, (20, 3))
    disc = np.hypot(*np.mgrid[-24:24, -32:32]) < 12
    count = 0

    def check(made: str | tuple[str, bytes]) -> None:
        nonlocal count
        folder = room / "poses"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        if isinstance(made, str):
            path = folder / "transforms.json"
            path.write_bytes(made.encode("utf-8", "surrogateescape"))
            job = Job(footage, (marked,), output=str(room / "out"), target="nerfstudio", transforms=str(path))
            told(
                lambda: prepare(job, Reader(footage)).other_files([1], lambda *_: disc, lambda *_: None), JobError, path
            )
        else:
            path = folder
            name, data = made
            for known in model:
                if known.endswith(Path(name).suffix):
                    (folder / known).write_bytes(data if known == name else model[known])
        cameras = told(lambda: read_poses(path, footage), JobError, folder)
        for camera in (cameras or {}).values():
            assert np.isfinite(camera.place).all()
            camera.project(points)
        if cameras and len(cameras) >= 6:
            count += 1
            if count % _EVERY == 1:
                try:
                    found = disagreements(cameras, lambda frame: disc)
                except JobError:
                    return
                assert all(math.isfinite(measure.beyond + measure.lacking) for measure in found.values())

    return st.one_of(hostile_json([_seeds.transforms(footage)]), _named(model)), check


def blends(room: Path) -> tuple[SearchStrategy[bytes], Check]:
    """Inputs of the family `blends`: .blend files, from which the shape keys of masks are read."""

    def check(data: bytes) -> None:
        file = room / "mask.blend"
        file.write_bytes(data)
        told(lambda: read_shape_keys(file, "Mask"), JobError)

    return damaged([blend()]), check


def store(room: Path) -> tuple[SearchStrategy[tuple[str, bytes]], Check]:
    """Inputs of the family `store`: the engine's own files. Damaged ones must never pass for something else."""
    footage = _seeds.footage(room / "plates", 8)
    job = Job(footage, (MatteObject("a", (Prompt(1, (Point(1, 1),)),)),), output=str(room / "out"))
    kept = Store(job)
    take = kept.take("a", {})
    disc = np.hypot(*np.mgrid[-16:16, -16:16])
    tensors = {"a": torch.arange(64.0), "b": torch.ones(3)}
    found = PartMasks(room / "found")
    with kept.open_for_writing({"a": (take, {"prompts": []})}):
        for frame in job.frames:
            take.put_matte(frame, Matte((9.0 - disc + frame).astype(np.float16), 0.9, 3.0))
            take.put_state(frame, lambda file: checked_file.write(file, tensors), conditioning=False)
            write_masks(room / "found" / "index" / f"{frame:06d}.json", {3: Rle.of(disc < 9)}, frame=frame, key=True)
    known = review(take, [1], 1)
    (take.folder / "hull.json").write_text(json.dumps({frame: [0.01, 0.02] for frame in job.frames}))
    mattes = {frame: take.tracked(frame) for frame in job.frames}
    masks = found.masks(3)[3]
    files = [
        take.folder / "matte" / "000003.npz",
        take.folder / "memory" / "000003.pt",
        take.folder / "measures.npz",
        take.folder / "hull.json",
        take.folder / "suspects.json",
        take.folder / "object.json",
        room / "found" / "index" / "000003.json",
    ]
    whole = {str(file.relative_to(room)): file.read_bytes() for file in files}

    def check(made: tuple[str, bytes]) -> None:
        name, data = made
        file = room / name
        file.write_bytes(data)
        try:
            matte = told(lambda: take.matte(3), OutputError, take.folder)
            if matte is not None:
                same = np.array_equal(matte.logits, mattes[3].logits) and matte.iou == mattes[3].iou
                assert same and matte.object_score == mattes[3].object_score, "another matte than was stored"
            logits = take_reader.read_logits(take.folder / "matte" / "000003.npz")
            assert logits is None or np.array_equal(logits, mattes[3].logits), "another matte than was stored"
            state = checked_file.read(take.folder / "memory" / "000003.pt", "cpu")
            assert state is None or torch.equal(state["a"], tensors["a"]), "another memory than was stored"
            there = told(lambda: found.masks(3), OutputError, room)
            assert there is None or (list(there) == [3] and np.array_equal(there[3], masks)), (
                "other parts than were stored"
            )
            told(lambda: found.ids(job.frames), OutputError, room)
            read_suspects(take.folder)
            take_reader.is_made_from(take.folder, ())
            again = told(lambda: review(take, [1], 1), OutputError, take.folder)
            assert again is None or again == known or file.name == "hull.json", "other suspects for the same mattes"
        finally:
            for other, data in whole.items():
                (room / other).write_bytes(data)

    return _named(whole), check


def protocol(room: Path) -> tuple[SearchStrategy[str], Check]:
    """Inputs of the family `protocol`: lines to the running engine. Each is ignored or answered, and the next one is
    read.
    """
    job, *_ = _seeds.jobs(_seeds.footage(room / "plates", 3), room / "out")
    job["footage"]["files"] = [str(room / "gone.png")] * 3  # these files don't exist, so nothing gets tracked
    fields: dict[str, Any] = {
        "frame": 1,
        "takes": {"a": ""},
        "frames": [1],
        "points": 4,
        "poses": "",
        "picked_from": "",
    }
    seeds = [{"id": 1, "do": verb, "job": job, **fields} for verb in Message.kinds if verb not in ("quit", "cancel")]
    seeds += [{"id": 1, "do": "cancel", "request": 2}]
    engine = subprocess.Popen(
        [sys.executable, "-P", "-m", "addon.engine", "serve"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=(room / "log").open("wb"),
        env=environment(),
    )
    requests, answers = engine.stdin, engine.stdout
    assert requests is not None and answers is not None
    number = 1 << 40

    def check(text: str) -> None:
        nonlocal number
        if text is None:
            requests.close()
            assert engine.wait(_PATIENCE) == ExitCode.OK, "it did not end well"
            assert b"Traceback" not in (room / "log").read_bytes(), f"a traceback in {room / 'log'}"
            return
        if '"quit"' in text:
            return
        number += 1
        line = text.encode("utf-8", "surrogateescape").replace(b"\n", b" ")
        requests.write(line + f'\n{{"id": {number}, "do": "nothing"}}\n'.encode())
        requests.flush()
        while True:
            answer = json.loads(answers.readline())
            assert answer.get("exit_code") != ExitCode.UNEXPECTED, answer
            if answer["id"] == number:
                return

    return hostile_json(seeds), check


FAMILIES: dict[str, tuple[Family, int]] = {  # and their percentage of the inputs: smaller for slow ones
    "jobs": (jobs, 25),
    "protocol": (protocol, 10),
    "images": (images, 20),
    "movies": (movies, 2),
    "configs": (configs, 8),
    "checkpoints": (checkpoints, 8),
    "poses": (poses, 12),
    "blends": (blends, 10),
    "store": (store, 5),
}


def _named(wholes: Mapping[str, bytes]) -> SearchStrategy[tuple[str, bytes]]:
    return st.sampled_from(sorted(wholes)).flatmap(lambda name: st.tuples(st.just(name), damaged([wholes[name]])))


# -- the run --------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Tally:
    """The counts of one family. slowest: the highest processor time of one input, in seconds."""

    inputs: int = 0
    slowest: float = 0.0
    wrong: str = ""


def run(name: str, inputs: int, seed: int, watch: Watch, room: Path) -> Tally:
    """Check many inputs of one family."""
    tally = Tally()
    room.mkdir()
    strategy, check = FAMILIES[name][0](room)

    def test(made: Any) -> None:
        tally.inputs += 1
        began = time.process_time()
        with limited(), watch(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            check(made)
        tally.slowest = max(tally.slowest, time.process_time() - began)

    settings = hypothesis.settings(
        max_examples=inputs,
        deadline=None,
        database=None,
        print_blob=False,
        report_multiple_bugs=False,
        phases=(hypothesis.Phase.generate, hypothesis.Phase.shrink),
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said):
            hypothesis.seed(seed)(settings(hypothesis.given(strategy)(test)))()
        if name == "protocol":
            check(None)
    except Exception:
        tally.wrong = traceback.format_exc(limit=-6) + said.getvalue()
    return tally


def main() -> int:
    """Print one line per family; return 1 if anything got through."""
    parser = argparse.ArgumentParser(prog="bench hostile", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("families", nargs="*", choices=[*FAMILIES, []], metavar="FAMILY", help=", ".join(FAMILIES))
    parser.add_argument("--inputs", type=int, default=20_000, help="total number of inputs; default: %(default)s")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    names = options.families or list(FAMILIES)
    sys.dont_write_bytecode = True
    torch.set_num_threads(1)
    faulthandler.enable()
    if hasattr(signal, "SIGPROF"):
        faulthandler.register(signal.SIGPROF, chain=True)  # prints where it was, then ends
    total, shares = 0, sum(FAMILIES[name][1] for name in names)
    good = True
    with tempfile.TemporaryDirectory() as room:
        watch = Watch(Path(room))
        for name in names:
            inputs = max(1, round(options.inputs * FAMILIES[name][1] / shares))
            tally = run(name, inputs, options.seed, watch, Path(room) / name)
            total += tally.inputs
            print(
                f"{name}: {tally.inputs} inputs, {tally.slowest:.2f} s at most{', WRONG' if tally.wrong else ''}",
                flush=True,
            )
            if tally.wrong:
                good = False
                print(tally.wrong, flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)
    print(
        f"{total} inputs, seed {options.seed}, {peak:.0f} MB at most: {'all told' if good else 'something got through'}"
    )
    return int(not good)


if __name__ == "__main__":
    sys.exit(main())
