"""Finding the footage at a path: which files, in which order, with warnings for the user."""

from __future__ import annotations

import itertools
import os
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from ...contract.errors import FootageError
from ...contract.exr_layers import read_layers, shown_layer
from ...contract.job_types import Footage
from ...contract.layout import version_document, version_number
from . import images, movie
from .camera_files import is_raw
from .images import read_header
from .movie import Movie

_MANY = 10  # number of warnings of one kind that are listed
_FRACTION = re.compile(r"(?<=\d)\.(\d+)$")
_TIME = re.compile(r"\d{8}|\d{4}-\d\d-\d\d")  # a date, a time since 1970, or what no sequence counts up to
_NUMBER = re.compile(r"(?P<head>.*?)(?P<number>\d+)(?P<tail>\D*)", re.DOTALL)

# Names that cameras, phones, drones, messengers and players give to pictures before their number or date, and the
# endings that they add: for motion photos, portraits, exposures, lenses of a drone, copies.
_MAKERS = re.compile(
    "burst|cimg|dji|dscf?|dscn|gopr|g[px]|hpim|img|imgp|mg|mvi|mvimg|p|pano|photo|pict|pxl|r|sam|screenshot|signal|"
    "telegram|vlcsnap|whatsapp|wp"
)
_KINDS = re.compile(
    "am|at|b|bokeh|bracketed|burst|copy|cover|d|dng|e|edit|edited|enhanced|hdr|hhht|image|img|jpe?g|lr|macro|mp|n|night|"
    "original|pano|photo|pm|portrait|s|t|timestamp|tourist|v|w|wa|wide|z|zoom"
)
# Folders that COLMAP, nerfstudio, Brush, LichtFeld Studio and file managers put beside images.
_COMPANIONS = {
    **dict.fromkeys(("mask", "masks", "segmentation", "dynamic_masks"), "it holds masks"),
    **dict.fromkeys(("thumbnail", "thumbnails", "thumbs", "preview", "previews", "@eadir"), "it holds small copies"),
    **dict.fromkeys(("depth", "depths", "normal", "normals"), "it holds depth or normals"),
}
_AVIF = "Convert it to PNG, by ImageMagick (magick photo.avif photo.png) or a photo program."


def scan(path: Path, layer: str = "") -> tuple[Footage, list[str]]:
    """The footage at a path, and warnings for the user. `layer` is Footage.layer.

    A movie file is a movie. An image stands for its whole sequence: the images beside it with the same suffix and the
    same name except for its last number; or, if a camera named it, all photos beside it that a camera named. A folder
    stands for

    - its photos in natural order, if a camera, phone, drone or messenger named all of them, or if most of them are not
      part of a sequence;
    - or the only sequence in it, without single images beside it;
    - or, if it has no images, the only movie in it;
    - or, if it has neither, the images in the folders below it, one folder after the other, as from several cameras.
      Folders that other programs put beside images (masks, thumbnails, smaller copies), and results of this program,
      are left out.

    Anything else is an error that asks the user. Warnings list gaps in the numbers and the files that were left out.

    Raises:
        FootageError: there is no usable footage or more than one sequence, or the first image can't be read.
    """
    path = Path(os.path.abspath(path))  # noqa: PTH100 (resolve() would follow links out of the folder)
    try:
        return _scan(path, layer)
    except OSError as error:
        raise FootageError(f"This file can't be read: {error.strerror}.", where=str(error.filename or path)) from None


