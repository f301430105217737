"""The contract: a Job round-trips, and whatever is wrong with one is said with the name of the field."""

from __future__ import annotations

import dataclasses
import json
import math
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from addon.contract import job as contract
from addon.contract import job_checks as limits
from addon.contract.automatic import Parts, Things, Transients
from addon.contract.errors import ExitCode, JobError
from addon.contract.job import Job
from addon.contract.job_types import (
    DEFAULT_MEMORY,
    Box,
    Delivery,
    Finishing,
    Footage,
    Garbage,
    Held,
    Mask,
    MatteObject,
    Model,
    Outlines,
    Point,
    Prompt,
)
from addon.contract.layout import beside_footage, default_matte_folder

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
DRIVE = "C:" if sys.platform == "win32" else ""


TRIANGLE = ((-5.5, 0.0), (9.0, 0.0), (9.0, 9e9))


def sequence(count: int = 10) -> Footage:
    files = tuple(f"{DRIVE}/footage/shot.{1001 + i}.png" for i in range(count))
    return Footage(files, width=1920, height=1080, frame_count=count)


def prompt(frame: int = 1) -> Prompt:
    return Prompt(frame, points=(Point(960.5, 540.5),))


def held(first: int, last: int, take: str = "0f" * 10, sha256: str = "ab" * 32) -> Held:
    return Held(first, last, take, sha256)


def holding(*runs: Held) -> dict[str, Any]:
    return {"objects": (MatteObject("Actor", (prompt(),), held=runs),)}


def job(**changes: Any) -> Job:
    fields: dict[str, Any] = {"footage": sequence(), "objects": (MatteObject("Actor", (prompt(),)),)}
    return Job(**fields | changes)


def full_job() -> Job:
    """One that uses every field of the schema with a value that is not its default."""
    return Job(
        footage=Footage(
            (f"{DRIVE}/Aufnahme 1/Übung.mov",),
            3840,
            2160,
            240,
            movie=True,
            movie_offset=12,
            colour_space="ACEScg",
            colour_config=f"{DRIVE}/ocio/config.ocio",
        ),
        objects=(
            MatteObject(
                "Schauspielerin",
                (
                    Prompt(3, points=(Point(0, 0), Point(3840, 2160, include=False), Point(0.5, 1e-9))),
                    Prompt(7, box=Box(10, 20.25, 30, 40), points=(Point(12, 30),)),
                    Prompt(9, mask=Mask(file=f"{DRIVE}/masks/ü 9.png"), points=(Point(1, 1, include=False),)),
                ),
                Finishing(
                    temporal=2,
                    fill_holes=500,
                    remove_islands=60,
                    smooth=2.5,
                    grow=-1.5,
                    subtract="hat",
                    invert=True,
                    feather=4,
                    garbage=(
                        Garbage((Outlines(-3, (TRIANGLE,)), Outlines(900, (TRIANGLE,))), holes=True, outside=True),
                    ),
                ),
            ),
            MatteObject(
                "hat",
                (Prompt(40, mask=Mask(polygons=(((1, 2), (3.5, 4), (5, 6)), ((0, 0), (9, 0), (9, 9), (0, 9))))),),
                export=False,
                held=(held(41, 50), held(51, 60, "5e" * 10)),
            ),
        ),
        model=Model(
            checkpoint=f"{DRIVE}/weights/own.pt",
            config="configs/sam2.1/sam2.1_hiera_t.yaml",
            sha256="ab" * 32,
            trust=True,
            device="cpu",
            precision="float32",
        ),
        direction="backward",
        memory="anchors",
        second_opinion=True,
        frame_range=(3, 240),
        part=(41, 200),
        output=f"{DRIVE}/out",
        target="",
        refine="filter",
        delivery=Delivery("changed", (5, 9), "v012", "multiply", 25.0),
    )


def test_edges_are_refined_on_fine_plates() -> None:
    assert job(**footage(width=2048, height=1200)).refining == "off"
    assert job(**footage(width=2049, height=1200)).refining == "filter"
    assert job(**footage(height=2049)).refining == "filter"
    assert job(**footage(width=9000), refine="off").refining == "off"
    assert job(refine="windows").refining == "windows"


