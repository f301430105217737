"""Absence is never emptiness, and what is kept is what was written: the store and versions under faults."""

import errno
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Clip
from PIL import Image

from addon.contract.boundary import unexpected
from addon.contract.disk import exchange, write_bytes, write_file
from addon.contract.errors import EngineError, ExitCode, FootageError, MatteError, OutputError
from addon.contract.job import Job
from addon.contract.job_types import Footage, MatteObject, Model, Point, Prompt
from addon.engine.__main__ import main
from addon.engine.automatic.find import _prune
from addon.engine.export import export, prepare, versions
from addon.engine.footage.footage import Reader, scan
from addon.engine.matting.pipeline import stored
from addon.engine.review.find_suspects import review
from addon.engine.session import Session
from addon.engine.store import checked_file
from addon.engine.store.matte_store import Matte, Store, Take, holding
from addon.engine.tracking import memory


def job(room: Path) -> Job:
    footage = Footage((str(room / "a_0001.png"),), 8, 8, 1)
    return Job(footage, (MatteObject("a", (Prompt(1, (Point(1, 1),)),)),), output=str(room / "out"))


def take_of(store: Store, number: int) -> Take:
    take = store.take("a", {"number": number})
    with store.open_for_writing({"a": (take, {"number": number})}):
        take.put_matte(1, Matte(np.ones((2, 2), np.float16), 1.0, 1.0))
    return take


def test_a_take_that_is_read_is_not_pruned(tmp_path: Path) -> None:
    store = Store(job(tmp_path))
    first = take_of(store, 0)
    with holding([first.folder]):
        for number in range(1, 8):
            take_of(store, number)
        assert first.has_matte(1)
    for number in range(8, 13):
        take_of(store, number)
    assert not first.has_matte(1)
    assert not list(store.folder.glob("*.reader-*"))


def test_the_mark_of_a_reader_that_died_holds_nothing(tmp_path: Path) -> None:
    store = Store(job(tmp_path))
    first = take_of(store, 0)
    dead = "from addon.engine.store.ownership import marking; import os, pathlib, sys; "
    dead += "held = marking(pathlib.Path(sys.argv[1]), 'reader'); held.__enter__(); os._exit(9)"
    command = [sys.executable, "-c", dead, str(first.folder)]
    assert subprocess.run(command, cwd=Path(__file__).parents[2], check=False).returncode == 9
    assert list(store.folder.glob("*.reader-*"))
    for number in range(1, 8):
        take_of(store, number)
    assert not first.has_matte(1)
    assert not list(store.folder.glob("*.reader-*"))


def test_a_tracked_frame_without_a_matte_is_an_error(tmp_path: Path) -> None:
    take = take_of(Store(job(tmp_path)), 0)
    take.forget_matte(1)
    assert stored(take)(1) is None
    with pytest.raises(OutputError, match="frame 1 is gone"):
        stored(take, {1})(1)


def test_names_of_a_synchronisation_tool_are_passed_over(tmp_path: Path) -> None:
    take = take_of(Store(job(tmp_path)), 0)
    for name in ("000002 (1).npz", "000003-conflict.npz", "²".join(("", "", ".npz"))):
        (take.folder / "matte" / name).write_bytes(b"")
    assert take.frames() == [1]


def test_a_flipped_bit_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "000001.pt"
    write_file(path, lambda file: checked_file.write(file, {"a": torch.arange(1000)}), sync=False)
    whole = path.read_bytes()
    assert torch.equal(checked_file.read(path, "cpu")["a"], torch.arange(1000))
    for at in range(0, len(whole), 97):
        data = bytearray(whole)
        data[at] ^= 4
        path.write_bytes(data)
        assert checked_file.read(path, "cpu") is None, at
    for size in (0, 1, 7, 8, len(whole) - 1):
        path.write_bytes(whole[:size])
        assert checked_file.read(path, "cpu") is None, size


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_is_said_to_be_full() -> None:
    with pytest.raises(OSError, match="space"), Path("/dev/full").open("wb", buffering=0) as file:
        checked_file.write(file, torch.zeros(100_000))


def test_footage_that_changes_while_it_is_read(tmp_path: Path) -> None:
    from PIL import Image

    files = [tmp_path / f"a_{i:04d}.png" for i in (1, 2)]
    for file in files:
        Image.new("RGB", (8, 8), "red").save(file)
    reader = Reader(Footage(tuple(map(str, files)), 8, 8, 2))
    reader.fingerprint()
    status = files[1].stat()
    Image.new("RGB", (8, 8), "blue").save(tmp_path / "new.png")
    (tmp_path / "new.png").replace(files[1])
    os.utime(files[1], ns=(status.st_atime_ns, status.st_mtime_ns))
    reader.model_input(1, 8)
    for read in (lambda: reader.model_input(2, 8), lambda: reader.plate(2), reader.check_unchanged):
        with pytest.raises(FootageError, match="changed while it was read"):
            read()


