"""The colour model: the subject's colours are told from nearby ones, parts of a picture agree, similar ones say
nothing.
"""

from __future__ import annotations

import numpy as np
import pytest

from addon.engine.matting import colour_model

NODE = 8


@pytest.fixture
def picture() -> np.ndarray:
    """Red on the left half, blue on the right, with grain."""
    flat = np.where(np.arange(160)[:, None] < 80, (200, 40, 40), (40, 40, 200))
    grain = np.random.default_rng(0).normal(0, 12, (120, 160, 3))
    return np.clip(flat + grain, 0, 255).astype(np.uint8)


def test_a_wrong_edge_is_told(picture: np.ndarray) -> None:
    everywhere = np.ones((120, 160), bool)
    taken = np.broadcast_to(np.arange(160) < 84, (120, 160))  # four columns too many
    said = colour_model.evidence(picture, taken, everywhere, everywhere, NODE, (0, 0))
    near = slice(70, 90)
    assert (said[:, near][:, :10] > 0.5).mean() > 0.98
    assert (said[:, near][:, 10:] < -0.5).mean() > 0.98


def test_nothing_is_said_of_what_looks_alike() -> None:
    noise = np.random.default_rng(0).integers(100, 140, (120, 160, 3)).astype(np.uint8)
    taken = np.broadcast_to(np.arange(160) < 80, (120, 160))
    said = colour_model.evidence(noise, taken, np.ones_like(taken), np.ones_like(taken), NODE, (0, 0))
    assert np.abs(said[:, 76:84]).mean() < 0.5, "what lies on one side alone is said to be of that side"


def test_only_what_is_wanted_is_asked(picture: np.ndarray) -> None:
    everywhere, nowhere = np.ones((120, 160), bool), np.zeros((120, 160), bool)
    assert not colour_model.evidence(picture, everywhere, everywhere, nowhere, NODE, (0, 0)).any()


def test_parts_agree_with_the_whole(picture: np.ndarray) -> None:
    everywhere = np.ones((120, 160), bool)
    taken = np.broadcast_to(np.arange(160) < 85, (120, 160))
    whole = colour_model.evidence(picture, taken, everywhere, everywhere, NODE, (0, 0))
    part = np.s_[20:110, 13:150]
    said = colour_model.evidence(picture[part], taken[part], everywhere[part], everywhere[part], NODE, (20, 13))
    reach = (colour_model.REACH + 1) * NODE
    inner = np.s_[reach:-reach, reach:-reach]
    np.testing.assert_allclose(said[inner], whole[part][inner], atol=1e-5)