# --- round trip


@pytest.mark.parametrize("made", [job(), full_job()], ids=["defaults", "every field"])
def test_round_trip(made: Job) -> None:
    text = made.to_json()
    again = Job.from_json(text)
    assert again == made
    assert again.to_json() == text
    assert hash(again) == hash(made)


def test_every_field_is_in_the_json() -> None:
    def fields(data: Any) -> set[str]:
        if isinstance(data, dict):
            return set(data).union(*map(fields, data.values()))
        return set().union(*map(fields, data)) if isinstance(data, list) else set()

    kinds = (Footage, Point, Box, Mask, Prompt, Outlines, Garbage, Finishing, Held, MatteObject, Model, Delivery, Job)
    assert fields(json.loads(full_job().to_json())) == {name for kind in kinds for name in kind.__dataclass_fields__}


def test_equal_jobs_are_equal_texts() -> None:
    """Numbers too: Blender hands over floats where a command line has integers."""
    assert job().to_json() == job().to_json()
    data = json.loads(job().to_json())
    scrambled = dict(reversed(list(data.items())))
    assert Job.from_dict(scrambled).to_json() == job().to_json()
    integers = job(objects=(MatteObject("Actor", (Prompt(1, (Point(960, 540),)),)),))
    floats = job(objects=(MatteObject("Actor", (Prompt(1, (Point(960.0, 540.0),)),)),))
    assert integers == floats
    assert integers.to_json() == floats.to_json()


def test_defaults_may_be_left_out() -> None:
    data = {
        "version": contract.SCHEMA_VERSION,
        "footage": {"files": [f"{DRIVE}/a/1.png"], "width": 8, "height": 6, "frame_count": 1},
        "objects": [{"name": "a", "prompts": [{"frame": 1, "points": [{"x": 1, "y": 2}]}]}],
    }
    made = Job.from_dict(data)
    assert made.model == Model()
    assert made.direction == "both"
    assert made.target == "postshot"
    assert made.objects[0].prompts[0].points == (Point(1.0, 2.0, include=True),)
    assert isinstance(made.objects[0].prompts[0].points[0].x, float)


def test_load(tmp_path: Path) -> None:
    file = tmp_path / "Jöb 1.json"
    file.write_text(full_job().to_json(), encoding="utf-8")
    assert Job.load(file) == full_job()


def test_range_and_folder() -> None:
    assert job().frames == range(1, 11)
    assert job(frame_range=(2, 5), objects=(MatteObject("a", (prompt(2),)),)).frames == range(2, 6)
    assert job().matte_folder == Path(f"{DRIVE}/footage/shot_matte")
    assert job(output=f"{DRIVE}/elsewhere").matte_folder == Path(f"{DRIVE}/elsewhere")


# --- what does not parse: (change of the parsed JSON, field named, part of the message)


def put(*path: str | int, value: Any) -> Callable[[Any], None]:
    def change(data: Any) -> None:
        for step in path[:-1]:
            data = data[step]
        data[path[-1]] = value

    return change


def drop(*path: str | int) -> Callable[[Any], None]:
    def change(data: Any) -> None:
        for step in path[:-1]:
            data = data[step]
        del data[path[-1]]

    return change


FIRST_PROMPT = ("objects", 0, "prompts", 0)