def _scan(path: Path, layer: str) -> tuple[Footage, list[str]]:
    """Like `scan`. Raises FootageError, or OSError if a file or folder disappears meanwhile."""
    if path.is_dir():
        files, warnings = _scan_folder(path)
    elif path.suffix.lower() in movie.SUFFIXES:
        files, warnings = [path], []
    elif path.suffix.lower() in images.SUFFIXES:
        files, warnings = _scan_sequence(path)
    else:
        if path.exists():
            _refuse_unread([path], path)
        raise FootageError(
            "This is not footage." if path.exists() else "There is no such file or folder.",
            where=str(path),
            hint="Name a folder of images, one of them, or a movie.",
        )
    for file in files:
        _check_name(file)
    if files[0].suffix.lower() in movie.SUFFIXES:
        if layer:
            raise FootageError(f"A movie has no layer {layer!r}.", where=str(files[0]), hint="Leave it out.")
        opened = Movie(files[0])
        if opened.missing:
            warnings.append(
                f"{files[0].name} says that it has {len(opened) + opened.missing} frames, but only {len(opened)} are "
                "there: it is cut short or damaged. Copy or export it again."
            )
        if not opened.has_constant_rate:
            warnings.append(
                f"{files[0].name} has a variable frame rate: its frames are numbered as Blender does it, at "
                f"{float(opened.frame_rate or 0):g} a second, so some pictures come twice."
            )
        if opened.other_tracks:
            warnings.append(
                f"{files[0].name} has {opened.other_tracks + 1} tracks of pictures; the main one is taken, of "
                f"{opened.width} x {opened.height} pixels."
            )
        return Footage((str(files[0]),), opened.width, opened.height, len(opened), movie=True), warnings
    header = read_header(files[0], layer)
    warnings += [] if layer else _layers(files[0])
    return Footage(tuple(map(str, files)), header.width, header.height, len(files), layer=layer), warnings


def _layers(file: Path) -> list[str]:
    """A warning that says which of several EXR layers is used, if none was chosen."""
    layers = read_layers(file)
    shown = shown_layer(layers)
    if shown is None or (len(layers) == 1 and not shown.name):
        return []
    what = shown.name or "the picture without a layer's name"
    others = [layer.name for layer in layers if layer != shown and layer.name]
    there = f" There are {', '.join(others[:_MANY])} too: --layer." if others else ""
    return [f"Of {file.name}, {what} is taken, as Blender shows it.{there}"]


def _check_name(file: Path) -> None:
    """Check that a file's name is valid text in the system's encoding. Raises FootageError."""
    try:
        str(file).encode()
    except UnicodeEncodeError:
        raise FootageError(
            "The name of this file is not valid Unicode.",
            where=ascii(str(file)),
            hint="Rename it: convmv -f latin1 -t utf8 does it for many, or give it another name by hand.",
        ) from None


def join(scanned: Sequence[tuple[Footage, list[str]]]) -> tuple[Footage, list[str]]:
    """Join the footage of several cameras, and all warnings. Raises FootageError if one of them is a movie."""
    parts = [footage for footage, _ in scanned]
    if len(parts) == 1:
        return scanned[0]
    for part in parts:
        if part.movie:
            raise FootageError(
                "A movie can't be joined with other footage.",
                where=part.files[0],
                hint="Name folders of images, or only this.",
            )
    files = [file for part in parts for file in part.files]
    warnings = [warning for _, warnings in scanned for warning in warnings]
    return Footage(tuple(files), parts[0].width, parts[0].height, len(files), layer=parts[0].layer), warnings


def _scan_folder(folder: Path) -> tuple[list[Path], list[str]]:
    found = _look_into(folder, [os.path.realpath(folder)])
    if found is None:
        raise FootageError(
            "There are no images in this folder.",
            where=str(folder),
            hint="Choose a folder of JPEG, PNG, TIFF, EXR or WebP.",
        )
    return found


def _look_into(folder: Path, visited: list[str]) -> tuple[list[Path], list[str]] | None:
    """The files and warnings of a folder or of those below it; None if there are none.

    visited: real paths of the folders that were searched; the first is the one that was asked for. Each folder is
        searched once. Links to folders below the first one are not followed, as these are searched anyway.
    """
    entries = sorted((entry for entry in folder.iterdir() if not entry.name.startswith(".")), key=natural)
    files = [entry for entry in entries if entry.is_file()]
    pictures = [file for file in files if file.suffix.lower() in images.SUFFIXES]
    movies = [file for file in files if file.suffix.lower() in movie.SUFFIXES]
    if not pictures:
        _refuse_unread(files, folder)
    if pictures:
        _ask_live_photo(pictures, movies, folder)
        chosen, warnings = _choose(folder, _without_developed(pictures))
    elif len(movies) == 1:
        chosen, warnings = movies, []
    elif movies:
        raise FootageError(
            f"There are several movies: {movies[0].name}, {movies[1].name}.",
            where=str(folder),
            hint="Name one of them.",
        )
    else:
        return _look_below(folder, [entry for entry in entries if entry.is_dir()], visited)
    taken = set(chosen)
    left = [file.name for file in files if file not in taken]
    return chosen, warnings + _some([f"{name} was passed over." for name in left], "files were passed over")


