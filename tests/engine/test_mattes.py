"""Blender's reader of the matte store agrees with the engine's writer."""

from pathlib import Path

import numpy as np
import pytest

from addon.contract.layout import matte_file
from addon.engine.footage.images import upright
from addon.engine.store.matte_store import Matte, Take
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
