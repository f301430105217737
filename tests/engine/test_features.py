"""Image features on disk: an image is encoded once, mattes stay the same to the bit, the disk's budget holds."""

from __future__ import annotations

import dataclasses
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import Clip

from addon.contract.job import Job
from addon.contract.job_types import MatteObject, Model, Point, Prompt
from addon.contract.layout import matte_file
from addon.engine import session
from addon.engine.footage.footage import Reader, decoding_threads
from addon.engine.sam2 import model
from addon.engine.sam2.predictor import Predictor
from addon.engine.session import Session
from addon.engine.store.feature_cache import FeatureCache
from addon.engine.tracking import cache_speed


class Clock:
    """A clock that runs only during given actions, each for a given number of seconds."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now

    def let_last(self, function: Callable[..., Any], seconds: float) -> Callable[..., Any]:
        def lasting(*args: Any, **kwargs: Any) -> Any:
            self.now += seconds
            return function(*args, **kwargs)

        return lasting


class Engine:
    """A session that counts how often the image encoder runs."""

    def __init__(self) -> None:
        self.session = Session(lambda *_: None, lambda: False)
        self.encoded = 0

    def track(self, job: Job) -> dict[int, bytes]:
        """Track; the logits of each frame of the first object."""
        before = torch.nn.modules.module.register_module_forward_hook(self._count)
        try:
            self.encoded = 0
            done = self.session.track(job)
        finally:
            before.remove()
        take = done.takes[job.objects[0].name]
        return {frame: matte.logits.tobytes() for frame in done.frames if (matte := take.matte(frame))}

    def _count(self, module: torch.nn.Module, *_: object) -> None:
        self.encoded += type(module).__name__ == "ImageEncoder"


@pytest.fixture
def engine(checkpoint: Model, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """An engine that keeps features, even on a real GPU, where this would depend on its speed."""
    if checkpoint.device == "cuda":
        monkeypatch.setattr(session, "is_worth_reading", lambda *_: True)
    return Engine()


@pytest.fixture
def job(clip: Clip, checkpoint: Model, tmp_path: Path) -> Job:
    """Six frames, one click."""
    prompts = (Prompt(1, (Point(*clip.subject),)),)
    return Job(clip.take(6), (MatteObject("toy", prompts),), checkpoint, output=str(tmp_path / "out"), target="")


def corrected(job: Job, clip: Clip) -> Job:
    """The same with an exclude mark on frame 4."""
    (toy,) = job.objects
    prompts = (*toy.prompts, Prompt(4, (Point(*clip.elsewhere, include=False),)))
    return dataclasses.replace(job, objects=(MatteObject("toy", prompts),))


def cached(job: Job) -> list[Path]:
    """The files of the cache."""
    return sorted((job.matte_folder / "work" / "features").rglob("*.pt"))


def test_a_correction_encodes_no_image_again(engine: Engine, job: Job, clip: Clip) -> None:
    engine.track(job)
    assert engine.encoded == 6
    assert len(cached(job)) == 6
    again = engine.track(corrected(job, clip))
    assert engine.encoded == 0
    elsewhere = dataclasses.replace(corrected(job, clip), output=job.output + "2", cache_megabytes=0)
    assert again == engine.track(elsewhere)
    assert engine.encoded > 0
    assert not cached(elsewhere)


def test_another_engine_finds_them(engine: Engine, job: Job, clip: Clip) -> None:
    engine.track(job)
    other = Engine()
    other.track(corrected(job, clip))
    assert other.encoded == 0


def test_cached_frames_are_not_even_read(engine: Engine, job: Job, clip: Clip, monkeypatch: pytest.MonkeyPatch) -> None:
    """This is what pays off on a GPU: decoding 54 megapixels takes longer than encoding them."""
    read = []
    original = Reader.model_input

    def counted(self: Reader, frame: int, side: int) -> object:
        read.append(frame)
        return original(self, frame, side)

    monkeypatch.setattr(Reader, "model_input", counted)
    engine.track(job)
    assert set(read) == {1, 2, 3, 4, 5, 6}
    read.clear()
    engine.track(corrected(job, clip))
    assert not read


def test_a_damaged_file_is_made_again(engine: Engine, job: Job, clip: Clip) -> None:
    engine.track(job)
    cached(job)[2].write_bytes(b"PK\x03\x04 not a tensor")
    mattes = engine.track(corrected(job, clip))
    assert engine.encoded == 1
    fresh = dataclasses.replace(corrected(job, clip), output=job.output + "2")
    assert mattes == engine.track(fresh)


def test_the_budget_holds(engine: Engine, job: Job, clip: Clip) -> None:
    engine.track(job)
    size = cached(job)[0].stat().st_size
    small = dataclasses.replace(job, output=job.output + "2", cache_megabytes=round(3.5 * size / 1e6))
    engine.track(small)
    kept = cached(small)
    assert 1 <= len(kept) < 6
    assert sum(path.stat().st_size for path in kept) <= small.cache_megabytes * 1.01e6
    assert engine.track(corrected(small, clip)) == engine.track(corrected(job, clip))


def test_features_of_other_footage_go_first(engine: Engine, job: Job, clip: Clip) -> None:
    engine.track(job)
    old = cached(job)
    size = sum(path.stat().st_size for path in old)
    tight = dataclasses.replace(job, footage=clip.take(7), cache_megabytes=round(1.5 * size / 1e6))
    engine.track(tight)
    assert not any(path.exists() for path in old)
    assert len(cached(tight)) == 7


@pytest.mark.parametrize(
    ("reading", "encoding", "decoding", "kept"),
    [(1, 2, 0, True), (2, 1, 0, False), (2, 1, 3, True)],  # decoding: all threads together
)
def test_on_a_gpu_they_are_kept_where_reading_is_faster(
    job: Job,
    small: Model,
    monkeypatch: pytest.MonkeyPatch,
    reading: float,
    encoding: float,
    decoding: float,
    kept: bool,
) -> None:
    """The CPU stands in for the GPU. Mattes are the same either way, and are compressed once there is nothing else to
    do.
    """
    engine = Engine()
    short = dataclasses.replace(job, model=small, frame_range=(1, 2))
    expected = engine.track(dataclasses.replace(short, output=job.output + "2"))
    clock = Clock()
    monkeypatch.setattr(cache_speed, "time", clock)
    monkeypatch.setattr(model.Source, "is_gpu", True)
    threads = decoding_threads(4)
    for kind, name, seconds in (
        (FeatureCache, "get", reading),
        (Predictor, "forward_image", encoding),
        (Reader, "model_input", decoding * threads),
    ):
        monkeypatch.setattr(kind, name, clock.let_last(getattr(kind, name), seconds))
    assert engine.track(short) == expected
    assert [file.name for file in cached(short)] == (["000001.pt", "000002.pt"] if kept else [])
    (take,) = engine.session.track(short).takes.values()

    def compressed() -> list[bool]:
        types = []
        for frame in (1, 2):
            with zipfile.ZipFile(matte_file(take.folder, frame)) as file:
                types += [entry.compress_type for entry in file.infolist()]
        return [kind != zipfile.ZIP_STORED for kind in types]

    assert not any(compressed())
    while engine.session.tidy():
        pass
    assert all(compressed())
    assert engine.track(short) == expected