def _look_below(folder: Path, folders: list[Path], visited: list[str]) -> tuple[list[Path], list[str]] | None:
    names = {below.name.casefold() for below in folders}
    chosen: list[Path] = []
    warnings: list[str] = []
    left: list[str] = []
    for below in folders:
        real = os.path.realpath(below)
        inside = Path(real).is_relative_to(visited[0]) and below.is_symlink()
        if inside or real in visited:
            left.append(f"{below.name} was passed over: it is a link to a folder that is looked into anyway.")
            continue
        if reason := _companion(below, names):
            left.append(f"{below.name} was passed over: {reason}.")
            continue
        visited.append(real)
        if found := _look_into(below, visited):
            chosen += found[0]
            warnings += found[1]
    if not chosen:
        return None
    if any(file.suffix.lower() in movie.SUFFIXES for file in chosen):
        raise FootageError(
            "There are movies in the folders below this one.", where=str(folder), hint="Name one of them."
        )
    return chosen, warnings + _some(left, "folders were passed over")


def _companion(folder: Path, beside: set[str]) -> str:
    """Why a folder does not contain a camera's images; empty if it may.

    beside: casefolded names of the folders beside it.
    """
    name = folder.name.casefold()
    if name.endswith("_matte") or (version_number(name) is not None and version_document(folder).is_file()):
        return "it holds mattes that were made here"
    if reason := _COMPANIONS.get(name):
        return reason
    smaller = re.fullmatch(r"(.+)_\d+", name)
    if smaller and smaller[1] == "images" and "images" in beside:
        return "it holds smaller copies of images"
    return ""


def _choose(folder: Path, pictures: list[Path]) -> tuple[list[Path], list[str]]:
    """Choose the footage among a folder's images, which are in natural order. Also returns warnings about gaps."""
    pictures = in_order(pictures)
    groups: dict[tuple[str, str, str], list[Path]] = defaultdict(list)
    for picture in pictures:
        groups[_series(picture)].append(picture)
    sequences = [group for group in groups.values() if len(group) > 1]
    names = {picture.stem.casefold() for picture in pictures}
    if len(groups) > 1 and len(names) == len(pictures):
        if not sequences or all(is_camera_name(picture.stem) for picture in pictures):
            return pictures, []
        if len(sequences) == 1 and len(pictures) > 2 * len(sequences[0]):
            return pictures, [
                "Most images have names of their own, so all are taken as photos, in order of their names."
            ]
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
    group = _photos if is_camera_name(path.stem) else _series
    wanted = group(path)
    files = in_order([other for other in path.parent.iterdir() if other.is_file() and group(other) == wanted])
    return files, _gaps(files)


def _refuse_unread(files: list[Path], where: Path) -> None:
    """Raise FootageError if there are pictures in an unsupported format, which the user probably meant."""
    for file in files:
        if file.suffix.lower() == ".avif":
            raise FootageError(f"{file.name} is an AVIF picture, which can't be read.", where=str(where), hint=_AVIF)


def _ask_live_photo(pictures: list[Path], movies: list[Path], folder: Path) -> None:
    """Raise FootageError if there is only one picture and a movie of the same name, as phones make them."""
    twins = [movie_file for movie_file in movies if movie_file.stem.casefold() == pictures[0].stem.casefold()]
    if len(pictures) == 1 and twins:
        raise FootageError(
            f"{pictures[0].name} and {twins[0].name} are a photo and its moving part (a Live Photo).",
            where=str(folder),
            hint="Name the one that you mean.",
        )


