"""Frames in messages, as an artist counts them."""

from __future__ import annotations

import pytest

from addon.contract.frame_numbers import runs_of, shifted, spread


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It reaches none of the frames 4 to 7.", "It reaches none of the frames 1004 to 1007."),
        ("12 frames have no matte (frame 3 is the first).", "12 frames have no matte (frame 1003 is the first)."),
        ("Frame 1 has no matte.", "Frame 1001 has no matte."),
        ("'frame 3' is marked on frame 5.", "'frame 3' is marked on frame 1005."),
        ("continues the jump on frame 9", "continues the jump on frame 1009"),
        ("The key frame is missing; 24 frames, 854 x 480.", "The key frame is missing; 24 frames, 854 x 480."),
    ],
)
def test_they_are_shifted(text: str, expected: str) -> None:
    assert shifted(text, 1000) == expected
    assert shifted(text, 0) == text


def test_runs() -> None:
    assert runs_of({1, 2, 3, 7, 9, 10}) == [range(1, 4), range(7, 8), range(9, 11)]
    assert runs_of([2, 1, 1]) == [range(1, 3)], "in any order"
    assert runs_of(set()) == []


def test_spread() -> None:
    assert spread(range(1, 11), 4) == [1, 4, 7, 10]
    assert spread([3, 5, 9], 8) == [3, 5, 9], "no frame twice"
    assert spread([3, 5, 9], 1) == [3]
    assert spread([], 4) == []
