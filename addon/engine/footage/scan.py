"""What a path means as footage: which files, in which order, and what a person should know about them."""

from __future__ import annotations

import itertools
import os
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from ...contract.errors import FootageError
from ...contract.job_types import Footage
from ...contract.layout import CAMERA_BASE
from . import images, movie
from .images import read_header
from .movie import Movie

_MANY = 10  # warnings of one kind that are spelled out
_NUMBER = re.compile(r"(?P<head>.*?)(?P<number>\d+)(?P<tail>\D*)", re.DOTALL)


def scan(path: Path) -> tuple[Footage, list[str]]:
    """The footage that a path means, and warnings for a person.

    A movie file is a movie. An image is its whole sequence: the images beside it with the same name but for the last
    number in it, and the same extension. A folder is

    - the one sequence in it; single images beside it are passed over;
    - or a set of photos, in natural order: images without a sequence among them, or all of them named by digits only
      or as cameras do (`IMG_0001`, `PXL_20260101_120000`), no two with the same base name;
    - or, without images, the one movie in it;
    - or, without either, what is in the folders below it, one after the other: those of several cameras.

    Anything else is a question back. Warnings say what is missing in the numbering and what was passed over.

    Raises:
        FootageError: nothing usable, more than one sequence, or an unreadable first image.
    """
    path = Path(os.path.abspath(path))  # noqa: PTH100 (resolve() would follow links out of the folder)
    try:
        if path.is_dir():
            files, warnings = _scan_folder(path)
        elif path.suffix.lower() in movie.SUFFIXES:
            files, warnings = [path], []
        elif path.suffix.lower() in images.SUFFIXES:
            files, warnings = _scan_sequence(path)
        else:
            raise FootageError(
                "This is not footage." if path.exists() else "There is no such file or folder.",
                where=str(path),
                hint="Name a folder of images, one of them, or a movie.",
            )
    except OSError as error:
        raise FootageError(f"It can't be read: {error.strerror}.", where=str(path)) from None
    if files[0].suffix.lower() in movie.SUFFIXES:
        opened = Movie(files[0])
        if opened.missing:
            warnings.append(
                f"{files[0].name} says that it has {len(opened) + opened.missing} frames, but only {len(opened)} are "
                "there: it is cut short or damaged. Copy or export it again."
            )
        if not opened.has_constant_rate:
            warnings.append(
                f"{files[0].name} has a variable frame rate; every frame of the file counts, so the numbers may differ "
                "from the clip editor's. Convert it to a constant rate or to an image sequence."
            )
        return Footage((str(files[0]),), opened.width, opened.height, len(opened), movie=True), warnings
    header = read_header(files[0])
    return Footage(tuple(map(str, files)), header.width, header.height, len(files)), warnings


def join(scanned: Sequence[tuple[Footage, list[str]]]) -> tuple[Footage, list[str]]:
    """The footage of several cameras, one after the other, and all warnings. Raises FootageError if one is a movie."""
    parts = [footage for footage, _ in scanned]
    if len(parts) == 1:
        return scanned[0]
    for each in parts:
        if each.movie:
            raise FootageError(
                "A movie can't be one of several.", where=each.files[0], hint="Name folders of images, or only this."
            )
    files = [file for each in parts for file in each.files]
    warnings = [warning for _, warnings in scanned for warning in warnings]
    return Footage(tuple(files), parts[0].width, parts[0].height, len(files)), warnings


def _scan_folder(folder: Path) -> tuple[list[Path], list[str]]:
    entries = sorted((each for each in folder.iterdir() if not each.name.startswith(".")), key=natural)
    folders = [each for each in entries if each.is_dir() and not each.name.endswith("_matte")]
    entries = [each for each in entries if each.is_file()]
    pictures = [each for each in entries if each.suffix.lower() in images.SUFFIXES]
    movies = [each for each in entries if each.suffix.lower() in movie.SUFFIXES]
    if pictures:
        files, warnings = _choose(folder, pictures)
    elif len(movies) == 1:
        files, warnings = movies, []
    elif movies:
        raise FootageError(
            f"There are several movies: {movies[0].name}, {movies[1].name}.",
            where=str(folder),
            hint="Name one of them.",
        )
    elif below := [each for each in folders if _has_footage(each)]:
        found = [_scan_folder(each) for each in below]
        files = [file for part, _ in found for file in part]
        if any(file.suffix.lower() in movie.SUFFIXES for file in files):
            raise FootageError("There are movies below it.", where=str(folder), hint="Name one of them.")
        return files, [warning for _, warnings in found for warning in warnings]
    else:
        raise FootageError(
            "There are no images in it.", where=str(folder), hint="Choose a folder of JPEG, PNG, TIFF, EXR or WebP."
        )
    chosen = set(files)
    left = [each.name for each in entries if each not in chosen]
    return files, warnings + _some([f"{name} was passed over." for name in left], "files were passed over")


