"""Finds the files of an image sequence by Blender's own rules. Standard library only.

Blender counts up from the opened file, at the width of its number, until a file is missing. What an artist may not
expect, such as a gap or files before the first, is returned as warnings.

Source: BLI_path_sequence_decode (blenlib/intern/path_utils.cc), get_sequence_fname (blenkernel/intern/movieclip.cc).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ..contract.errors import FootageError

_LEVELS = 3  # how far above the .blend's folder moved footage is looked for
_MAX_NUMBER = 2**31 - 1  # Blender reads larger ones (a date and time, say) as plain text


@dataclass(frozen=True, slots=True)
class Pattern:
    """A numbered file name: `head`, a number of at least `digits` digits, `tail`. digits 0: not numbered."""

    folder: Path
    head: str
    number: int
    digits: int
    tail: str

    def file(self, number: int) -> Path:
        """Return the file with that number."""
        return self.folder / (f"{self.head}{number:0{self.digits}d}{self.tail}" if self.digits else self.head)

    def numbers(self, names: list[str]) -> list[int]:
        """Return the numbers of those `names` that match this pattern, ascending."""
        wanted = re.compile(re.escape(self.head) + r"(\d+)" + re.escape(self.tail))
        found = (match[1] for name in names if (match := wanted.fullmatch(name)))
        return sorted(
            {int(digits) for digits in found if self.file(int(digits)).name == f"{self.head}{digits}{self.tail}"}
        )


def pattern_of(path: Path) -> Pattern:
    """Return the pattern by which Blender counts on from `path`: the last group of digits before the extension."""
    # Non-greedy, so that the head leaves all the digits to the number.
    match = re.fullmatch(r"(.*?)(\d+)(\D*)", path.stem, re.DOTALL)
    if match is None or int(match[2]) > _MAX_NUMBER:
        return Pattern(path.parent, path.name, 0, 0, "")
    return Pattern(path.parent, match[1], int(match[2]), len(match[2]), match[3] + path.suffix)


def sequence_files(first: Path, offset: int, count: int) -> tuple[list[Path], list[str]]:
    """Return the files of clip frames 1, 2, ..., and warnings.

    Args:
        first: the file that was opened.
        offset: Blender's clip.frame_offset: number of files skipped at the start.
        count: Blender's clip.frame_duration.

    Raises:
        FootageError: a file that the clip needs is missing.
    """
    pattern = pattern_of(first)
    try:
        names = [path.name for path in pattern.folder.iterdir()]
    except OSError as error:
        raise FootageError(
            f"The footage folder can't be read: {error.strerror}.",
            where=str(pattern.folder),
            hint="Find the footage again: clip editor, Footage Settings, the file path.",
        ) from None
    if pattern.digits == 0:
        if not first.exists():
            raise _missing(first)
        return [first], []

    known = set(names)
    present = pattern.numbers(names)
    warnings = []
    start = pattern.number + offset
    files: list[Path] = []
    for number in range(start, start + count):
        file = pattern.file(number)
        # A directory listing may spell a name differently (letter case on Windows, Unicode composition on macOS).
        if file.name not in known and not file.exists():
            if offset > 0 and files and present[-1] < number:
                break  # before a reload, Blender adds as many frames at the end as the offset skips
            raise _missing(file, offset if not files else 0)
        files.append(file)

    last = start + len(files) - 1
    later = [number for number in present if number > last]
    if later and later[0] == last + 1:
        warnings.append(
            f"{_files(len(later))} from {pattern.file(later[0]).name} on came after the clip was opened: "
            "reload the clip to use them."
        )
    elif later:
        warnings.append(
            f"{pattern.file(last + 1).name} is missing, so the clip ends with frame {len(files)}: "
            f"{_files(len(later))} from {pattern.file(later[0]).name} on are not in it. "
            "Fill the gap and reload the clip."
        )
    earlier = [number for number in present if number < min(start, pattern.number)]
    if earlier:
        warnings.append(
            f"The clip starts with {pattern.file(pattern.number).name}: {_files(len(earlier))} before it "
            f"({pattern.file(earlier[0]).name} is the first) are not in it."
        )
    return files, warnings


def find_moved(lost: Path, blend: Path | None, folder: Path | None) -> Path | None:
    """Return the present path of a file that was moved, itself or with its folders; unchanged if it still exists.

    Args:
        lost: its former path.
        blend: the folder of the .blend file: files that moved together with it have kept their relative path.
        folder: another folder to search, with its subfolders.
    """
    if lost.is_file():
        return lost
    parts = lost.parts[1:]
    for start in [blend, *list(blend.parents)[:_LEVELS]] if blend else []:
        for i in range(len(parts)):
            if (near := start.joinpath(*parts[i:])).is_file():
                return near
    if folder is None:
        return None
    return next((path for path in sorted(folder.rglob(lost.name)) if path.is_file()), None)


def _missing(file: Path, offset: int = 0) -> FootageError:
    if offset:
        return FootageError(
            f"The clip's frame offset of {offset} asks for this file, and it is not there.",
            where=str(file),
            hint="Set the offset to 0 in the clip editor's Footage Settings.",
        )
    return FootageError(
        "This file of the clip is missing.", where=str(file), hint="Put it back, or reload the clip without it."
    )


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"