MALFORMED: list[tuple[Callable[[Any], None], str, str]] = [
    (drop("version"), "version", "version None"),
    (put("version", value=3), "version", "version 3"),
    (put("version", value="1"), "version", "version '1'"),
    (put("version", value=True), "version", "Expected int"),
    (put("version", value=1.0), "version", "Expected int"),
    (drop("footage"), "footage", "missing"),
    (drop("objects"), "objects", "missing"),
    (drop("footage", "width"), "footage.width", "missing"),
    (drop("objects", 0, "name"), "objects[0].name", "missing"),
    (drop(*FIRST_PROMPT, "frame"), "objects[0].prompts[0].frame", "missing"),
    (drop(*FIRST_PROMPT, "points", 1, "y"), "objects[0].prompts[0].points[1].y", "missing"),
    (put("colour", value=1), "job", "'colour'"),
    (put("footage", "fps", value=24), "footage", "'fps'"),
    (put("model", "weights", value=""), "model", "'weights'"),
    (put(*FIRST_PROMPT, "points", 0, "z", value=0), "objects[0].prompts[0].points[0]", "'z'"),
    (put("footage", value=[]), "footage", "Expected an object"),
    (put("footage", value=None), "footage", "Expected an object"),
    (put("objects", value={}), "objects", "Expected a list"),
    (put("objects", 0, value="Actor"), "objects[0]", "Expected an object"),
    (put("footage", "files", value="a.png"), "footage.files", "Expected a list"),
    (put("footage", "files", 0, value=1), "footage.files[0]", "Expected str"),
    (put("footage", "width", value=1920.0), "footage.width", "Expected int"),
    (put("footage", "width", value="1920"), "footage.width", "Expected int"),
    (put("footage", "width", value=True), "footage.width", "Expected int"),
    (put("footage", "movie", value=1), "footage.movie", "Expected bool"),
    (put("frame_range", value=[1]), "frame_range", "Expected a list of 2"),
    (put("frame_range", value=[1, 2, 3]), "frame_range", "Expected a list of 2"),
    (put("frame_range", value=[3, 4.5]), "frame_range[1]", "Expected int"),
    (put("direction", value="sideways"), "direction", "'sideways'"),
    (put("direction", value=["forward"]), "direction", "forward"),
    (put("direction", value={}), "direction", "{}"),
    (put("model", "device", value=None), "model.device", "None"),
    (put("model", "precision", value="float64"), "model.precision", "'float64'"),
    (put("target", value=None), "target", "Expected str"),
    (put(*FIRST_PROMPT, "frame", value=3.0), "objects[0].prompts[0].frame", "Expected int"),
    (put(*FIRST_PROMPT, "frame", value=False), "objects[0].prompts[0].frame", "Expected int"),
    (put(*FIRST_PROMPT, "points", 0, "x", value="1"), "objects[0].prompts[0].points[0].x", "Expected float"),
    (put(*FIRST_PROMPT, "points", 0, "x", value=True), "objects[0].prompts[0].points[0].x", "Expected float"),
    (put(*FIRST_PROMPT, "points", 0, "x", value=None), "objects[0].prompts[0].points[0].x", "Expected float"),
    (put(*FIRST_PROMPT, "points", 0, "x", value=math.nan), "objects[0].prompts[0].points[0].x", "NaN"),
    (put(*FIRST_PROMPT, "points", 0, "y", value=math.inf), "objects[0].prompts[0].points[0].y", "Infinity"),
    (put(*FIRST_PROMPT, "points", 0, "y", value=10**400), "objects[0].prompts[0].points[0].y", "Expected float"),
    (put(*FIRST_PROMPT, "points", 0, "include", value=0), "objects[0].prompts[0].points[0].include", "Expected bool"),
    (put(*FIRST_PROMPT, "box", value=[1, 2, 3, 4]), "objects[0].prompts[0].box", "Expected an object"),
    (
        put("objects", 1, "prompts", 0, "mask", "polygons", 0, 1, value=[1]),
        "objects[1].prompts[0].mask.polygons[0][1]",
        "Expected a list of 2",
    ),
    (
        put("objects", 1, "prompts", 0, "mask", "polygons", 1, 2, 0, value=-math.inf),
        "objects[1].prompts[0].mask.polygons[1][2][0]",
        "Infinity",
    ),
]


@pytest.mark.parametrize(("change", "where", "message"), MALFORMED, ids=[f"{w}: {m}" for _, w, m in MALFORMED])
def test_malformed_field_is_named(change: Callable[[Any], None], where: str, message: str) -> None:
    data = json.loads(full_job().to_json())
    change(data)
    with pytest.raises(JobError) as caught:
        Job.from_json(json.dumps(data))
    assert caught.value.where == where
    assert message in str(caught.value)
    assert caught.value.exit_code == ExitCode.JOB


@pytest.mark.parametrize("text", ["", "{", "[1,]", "nonsense", '{"version": 1', "\x00", "[" * 100_000])
def test_not_json(text: str) -> None:
    with pytest.raises(JobError, match="not JSON") as caught:
        Job.from_json(text)
    assert caught.value.where == "job"