def _has_footage(folder: Path) -> bool:
    """Whether there is any in it, or below it."""
    entries = [each for each in folder.iterdir() if not each.name.startswith(".")]
    suffixes = images.SUFFIXES | movie.SUFFIXES
    return any(each.suffix.lower() in suffixes for each in entries if each.is_file()) or any(
        _has_footage(each) for each in entries if each.is_dir() and not each.name.endswith("_matte")
    )


def _choose(folder: Path, pictures: list[Path]) -> tuple[list[Path], list[str]]:
    """Of a folder's images in natural order, the footage and warnings about gaps."""
    groups: dict[tuple[str, str, str], list[Path]] = defaultdict(list)
    for each in pictures:
        groups[_series(each)].append(each)
    sequences = [group for group in groups.values() if len(group) > 1]
    names = {each.stem.casefold() for each in pictures}
    if len(groups) > 1 and len(names) == len(pictures):
        by_camera = all(CAMERA_BASE.fullmatch(re.sub(r"\d", "", each.stem)) for each in pictures)
        if by_camera or not sequences:
            return pictures, []
    if len(sequences) == 1:
        return sequences[0], _gaps(sequences[0])
    if not sequences and len(pictures) == 1:
        return pictures, []
    first, second = (sequences or list(groups.values()))[:2]
    raise FootageError(
        f"There is more than one sequence: {_span(first)} and {_span(second)}.",
        where=str(folder),
        hint="Name one image of the sequence you mean.",
    )


def _scan_sequence(path: Path) -> tuple[list[Path], list[str]]:
    if not path.is_file():
        raise FootageError("There is no such file.", where=str(path))
    series = _series(path)
    files = sorted((each for each in path.parent.iterdir() if each.is_file() and _series(each) == series), key=natural)
    return files, _gaps(files)


def _series(path: Path) -> tuple[str, str, str]:
    """What the files of one sequence have in common: name before the number, after it, extension."""
    match = _NUMBER.fullmatch(path.stem)
    if match is None:
        return path.stem, "", path.suffix.lower()
    # the mark tells `shot.png` from `shot1.png`
    return f"{match['head']}#", match["tail"], path.suffix.lower()


def _number(path: Path) -> int | None:
    match = _NUMBER.fullmatch(path.stem)
    return None if match is None else int(match["number"])


def _gaps(files: list[Path]) -> list[str]:
    """What is missing in the numbering of a sequence in order."""
    warnings = []
    for one, two in itertools.pairwise(files):
        before, after = _number(one) or 0, _number(two) or 0
        between = f"missing between {one.name} and {two.name}."
        if after - before == 2:
            warnings.append(f"Frame {before + 1} is {between}")
        elif after - before > 2:
            warnings.append(f"Frames {before + 1} to {after - 1} are {between}")
        elif after == before:
            warnings.append(f"{one.name} and {two.name} have the same number; both are used.")
    return _some(warnings, "gaps in the numbering")


def _some(warnings: list[str], what: str) -> list[str]:
    """The first of many."""
    more = len(warnings) - _MANY
    return warnings[:_MANY] + ([f"There are {more} more {what}."] if more > 0 else [])


def _span(files: list[Path]) -> str:
    return files[0].name if len(files) == 1 else f"{files[0].name} to {files[-1].name}"


def natural(path: Path) -> tuple[list[tuple[int, str]], str]:
    """Sorts numbers in names by value: 9 before 10."""
    parts = re.split(r"(\d+)", path.name.casefold())
    return [(int(part), "") if i % 2 else (0, part) for i, part in enumerate(parts)], path.name
