"""Suspect frames: typical tracking errors are found and named; a clean track and true motion are not flagged."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from addon.contract.errors import OutputError
from addon.contract.job import Job
from addon.contract.job_types import MatteObject, Model, Point, Prompt
from addon.contract.suspects import Suspect, read_suspects, suspects_file
from addon.engine.review.find_suspects import review
from addon.engine.review.measures import measure
from addon.engine.session import Session
from addon.engine.store.matte_store import Matte, Take

SIDE, COUNT = 128, 40
Change = Callable[[np.ndarray], np.ndarray]


def subject(frame: int) -> np.ndarray:
    """An ellipse that wanders, turns and grows as a real subject does."""
    y, x = np.mgrid[:SIDE, :SIDE] + 0.5
    x, y, turn = x - 45 - 0.8 * frame, y - 64 - 6 * np.sin(frame / 6), np.radians(1.5 * frame)
    along, across = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    mask: np.ndarray = (along / (22 + 0.2 * frame)) ** 2 + (across / (15 + 0.15 * frame)) ** 2 < 1
    return mask


def half(mask: np.ndarray) -> np.ndarray:
    mask = mask.copy()
    mask[: int(np.nonzero(mask)[0].mean())] = False
    return mask


def leak(mask: np.ndarray) -> np.ndarray:
    return mask | np.roll(mask, 20, 1)


def fat(mask: np.ndarray) -> np.ndarray:
    return cv2.dilate(mask.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0


def speckled(mask: np.ndarray) -> np.ndarray:
    mask = mask.copy()
    mask[100:112, 10:40] = True
    return mask


def track(folder: Path, changes: dict[int, Change], scores: dict[int, tuple[float, float]] | None = None) -> Take:
    take = Take(folder)
    for frame in range(1, COUNT + 1):
        mask = changes.get(frame, lambda mask: mask)(subject(frame))
        iou, score = (scores or {}).get(frame, (0.95, 8.0))
        take.put_matte(frame, Matte(np.where(mask, 6, -6).astype(np.float16), iou, score))
    return take


def covered(found: list[Suspect]) -> set[int]:
    return {frame for suspect in found for frame in suspect.frames}


def test_a_clean_track_has_no_suspects(tmp_path: Path) -> None:
    take = track(tmp_path, {})
    assert review(take, [1], 1) == []
    assert read_suspects(take.folder) == [] and suspects_file(take.folder).exists()


@pytest.mark.parametrize(
    ("change", "frames", "reason"),
    [
        (half, range(20, 25), "shrinks by"),
        (leak, range(20, 25), "grows by"),
        (np.zeros_like, range(20, 22), "disappears"),
        (fat, range(20, 21), "both neighbours"),
        (speckled, range(20, 24), "disconnected"),
        (lambda mask: np.roll(mask, 30, 0), range(20, 24), "another place"),
    ],
)
def test_an_error_is_found_with_its_reason(tmp_path: Path, change: Change, frames: range, reason: str) -> None:
    found = review(track(tmp_path, dict.fromkeys(frames, change)), [1], 1)
    assert len(found) == 1 and reason in found[0].reason
    assert covered(found) == set(frames), "none of the good frames after it"


def test_what_sam_2_itself_doubts(tmp_path: Path) -> None:
    found = review(track(tmp_path, {}, {10: (0.5, 8.0), 30: (0.95, 0.0)}), [1], 1)
    assert [suspect.frame for suspect in found] == [10, 30]
    assert "predicted IoU 0.50" in found[0].reason and "hidden" in found[1].reason


def test_an_uncertain_edge(tmp_path: Path) -> None:
    take = track(tmp_path, {})
    take.put_matte(9, Matte(np.where(subject(9), 0.5, -6).astype(np.float16), 0.95, 8.0))
    (found,) = review(take, [1], 1)
    assert (found.frame, found.reason) == (9, "the edge is uncertain")


def test_the_side_away_from_the_prompt_is_blamed(tmp_path: Path) -> None:
    forward = track(tmp_path / "forward", dict.fromkeys(range(30, COUNT + 1), half))
    assert min(covered(review(forward, [5], 5))) == 30
    backward = track(tmp_path / "backward", dict.fromkeys(range(1, 11), half))
    assert max(covered(review(backward, [35], 35))) == 10


def test_tracking_that_does_not_arrive_at_the_next_prompt(tmp_path: Path) -> None:
    shrunk = dict.fromkeys(range(12, 25), half)
    found = review(track(tmp_path, shrunk), [1, 25], 1)
    assert 24 in covered(found) and 12 in covered(found) and not covered(found) & {1, 11, 25, 26}


def test_a_prompted_frame_is_never_a_suspect(tmp_path: Path) -> None:
    assert 20 not in covered(review(track(tmp_path, {20: fat}, {20: (0.3, 0.0)}), [1, 20], 1))


def test_worst_first(tmp_path: Path) -> None:
    found = review(track(tmp_path, {10: fat, 20: np.zeros_like, 30: speckled}), [1], 1)
    assert [suspect.doubt for suspect in found] == sorted((suspect.doubt for suspect in found), reverse=True)
    assert all(suspect.doubt >= 1 for suspect in found)


def test_piece_by_piece_is_as_at_once(tmp_path: Path) -> None:
    changes: dict[int, Change] = {18: fat, 20: half, 21: half}
    whole = track(tmp_path / "whole", changes)
    pieces = Take(tmp_path / "pieces")
    for part in (range(20, 41), range(1, 10), range(10, 20)):
        for frame in part:
            matte = whole.matte(frame)
            assert matte
            pieces.put_matte(frame, matte)
        review(pieces, [20], 20)
    assert review(pieces, [20], 20) == review(whole, [20], 20)
    assert np.allclose(
        [measured[:-1] for measured in measure(pieces).values()],
        [measured[:-1] for measured in measure(whole).values()],
        equal_nan=True,
    )


def test_damaged_files(tmp_path: Path) -> None:
    take = track(tmp_path, {20: fat})
    found = review(take, [1], 1)
    take.measures_path.write_bytes(b"no zip")
    suspects_file(take.folder).write_text('{"suspects": [{"frame": 1}]}')
    assert read_suspects(take.folder) == []
    assert review(take, [1], 1) == found == read_suspects(take.folder), "numbers can be made again"
    matte = take.folder / "matte" / "000005.npz"
    matte.write_bytes(matte.read_bytes()[:100])
    take.measures_path.unlink()
    with pytest.raises(OutputError, match="000005"):
        review(take, [1], 1)


def test_a_tracked_job_is_reviewed(clip, checkpoint: Model, tmp_path: Path) -> None:
    prompt = Prompt(2, (Point(*clip.subject),))
    objects = (MatteObject("a", (prompt,)), MatteObject("b", (dataclasses.replace(prompt, frame=3),)))
    job = Job(clip.take(5), objects, model=checkpoint, output=str(tmp_path / "mattes"))
    session = Session(lambda *_: None, lambda: False)
    assert session.review(job) == {"a": [], "b": []}, "nothing is tracked yet"
    tracked = session.track(job)
    for name, take in tracked.takes.items():
        assert tracked.suspects[name] == read_suspects(take.folder)
        assert set(measure(take)) == {1, 2, 3, 4, 5}
    assert session.review(job) == tracked.suspects
