"""A splat's file, cleaned by the mattes of a version: counted first, or written beside it."""

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
    """How many Gaussians a splat has, how many of them are what, and which file has the rest.

    gaussians: of the splat; outside, floaters: of these, as clean.Verdict has them; removed: those that go.
    cameras: how many were asked.
    file: with those that stay; None: they were only counted.
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
    """Hold a splat against mattes, and write what stays.

    Args:
        splat: a trainer's PLY. It is never changed.
        poses: that it was trained with, as cameras.read_poses takes them.
        views: cameras that have to see a Gaussian outside.
        remove_floaters: also what some cameras see on the subject.
        write: otherwise nothing is written.
        output: the new file, which must not be there; None: SPLAT_clean.ply beside it, or the next free name.
        on_frame: told of each frame: how many are done, of how many, which clip frame; what it raises ends the work.

    Raises:
        JobError: splat, poses or `views` don't do; every Gaussian would go.
        OutputError: a matte is damaged, or the file can't be written.
    """
    if views < 1:
        raise JobError(f"{views} cameras can't see anything.", where="views", hint="Give at least 1.")
    cameras = read_poses(poses, version.job.footage)
    read = read_splat(splat)
    verdict = judge(read.places, cameras, version.frames(), version.matte, views, on_frame)
    removed = verdict.outside | verdict.floaters if remove_floaters else verdict.outside
    if removed.all():
        raise JobError(
            "Every Gaussian lies outside the mattes.",
            where=str(splat),
            hint="The splat's world is not that of the poses: name the poses that it was trained with.",
        )
    file = (output or free_name(splat.with_name(f"{splat.stem}_clean.ply"))) if write else None
    if file is not None:
        read.write(file, ~removed)
    outside, floaters, gone = (int(chosen.sum()) for chosen in (verdict.outside, verdict.floaters, removed))
    return Cleaned(len(removed), outside, floaters, gone, verdict.cameras, file)
