"""The layout on disk: every path and file format that several parts of the program share.

    <matte folder>/v001/                   a version: only images, named as the footage
    <matte folder>/v001.json               its Job and report
    <matte folder>/v001/KEPT_LIST          if the Job keeps only some frames: the names of their images, one per line
    <matte folder>/STATIC_MASK             what was found to be fixed to the camera: static.png, static_2.png, ...
    <matte folder>/farm/NAME/              a bundle that a farm was sent: see engine/farm/plan.py
    <matte folder>/work/                   the matte store; the Job can make all of it again
        objects/<object>-<key>/            a take: the tracked mattes of one object, under one key
            object.json                    TAKE_FILE: the facts behind the key: `name`, `prompts` and more
            matte/000012.npz               clip frame 12: `logits` float16 (h, w), above 0 inside the subject, squashed
                                           from the plate's aspect to the model's square; `iou`, `object_score`: float32
            suspects.json                  see suspects.py
        automatic/<key>/                   the results of a search
            found.json                     FOUND_FILE, written last: for each thing's name the folder of its take, which
                                           is in here
            index/000012.json              clip frame 12, all parts: PARTS_KEY, a list of `id`, `area` and
                                           `segmentation` (COCO RLE); `frame`, `key`, `size` (h, w); `crc32`
        features/<key>/000012.pt           image features, for the engine only: see feature_cache.py
        cameras.json                       the clip's cameras, in the format of a transforms.json
        preview-<pid>.npz ...              answers, which only the asking process reads and the next answer overwrites

Answers for one clip frame, unless stated otherwise:

- preview: `names` (n,) str; `logits` (n, h, w) float16 as in a take. n is 0 if nothing is known about the frame.
- finished: `names` (n,) str; `alpha` (n, h, w) uint8, upright. Objects without a matte are left out.
  Under the name STATIC_AREA, which no object has: what the static masks of the frame's camera cover, if it has any.
- selection: JSON for all frames that were measured: `kept` and `dropped` clip frames; of the dropped ones `blurred`
  and `duplicates`.
- outlines: JSON for several frames: for each object its `frames` that have a matte, and its `paths`. A path has one
  closed curve per frame, a list of (x, y) in upright pixels of the plate.
- repairs: JSON: for each object `frames` and `paths` as for outlines, the offered mattes; `reasons`, one for each of
  these frames; `refused`, for suspects without an offer the first frame, the last and why.
- suggestions, found: JSON: `frame`; `masks`, the largest first, each with `number`, `area` and `paths`: closed outlines
  of (x, y) in upright pixels of the plate, filled by the even-odd rule.

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
KEPT_LIST = "kept.txt"
STATIC_MASK = "static.png"
STATIC_AREA = ""

# Names of files from cameras and phones, without the number: IMG_0001, _DSC0001, P1000001, PXL_20260101_120000000.
CAMERA_BASE = re.compile(r"_?(?:img|dsc|dscf|dscn|dji|gopr|gx|pxl|mvi|p|r|mg)?[-_. \d]*", re.IGNORECASE)

KEY_LENGTH = 20  # hexadecimal digits at the end of the name of a take's folder

_VERSION = re.compile(r"v(\d{3,})")


def default_matte_folder(footage: Footage) -> Path:
    """`<name>_matte` beside the footage.

    `<name>` is the base name of the sequence. Where the base name is only digits or a camera's (`IMG_0001.JPG`,
    `DSC_0001.NEF`), it is the name of the folder, and for several cameras that of the folder above them. For a movie it
    is the file name.
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


def beside_footage(footage: Footage) -> Path:
    """The folder of mattes beside the footage's folder, for programs that read everything below that folder.

    It is named after that folder and the default folder of mattes, as other footage may lie in that folder, and its
    neighbours may hold footage of the same name.
    """
    inside = default_matte_folder(footage)
    folder = inside.parent
    name = inside.name if inside.name.startswith(folder.name) else f"{folder.name}_{inside.name}"
    return folder.with_name(name) if folder.name else inside


def version_folder(matte_folder: Path, number: int) -> Path:
    """The folder of a version."""
    return matte_folder / f"v{number:03d}"


def version_number(name: str) -> int | None:
    """The version's number in the name of a folder or document (`v003`, `v003.json`); None if it is not a version's."""
    match = _VERSION.fullmatch(name.removesuffix(".json"))
    return int(match[1]) if match else None


def version_document(version: Path) -> Path:
    """The file with the Job and the report of the version in the folder `version`."""
    return version.with_name(f"{version.name}.json")


def work_folder(matte_folder: Path) -> Path:
    """The folder of everything that the Job can make again.

    On Windows it is an extended-length path: paths inside it are up to 110 characters longer, and a plain path has at
    most 260 characters (Microsoft, "Maximum Path Length Limitation").
    """
    folder = matte_folder / "work"
    return type(folder)(_extended(str(folder))) if isinstance(folder, PureWindowsPath) else folder


def _extended(path: str) -> str:
    """An absolute Windows path as an extended-length path of up to 32,767 characters. Other paths stay as they are."""
    if path.startswith(("\\\\?\\", "\\\\.\\")) or not PureWindowsPath(path).is_absolute():
        return path
    whole = ntpath.normpath(path)  # in an extended path "." and ".." are names as any others
    return f"\\\\?\\UNC{whole[1:]}" if whole.startswith("\\\\") else f"\\\\?\\{whole}"


def takes_folder(matte_folder: Path) -> Path:
    """The folder of the takes."""
    return work_folder(matte_folder) / "objects"


def searches_folder(matte_folder: Path) -> Path:
    """The folder that contains a folder for each search."""
    return work_folder(matte_folder) / "automatic"


def farm_folder(matte_folder: Path) -> Path:
    """The folder for what farms are sent, if no other is named."""
    return matte_folder / "farm"


def cameras_file(matte_folder: Path) -> Path:
    """The file to which Blender writes the clip's cameras for the engine."""
    return work_folder(matte_folder) / "cameras.json"


def mattes_folder(take: Path) -> Path:
    """The folder of the mattes of a take."""
    return take / "matte"


def matte_file(take: Path, frame: int) -> Path:
    """The file of the matte of a clip frame, which exists once the frame is tracked."""
    return mattes_folder(take) / frame_name(frame, ".npz")


def take_of(matte: Path) -> Path:
    """The folder of the take to which the file of a matte belongs."""
    return matte.parents[1]


def is_take(folder: Path) -> bool:
    """Whether a folder's name is that of a tracked object's take, which has a key. What a search found has none."""
    return re.fullmatch(rf".+-[0-9a-f]{{{KEY_LENGTH}}}", folder.name) is not None


def take_key(take: Path) -> str:
    """The key in the name of a take's folder."""
    return take.name[-KEY_LENGTH:]


def parts_file(found: Path, frame: int) -> Path:
    """The file of all parts on a clip frame, in the folder `found` of a search."""
    return found / "index" / frame_name(frame, ".json")


def frame_name(frame: int, suffix: str) -> str:
    """The name of a file of one clip frame: 000012.npz."""
    return f"{frame:06d}{suffix}"


def frames_in(folder: Path, suffix: str) -> list[int]:
    """The clip frames that have a file with this suffix in `folder`, in clip order. Other files are ignored.

    Raises:
        OSError: the folder can't be listed.
    """
    stems = (path.name.removesuffix(suffix) for path in folder.glob(f"[0-9]*{suffix}"))
    return sorted(int(stem) for stem in stems if stem.isdecimal())
