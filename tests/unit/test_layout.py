"""The layout on disk: both processes read it from one place, and no other module repeats it."""

import re
from pathlib import Path, PureWindowsPath

import pytest

from addon.contract import disk, layout
from addon.contract.errors import OutputError

ADDON = Path(__file__).resolve().parents[2] / "addon"


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("v001", 1),
        ("v012.json", 12),
        ("v1000", 1000),
        ("v01", None),
        ("V001", None),
        ("v001 (1)", None),
        ("work", None),
    ],
)
def test_versions_are_told_from_what_lies_beside_them(name: str, number: int | None) -> None:
    assert layout.version_number(name) == number


def test_a_version_and_its_document_belong_together(tmp_path: Path) -> None:
    version = layout.version_folder(tmp_path, 7)
    assert (version.name, layout.version_document(version).name) == ("v007", "v007.json")
    assert layout.version_number(layout.version_document(version).name) == 7


def test_only_whole_files_of_frames_count(tmp_path: Path) -> None:
    """Tools that synchronise folders leave copies, and killed writers temporary files."""
    folder = layout.mattes_folder(tmp_path)
    folder.mkdir()
    for name in ("000012.npz", "1000000.npz", "000002 (1).npz", ".000003.npz.part", "000004.npz.part", "notes.npz"):
        (folder / name).touch()
    assert layout.frames_in(folder, ".npz") == [12, 1_000_000]
    assert layout.matte_file(tmp_path, 12) == folder / "000012.npz"
    assert layout.take_of(layout.matte_file(tmp_path, 12)) == tmp_path


@pytest.mark.parametrize("said", [r'"work"', r'"objects" /', r'"automatic" /', r':06d\}\.(npz|json)', r'"object\.json"',
                                  r'"found\.json"', r'"cameras\.json"', r'/ "index"', r'v\{[a-z_]+:03d\}'])  # fmt: skip
def test_each_path_is_said_once(said: str) -> None:
    where = [
        file.relative_to(ADDON).as_posix()
        for file in sorted(ADDON.rglob("*.py"))
        if re.search(said, file.read_text(encoding="utf-8"))
    ]
    assert set(where) <= {"contract/layout.py"}


@pytest.mark.parametrize(("length", "long", "fits"), [(259, False, True), (260, False, False), (300, True, True)])
def test_a_version_on_windows_has_paths_that_programs_can_open(length: int, long: bool, fits: bool) -> None:
    """What lies in `work` may be longer, so the version could be written, and nobody could read it."""
    folder = PureWindowsPath("C:/shots")
    path = folder / f"{'x' * (length - len(str(folder)) - 5)}.png"
    assert len(str(path)) == length
    if fits:
        disk.check_length(path, long=long)
    else:
        with pytest.raises(OutputError, match="260 characters"):
            disk.check_length(path, long=long)