def test_a_job_that_names_no_memory_gives_what_it_gave() -> None:
    data = json.loads(job().to_json())
    assert data.pop("memory") == DEFAULT_MEMORY
    assert Job.from_json(json.dumps(data)).memory == "sam2"


VERSION_1 = {
    "objects": dataclasses.replace(  # what there was then: one memory, one opinion, nothing held
        full_job(),
        memory="sam2",
        second_opinion=False,
        objects=tuple(dataclasses.replace(some, held=()) for some in full_job().objects),
    ),
    "things": Job(sequence(2), (), target="labels", things=Things(subjects=(3, 1)), memory="sam2"),
    "parts": Job(sequence(2), (), target="segments", parts=Parts(step=2), memory="sam2"),
    "transients": Job(
        sequence(2), (), target="t3dgs", memory="sam2", transients=Transients("/trainer/masks", "/trainer/diffs")
    ),
}


@pytest.mark.skipif(bool(DRIVE), reason="their paths are not absolute on Windows")
@pytest.mark.parametrize("name", VERSION_1)
def test_jobs_of_version_1_are_read(name: str) -> None:
    """Files as an earlier release saved them, when a target was an export, things promptless, and parts everything."""
    file = Path(__file__).with_name("version1") / f"{name}.json"
    saved = json.loads(file.read_text(encoding="utf-8"))
    assert saved["version"] == 1
    made = Job.load(file)
    expected = VERSION_1[name]
    assert made == (expected if name == "objects" else dataclasses.replace(expected, footage=made.footage))
    assert json.loads(made.to_json())["version"] == contract.SCHEMA_VERSION
    with pytest.raises(JobError, match="A Job of version 1 has no") as caught:
        Job.from_dict(saved | {"things": None})
    assert caught.value.where == "things"
    with pytest.raises(JobError, match="Unknown field 'everything'"):
        Job.from_dict(saved | {"version": contract.SCHEMA_VERSION})


def test_a_field_is_there_once() -> None:
    """What the second of two values would do, nobody can see."""
    text = job().to_json().replace('"direction": "both"', '"direction": "both", "direction": "forward"')
    with pytest.raises(JobError, match="'direction' is there twice"):
        Job.from_json(text)


@pytest.mark.parametrize("depth", [100, 900, 5_000, 200_000])
def test_nested_without_end(depth: int) -> None:
    """In a field of a Job that is right otherwise: found at whatever depth Python gives up, or by the field's type."""
    nested = "[" * depth + "]" * depth
    with pytest.raises(JobError):
        Job.from_json(job().to_json().replace('"direction": "both"', f'"direction": {nested}'))
    with pytest.raises(JobError):
        Job.from_json(job().to_json().replace('"width": 1920', f'"width": {nested}'))


@pytest.mark.parametrize("text", ["[]", "null", "1", '"job"', "true"])
def test_not_an_object(text: str) -> None:
    with pytest.raises(JobError, match="Expected an object") as caught:
        Job.from_json(text)
    assert caught.value.where == "job"


def test_long_values_are_cut_in_messages() -> None:
    data = json.loads(job().to_json())
    data["footage"]["width"] = "9" * 10_000
    with pytest.raises(JobError) as caught:
        Job.from_dict(data)
    assert len(str(caught.value)) < 200


# --- what parses and still can't be: (change of the good Job, field named, part of the message)


def actor(*prompts: Prompt) -> dict[str, Any]:
    return {"objects": (MatteObject("Actor", prompts),)}


def finishing(**changes: Any) -> dict[str, Any]:
    return {"objects": (MatteObject("hat", (prompt(),)), MatteObject("Actor", (prompt(),), Finishing(**changes)))}


def footage(**changes: Any) -> dict[str, Any]:
    good = sequence()
    fields = {name: getattr(good, name) for name in Footage.__dataclass_fields__}
    return {"footage": Footage(**fields | changes)}


