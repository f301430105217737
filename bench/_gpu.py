"""Measures how busy a GPU is, by its own clock (the share of time in which it computes or copies); writes tables."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast


def covered(spans: Iterable[tuple[float, float]]) -> float:
    """Return the length of the union of spans (from, to), which may overlap."""
    total, end = 0.0, float("-inf")
    for began, ended in sorted(spans):
        total += max(0.0, ended - max(began, end))
        end = max(end, ended)
    return total


def add_row(file: Path, title: str, columns: Mapping[str, str]) -> None:
    """Add a row to the last table of a Markdown file, or begin another one if that has another title."""
    before = file.read_text(encoding="utf-8") if file.exists() else ""
    heading = f"### {title}\n\n| {' | '.join(columns)} |\n{'|---' * len(columns)}|\n"
    with file.open("a", encoding="utf-8") as table:
        if not before[before.rfind("###") :].startswith(heading):
            table.write("\n" * bool(before) + heading)
        table.write(f"| {' | '.join(columns.values())} |\n")


class Busy:
    """Profiles a CUDA GPU inside a `with` block, at a cost of a few percent of the time.

    share: the fraction of the time in which the GPU was busy.
    """

    def __init__(self) -> None:
        self.share = 0.0

    def __enter__(self) -> Busy:
        import torch

        torch.cuda.synchronize()
        self._profile = cast(Any, torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]))
        self._profile.__enter__()
        self._began = time.monotonic()
        return self

    def __exit__(self, *error: object) -> None:
        import torch

        torch.cuda.synchronize()
        seconds = time.monotonic() - self._began
        self._profile.__exit__(*error)
        on_gpu = (event for event in self._profile.events() if event.device_type.name == "CUDA")
        self.share = covered((event.time_range.start, event.time_range.end) for event in on_gpu) * 1e-6 / seconds
