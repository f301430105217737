"""What a Job may ask for without a click, and what a click on a suggestion takes."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from addon.contract.automatic import Parts, Things, Transients
from addon.contract.errors import EngineError, JobError
from addon.contract.job import Job
from addon.contract.job_types import Footage, MatteObject, Point, Prompt
from addon.results.outlines import ObjectOutlines, Suggestion, read_outlines, read_suggestions, smallest_at

DRIVE = "C:" if sys.platform == "win32" else ""
FOOTAGE = Footage((f"{DRIVE}/plates/a1.png", f"{DRIVE}/plates/a2.png"), 64, 48, 2)
FOLDERS = (f"{DRIVE}/trainer/masks", f"{DRIVE}/trainer/diffs")


@pytest.mark.parametrize(
    "search",
    [
        {"transients": Transients(*FOLDERS, polarity="black", filter_threshold=0.1)},
        {"things": Things(subjects=(3, 1))},
        {"parts": Parts(step=2)},
    ],
    ids=lambda search: next(iter(search)),
)
def test_round_trip(search: dict[str, Any]) -> None:
    job = Job(FOOTAGE, (), **search)
    assert Job.from_json(job.to_json()) == job
    assert job.search == next(iter(search.values()))


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"transients": Transients("masks", FOLDERS[1])}, "transients.masks"),
        ({"transients": Transients(*FOLDERS, lambda_ref=1.5)}, "transients.lambda_ref"),
        ({"transients": Transients(*FOLDERS, seed=-1)}, "transients.seed"),
        ({"things": Things(memory_size=0)}, "things.memory_size"),
        ({"things": Things(subjects=(0,))}, "things.subjects"),
        ({"parts": Parts(max_tracks=70_000)}, "parts.max_tracks"),
        ({"parts": Parts(), "things": Things()}, "parts"),
        ({"parts": Parts(), "part": (1, 1)}, "part"),
        ({"parts": Parts(), "objects": (MatteObject("a", (Prompt(1, (Point(1, 1),)),)),)}, "objects"),
    ],
)
def test_the_field_is_named(fields: dict[str, Any], where: str) -> None:
    with pytest.raises(JobError) as caught:
        Job(**{"footage": FOOTAGE, "objects": ()} | fields)
    assert caught.value.where == where


def test_a_click_takes_the_smallest(tmp_path: Path) -> None:
    def square(low: float, high: float) -> list[tuple[float, float]]:
        return [(low, low), (high, low), (high, high), (low, high)]

    file = tmp_path / "suggestions.json"
    ring = {"number": 2, "area": 75, "paths": [square(0, 10), square(2, 7)[::-1]]}
    file.write_text(json.dumps({"frame": 1, "masks": [{"number": 1, "area": 400, "paths": [square(0, 20)]}, ring]}))
    found = read_suggestions(file)
    assert found[1] == Suggestion(2, 75, (tuple(square(0, 10)), tuple(square(2, 7)[::-1])))
    assert [smallest_at(found, place) for place in ((1, 1), (5, 5), (15, 5), (25, 5))] == [1, 0, 0, None]


@pytest.mark.parametrize(
    "answer",
    [
        "no JSON",
        [],
        {"toy": {"frames": [1, 2], "paths": [[[[0, 0], [1, 0], [1, 1]]]]}},
        {"toy": {"frames": [1, 2], "paths": [[[[0, 0], [1, 0]], [[0, 0]]]]}},
        {"toy": {"frames": [1], "paths": [[[]]]}},
        {"toy": {"frames": [1], "paths": [[[[0, "left"]]]]}},
    ],
)
def test_outlines_that_are_none(tmp_path: Path, answer: Any) -> None:
    file = tmp_path / "outlines.json"
    file.write_text(answer if isinstance(answer, str) else json.dumps(answer))
    with pytest.raises(EngineError) as caught:
        read_outlines(file)
    assert caught.value.where == str(file)


def test_outlines_of_two_frames(tmp_path: Path) -> None:
    file = tmp_path / "outlines.json"
    file.write_text(json.dumps({"toy": {"frames": [1, 5], "paths": [[[[0, 0], [1, 0]], [[2, 2.5], [3, 2]]]]}}))
    assert read_outlines(file) == {"toy": ObjectOutlines((1, 5), ((((0, 0), (1, 0)), ((2, 2.5), (3, 2))),))}
