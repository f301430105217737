"""Frames in messages, as an artist counts them."""

from __future__ import annotations

import pytest

from addon.contract.frame_numbers import shifted


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It reaches none of the frames 4 to 7.", "It reaches none of the frames 1004 to 1007."),
        ("12 frames have no matte (frame 3 is the first).", "12 frames have no matte (frame 1003 is the first)."),
        ("Frame 1 has no matte.", "Frame 1001 has no matte."),
        ("'frame 3' is marked on frame 5.", "'frame 3' is marked on frame 1005."),
        ("goes on from the jump on frame 9", "goes on from the jump on frame 1009"),
        ("The key frame is missing; 24 frames, 854 x 480.", "The key frame is missing; 24 frames, 854 x 480."),
    ],
)
def test_they_are_shifted(text: str, expected: str) -> None:
    assert shifted(text, 1000) == expected
    assert shifted(text, 0) == text
