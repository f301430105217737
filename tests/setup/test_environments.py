"""Environments made for real, from a wheel made here: no network."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from addon.contract.errors import EngineError, ExitCode
from addon.installer.pythons import probe
from addon.runtime.locate import runtime_python
from addon.runtime.processes import quiet_environment, run_quietly
from vendor_setup.environments import ENGINE, ROOT, Environment, folder_of, is_ready, make


@pytest.fixture
def pinned(tmp_path: Path) -> Path:
    """A requirements file that pins a package of one module, `tiny`."""
    wheel = tmp_path / "tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("tiny.py", "ANSWER = 42\n")
        archive.writestr("tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        archive.writestr("tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("tiny-1.0.dist-info/RECORD", "")
    file = tmp_path / "tiny.txt"
    file.write_text(f"tiny @ {wheel.as_uri()}\n", encoding="utf-8")
    return file


def test_made_once_and_again_after_an_interruption(tmp_path: Path, pinned: Path) -> None:
    python = probe([sys.executable])
    assert python is not None
    environment = Environment("tiny", (str(pinned),))
    folder = tmp_path / "späce in name" / "env"
    folder.mkdir(parents=True)
    (folder / "half").touch()  # what an interrupted installation leaves
    make(environment, folder, python)
    assert is_ready(environment, folder)
    assert not (folder / "half").exists()
    assert not (folder / "downloads").exists()
    assert run_quietly([str(runtime_python(folder)), "-c", "import tiny; print(tiny.ANSWER)"]).strip() == "42"

    (folder / "kept").touch()
    make(environment, folder, python)
    assert (folder / "kept").exists()

    pinned.write_text("no-such-package @ file:///nowhere/no_such_package-1.0-py3-none-any.whl\n", encoding="utf-8")
    with pytest.raises(EngineError, match="can't be installed") as caught:
        make(environment, folder, python)
    assert caught.value.where == "tiny"
    assert "\n" not in str(caught.value)
    assert not is_ready(environment, folder)
    assert "no_such_package" in folder.with_name("env.log").read_text(encoding="utf-8")


@pytest.mark.skipif(not is_ready(ENGINE, folder_of(ENGINE)), reason="vendor_setup has not made the engine here")
def test_engine_is_passed_on(tmp_path: Path) -> None:
    """Its output, its exit code, and paths relative to where the person is."""

    def engine(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(ROOT / "vendor_setup"), "engine", *arguments]
        return subprocess.run(
            command, cwd=tmp_path, env=quiet_environment(), capture_output=True, text=True, check=False
        )

    helped = engine("track", "--help")
    assert helped.returncode == ExitCode.OK
    assert "OBJECT:FRAME:X:Y" in helped.stdout
    (tmp_path / "torch.py").write_text("raise SystemExit('a stranger')\n", encoding="utf-8")
    (tmp_path / "job.json").write_text("{}", encoding="utf-8")
    refused = engine("run", "job.json")
    assert refused.returncode == ExitCode.JOB
    assert "version" in refused.stderr
    assert engine("run", "none.json").returncode == ExitCode.JOB
