"""Labels without a click: what is seen is found, followed through all frames, and can be chosen from."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from addon.contract.automatic import Things
from addon.contract.errors import JobError, OutputError
from addon.contract.job import Job
from addon.contract.job_types import Model
from addon.contract.layout import matte_file
from addon.engine.automatic import things
from addon.engine.automatic.grid import iou, to_mask
from addon.engine.automatic.masks import Settings
from addon.engine.session import Session

# Random weights give masks of little worth: limits at which some survive.
LOOSE = Settings(pred_iou_thresh=0.3, stability_score_thresh=0.1, stability_score_offset=0.02, mask_threshold=0.12)


@pytest.fixture
def job(clip, small: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    monkeypatch.setattr(things, "Settings", lambda: LOOSE)
    search = Things(start_points_per_side=3, prompt_points_per_side=2, memory_size=2)
    return Job(clip.take(3), (), model=small, output=str(tmp_path / "mattes"), target="labels", things=search)


def test_labels_are_tracked_and_chosen_from(job: Job) -> None:
    session = Session(lambda *_: None, lambda: False)
    with pytest.raises(JobError, match="Nothing has been found"):
        session.found(job, 1)
    tracked, folder = session.export(job)
    assert len(list(folder.glob("*.png"))) == 3
    assert list(tracked.takes) == [f"thing {number}" for number in map(int, (n.split()[1] for n in tracked.takes))]
    mattes = [take.matte(frame) for take in tracked.takes.values() for frame in job.frames]
    assert any(matte is not None and (matte.logits > 0).any() for matte in mattes)
    for frame in job.frames:  # what became the same is one
        found = [take.matte(frame) for take in tracked.takes.values()]
        masks = [to_mask(matte.logits, matte.logits.shape) for matte in found if matte is not None]
        assert all(iou(a, b) <= 0.9 for i, a in enumerate(masks) for b in masks[i + 1 :])
    numbers = {int(name.split()[1]) for name in tracked.takes}
    outlines, found = session.found(job, 1)
    assert found == tracked.found
    assert {mask["number"] for mask in json.loads(outlines.read_text())["masks"]} <= numbers
    number = min(numbers)
    assert job.things
    chosen, _ = session.export(replace(job, target="masks", things=replace(job.things, subjects=(number,))))
    assert list(chosen.takes) == [f"thing {number}"]
    assert chosen.takes[f"thing {number}"].folder == tracked.takes[f"thing {number}"].folder, "nothing is found twice"
    session.export(replace(job, things=replace(job.things, subjects=(number,))), found)
    with pytest.raises(JobError, match="subjects were picked"):
        session.export(replace(job, frame_range=(1, 2)), found)
    with pytest.raises(JobError, match="no 999"):
        session.export(replace(job, things=replace(job.things, subjects=(number, 999))))
    assert np.unique([take.folder.name for take in tracked.takes.values()]).size == len(tracked.takes)

    gone = chosen.takes[f"thing {number}"]
    frame = gone.frames()[0]
    matte_file(gone.folder, frame).unlink()
    with pytest.raises(OutputError, match=f"frame {frame} was found and is gone"):
        session.export(replace(job, things=replace(job.things, subjects=(number,))))
