"""Blender's reader of the matte store agrees with the engine's writer; mattes are compressed at leisure."""

import io
import threading
from pathlib import Path

import numpy as np
import pytest

from addon.contract.layout import matte_file
from addon.engine.footage.images import upright
from addon.engine.serve import Server
from addon.engine.store.matte_store import Matte, Take, compressing
from addon.engine.store.ownership import owning
from addon.results import take_reader


def test_it_reads_what_the_engine_writes(tmp_path: Path) -> None:
    logits = np.random.default_rng(0).normal(size=(6, 8)).astype(np.float16)
    Take(tmp_path).put_matte(12, Matte(logits, 0.5, 3.0))
    assert np.array_equal(take_reader.read_logits(matte_file(tmp_path, 12)), logits.astype(np.float32))
    assert take_reader.read_logits(matte_file(tmp_path, 13)) is None
    matte_file(tmp_path, 12).write_bytes(b"PK damaged")
    assert take_reader.read_logits(matte_file(tmp_path, 12)) is None


@pytest.mark.parametrize("orientation", range(1, 9))
def test_turned_back_is_as_stored(orientation: int) -> None:
    stored = np.arange(12, dtype=np.float32).reshape(3, 4)
    assert np.array_equal(take_reader.as_stored(upright(stored, orientation), orientation), stored)


def stored(tmp_path: Path) -> Take:
    """Three mattes in a take, not compressed."""
    take = Take(tmp_path / "take")
    for frame in (1, 2, 3):
        take.put_matte(frame, Matte(np.full((64, 64), frame, np.float16), 0.5, 3.0), compressed=False)
    return take


def test_mattes_are_compressed_later(tmp_path: Path) -> None:
    """Nothing else changes, not even how old they are; a damaged one stays as it is, for whoever asks for it."""
    take = stored(tmp_path)
    files = [matte_file(take.folder, frame) for frame in (1, 2, 3)]
    before = [(file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    files[1].write_bytes(b"no archive")
    assert len(list(compressing([take, Take(tmp_path / "gone")]))) == 3
    for frame, (size, made) in zip((1, 3), before[::2], strict=True):
        matte = take.tracked(frame)
        assert (matte.logits == frame).all()
        assert (matte.iou, matte.object_score) == (0.5, 3.0)
        status = matte_file(take.folder, frame).stat()
        assert status.st_size < size / 4
        assert status.st_mtime_ns == made
    assert files[1].read_bytes() == b"no archive"
    compressed = files[0].stat().st_ino
    take.compress(1)
    assert files[0].stat().st_ino == compressed, "it was compressed already"


def test_mattes_are_left_alone_while_somebody_tracks(tmp_path: Path) -> None:
    """Another engine may be about to forget a matte, which must not come back."""
    take = stored(tmp_path)
    before = matte_file(take.folder, 1).read_bytes()
    with owning(take.folder):
        take.compress(1)
        assert matte_file(take.folder, 1).read_bytes() == before
    take.compress(1)
    assert matte_file(take.folder, 1).read_bytes() != before


def test_an_idle_engine_compresses_mattes(tmp_path: Path) -> None:
    take = stored(tmp_path)
    size = matte_file(take.folder, 3).stat().st_size
    server = Server(io.StringIO(), io.StringIO())
    server._session._uncompressed = compressing([take])
    idle = threading.Thread(target=server._next)
    idle.start()
    for _ in range(1000):
        if matte_file(take.folder, 3).stat().st_size < size:
            break
        idle.join(0.01)
    server._todo.put(None)
    idle.join()
    assert matte_file(take.folder, 3).stat().st_size < size / 4