INVALID: list[tuple[dict[str, Any], str, str]] = [
    *(
        (finishing(**{name: value}), f"objects[1].finishing.{name}", "not between")
        for name in ("temporal", "fill_holes", "remove_islands", "smooth", "feather", "grow")
        for value in (-limits.MAX_LENGTH - 1, 1 << 40)
    ),
    (finishing(grow=math.nan), "objects[1].finishing.grow", "nan"),
    (finishing(subtract="Actor"), "objects[1].finishing.subtract", "There is no other object"),
    (finishing(subtract="nobody"), "objects[1].finishing.subtract", "There is no other object"),
    (finishing(garbage=(Garbage(()),)), "objects[1].finishing.garbage[0].keys", "has no outlines"),
    (finishing(garbage=(Garbage((Outlines(1, ()),)),)), "objects[1].finishing.garbage[0].keys", "has no outlines"),
    (
        finishing(garbage=(Garbage((Outlines(1, (TRIANGLE,)), Outlines(2, (TRIANGLE, TRIANGLE)))),)),
        "objects[1].finishing.garbage[0].keys",
        "same number",
    ),
    (
        finishing(garbage=(Garbage((Outlines(2, (TRIANGLE,)), Outlines(2, (TRIANGLE,)))),)),
        "objects[1].finishing.garbage[0].keys",
        "ordered",
    ),
    (
        finishing(garbage=(Garbage((Outlines(2, (TRIANGLE[:2],)),)),)),
        "objects[1].finishing.garbage[0].keys[0].polygons[0]",
        "three",
    ),
    (footage(files=()), "footage.files", "no footage"),
    (footage(width=0), "footage.width", "0"),
    (footage(height=-1), "footage.height", "-1"),
    (footage(height=limits.MAX_SIDE + 1), "footage.height", "65537"),
    (footage(frame_count=0), "footage.frame_count", "0"),
    (footage(frame_count=11), "footage.frame_count", "11"),
    (footage(movie=True), "footage.files", "one file"),
    (footage(movie=True, files=(f"{DRIVE}/a.mov",), frame_count=limits.MAX_FRAMES + 1), "footage.frame_count", ""),
    (footage(movie=True, files=(f"{DRIVE}/a.mov",), movie_offset=-1), "footage.movie_offset", "negative"),
    (footage(files=("a.png",), frame_count=1), "footage.files[0]", "absolute"),
    (footage(files=("",), frame_count=1), "footage.files[0]", "absolute"),
    (footage(files=(f"{DRIVE}/a.png", "../b.png"), frame_count=2), "footage.files[1]", "absolute"),
    (footage(files=(f"{DRIVE}/a\0.png",), frame_count=1), "footage.files[0]", ""),
    (footage(files=(f"{DRIVE}/\udcff.png",), frame_count=1), "footage.files[0]", "Unicode"),
    (footage(colour_space="ACEScg"), "footage.colour_space", "neither"),
    (footage(colour_space="ACEScg", colour_config="config.ocio"), "footage.colour_config", "absolute"),
    ({"output": "out"}, "output", "absolute"),
    ({"frame_range": (0, 5)}, "frame_range", "0 to 5"),
    ({"frame_range": (5, 4)}, "frame_range", "5 to 4"),
    ({"frame_range": (1, 11)}, "frame_range", "1 to 11"),
    ({"delivery": Delivery(frame_range=(5, 11))}, "delivery.frame_range", "5 to 11"),
    ({"delivery": Delivery(into="../v001")}, "delivery.into", "not a version"),
    ({"delivery": Delivery(frame_rate=-1.0)}, "delivery.frame_rate", "-1 is not a frame rate"),
    ({"delivery": Delivery(into="v1")}, "delivery.into", "not a version"),
    ({"delivery": Delivery(kept=(3, 2))}, "delivery.kept", "in order"),
    ({"delivery": Delivery(views="faces")}, "delivery.views", "no views"),
    ({"delivery": Delivery(views="3x1")}, "delivery.views", "4 to 24 columns"),
    ({"delivery": Delivery(views="4x3")}, "delivery.views", "over the poles"),
    ({"delivery": Delivery(kept=(0, 2))}, "delivery.kept", "Not all are of"),
    ({"objects": ()}, "objects", "Nothing is marked"),
    ({"objects": (MatteObject("", (prompt(),)),)}, "objects[0].name", "empty"),
    ({"objects": tuple(MatteObject("a", (prompt(),)) for _ in range(2))}, "objects[1].name", "twice"),
    (
        {"objects": tuple(MatteObject(f"{i}", (prompt(),)) for i in range(limits.MAX_OBJECTS + 1))},
        "objects",
        "256",
    ),
    ({"objects": (MatteObject("\ud800", (prompt(),)),)}, "objects[0].name", "Unicode"),
    (actor(), "objects[0].prompts", "no prompts"),
    (actor(Prompt(1)), "objects[0].prompts", ""),
    (actor(prompt(1), Prompt(2)), "objects[0].prompts[1]", "no points, box or mask"),
    (actor(Prompt(1, (Point(1, 1, include=False),))), "objects[0].prompts", "only exclude"),
    (
        actor(Prompt(1, (Point(1, 1, include=False),)), Prompt(4, (Point(2, 2, include=False),))),
        "objects[0].prompts",
        "only exclude",
    ),
    (actor(prompt(0)), "objects[0].prompts[0].frame", "frame 0"),
    (holding(held(3, 11)), "objects[0].held[0]", "3 to 11"),
    (holding(held(4, 3)), "objects[0].held[0]", "4 to 3"),
    (holding(held(1, 4), held(4, 5)), "objects[0].held[1]", "overlap"),
    (holding(held(5, 6), held(1, 2)), "objects[0].held[1]", "ordered"),
    (holding(held(1, 2, take="../../evil")), "objects[0].held[0].take", "not the key"),
    (holding(held(1, 2, sha256="")), "objects[0].held[0].sha256", "not a SHA-256"),
    (actor(prompt(-3)), "objects[0].prompts[0].frame", "frame -3"),
    (actor(prompt(1), prompt(11)), "objects[0].prompts[1].frame", "frame 11"),
    (actor(prompt(1)) | {"frame_range": (2, 10)}, "objects[0].prompts[0].frame", "2 to 10"),
    (actor(prompt(10)) | {"frame_range": (2, 9)}, "objects[0].prompts[0].frame", "2 to 9"),
    (actor(prompt(5), prompt(3)), "objects[0].prompts[1].frame", "ordered"),
    (actor(prompt(5), prompt(5)), "objects[0].prompts[1].frame", "one per frame"),
    (
        actor(Prompt(1, (Point(1, 1),) * (limits.MAX_POINTS_PER_FRAME + 1))),
        "objects[0].prompts[0].points",
        "1000",
    ),
    (actor(Prompt(1, (Point(1, 1), Point(1920.01, 1)))), "objects[0].prompts[0].points[1]", "outside"),
    (actor(Prompt(1, (Point(-0.01, 1),))), "objects[0].prompts[0].points[0]", "outside"),
    (actor(Prompt(1, (Point(1, 1080.5),))), "objects[0].prompts[0].points[0]", "outside"),
    (actor(Prompt(1, (Point(math.nan, 1),))), "objects[0].prompts[0].points[0]", "outside"),
    (actor(Prompt(1, (Point(1, math.inf),))), "objects[0].prompts[0].points[0]", "outside"),
    (actor(Prompt(1, box=Box(5, 5, 5, 9))), "objects[0].prompts[0].box", "no area"),
    (actor(Prompt(1, box=Box(5, 9, 9, 5))), "objects[0].prompts[0].box", "no area"),
    (actor(Prompt(1, box=Box(math.nan, 1, 9, 5))), "objects[0].prompts[0].box", "no area"),
    (actor(Prompt(1, box=Box(-1, 1, 9, 5))), "objects[0].prompts[0].box", "outside"),
    (actor(Prompt(1, box=Box(1, 1, 1921, 5))), "objects[0].prompts[0].box", "outside"),
    (actor(Prompt(1, mask=Mask())), "objects[0].prompts[0].mask", "file or polygons"),
    (
        actor(Prompt(1, mask=Mask(f"{DRIVE}/m.png", (((0, 0), (1, 0), (1, 1)),)))),
        "objects[0].prompts[0].mask",
        "file or polygons",
    ),
    (actor(Prompt(1, mask=Mask("m.png"))), "objects[0].prompts[0].mask.file", "absolute"),
    (
        actor(Prompt(1, mask=Mask(polygons=(((0, 0), (1, 0), (1, 1)), ((0, 0), (1, 1)))))),
        "objects[0].prompts[0].mask.polygons[1]",
        "three",
    ),
    (
        actor(Prompt(1, mask=Mask(polygons=(((0, 0), (math.nan, 0), (1, 1)),)))),
        "objects[0].prompts[0].mask.polygons[0]",
        "",
    ),
]


