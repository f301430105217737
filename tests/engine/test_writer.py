"""Writing beside computing: the order stays, errors are told, nothing piles up; normalising gives upstream's bits."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sam2.utils.misc import load_video_frames

from addon.contract.errors import OutputError
from addon.engine.sam2.prompting import look_up, normalise
from addon.engine.sam2.transfer import on_host
from addon.engine.tracking.writer import _WAITING, Writer

CPU = torch.device("cpu")


def test_tasks_are_done_in_order_and_all_of_them() -> None:
    done: list[int] = []
    with Writer() as writer:
        for number in range(50):
            writer.do(lambda number=number: done.append(number))  # type: ignore[misc]
        writer.flush()
        assert done == list(range(50))
        writer.do(lambda: done.append(50))
    assert done == list(range(51))


def test_what_depends_on_a_failed_task_is_not_done() -> None:
    """The caller learns of the failure at its next call, and does not wait forever."""
    done: list[str] = []

    def fail() -> None:
        raise OutputError("The disk is full.")

    with pytest.raises(OutputError, match="full"), Writer() as writer:
        writer.do(fail)
        for _ in range(_WAITING + 5):
            writer.do(lambda: done.append("later"))
    with pytest.raises(OutputError, match="full"), Writer() as writer:
        writer.do(fail)
        writer.flush()
    with pytest.raises(OutputError, match="full"), Writer() as writer:
        writer.do(fail)
    assert not done


def test_an_error_of_the_one_who_computes_is_not_hidden_and_what_was_handed_over_is_done() -> None:
    done: list[str] = []
    with pytest.raises(ValueError, match="computing"), Writer() as writer:
        writer.do(lambda: done.append("written"))
        raise ValueError("computing")
    assert done == ["written"]


def test_only_so_much_waits_in_memory() -> None:
    go, handed = threading.Event(), threading.Semaphore(0)
    with Writer() as writer:

        def hand_over() -> None:
            for _ in range(_WAITING + 10):
                writer.do(go.wait)
                handed.release()

        other = threading.Thread(target=hand_over)
        other.start()
        for _ in range(_WAITING + 1):  # one is being done
            handed.acquire()
        assert writer._tasks.full()
        go.set()
        other.join()


def test_tensors_of_a_thread_in_inference_mode_can_be_read(tmp_path: Path) -> None:
    found = []
    with torch.inference_mode(), Writer() as writer:
        copied = on_host({"iou": torch.full((1,), 0.5) * 1})
        writer.do(lambda: found.append(float(copied()["iou"])))
    assert found == [0.5]


def test_normalised_as_upstream_does_it(clip) -> None:
    """To the last bit, looked up on the computer or where a GPU looks it up; memory lies in the same order."""
    pixels = np.random.default_rng(0).integers(0, 256, (37, 41, 3), np.uint8)
    pixels[:16, :16] = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)  # every value there is
    straight = torch.from_numpy(pixels / 255.0).permute(2, 0, 1).float()
    mean, std = (torch.tensor(values)[:, None, None] for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    straight = (straight - mean) / std
    for found in (normalise(pixels, CPU), look_up(torch.from_numpy(pixels)).permute(2, 0, 1)):
        assert torch.equal(found, straight)
        assert found.stride() == straight.stride()
    footage = clip.take(1)
    expected, _, _ = load_video_frames(str(Path(footage.files[0]).parent), 256, True, compute_device=CPU)
    with Image.open(footage.files[0]) as image:
        small = np.asarray(image.convert("RGB").resize((256, 256)))
    assert torch.equal(normalise(small, CPU), expected[0])
