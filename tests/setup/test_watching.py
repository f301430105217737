"""`test --watch` as a person uses it: a process, a file that is saved."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from addon.runtime.processes import quiet_environment
from vendor_setup.environments import QUICK, ROOT, folder_of, is_ready

pytestmark = pytest.mark.skipif(not is_ready(QUICK, folder_of(QUICK)), reason="vendor_setup has not made it here")
_ENOUGH = 120.0  # seconds after which the process is ended, so that a mistake of it is no test without end


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A checkout of its own, with what the unit tests need."""
    ignore = shutil.ignore_patterns("__pycache__", "*.pt", "*.safetensors")
    for name in ("addon", "vendor_setup"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignore)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "docs").mkdir()
    shutil.copy(ROOT / "docs" / "headless.md", tmp_path / "docs")
    shutil.copytree(folder_of(QUICK), tmp_path / ".runtime" / QUICK.name, symlinks=True)
    tests = tmp_path / "tests" / "unit"
    tests.mkdir(parents=True)
    for name in ("test_errors.py", "test_orientation.py"):
        shutil.copy(ROOT / "tests" / "unit" / name, tests)
    return tmp_path


class Watching:
    """The process, and what it says."""

    def __init__(self, house: Path) -> None:
        command = [sys.executable, "-u", str(house / "vendor_setup"), "test", "--watch", "lint", "unit"]
        self.process = subprocess.Popen(
            command,
            cwd=house,
            env=quiet_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
        )
        self._end = threading.Timer(_ENOUGH, self.process.kill)
        self._end.start()

    def until(self, start: str) -> str:
        """All lines up to one that begins so."""
        assert self.process.stdout is not None
        lines = []
        for line in self.process.stdout:
            lines.append(line)
            if line.startswith(start):
                return "".join(lines)
        raise AssertionError(f"It ended without {start!r}:\n{''.join(lines)}")

    def close(self) -> None:
        self._end.cancel()
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def watching(house: Path) -> Iterator[Watching]:
    process = Watching(house)
    yield process
    process.close()


def test_what_a_saved_file_touches_runs_until_it_passes(house: Path, watching: Watching) -> None:
    watching.until("Watching for lint, unit.")
    file = house / "addon" / "contract" / "exif.py"
    right = file.read_text(encoding="utf-8")
    file.write_text(right.replace("def to_stored(", "def to_stored_wrongly("), encoding="utf-8")
    told = watching.until("=== FAILED")
    assert "=== Changed: addon/contract/exif.py" in told
    assert "-m ruff check ." in told
    assert "cannot import name 'to_stored'" in told
    assert "test_errors" not in told

    other = house / "tests" / "unit" / "test_errors.py"
    other.write_text(other.read_text(encoding="utf-8") + "\n\ndef test_more() -> None:\n    pass\n", encoding="utf-8")
    told = watching.until("=== FAILED")
    assert "test_orientation" in told, "what failed runs again"
    assert "test_errors" in told

    file.write_text(right, encoding="utf-8")
    told = watching.until("=== passed")
    assert " passed in " in told

    other.write_text(other.read_text(encoding="utf-8") + "\n\ndef test_last() -> None:\n    pass\n", encoding="utf-8")
    told = watching.until("=== passed")
    assert "test_orientation" not in told, "what passed is done with"


def test_a_change_meanwhile_begins_again(house: Path, watching: Watching) -> None:
    watching.until("Watching for")
    slow = house / "tests" / "unit" / "test_slow.py"
    slow.write_text("import time\n\n\ndef test_slow() -> None:\n    time.sleep(3600)\n", encoding="utf-8")
    watching.until("=== -m pytest")
    slow.write_text("def test_slow() -> None:\n    pass\n", encoding="utf-8")
    assert "1 passed" in watching.until("=== passed")
