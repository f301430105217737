"""Differences between systems, with simulated surroundings: what a child process inherits, held files, long paths."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import pytest

from addon.contract import disk, layout
from addon.installer.pythons import probe

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("addon", "bench", "demo", "training", "vendor_setup")
SOURCES = sorted(file for room in ROOMS for file in (ROOT / room).rglob("*.py"))
STARTERS = {"run", "Popen", "call", "check_call", "check_output", "getoutput", "getstatusoutput"}
WITHOUT_STDIN = ("os.system", "os.popen", "os.spawn", "create_subprocess")


def orphans(text: str) -> Iterator[int]:
    """The lines that start a process which inherits its parent's stdin, or may do so unseen."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.module == "subprocess":
            yield from (node.lineno for alias in node.names if alias.name in STARTERS)
        elif isinstance(node, ast.Call):
            of = node.args[0] if node.args and ast.unparse(node.func).endswith("partial") else node.func
            room, _, name = ast.unparse(of).rpartition(".")
            given = {keyword.arg for keyword in node.keywords}
            if (room == "subprocess" and name in STARTERS and not given & {"stdin", "input"}) or any(
                word in ast.unparse(of) for word in WITHOUT_STDIN
            ):
                yield node.lineno
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and "subprocess." in node.value:
            try:
                yield from (node.lineno + line for line in orphans(node.value))
            except SyntaxError:
                continue  # words, no program


def test_every_child_process_has_a_stdin_of_its_own() -> None:
    """On Windows, Python hangs at its start if it inherits one that its parent is reading (cpython issue 78961)."""
    for file in SOURCES:
        found = list(orphans(file.read_text(encoding="utf-8")))
        assert not found, f"{file.relative_to(ROOT)}: lines {found}"


@pytest.mark.parametrize(
    ("program", "is_one"),
    [
        ("subprocess.run(['a'], stdin=subprocess.DEVNULL)", False),
        ("subprocess.run(['a'], input=b'')", False),
        ("subprocess.run(['a'])", True),
        ("with subprocess.Popen(['a'], stdout=1) as child: pass", True),
        ("run = functools.partial(subprocess.run, ['a'])", True),
        ("run = functools.partial(subprocess.run, ['a'], stdin=None)", False),
        ("from subprocess import run, PIPE", True),
        ("from subprocess import PIPE", False),
        ("os.system('a')", True),
        ("asyncio.create_subprocess_exec('a')", True),
        ("PROGRAM = 'import subprocess; subprocess.run([1])'", True),
    ],
)
def test_such_places_are_seen(program: str, is_one: bool) -> None:
    assert bool(list(orphans(program))) == is_one


def test_a_child_does_not_wait_for_its_parents_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that reads its stdin gets an end, whatever the parent's is."""
    monkeypatch.setattr("addon.installer.pythons._PROBE", "import sys, os; print(3, 11, os.read(0, 1) == b'')")
    found = probe([sys.executable])
    assert found is not None
    assert str(found.path) == "True"


class Held:
    """Something that Windows refuses to do for a while."""

    def __init__(self, times: int, winerror: int | None) -> None:
        self.times = times
        self.tries = 0
        self.winerror = winerror

    def __call__(self) -> str:
        self.tries += 1
        if self.tries <= self.times:
            error = PermissionError(13, "held")
            if self.winerror is not None:
                error.winerror = self.winerror  # type: ignore[attr-defined]
            raise error
        return "done"


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "_PAUSES", (0.0,) * 7)


@pytest.mark.parametrize("winerror", [5, 32, 33, 145])
def test_what_is_held_for_a_moment(at_once: None, winerror: int) -> None:
    assert disk.patiently(Held(3, winerror)) == "done"


def test_what_stays_held(at_once: None) -> None:
    held = Held(1000, 32)
    with pytest.raises(PermissionError):
        disk.patiently(held)
    assert held.tries == 8


@pytest.mark.parametrize("winerror", [None, 3])
def test_other_errors_are_told_at_once(at_once: None, winerror: int | None) -> None:
    held = Held(1, winerror)
    with pytest.raises(PermissionError):
        disk.patiently(held)
    assert held.tries == 1


