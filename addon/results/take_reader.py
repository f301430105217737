"""Readers of the matte store for Blender: one frame of one object, oriented like the plate in the clip editor.

Uses the numpy that comes with Blender, but neither bpy nor torch. contract/layout.py describes the files.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..contract.boundary import read_or
from ..contract.job_types import Held, Prompt
from ..contract.layout import TAKE_FILE, frames_in, mattes_folder, version_document, version_number

Pixel = TypeVar("Pixel", bound=np.generic)


def read_logits(file: Path) -> NDArray[np.float32] | None:
    """A matte's logits, float32 (h, w), above 0 inside the subject, upright with row 0 at the top.

    None if the file does not exist or is damaged.
    """

    def read() -> NDArray[np.float32] | None:
        with np.load(file, allow_pickle=False) as data:
            return np.asarray(data["logits"], np.float32)

    return read_or(None, read)


def read_preview(file: Path) -> dict[str, NDArray[np.float32]]:
    """The mattes of a preview by object name, in the form of `read_logits`; empty if there is none."""

    def read() -> dict[str, NDArray[np.float32]]:
        with np.load(file, allow_pickle=False) as data:
            return {
                str(name): logits.astype(np.float32) for name, logits in zip(data["names"], data["logits"], strict=True)
            }

    return read_or({}, read)


def read_finished(file: Path) -> dict[str, NDArray[np.uint8]]:
    """Finished mattes by object name, and the STATIC_AREA, uint8 (h, w), upright; empty if there are none."""

    def read() -> dict[str, NDArray[np.uint8]]:
        with np.load(file, allow_pickle=False) as data:
            return {str(name): alpha for name, alpha in zip(data["names"], data["alpha"], strict=True)}

    return read_or({}, read)


def tracked_frames(take: str) -> set[int]:
    """The clip frames that have a matte in a take. The folder is listed again only after it changed."""
    folder = mattes_folder(Path(take))
    try:
        return _frames_in(folder, folder.stat().st_mtime_ns) if take else set()
    except OSError:
        return set()


@functools.lru_cache(maxsize=64)
def _frames_in(folder: Path, changed: int) -> set[int]:
    return set(frames_in(folder, ".npz"))


def exported_frames(matte_folder: Path) -> set[int]:
    """The clip frames of the latest version. The folder is listed again only after it changed."""
    try:
        return _exported(matte_folder, matte_folder.stat().st_mtime_ns)
    except OSError:
        return set()


@functools.lru_cache(maxsize=8)
def _exported(matte_folder: Path, changed: int) -> set[int]:
    version = latest_version(matte_folder)
    if version is None:
        return set()
    return read_or(set(), lambda: {int(frame) for frame in report_of(version)["export"]["made_from"]})


def report_of(version: Path) -> dict[str, Any]:
    """The report in a version's vNNN.json. Raises OSError, ValueError or KeyError if it is damaged."""
    report: dict[str, Any] = json.loads(version_document(version).read_text(encoding="utf-8"))["report"]
    return report


def latest_version(matte_folder: Path) -> Path | None:
    """The folder of the latest version; None if there is none."""
    folders = {version_number(path.name): path for path in matte_folder.glob("v[0-9]*") if path.is_dir()}
    numbers = [number for number in folders if number is not None]
    return folders[max(numbers)] if numbers else None


def is_made_from(take: Path, prompts: tuple[Prompt, ...], held: tuple[Held, ...] = ()) -> bool:
    """Whether a take was tracked from exactly these prompts, and all frames that it holds are still held.

    False if they have changed since. Frames that are held since then keep its mattes, which makes it no older.
    """
    file = take / TAKE_FILE
    return read_or(False, lambda: _is_made_from(file, file.stat().st_mtime_ns, prompts, held))


@functools.lru_cache(maxsize=64)
def _is_made_from(file: Path, changed: int, prompts: tuple[Prompt, ...], held: tuple[Held, ...]) -> bool:
    """Cached until the file, the prompts or the held frames change, as most redraws change none of them."""
    facts = json.loads(file.read_text(encoding="utf-8"))
    now = [dataclasses.asdict(run) for run in held]
    same = facts["prompts"] == json.loads(json.dumps([dataclasses.asdict(prompt) for prompt in prompts]))
    return bool(same and all(run in now for run in facts.get("held", ())))


def as_stored(pixels: NDArray[Pixel], orientation: int) -> NDArray[Pixel]:
    """Turn upright (h, w) pixels to the orientation of the stored file, which the clip editor shows."""
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels.T if orientation >= 5 else pixels)
