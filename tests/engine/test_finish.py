"""Finishing: each step does what its name says, in the export as in the overlay, and nothing is tracked for it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from addon.contract.job import Job
from addon.contract.job_types import Finishing, Footage, Garbage, MatteObject, Outlines, Point, Prompt
from addon.engine.matting import upsample
from addon.engine.matting.finish import finish
from addon.engine.matting.pipeline import Mattes
from addon.engine.session import Session

Pixels = NDArray[np.uint8]
WIDTH, HEIGHT = 300, 1400  # more than two bands of rows


def job_of(width: int = WIDTH, height: int = HEIGHT, frames: int = 1, **finishing: Finishing) -> Job:
    """Return a Job with one object for each argument."""
    files = tuple(f"/plates/{i}.png" for i in range(frames))
    marked = (Prompt(1, (Point(1, 1),)),)
    objects = tuple(MatteObject(name, marked, finishing_of) for name, finishing_of in finishing.items())
    return Job(Footage(files, width, height, frames), objects)


def finished(mattes: dict[str, Pixels], frame: int = 1, soft: bool = False, **finishing: Finishing) -> Pixels:
    """Return all objects together; those without finishing exist only to be subtracted."""
    objects = {name: finishing.get(name, Finishing()) for name in mattes}
    first = next(iter(mattes.values()))
    job = job_of(first.shape[1], first.shape[0], **objects)
    done = finish(job, list(finishing), frame, lambda name: mattes[name].copy(), soft=soft)
    assert done is not None
    return done


def disc(x: float, y: float, radius: float, width: int = WIDTH, height: int = HEIGHT) -> Pixels:
    rows, columns = np.mgrid[0:height, 0:width] + 0.5
    return np.where((columns - x) ** 2 + (rows - y) ** 2 <= radius**2, 255, 0).astype(np.uint8)


def box(x0: int, y0: int, x1: int, y1: int) -> Pixels:
    result = np.zeros((HEIGHT, WIDTH), np.uint8)
    result[y0:y1, x0:x1] = 255
    return result


class TestSteps:
    def test_holes_up_to_a_size(self) -> None:
        """Only enclosed holes count: a notch is connected with the rest, at the image's border too."""
        body = box(20, 100, 280, 1000)
        small, large, notch = box(100, 500, 110, 510), box(100, 600, 110, 611), box(275, 700, 280, 702)
        diagonal = box(110, 510, 111, 511)  # touches the small one at a corner: another hole
        with_holes = body & ~small & ~large & ~notch & ~diagonal
        np.testing.assert_array_equal(finished({"a": with_holes}, a=Finishing(fill_holes=100)), body & ~large & ~notch)
        everything = finished({"a": with_holes}, a=Finishing(fill_holes=10**9))
        np.testing.assert_array_equal(everything, body & ~notch)
        corner = box(0, 0, WIDTH, HEIGHT) & ~box(0, 0, 3, 3)
        np.testing.assert_array_equal(finished({"a": corner}, a=Finishing(fill_holes=100)), corner)

    def test_islands_up_to_a_size(self) -> None:
        body = box(20, 100, 280, 1000) | box(280, 1000, 281, 1001)  # joined at a corner: one part
        islands = box(5, 5, 15, 15) | box(50, 1200, 60, 1211)
        without_small = body | box(50, 1200, 60, 1211)
        np.testing.assert_array_equal(finished({"a": body | islands}, a=Finishing(remove_islands=100)), without_small)
        np.testing.assert_array_equal(finished({"a": body | islands}, a=Finishing(remove_islands=110)), body)
        assert not finished({"a": body}, a=Finishing(remove_islands=10**9)).any()

    @pytest.mark.parametrize("length", [1.0, 7.0, 40.5])
    def test_grow_and_shrink_move_the_edge(self, length: float) -> None:
        """Of a disc over several bands of rows: its radius; the image's border is no edge."""
        subject = disc(150, 600, 100)
        for sign in (1, -1):
            result = finished({"a": subject}, a=Finishing(grow=sign * length))
            sure, none = disc(150, 600, 99 + sign * length), disc(150, 600, 101.1 + sign * length)
            assert not (sure & ~result).any()
            assert not (result & ~none).any()
        at_border = box(0, 0, 100, 700)
        assert finished({"a": at_border}, a=Finishing(grow=-length))[0, 0] == 255
        assert not finished({"a": at_border}, a=Finishing(grow=-length))[0, 99]
        nothing, everything = box(0, 0, 0, 0), box(0, 0, WIDTH, HEIGHT)
        assert not finished({"a": nothing}, a=Finishing(grow=length)).any()
        assert finished({"a": everything}, a=Finishing(grow=-length)).all()

    def test_smooth_evens_out(self) -> None:
        body = box(50, 100, 250, 1100)
        ragged = body | box(250, 500, 254, 503) | box(250, 512, 254, 515)
        ragged &= ~box(50, 700, 55, 703)
        result = finished({"a": ragged}, a=Finishing(smooth=6))
        assert result[150:1050, 51:249].min() == 255
        assert result[150:1050, :49].max() == result[150:1050, 252:].max() == 0
        assert set(np.unique(result)) == {0, 255}

    def test_one_taken_from_another(self) -> None:
        """The other object is subtracted after its own grow, even when each is subtracted from the other."""
        one, two = box(50, 100, 150, 400), box(100, 200, 200, 500)
        result = finished({"a": one, "b": two}, a=Finishing(subtract="b"))
        np.testing.assert_array_equal(result, one & ~two)
        both = {"a": Finishing(subtract="b", invert=True), "b": Finishing(subtract="a", grow=3)}
        grown = finished({"b": two}, b=Finishing(grow=3))
        result = finished({"a": one, "b": two}, **both)
        np.testing.assert_array_equal(result, ~(one & ~grown) | (grown & ~one))
        job = job_of(a=Finishing(subtract="b"), b=Finishing())
        alone = finish(job, ["a"], 1, lambda name: one.copy() if name == "a" else None, soft=False)
        np.testing.assert_array_equal(alone, one)  # b has no matte on this frame

    def test_invert(self) -> None:
        subject = disc(150, 600, 100)
        np.testing.assert_array_equal(finished({"a": subject}, a=Finishing(invert=True)), ~subject)
        assert finish(job_of(a=Finishing(invert=True)), ["a"], 1, lambda name: None, soft=False) is None

    def test_feather_is_for_targets_with_greys(self) -> None:
        subject = box(0, 100, 150, 1100)
        np.testing.assert_array_equal(finished({"a": subject}, a=Finishing(feather=20)), subject)
        soft = finished({"a": subject}, soft=True, a=Finishing(feather=20))[600]
        assert soft[:110].min() == 255
        assert soft[190:].max() == 0
        assert (np.diff(soft.astype(int)[110:190]) <= 0).all()
        assert 100 < soft[149] < 160  # the edge stays where it was
        assert 10 <= ((soft > 40) & (soft < 215)).sum() <= 30

    def test_soft_mattes_are_for_targets_with_greys(self) -> None:
        """Before garbage mattes, which stay sharp; over as many pixels of a reduced matte as it has fewer."""
        asked = []

        def softened(matte: Pixels, reach: float) -> Pixels:
            asked.append(reach)
            return np.full_like(matte, 77)

        garbage = Garbage((Outlines(1, (((0, 0), (60, 0), (60, 20), (0, 20)),)),))
        job = job_of(60, 40, a=Finishing(soft=12, garbage=(garbage,)))
        for soft in (False, True):
            matte = np.zeros((20, 30), np.uint8)
            found = finish(job, ["a"], 1, lambda name, matte=matte: matte, soft=soft, scale=0.5, soften=softened)
            assert found is not None
            assert found[15, 15] == (77 if soft else 0)
            assert not found[:9].any()
        assert asked == [6]

    def test_garbage_moves_between_its_keys(self) -> None:
        def square(x: float) -> tuple[tuple[float, float], ...]:
            return ((x, 100), (x + 20, 100), (x + 20, 120), (x, 120))

        everything = box(0, 0, WIDTH, HEIGHT)
        drawn = Garbage((Outlines(2, (square(10),)), Outlines(12, (square(110),))))
        for frame, x in ((1, 10), (2, 10), (7, 60), (12, 110), (50, 110)):
            result = finished({"a": everything}, frame, a=Finishing(garbage=(drawn,)))
            assert result[110, x + 1] == result[110, x + 18] == 0
            assert result[110, x - 3] == result[110, x + 23] == 255
            kept = finished({"a": everything}, frame, a=Finishing(garbage=(dataclasses.replace(drawn, outside=True),)))
            np.testing.assert_array_equal(kept, ~result)
        across = (square(10), square(20))
        for holes in (False, True):
            garbage = Garbage((Outlines(1, across),), holes=holes)
            assert bool(finished({"a": everything}, a=Finishing(garbage=(garbage,)))[110, 25]) == holes
        far = Garbage((Outlines(1, (((-1e300, -1e300), (1e300, -1e300), (1e300, 1e300), (-1e300, 1e300)),)),))
        assert not finished({"a": everything}, a=Finishing(garbage=(far,))).any()

    def test_in_bands_or_at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Results in bands have no seams."""
        noise = cv2.GaussianBlur(np.random.default_rng(0).random((HEIGHT, WIDTH)), (0, 0), 5)
        subject = np.where(noise > np.median(noise), 255, 0).astype(np.uint8)
        for finishing in (Finishing(smooth=9), Finishing(grow=13), Finishing(grow=-2.5), Finishing(feather=60)):
            banded = finished({"a": subject}, soft=True, a=finishing)
            with monkeypatch.context() as patched:
                patched.setattr("addon.engine.matting.finish._BAND", HEIGHT)
                np.testing.assert_array_equal(finished({"a": subject}, soft=True, a=finishing), banded)


def test_a_panorama_has_no_seam() -> None:
    """Lengths are measured across it: turning the panorama first or finishing it first is the same."""
    noise = cv2.GaussianBlur(np.random.default_rng(0).random((200, 400)), (0, 0), 5)
    subject = np.where(noise > np.median(noise), 255, 0).astype(np.uint8)
    for finishing in (Finishing(smooth=4), Finishing(grow=7), Finishing(grow=-2.5), Finishing(feather=30)):
        job = job_of(400, 200, a=finishing)
        job = dataclasses.replace(job, footage=dataclasses.replace(job.footage, panorama=True))
        whole, turned = (
            finish(job, ["a"], 1, lambda name, by=by: np.roll(subject, by, axis=1), soft=True) for by in (0, 150)
        )
        assert whole is not None
        np.testing.assert_array_equal(turned, np.roll(whole, 150, axis=1))


def blob(x: float, radius: float = 0.2) -> NDArray[np.float16]:
    """Logits of a disc at x of the width."""
    rows, columns = (np.mgrid[0:64, 0:64] + 0.5) / 64
    return (40 * (radius - np.hypot(columns - x, rows - 0.5))).astype(np.float16)


def iou(one: Pixels, other: Pixels) -> float:
    return np.count_nonzero(one & other) / np.count_nonzero(one | other)


def from_store(logits: dict[int, NDArray[np.float16]], finishing: Finishing, frames: int, **options: Any) -> Mattes:
    return Mattes(job_of(200, 100, frames, a=finishing), {"a": logits.get}, **options)


class TestTime:
    def test_what_flickers_is_gone(self) -> None:
        steady = blob(0.5)
        logits = dict.fromkeys(range(1, 8), steady) | {4: blob(0.5, -1), 6: np.maximum(steady, blob(0.1, 0.05))}
        mattes = from_store(logits, Finishing(temporal=1), 7)
        for frame in range(1, 8):
            np.testing.assert_array_equal(mattes.finished(frame, None, soft=False), upsample.union([steady], 200, 100))

    def test_what_moves_steadily_stays_where_it_is(self) -> None:
        logits = {frame: blob(0.2 + 0.02 * frame) for frame in range(1, 12)}
        mattes = from_store(logits, Finishing(temporal=2), 11)
        for frame in range(1, 12):
            expected = upsample.union([logits[frame]], 200, 100)
            assert iou(mattes.finished(frame, None, soft=False), expected) > 0.97

    def test_only_the_jobs_frames_count(self) -> None:
        """Other mattes in the store do not influence the result."""
        logits = {frame: blob(0.2 + 0.1 * frame) for frame in range(1, 6)}
        job = dataclasses.replace(job_of(200, 100, 5, a=Finishing(temporal=3)), frame_range=(1, 2))
        mattes = Mattes(job, {"a": logits.get})
        for frame in (1, 2):
            expected = upsample.union([logits[frame]], 200, 100)
            np.testing.assert_array_equal(mattes.finished(frame, "a", soft=False), expected)
        assert not mattes.finished(4, "a", soft=False).any()


@pytest.mark.parametrize("width", [3000, 900])
def test_reduced_is_the_export_reduced(width: int) -> None:
    """What the overlay shows differs from what is exported by no more than its own pixels."""
    height = width // 2
    noise = cv2.GaussianBlur(np.random.default_rng(1).normal(size=(64, 64)), (0, 0), 3)
    logits = {"a": (noise * 300).astype(np.float16), "b": blob(0.7)}
    finishing = Finishing(
        fill_holes=round((width * 0.03) ** 2), remove_islands=round((width * 0.03) ** 2), smooth=width / 150,
        grow=-width / 200, subtract="b", feather=width / 100,
        garbage=(Garbage((Outlines(1, (((0, 0), (width / 4, 0), (0, height / 3)),)),)),),
    )  # fmt: skip
    job = job_of(width, height, a=finishing, b=Finishing())
    of = {name: (lambda frame, values=values: values) for name, values in logits.items()}
    for soft in (False, True):
        full = Mattes(job, of).finished(1, "a", soft=soft)
        reduced = Mattes(job, of, longest=1000).finished(1, "a", soft=soft)
        assert full.shape == (height, width)
        assert reduced.shape == ((500, 1000) if width > 1000 else full.shape)
        size = (reduced.shape[1], reduced.shape[0])
        expected = cv2.resize(full, size, interpolation=cv2.INTER_AREA)
        edge = cv2.dilate(cv2.Canny(expected, 50, 150), np.ones((5, 5)))
        assert 0.05 < (expected > 127).mean() < 0.95
        if width <= 1000:
            np.testing.assert_array_equal(reduced, expected)
        elif soft:
            assert np.abs(reduced.astype(int) - expected)[edge == 0].max() <= 16
        else:
            assert not (reduced != expected)[edge == 0].any()


def save_plates(folder: Path, count: int) -> Path:
    folder.mkdir()
    for i in range(count):
        pixels = np.random.default_rng(i).integers(0, 255, (60, 90, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"shot.{i + 1:04d}.png")
    return folder


def alpha_of(version: Path) -> list[Pixels]:
    return [np.asarray(Image.open(file))[..., 3] for file in sorted(version.iterdir())]


def test_an_export_is_finished_and_nothing_is_tracked_again(
    tmp_path: Path, small: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Real footage, real store: changed finishing gives another version from the same mattes."""
    from addon.engine.footage.footage import scan

    footage, _ = scan(save_plates(tmp_path / "plates", 3))
    prompts = (Prompt(1, (Point(45.5, 30.5),)),)
    plain = Job(footage, (MatteObject("a", prompts), MatteObject("b", (Prompt(2, (Point(9.5, 9.5),)),))), small)
    tracked: list[int] = []
    session = Session(lambda stage, done, total, frame: tracked.append(frame) if stage == "track" else None, bool)
    first, version = session.export(plain)
    for take in first.takes.values():  # mattes that don't depend on the weights
        for frame in (1, 2, 3):
            found = take.matte(frame)
            assert found is not None
            x = 0.3 if take is first.takes["a"] else 0.7
            take.put_matte(frame, dataclasses.replace(found, logits=blob(x)))
    tracked.clear()

    def export(target: str = "postshot", **finishing: Finishing) -> list[Pixels]:
        objects = tuple(
            dataclasses.replace(matte_object, finishing=finishing[matte_object.name]) for matte_object in plain.objects
        )
        _, version = session.export(dataclasses.replace(plain, objects=objects, target=target))
        report = json.loads(version.with_suffix(".json").read_text(encoding="utf-8"))
        assert Job.from_dict(report["job"]).objects == objects
        return alpha_of(version)

    one, two = (upsample.union([blob(x)], 90, 60) for x in (0.3, 0.7))
    for alpha in export(a=Finishing(), b=Finishing()):
        np.testing.assert_array_equal(alpha, one | two)
    for alpha in export(a=Finishing(invert=True), b=Finishing(subtract="a", feather=8)):
        np.testing.assert_array_equal(alpha, ~one | two)
    soft = export("compositing", a=Finishing(subtract="b"), b=Finishing(feather=8))
    for alpha in soft:
        assert len(np.unique(alpha)) > 10
    assert tracked == []
    assert len(list(version.parent.glob("v*.json"))) == 4


def test_changed_finishing_changes_a_frames_key() -> None:
    """The key tells an export of changed frames what to write; neighbours count where they influence the matte."""
    logits = {frame: blob(0.3 + 0.1 * frame) for frame in (1, 2, 3)}
    plain = from_store(logits, Finishing(), 3).key(2)
    assert from_store(dict(logits), Finishing(), 3).key(2) == plain
    assert from_store(logits, Finishing(grow=1), 3).key(2) != plain
    assert from_store(logits | {1: blob(0.1)}, Finishing(), 3).key(2) == plain
    temporal = from_store(logits, Finishing(temporal=1), 3).key(2)
    assert from_store(logits | {1: blob(0.1), 3: blob(0.1)}, Finishing(temporal=1), 3).key(2) != temporal