@pytest.mark.parametrize(("changes", "where", "message"), INVALID, ids=[f"{w}: {m}" for _, w, m in INVALID])
def test_invalid_field_is_named(changes: dict[str, Any], where: str, message: str) -> None:
    with pytest.raises(JobError) as caught:
        job(**changes)
    assert caught.value.where == where
    assert message in caught.value.message


def test_a_parsed_job_is_checked_as_well() -> None:
    data = json.loads(job().to_json())
    data["frame_range"] = [4, 99]
    with pytest.raises(JobError, match="4 to 99"):
        Job.from_dict(data)


@pytest.mark.parametrize(
    "changes",
    [
        actor(Prompt(1, (Point(0, 0), Point(1920, 1080)))),  # the image's corners belong to it
        actor(Prompt(1, box=Box(0, 0, 1920, 1080))),
        actor(Prompt(1, (Point(1, 1, include=False),)), prompt(5)),  # an exclude may come before the first include
        actor(Prompt(1, (Point(1, 1, include=False),), box=Box(0, 0, 5, 5))),
        actor(Prompt(1, mask=Mask(polygons=(((-5, -5), (3000, 0), (1, 3000)),)))),  # outlines may leave the image
        actor(prompt(2), prompt(9)) | {"frame_range": (2, 9)},
        {"frame_range": (1, 1)},
        {"frame_range": (1, 10)},
        {"output": "//server/share/out"},
        {"output": r"\\server\share\out"},
        {"output": r"D:\out"},
    ],
)
def test_allowed(changes: dict[str, Any]) -> None:
    made = job(**changes)
    assert Job.from_json(made.to_json()) == made


