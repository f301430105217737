"""Which tests a change touches."""

from __future__ import annotations

from pathlib import Path

import pytest

from vendor_setup import watch
from vendor_setup.checks import all_checks
from vendor_setup.environments import BLENDERS
from vendor_setup.imports import Imports


@pytest.fixture
def files(tmp_path: Path) -> dict[str, int]:
    """A small project of the same structure, and when each file was written."""
    texts = {
        "__init__.py": "def register():\n    from .addon import registration\n",
        "addon/__init__.py": "",
        "addon/registration.py": "from .ui import panels\n",
        "addon/ui/__init__.py": "",
        "addon/ui/panels.py": "from ..contract.errors import Trouble\n",
        "addon/contract/__init__.py": "",
        "addon/contract/errors.py": "class Trouble(Exception): ...\n",
        "addon/client.py": "COMMAND = ['-m', 'addon.engine']\n",
        "addon/engine/__init__.py": "",
        "addon/engine/__main__.py": "import addon.engine.session as session\n",
        "addon/engine/session.py": "",
        "docs/guide.md": "",
        "demo/toy/1.jpg": "",
        "tests/unit/test_errors.py": "from addon.contract import errors\n",
        "tests/unit/test_client.py": "def test():\n    import addon.client\n",
        "tests/unit/test_guide.py": "GUIDE = ROOT / 'docs' / 'guide.md'\n",
        "tests/unit/test_names.py": "FILES = (ROOT / 'addon').rglob('*.py')\n",
        "tests/blender/conftest.py": "PACKAGE = 'bl_ext.user_default.extension'\n",
        "tests/blender/test_panels.py": "panels = part('ui.panels')\n",
        "tests/engine/conftest.py": "CLIP = ROOT / 'demo' / 'toy'\n",
        "tests/engine/test_session.py": "from addon.engine.session import Session\n",
    }
    for file, text in texts.items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(text, encoding="utf-8")
    return dict.fromkeys(texts, 0)


@pytest.mark.parametrize(
    ("changed", "names"),
    [
        ("tests/unit/test_errors.py", "errors"),
        ("addon/contract/errors.py", "errors names panels"),  # nearest first
        ("addon/engine/session.py", "session names client"),
        ("addon/ui/panels.py", "panels names"),
        ("addon/registration.py", "names panels"),
        ("addon/gone.py", "names"),
        ("docs/guide.md", "guide"),
        ("demo/toy/1.jpg", "session"),
        ("tests/engine/conftest.py", "session"),
        ("tests/notes.txt", ""),
    ],
)
def test_what_a_change_touches(tmp_path: Path, files: dict[str, int], changed: str, names: str) -> None:
    tests = [file for file in files if "test_" in file]
    found = Imports(tmp_path, files).touched([changed], tests)
    assert [Path(file).stem.removeprefix("test_") for file in found] == names.split()


def test_a_file_that_was_written_is_read_again(tmp_path: Path, files: dict[str, int]) -> None:
    test = "tests/unit/test_guide.py"
    assert Imports(tmp_path, files).touched(["addon/client.py"], [test]) == []
    (tmp_path / test).write_text("from addon import client\n", encoding="utf-8")
    assert Imports(tmp_path, files | {test: 1}).touched(["addon/client.py"], [test]) == [test]
    (tmp_path / test).write_text("from addon import (\n", encoding="utf-8")  # half-written
    assert Imports(tmp_path, files | {test: 2}).touched([test], [test]) == [test]


def test_what_runs_after_a_change_here() -> None:
    files = watch.snapshot()
    assert "addon/contract/exif.py" in files
    assert not [file for file in files if file.startswith((".", "dist/")) or file.endswith(".pyc")]
    every = all_checks(BLENDERS[:1])
    lines = [" ".join(command[1:]) for command in watch.commands(every, {"addon/contract/exif.py"}, files, ["-x"])]
    assert "-m ruff check ." in lines
    (unit,) = (line for line in lines if "tests/unit" in line)
    assert "tests/unit/test_orientation.py" in unit
    assert "test_errors" not in unit
    assert unit.endswith(" -x")
    assert list(watch.commands(every, {"LICENSE"}, {"LICENSE": (0, 0)}, [])) == []
