"""An object that is only tracked: it is in no export, and can still be subtracted from others."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from addon.contract.errors import JobError
from addon.contract.job import Job
from addon.contract.job_types import Finishing, Mask, MatteObject, Model, Prompt
from addon.engine.session import Session


@pytest.fixture
def job(clip, checkpoint: Model, tmp_path: Path) -> Job:

    def square(x: float, y: float) -> tuple[Prompt, ...]:
        """Draw a mask, so that the result does not depend on the model."""
        return (Prompt(1, mask=Mask(polygons=(((x, y), (x + 200, y), (x + 200, y + 200), (x, y + 200)),))),)

    return Job(
        clip.take(1),
        (
            MatteObject("helper", square(100, 100), export=False),
            MatteObject("subject", square(200, 100)),
        ),
        model=checkpoint,
        output=str(tmp_path / "mattes"),
        target="labels",
    )


def test_it_is_in_no_export(job: Job) -> None:
    session = Session(lambda *_: None, lambda: False)
    together = dataclasses.replace(
        job, objects=tuple(dataclasses.replace(matte_object, export=True) for matte_object in job.objects)
    )

    def first(target: str, made: Job = job) -> np.ndarray:
        _, folder = session.export(dataclasses.replace(made, target=target))
        return np.asarray(Image.open(sorted(folder.rglob("*.png"))[0]))

    assert set(np.unique(first("labels"))) == {0, 2}, "the numbers of the others stay"
    _, folder = session.export(dataclasses.replace(job, target="objects"))
    assert [path.name for path in folder.rglob("*") if path.is_dir() and any(path.glob("*.png"))] == ["subject"]
    alone, both = first("postshot")[..., 3] > 0, first("postshot", together)[..., 3] > 0
    assert (both & ~alone).any()
    assert not (alone & ~both).any()
    cut = dataclasses.replace(job.objects[1], finishing=Finishing(subtract="helper"))
    less = first("postshot", dataclasses.replace(job, objects=(job.objects[0], cut)))[..., 3] > 0
    assert less.any()
    assert not (less & ~alone).any()
    assert (alone & ~less).any()


def test_a_shadow_is_no_part_of_the_subject(job: Job) -> None:
    """It is left out where objects are together, and one of those that are apart."""
    session = Session(lambda *_: None, lambda: False)

    def alpha(**more: bool) -> np.ndarray:
        objects = (dataclasses.replace(job.objects[0], **more), job.objects[1])
        _, folder = session.export(dataclasses.replace(job, objects=objects, target="postshot"))
        return np.asarray(Image.open(next(folder.glob("*.png"))))[..., 3]

    np.testing.assert_array_equal(alpha(export=True, shadow=True), alpha(export=False))
    both = tuple(dataclasses.replace(matte_object, export=True) for matte_object in job.objects)
    shadow = (dataclasses.replace(both[0], shadow=True), both[1])
    _, folder = session.export(dataclasses.replace(job, objects=shadow, target="objects"))
    assert sorted(path.name for path in folder.iterdir()) == ["helper", "subject"]


def test_an_export_of_nothing_is_refused(job: Job) -> None:
    with pytest.raises(JobError, match="No object is in the export"):
        dataclasses.replace(job, objects=job.objects[:1])
    shadow = dataclasses.replace(job.objects[1], shadow=True)
    with pytest.raises(JobError, match="No object is in the export"):
        dataclasses.replace(job, objects=(job.objects[0], shadow))