def test_a_written_file_takes_its_place_though_the_old_one_is_held(
    at_once: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, held, replace = tmp_path / "a.json", Held(2, 32), Path.replace

    def scanned(source: Path, target: Path) -> Path:
        held()
        return replace(source, target)

    monkeypatch.setattr(Path, "replace", scanned)
    disk.write_file(file, lambda stream: disk.write_bytes(stream, b"new"))
    assert file.read_bytes() == b"new"
    assert held.tries == 3


@pytest.mark.parametrize(("times", "left"), [(2, False), (1000, True)])
def test_a_folder_is_emptied_as_far_as_others_let_it(
    at_once: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int, left: bool
) -> None:
    folder, held, unlink = tmp_path / "old", Held(times, 32), os.unlink
    folder.mkdir()
    for name in ("a", "held", "z"):
        (folder / name).touch()

    def scanned(path: str, *arguments: Any, **more: Any) -> None:
        if Path(path).name == "held":
            held()
        unlink(path, *arguments, **more)

    monkeypatch.setattr(os, "unlink", scanned)
    disk.discard(folder)
    assert folder.exists() == left
    assert not left or [path.name for path in folder.iterdir()] == ["held"]
    disk.discard(tmp_path / "never there")


def impatient(tree: ast.Module) -> Iterator[int]:
    """The lines that replace, rename or delete, and don't try again."""
    patient = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "patiently"]
    spared = {id(node) for call in patient for node in ast.walk(call)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and id(node) not in spared:
            name, of = node.func.attr, ast.unparse(node.func.value)
            one = len(node.args) == 1 and not node.keywords  # text.replace has two arguments
            if name in {"unlink", "rename", "rmdir", "rmtree", "remove_tree"} or (name == "replace" and one):
                yield from [node.lineno] if of != "dataclasses" else []


def test_whatever_replaces_renames_or_deletes_is_patient() -> None:
    rooms = [source for source in SOURCES if source.parts[len(ROOT.parts)] == "addon"]
    for file in rooms:
        if file != ROOT / "addon" / "contract" / "disk.py":
            found = list(impatient(ast.parse(file.read_text(encoding="utf-8"))))
            assert not found, f"{file.relative_to(ROOT)}: lines {found}"


@pytest.mark.parametrize("program", ["path.unlink()", "a.rename(b)", "a.replace(b)", "shutil.rmtree(a)", "a.rmdir()"])
def test_impatience_is_seen(program: str) -> None:
    assert list(impatient(ast.parse(program))) == [1]
    assert not list(impatient(ast.parse(f"patiently(lambda: {program})")))


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("C:\\plates\\shot_matte", "\\\\?\\C:\\plates\\shot_matte\\work"),
        ("D:/plates/Zoë", "\\\\?\\D:\\plates\\Zoë\\work"),
        ("C:\\shots\\..\\plates\\.\\shot_matte", "\\\\?\\C:\\plates\\shot_matte\\work"),
        ("\\\\server\\share\\plates", "\\\\?\\UNC\\server\\share\\plates\\work"),
        ("//server/share/plates", "\\\\?\\UNC\\server\\share\\plates\\work"),
        ("\\\\?\\C:\\plates", "\\\\?\\C:\\plates\\work"),
        ("plates\\shot", "plates\\shot\\work"),
        ("C:plates", "C:plates\\work"),
    ],
)
def test_what_lies_deep_may_have_a_long_path_on_windows(folder: str, expected: str) -> None:
    place: Any = PureWindowsPath(folder)
    assert str(layout.work_folder(place)) == expected
    assert layout.takes_folder(place).name == "objects"


@pytest.mark.parametrize("folder", ["/plates/shot_matte", "//plates/shot_matte", "C:\\plates", "plates"])
def test_elsewhere_a_path_is_what_it_is(folder: str) -> None:
    place: Any = PurePosixPath(folder)
    assert layout.work_folder(place) == place / "work"


def test_what_children_say_is_read_in_the_encoding_that_they_speak() -> None:
    """They are told to speak UTF-8; Windows reads in another one, unless it is named."""
    for file in SOURCES:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            given = {keyword.arg for keyword in node.keywords} if isinstance(node, ast.Call) else set()
            if given & {"text", "universal_newlines"} and "subprocess" in ast.unparse(node):
                assert "encoding" in given, f"{file.relative_to(ROOT)}: line {node.lineno}"


@pytest.mark.skipif(sys.platform == "win32", reason="the locale is set as POSIX does it")
def test_a_home_with_letters_that_the_locale_lacks(tmp_path: Path) -> None:
    """`py vendor_setup` under C:\\Users\\Зоя, in a process that takes all text for ASCII."""
    python = tmp_path / "Зоя Müller" / "python"
    python.parent.mkdir()
    python.symlink_to(sys.executable)
    launcher = tmp_path / "python"
    launcher.write_text(f'#!/bin/sh\nexec "{python}" "$@"\n', encoding="utf-8")
    launcher.chmod(0o755)
    asked = f"from addon.installer.pythons import probe; print(ascii(str(probe([{str(launcher)!r}], 'sys').path)))"
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-P", "-c", asked]
    done = subprocess.run(command, env={**os.environ, **ascii_only}, capture_output=True, encoding="ascii", check=False)
    assert done.stdout.strip() == ascii(str(python)), done.stderr


def test_such_a_path_can_be_told_through_a_pipe() -> None:
    command = [sys.executable, "-P", str(ROOT / "vendor_setup"), "--help"]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    setup = (ROOT / "vendor_setup" / "__main__.py").read_text(encoding="utf-8")
    telling = setup.replace("sys.exit(main(sys.argv[1:]))", "print('C:\\\\Users\\\\Зоя')")
    assert subprocess.run(command, env=environment, capture_output=True, check=False).returncode == 0
    told = "import sys; sys.path.insert(0, '')\n" + telling.replace("__file__", repr(str(ROOT / "vendor_setup/x.py")))
    done = subprocess.run([sys.executable, "-c", told], env=environment, cwd=ROOT, capture_output=True, check=False)
    assert done.stdout.strip().startswith(b"C:"), done.stderr