def test_job_file_errors_name_the_file(tmp_path: Path) -> None:
    missing = tmp_path / "none.json"
    with pytest.raises(JobError, match="can't be read") as caught:
        Job.load(missing)
    assert caught.value.where == str(missing)
    with pytest.raises(JobError, match="can't be read"):
        Job.load(tmp_path)
    latin = tmp_path / "latin.json"
    latin.write_bytes('{"name": "Übung"}'.encode("latin-1"))
    with pytest.raises(JobError, match="UTF-8") as caught:
        Job.load(latin)
    assert caught.value.where == str(latin)


def test_huge_job_file_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "huge.json"
    with file.open("wb") as sparse:
        sparse.truncate(contract.MAX_JOB_BYTES + 1)
    with pytest.raises(JobError, match="too large"):
        Job.load(file)


def test_job_with_byte_order_mark(tmp_path: Path) -> None:
    """Windows' editors save UTF-8 with one."""
    file = tmp_path / "job.json"
    file.write_text(job().to_json(), encoding="utf-8-sig")
    assert Job.load(file) == job()


def test_range_is_checked_against_the_footage() -> None:
    data = json.loads(full_job().to_json())
    data["footage"]["frame_count"] = 5
    with pytest.raises(JobError) as caught:
        Job.from_dict(data)
    assert caught.value.where == "frame_range"


# --- where the mattes go


