"""`hashes`: gets the hashes of all files of the pinned packages from the registry, through uv."""

from __future__ import annotations

import re
from pathlib import Path

from addon.installer import pins
from addon.runtime.processes import run_quietly

from .pythons import uv

_HEAD = """\
# Written by `python3 vendor_setup hashes`: sha256 and package of each file that the registry has of a pinned version.
# Those with a file's name are PyTorch's own builds, written by hand: its index has them, or has no hash at all.
"""


def hashes(runtime: Path) -> Path:
    """Rewrite pins.HASHES, except PyTorch's own builds of the pinned version. Raises EngineError."""
    local = f"  torch-{pins.version_of('torch')}+"
    lines = {line for line in pins.HASHES.read_text(encoding="utf-8").splitlines() if local in line}
    options = ["--no-config", "--quiet", "--no-deps", "--universal", "--python-version", "3.11"]
    options += ["--generate-hashes", "--no-header", "--no-annotate"]
    for file in pins.FILES:
        found = run_quietly([uv(runtime), "pip", "compile", *options, str(pins.REQUIREMENTS / file)])
        package = ""
        for line in found.splitlines():
            if start := re.match(r"([\w.-]+)==([\w.+]+)", line):
                package = f"{pins.normal(start[1])}=={start[2]}"
            elif sha256 := re.search(r"--hash=sha256:([0-9a-f]{64})", line):
                lines.add(f"{sha256[1]}  {package}")
    ordered = sorted(lines, key=lambda line: (line.split()[1], line))
    pins.HASHES.write_text(_HEAD + "".join(f"{line}\n" for line in ordered), encoding="utf-8", newline="\n")
    return pins.HASHES
