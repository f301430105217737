"""Cleans a splat's file with the mattes of a version: counts what would go, or writes a new file beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ...contract.disk import free_name
from ...contract.errors import JobError
from ..review.cameras import read_poses
from .clean import judge
from .splat_file import read_splat
from .version_mattes import VersionMattes


@dataclass(frozen=True, slots=True)
class Cleaned:
    """The result of cleaning.

    gaussians: number of Gaussians of the splat.
    outside, floaters: how many of them are what (see clean.Verdict).
    removed: number of Gaussians that are removed.
    cameras: number of cameras used.
    file: the new file with the remaining Gaussians; None: they were only counted.
    """

    gaussians: int
    outside: int
    floaters: int
    removed: int
    cameras: int
    file: Path | None


def clean_file(
    splat: Path,
    poses: Path,
    version: VersionMattes,
    *,
    views: int,
    remove_floaters: bool,
    write: bool,
    output: Path | None = None,
    on_frame: Callable[[int, int, int], None] = lambda done, total, frame: None,
) -> Cleaned:
    """Classify a splat's Gaussians by mattes, and write those that remain.

    Args:
        splat: a trainer's PLY. It is never changed.
        poses: the poses of the training, in a format that cameras.read_poses reads.
        version: the mattes.
        views: how many cameras must see a Gaussian outside.
        remove_floaters: also remove Gaussians that only some cameras see on the subject.
        write: write the new file; False: only count.
        output: the new file, which must not exist; None: SPLAT_clean.ply beside the splat, or the next free name.
        on_frame: called for each frame with (frames done, total, clip frame); an exception from it ends the work.

    Raises:
        JobError: splat, poses or `views` are unusable, or every Gaussian would be removed.
        OutputError: a matte is damaged, or the file can't be written.
    """
    if views < 1:
        raise JobError(f"{views} is not a number of cameras.", where="views", hint="Give at least 1.")
    cameras = read_poses(poses, version.job.footage)
    read = read_splat(splat)
    verdict = judge(read.places, cameras, version.frames(), version.matte, views, on_frame)
    removed = verdict.outside | verdict.floaters if remove_floaters else verdict.outside
    if removed.all():
        raise JobError(
            "Every Gaussian lies outside the mattes.",
            where=str(splat),
            hint="Splat and poses have different coordinate systems: name the poses that it was trained with.",
        )
    file = (output or free_name(splat.with_name(f"{splat.stem}_clean.ply"))) if write else None
    if file is not None:
        read.write(file, ~removed)
    outside, floaters, gone = (int(chosen.sum()) for chosen in (verdict.outside, verdict.floaters, removed))
    return Cleaned(len(removed), outside, floaters, gone, verdict.cameras, file)