@pytest.mark.parametrize(
    ("file", "folder"),
    [
        ("/plates/shot.1001.exr", "/plates/shot_matte"),
        ("/plates/shot_0001.png", "/plates/shot_matte"),
        ("/plates/shot-0001.png", "/plates/shot_matte"),
        ("/plates/shot 0001.png", "/plates/shot_matte"),
        ("/plates/shot0001.png", "/plates/shot_matte"),
        ("/plates/A001_C002.0001.png", "/plates/A001_C002_matte"),
        ("/plates/hero v2 final.0001.png", "/plates/hero v2 final_matte"),
        ("/plates/Größe_0001.png", "/plates/Größe_matte"),
        ("/plates/still.png", "/plates/still_matte"),
        ("/bedroom/0001.jpg", "/bedroom/bedroom_matte"),
        ("/bedroom/000001.jpg", "/bedroom/bedroom_matte"),
        ("/bedroom/_0001.jpg", "/bedroom/bedroom_matte"),
        ("/day 1/IMG_0001.JPG", "/day 1/day 1_matte"),
        ("/day 1/img_0001.jpg", "/day 1/day 1_matte"),
        ("/day 1/DSC_0001.JPG", "/day 1/day 1_matte"),
        ("/day 1/DSC00001.JPG", "/day 1/day 1_matte"),
        ("/day 1/_DSC0001.JPG", "/day 1/day 1_matte"),
        ("/day 1/_MG_0001.JPG", "/day 1/day 1_matte"),
        ("/day 1/DJI_0001.JPG", "/day 1/day 1_matte"),
        ("/day 1/DSCF0001.JPG", "/day 1/day 1_matte"),
        ("/day 1/GOPR0001.JPG", "/day 1/day 1_matte"),
        ("/day 1/P1000001.JPG", "/day 1/day 1_matte"),
        ("/day 1/PXL_20260101_120000000.jpg", "/day 1/day 1_matte"),
        ("/day 1/IMG_20260101_120000.jpg", "/day 1/day 1_matte"),
        ("/day 1/20260101_120000.jpg", "/day 1/day 1_matte"),
        ("/day 1/reel2_0001.jpg", "/day 1/reel2_matte"),
        ("/day 1/frame_0001.jpg", "/day 1/frame_matte"),
        ("/0001.png", "/footage_matte"),
    ],
)
def test_default_folder_of_a_sequence(file: str, folder: str) -> None:
    made = default_matte_folder(Footage((f"{DRIVE}{file}",), 8, 8, 1))
    assert made == Path(f"{DRIVE}{folder}")


@pytest.mark.parametrize(
    ("file", "folder"),
    [
        ("/day 1/A001 (2).mov", "/day 1/A001 (2)_matte"),
        ("/day 1/IMG_0001.MOV", "/day 1/IMG_0001_matte"),
        ("/day 1/0001.mp4", "/day 1/0001_matte"),
        ("/day 1/shot.v2.mp4", "/day 1/shot.v2_matte"),
    ],
)
def test_default_folder_of_a_movie(file: str, folder: str) -> None:
    made = default_matte_folder(Footage((f"{DRIVE}{file}",), 8, 8, 5, movie=True))
    assert made == Path(f"{DRIVE}{folder}")


# --- the documentation


@pytest.mark.parametrize(
    ("file", "folder"),
    [
        ("/shots/a/plate.1001.png", "/shots/a_plate_matte"),
        ("/shots/b/plate.1001.png", "/shots/b_plate_matte"),
        ("/photos/chair/IMG_0001.JPG", "/photos/chair_matte"),
        ("/plate.1001.png", "/plate_matte"),
    ],
)
def test_folder_beside_the_footage(file: str, folder: str) -> None:
    footage = Footage((f"{DRIVE}{file}",), 1920, 1080, 1)
    assert beside_footage(footage) == Path(f"{DRIVE}{folder}")


def test_documented_job_is_one() -> None:
    text = (Path(__file__).parents[2] / "docs" / "job-file.md").read_text(encoding="utf-8")
    example = text.split("```json\n")[1].split("```")[0]
    if DRIVE:
        example = example.replace('"/plates', f'"{DRIVE}/plates')
    made = Job.from_json(example)
    assert Job.from_json(made.to_json()) == made
    assert made.matte_folder == Path(f"{DRIVE}/plates/shot/shot_matte")
    for kind in (Footage, Model, Delivery, Job):
        for name in kind.__dataclass_fields__:
            assert re.search(rf"\b{name}\b", text.split("| field | |")[1]), name


@pytest.mark.skipif(bool(DRIVE), reason="their paths are not absolute on Windows")
@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("*.json")), ids=lambda path: path.stem)
def test_an_example_of_the_docs_is_a_job(example: Path) -> None:
    job = Job.load(example)
    assert Job.from_json(job.to_json()) == job
    assert example.name in (EXAMPLES / "README.md").read_text(encoding="utf-8")
