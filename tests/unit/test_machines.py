"""What differs between systems, with faked surroundings: what a child process inherits, held files, long paths."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

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
            yield from (node.lineno for each in node.names if each.name in STARTERS)
        elif isinstance(node, ast.Call):
            of = node.args[0] if node.args and ast.unparse(node.func).endswith("partial") else node.func
            room, _, name = ast.unparse(of).rpartition(".")
            given = {each.arg for each in node.keywords}
            if (room == "subprocess" and name in STARTERS and not given & {"stdin", "input"}) or any(
                each in ast.unparse(of) for each in WITHOUT_STDIN
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