@pytest.mark.parametrize("can_exchange", [True, False])
def test_killed_at_every_step_of_a_replacement_one_of_both_is_there(
    can_exchange: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped after each call that moves or removes something, then mended by a plain export that comes next."""
    if not can_exchange:
        monkeypatch.setattr(versions, "exchange", lambda one, other: False)

    class Killed(BaseException):
        pass

    for stop_at in range(1, 40):
        room = tmp_path / str(stop_at)
        with versions.claim(room, "old") as partial:
            partial.add("a.png", lambda file: write_bytes(file, b"old"))
            version = partial.publish('{"report": {"export": {}}}')
        base = versions.find(room, "", {})
        assert base is not None
        left = stop_at

        def counted(done):
            def call(*arguments, **more):
                nonlocal left
                left -= 1
                if left == 0:
                    raise Killed
                return done(*arguments, **more)

            return call

        with monkeypatch.context() as patch:
            for owner, name in (
                (Path, "rename"),
                (Path, "replace"),
                (Path, "unlink"),
                (versions, "exchange"),
                (versions.shutil, "rmtree"),
            ):
                patch.setattr(owner, name, counted(getattr(owner, name)))
            try:
                with versions.claim(room, "new") as partial:
                    partial.add("a.png", lambda file: write_bytes(file, b"new"))
                    partial.replace(base, '{"report": {"export": {"n": 1}}}')
            except Killed:
                pass
        if can_exchange:
            assert (version / "a.png").read_bytes() in (b"old", b"new"), "it never vanishes"
        with versions.claim(room, "another"):
            pass
        found = (version / "a.png").read_bytes()
        assert found in (b"old", b"new")
        assert (b'"n"' in version.with_suffix(".json").read_bytes()) == (found == b"new")
        assert [path.name for path in version.iterdir()] == ["a.png"]
        if left > 0:
            assert found == b"new"
            return
    raise AssertionError("it was never finished")


def test_what_is_said_of_mattes_is_held(tmp_path: Path) -> None:
    """A review waits for the one before it, so that an outdated result is never written last."""
    take = take_of(Store(job(tmp_path)), 0)
    reviewing = threading.Thread(target=review, args=(take, [], 1))
    with take.reviewing():
        reviewing.start()
        reviewing.join(0.5)
        assert reviewing.is_alive()
        take.put_matte(2, take.tracked(1))
    reviewing.join()
    with np.load(take.measures_path) as kept:
        assert kept["frames"].tolist() == [1, 2]


def test_a_matte_that_is_forgotten_while_it_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    take = take_of(Store(job(tmp_path)), 0)
    monkeypatch.setattr(Take, "frames", lambda self: [1, 2])
    with pytest.raises(OutputError, match="frame 2 is gone"):
        review(take, [], 1)


@pytest.mark.parametrize(
    "logits",
    [
        np.ones((2, 2), np.float32),
        np.ones((2, 2, 2), np.float16),
        np.full((2, 2), np.nan, np.float16),
        np.array(["a"]),
        np.ones(0, np.float16),
    ],
)
def test_stored_mattes_of_another_kind(tmp_path: Path, logits: np.ndarray) -> None:
    take = take_of(Store(job(tmp_path)), 0)
    np.savez_compressed(take.folder / "matte" / "000001.npz", logits=logits, iou=1.0, object_score=1.0)
    with pytest.raises(OutputError, match=r"000001\.npz.*damaged"):
        take.matte(1)


def test_a_stored_matte_that_unpacks_to_more_than_any(tmp_path: Path) -> None:
    take = take_of(Store(job(tmp_path)), 0)
    huge = np.zeros((10_000, 4_000), np.float16)
    np.savez_compressed(take.folder / "matte" / "000001.npz", logits=huge, iou=1.0, object_score=1.0)
    with pytest.raises(OutputError, match="more bytes than any matte"):
        take.matte(1)


SHAPES = {
    "maskmem_features": (1, 4, 2, 2),
    "obj_ptr": (1, 8),
    "object_score_logits": (1, 1),
    "pred_masks": (1, 1, 4, 4),
}


def kept_output() -> dict[str, object]:
    tensors = {name: torch.ones(shape) for name, shape in SHAPES.items()}
    return {**tensors, "iou": 0.5, "maskmem_pos_enc": [torch.ones(SHAPES["maskmem_features"])]}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("", None),
        ("iou", "much"),
        ("obj_ptr", torch.ones(1, 9)),
        ("obj_ptr", [1.0] * 8),
        ("obj_ptr", torch.full((1, 8), torch.nan)),
        ("maskmem_features", torch.ones((1, 4, 2, 2), dtype=torch.int32)),
        ("pred_masks", None),
        ("maskmem_pos_enc", None),
        ("maskmem_pos_enc", [1]),
    ],
)
def test_memories_of_another_kind(tmp_path: Path, name: str, value: object) -> None:
    """Their checksums are right, but they come from another model or from somebody else."""
    take = take_of(Store(job(tmp_path)), 0)
    state = {"device": "cpu", "shapes": SHAPES, "constants": {}}
    take.put_state(1, lambda file: checked_file.write(file, kept_output()), conditioning=True)
    assert memory.load_conditioning(take, 0, state) is not None
    wrong = kept_output() | {name: value} if name else ["no", "output"]
    take.put_state(1, lambda file: checked_file.write(file, wrong), conditioning=True)
    assert memory.load_conditioning(take, 0, state) is None


def test_what_was_found_is_not_pruned_while_it_is_read(tmp_path: Path) -> None:
    folders = [tmp_path / str(i) for i in range(6)]
    for i, folder in enumerate(folders):
        folder.mkdir()
        os.utime(folder, (i, i))
    with holding([folders[0]]):
        _prune(folders[5])
        assert [folder.exists() for folder in folders] == [True, False, True, True, True, True]
    _prune(folders[5])
    assert not folders[0].exists()


def test_a_version_whose_frames_were_deleted_on_the_way_is_not_published(tmp_path: Path) -> None:
    for i in (1, 2, 3):
        Image.new("RGB", (8, 8), "red").save(tmp_path / f"a_{i:04d}.png")
    footage, _ = scan(tmp_path)
    wanted = Job(footage, (MatteObject("a", (Prompt(1, (Point(1, 1),)),)),), output=str(tmp_path / "out"))

    def delete(done: int, total: int, frame: int) -> None:
        if done == 2:
            shutil.rmtree(tmp_path / "out" / "work", ignore_errors=True)  # a writer may put one more file there

    with pytest.raises(OutputError):
        export(
            prepare(wanted, Reader(footage)),
            lambda frame, name: np.full((8, 8), 255, np.uint8),
            frames=[1, 2, 3],
            key="key",
            report={},
            on_frame=delete,
            cancelled=lambda: False,
        )
    assert not list(tmp_path.glob("out/v*"))


@pytest.mark.parametrize("gone", ["work", "footage"])
def test_folders_that_vanish_while_tracking(gone: str, clip: Clip, checkpoint: Model) -> None:
    footage = clip.take(5)
    wanted = Job(
        footage, (MatteObject("a", (Prompt(2, (Point(*clip.subject),)),)),), checkpoint, output=str(clip.room / "out")
    )
    folder = clip.room / "out" / "work" if gone == "work" else Path(footage.files[0]).parent

    def delete(stage: str, done: int, total: int, frame: int) -> None:
        if stage == "track" and done == 1:
            shutil.rmtree(folder, ignore_errors=True)

    with pytest.raises(OutputError if gone == "work" else FootageError):
        Session(delete, lambda: False).export(wanted)
    assert not list(clip.room.glob("out/v*"))


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/a"), OutputError, "/a: The disk is full"),
        (OSError(errno.ENAMETOOLONG, "File name too long", "/a"), OutputError, "shorter"),
        (FileNotFoundError(errno.ENOENT, "No such file", "/a"), OutputError, "vanished"),
        (MemoryError(), EngineError, "memory"),
        (KeyError("a"), MatteError, "KeyError.*report"),
    ],
)
def test_what_nobody_foresaw_is_said_in_short(error: Exception, kind: type[MatteError], words: str) -> None:
    said = unexpected(error)
    assert type(said) is kind
    assert re.search(words, str(said))
    assert "\n" not in str(said)


@pytest.mark.parametrize("output", ["x" * 300, "x/" * 2500], ids=["name", "path"])
def test_output_too_long(output: str, clip: Clip, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    marked = MatteObject("a", (Prompt(1, (Point(*clip.subject),)),))
    (tmp_path / "job.json").write_text(Job(clip.take(2), (marked,), output=str(tmp_path / output)).to_json())
    assert main(["run", str(tmp_path / "job.json")]) == ExitCode.OUTPUT
    said = capsys.readouterr().err
    assert "shorter" in said
    assert said.count("\n") == 1


def test_exchange_is_both_or_nothing(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    (one / "a").touch()
    if exchange(one, other):
        assert (other / "a").exists()
        assert not (one / "a").exists()
    assert not exchange(one, tmp_path / "nowhere")
    assert one.is_dir()
