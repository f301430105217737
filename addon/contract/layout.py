"""What lies where on disk: every path and file format that both processes know, or two of the engine's, said once.

    <matte folder>/v001/                   a version: only images, named as the footage
    <matte folder>/v001.json               its Job and report
    <matte folder>/work/                   deleting it loses nothing that the Job can't remake
        objects/<object>-<key>/            a take: what was tracked of one object under one key
            object.json                    TAKE_FILE: what the key stands for: `name`, `prompts` and more
            matte/000012.npz               of clip frame 12: `logits` float16 (h, w), above 0 is subject, squashed from
                                           the plate's aspect to the model's square; `iou`, `object_score`: float32
            suspects.json                  suspects.py
        automatic/<key>/                   what was found without a click
            found.json                     FOUND_FILE, written last: of each thing's name its take's folder, inside here
            index/000012.json              of clip frame 12, all parts: PARTS_KEY, a list of `id`, `area` and
                                           `segmentation` (COCO RLE); `frame`, `key`, `size` (h, w); `crc32`
        features/<key>/000012.pt           the engine's own: feature_cache.py
        cameras.json                       the clip's cameras, as a transforms.json
        preview-<pid>.npz ...              answers: read by who asked for them alone, overwritten by the next

Answers, of one clip frame unless said:

- preview: `names` (n,) str; `logits` (n, h, w) float16 as in a take. n is 0 if nothing can be said of the frame.
- finished: `names` (n,) str; `alpha` (n, h, w) uint8, upright. Objects without a matte are not among them.
- outlines: JSON, of several frames: by object, `frames` that have a matte, and `paths`: of each path one curve a frame,
  closed, of (x, y) in upright pixels of the plate.
- suggestions, found: JSON: `frame`; `masks`, the largest first, of each `number`, `area` and `paths`, closed outlines
  of (x, y) in upright pixels of the plate that fill by even-odd.

Standard library only; both processes import it.
"""

from __future__ import annotations

import ntpath
import re
from pathlib import Path, PureWindowsPath

from .job_types import Footage

TAKE_FILE = "object.json"
FOUND_FILE = "found.json"
PARTS_KEY = "segments"

# What cameras and phones call a frame, before its number: IMG_0001, _DSC0001, P1000001, PXL_20260101_120000000.
CAMERA_BASE = re.compile(r"_?(?:img|dsc|dscf|dscn|dji|gopr|gx|pxl|mvi|p|r|mg)?[-_. \d]*", re.IGNORECASE)

_VERSION = re.compile(r"v(\d{3,})")


def default_matte_folder(footage: Footage) -> Path:
    """`<name>_matte` beside the footage.

    `<name>` is the sequence's base name, or its folder's where the base says nothing: only digits, or a camera's
    (`IMG_0001.JPG`, `DSC_0001.NEF`), or the folder's above several. A movie's is its file name.
    """
    first = Path(footage.files[0])
    if footage.movie:
        return first.with_name(f"{first.stem}_matte")
    root = footage.root
    if root != first.parent:
        return root / f"{root.name or 'footage'}_matte"
    base = re.sub(r"\d+$", "", first.stem)
    if CAMERA_BASE.fullmatch(base):
        return first.with_name(f"{first.parent.name or 'footage'}_matte")
    return first.with_name(f"{base.rstrip('-_. ')}_matte")


def version_folder(matte_folder: Path, number: int) -> Path:
    """The folder of a version."""
    return matte_folder / f"v{number:03d}"


def version_number(name: str) -> int | None:
    """The number of the version that a folder's or a document's name stands for; None if it is of something else."""
    match = _VERSION.fullmatch(name.removesuffix(".json"))
    return int(match[1]) if match else None


def version_document(version: Path) -> Path:
    """Where the Job and the report of a version are, which has the folder `version`."""
    return version.with_name(f"{version.name}.json")


def work_folder(matte_folder: Path) -> Path:
    """Where all is that the Job can remake.

    On Windows it is an extended-length path: what lies in it is up to 110 characters deeper, and a plain path ends at
    260 (Microsoft, "Maximum Path Length Limitation").
    """
    folder = matte_folder / "work"
    return type(folder)(_extended(str(folder))) if isinstance(folder, PureWindowsPath) else folder


def _extended(path: str) -> str:
    """An absolute path of Windows as one that may have 32,767 characters; a relative one, or one that may, as it is."""
    if path.startswith(("\\\\?\\", "\\\\.\\")) or not PureWindowsPath(path).is_absolute():
        return path
    whole = ntpath.normpath(path)  # in an extended path "." and ".." are names as any others
    return f"\\\\?\\UNC{whole[1:]}" if whole.startswith("\\\\") else f"\\\\?\\{whole}"


def takes_folder(matte_folder: Path) -> Path:
    """Where the takes are."""
    return work_folder(matte_folder) / "objects"


def searches_folder(matte_folder: Path) -> Path:
    """Where the folders are of what was found without a click."""
    return work_folder(matte_folder) / "automatic"


def cameras_file(matte_folder: Path) -> Path:
    """Where Blender writes the clip's cameras for the engine."""
    return work_folder(matte_folder) / "cameras.json"


def mattes_folder(take: Path) -> Path:
    """Where the mattes of a take are."""
    return take / "matte"


def matte_file(take: Path, frame: int) -> Path:
    """The matte of a clip frame, once it is tracked."""
    return mattes_folder(take) / frame_name(frame, ".npz")


def take_of(matte: Path) -> Path:
    """The take that the file of a matte belongs to."""
    return matte.parents[1]


def parts_file(found: Path, frame: int) -> Path:
    """All parts on a clip frame, in a folder of what was found."""
    return found / "index" / frame_name(frame, ".json")


def frame_name(frame: int, suffix: str) -> str:
    """What a file of one clip frame is called: 000012.npz."""
    return f"{frame:06d}{suffix}"


def frames_in(folder: Path, suffix: str) -> list[int]:
    """The clip frames that have a file in `folder`, in clip order; other files don't count. Raises OSError."""
    stems = (path.name.removesuffix(suffix) for path in folder.glob(f"[0-9]*{suffix}"))
    return sorted(int(stem) for stem in stems if stem.isdecimal())