def _without_developed(pictures: list[Path]) -> list[Path]:
    """The pictures without RAW files that have another picture of the same name beside them."""
    developed = {picture.stem.casefold() for picture in pictures if not is_raw(picture)}
    return [picture for picture in pictures if not (is_raw(picture) and picture.stem.casefold() in developed)]


def is_camera_name(stem: str) -> bool:
    """Whether a camera, phone, drone or messenger made this base name, so that its number is not a frame number.

    Examples: IMG_0001, _DSC0001, 20260101_120000(0), PXL_20260101_120000000.MP, DJI_20260101120000_0001_V,
    IMG-20260101-WA0001, WhatsApp Image 2026-01-01 at 12.00.00 (1), IMG_0001~2, or digits alone.
    """
    words = [word for word in re.split(r"[\W\d_]+", stem.casefold()) if word]
    if not words:
        return True
    dated = stem[0].isdigit() and re.search(r"\d{6}", stem) is not None
    named = dated or _MAKERS.fullmatch(words.pop(0)) is not None
    return named and any(map(str.isdigit, stem)) and all(map(_KINDS.fullmatch, words))


def _photos(path: Path) -> tuple[str, str, str]:
    """The key that is equal for photos that belong together: they were named by a camera and have the same suffix."""
    if not is_camera_name(path.stem):
        return path.stem, "", path.suffix.lower()
    return "#", re.match(r"_?([^\W\d_]*)", path.stem.casefold())[1], path.suffix.lower()  # type: ignore[index]


def in_order(paths: list[Path]) -> list[Path]:
    """Sort paths in natural order. Digits after a point are decimals unless they are padded counters: 12.05, 12.1."""
    fractions = [match[1] for path in paths if (match := _FRACTION.search(path.stem))]
    shortest = min(map(len, fractions), default=0)
    if not any(len(fraction) > shortest and fraction.startswith("0") for fraction in fractions):
        return sorted(paths, key=natural)

    def by_value(path: Path) -> tuple[list[tuple[float, str]], str]:
        match = _FRACTION.search(path.stem)
        parts, name = natural(path if match is None else path.with_name(path.stem[: match.start()] + path.suffix))
        value = 0.0 if match is None else float(f"0.{match[1]}")
        # the number before the point and its fraction are one value
        at = len(parts) - 2
        whole = [(part + value if i == at and not text else part, text) for i, (part, text) in enumerate(parts)]
        return whole, path.name if match else name

    return sorted(paths, key=by_value)


def _series(path: Path) -> tuple[str, str, str]:
    """The key that is equal for files of one sequence: the name before the number, the name after it, the suffix."""
    match = _NUMBER.fullmatch(path.stem)
    if match is None:
        return path.stem, "", path.suffix.lower()
    # the mark makes `shot.png` differ from `shot1.png`
    return f"{match['head']}#", match["tail"], path.suffix.lower()


def _number(path: Path) -> int | None:
    match = _NUMBER.fullmatch(path.stem)
    return None if match is None else int(match["number"])


def _gaps(files: list[Path]) -> list[str]:
    """Warnings about numbers that are missing in a sorted sequence."""
    warnings = []
    if any(_TIME.search(file.stem) or (is_camera_name(file.stem) and _FRACTION.search(file.stem)) for file in files):
        return []  # the numbers are not frame numbers
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
    """The first _MANY of the warnings, and how many there are more."""
    more = len(warnings) - _MANY
    return warnings[:_MANY] + ([f"There are {more} more {what}."] if more > 0 else [])


def _span(files: list[Path]) -> str:
    return files[0].name if len(files) == 1 else f"{files[0].name} to {files[-1].name}"


def natural(path: Path) -> tuple[list[tuple[int, str]], str]:
    """A sort key by which numbers in names are sorted by value: 9 before 10."""
    return by_value(path.name.casefold()), path.name


def by_value(text: str) -> list[tuple[int, str]]:
    """A sort key by which runs of digits are sorted by value, and what is between them as text."""
    parts = re.split(r"(\d+)", text)
    return [(int(part), "") if i % 2 else (0, part) for i, part in enumerate(parts)]
