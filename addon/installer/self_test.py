"""Running the engine's self-test in a new runtime: on the best device, and on the CPU if that fails."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from ..contract.errors import EngineError, OutputError
from ..runtime.locate import NO_BASE, engine_environment, runtime_python
from ..runtime.processes import HIDDEN, last_line
from ..runtime.watch import Watch

_TICK = 0.2  # seconds
_PATIENCE = 600.0  # seconds, for a first import from a slow disk with a virus scanner
_VISUAL_C = "https://aka.ms/vs/17/release/vc_redist.x64.exe"


@dataclass(frozen=True, slots=True)
class Tested:
    """The result of a self-test.

    device: the device that it ran on, in words.
    gpu_problem: why it did not run on the GPU; empty if it did, or if there is no GPU.
    """

    device: str
    gpu_problem: str = ""


def self_test(runtime: Path, extension: Path, folder: Path, log: Path, watch: Watch, device: str = "auto") -> Tested:
    """Run the self-test of a runtime. Raises EngineError if the engine does not work, or Cancelled."""
    watch.progress("Trying the engine out", 0.0)
    try:
        return Tested(_run(runtime, extension, folder, log, watch, device))
    except EngineError as error:
        if device == "cpu":
            raise
        watch.note("The best device failed; trying the CPU ...")
        watch.progress("Trying the engine out on the CPU", 0.5)
        problem = error.message
    return Tested(_run(runtime, extension, folder, log, watch, "cpu"), problem)


def _run(runtime: Path, extension: Path, folder: Path, log: Path, watch: Watch, device: str) -> str:
    command = [str(runtime_python(runtime)), "-P", "-m", "addon.engine", "self-test", "--device", device]
    try:
        with log.open("ab") as output:
            began = output.tell()
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=engine_environment(extension, str(folder)),
                cwd=extension,
                creationflags=HIDDEN,
            )
            try:
                _wait(process, watch)
            finally:
                process.kill()
                process.wait()
        with log.open("rb") as written:
            written.seek(began)
            text = written.read().decode("utf-8", "replace")
    except OSError as error:
        raise OutputError(f"The self-test can't be started: {error.strerror}.", where=command[0]) from None
    if process.returncode:
        raise _explain(text, process.returncode, log)
    return last_line(text)


def _wait(process: subprocess.Popen[bytes], watch: Watch) -> None:
    deadline = time.monotonic() + _PATIENCE
    while process.poll() is None:
        watch.check()
        if time.monotonic() > deadline:
            raise EngineError(f"The self-test did not end within {_PATIENCE / 60:.0f} minutes.", hint="Try it again.")
        time.sleep(_TICK)


def _explain(text: str, code: int, log: Path) -> EngineError:
    """The error for a failed self-test, with what to do about it."""
    reason = last_line(text).removeprefix("Error:").strip() or f"it ended with {code}"
    if "DLL load failed" in text or "[WinError 126]" in text or "[WinError 1114]" in text:
        hint = f"Windows lacks a library: install {_VISUAL_C} and press Repair."
    elif "no kernel image is available" in text:
        hint = "This build has nothing for this GPU: choose Automatic, or CPU, under PyTorch Build, and press Repair."
    elif "out of memory" in text:
        hint = "Close other programs that use the GPU, and run the self-test again; or set Device to CPU."
    elif "driver" in text and "CUDA" in text:
        hint = "Update the GPU's driver and run the self-test again; or set Device to CPU."
    elif code == NO_BASE:
        hint = "The Python that the engine was made from is gone: press Repair."
    elif code < 0 or code > 255:
        hint = "The process crashed. Update the GPU's driver, or choose CPU under PyTorch Build, and press Repair."
    else:
        hint = f"Press Repair; if that does not help, report it with {log}."
    return EngineError(f"The engine does not work: {reason.rstrip('.')}.", hint=hint)
