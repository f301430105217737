"""The script for half an hour of a GPU: it refuses a machine without one, and each step is a command that exists."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from addon.checkpoints import OFFICIAL
from bench._gpu import add_row, covered
from training.__main__ import _parser

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a script for Linux")


def _run(tmp_path: Path, stub: str, *steps: str) -> subprocess.CompletedProcess[str]:
    """The script with a Python that is `stub`, a shell script; it stands for one with a CUDA build of torch."""
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\n{stub}\n")
    python.chmod(0o755)
    return subprocess.run(
        ["bash", str(ROOT / "bench" / "on_gpu.sh"), "results", *steps],
        cwd=tmp_path,
        env={**os.environ, "PYTHON": str(python), "STATE": "state"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_a_machine_without_a_gpu_is_refused(tmp_path: Path) -> None:
    ended = _run(tmp_path, "exit 1")
    assert ended.returncode == 2
    assert "finds an NVIDIA GPU" in ended.stderr
    assert not (tmp_path / "results").exists()


def test_every_step_runs_a_module_that_takes_its_arguments_and_a_failing_one_stops_none(tmp_path: Path) -> None:
    asked = tmp_path / "asked.txt"
    ended = _run(tmp_path, f'case "$2" in -m) shift 2; echo "$@" >> {asked}; echo said; exit 3;; esac')
    assert ended.returncode == 0
    called = [shlex.split(line) for line in asked.read_text().splitlines()]
    modules = [module for module, *_ in called]
    assert modules == (
        2 * ["vendor_setup"]
        + ["addon.engine", "pytest", "pytest"]
        + 4 * ["bench.inference"]
        + 5 * ["bench.pipeline"]
        + 3 * ["training"]
        + ["bench.quality"]
    )
    for module, *arguments in called:
        if module == "training":
            _parser().parse_args(arguments)
        if module == "vendor_setup":
            assert arguments[0] == "checkpoint"
            assert arguments[1] in OFFICIAL
        if module == "pytest":
            assert all((ROOT / argument).is_file() for argument in arguments if argument.startswith("tests/"))
        if module.startswith("bench."):
            source = (ROOT / f"{module.replace('.', '/')}.py").read_text()
            assert all(f'"{argument}"' in source for argument in arguments if argument.startswith("--"))
    summary = (tmp_path / "results" / "summary.txt").read_text()
    assert summary.count("exit code 3") == len(called)
    assert (tmp_path / "results" / "inference-tiny-5.txt").read_text() == "said\n"


def test_one_step_alone_and_one_that_there_is_not(tmp_path: Path) -> None:
    assert _run(tmp_path, "exit 0", "self-test").returncode == 0
    assert {file.name for file in (tmp_path / "results").glob("*.txt")} == {"summary.txt", "self-test.txt"}
    ended = _run(tmp_path, "exit 0", "selftest")
    assert ended.returncode == 2
    assert "no step selftest" in ended.stderr


def test_rows_of_several_runs_are_tables(tmp_path: Path) -> None:
    table = tmp_path / "table.md"
    for checkpoint in ("tiny", "large"):
        add_row(table, "Frames", {"checkpoint": checkpoint, "ms": "1.0"})
    add_row(table, "Photos", {"s": "2"})
    add_row(table, "Frames", {"checkpoint": "tiny", "ms": "3.0"})
    assert table.read_text() == (
        "### Frames\n\n| checkpoint | ms |\n|---|---|\n| tiny | 1.0 |\n| large | 1.0 |\n"
        "\n### Photos\n\n| s |\n|---|\n| 2 |\n"
        "\n### Frames\n\n| checkpoint | ms |\n|---|---|\n| tiny | 3.0 |\n"
    )


def test_time_that_is_covered_twice_counts_once() -> None:
    assert covered([]) == 0
    assert covered([(5, 7), (0, 2), (1, 3), (1, 2), (7, 8)]) == 6
