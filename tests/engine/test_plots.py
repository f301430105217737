"""The plots of docs/benchmarks can be drawn again from the saved numbers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench import _charts, plots

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = "".join(page.read_text(encoding="utf-8") for page in (DOCS / "benchmarks").glob("*.md"))
SHOWN = sorted(set(re.findall(r"\]\(([\w-]+)\.svg\)", PAGES)))


def test_every_plot_is_shown_and_has_its_numbers() -> None:
    for suffix in ("json", "svg"):
        assert sorted(file.stem for file in (DOCS / "benchmarks").glob(f"*.{suffix}")) == SHOWN


def test_plots_are_drawn_from_kept_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["bench plots"])
    for module in (_charts, plots):
        monkeypatch.setattr(module, "FOLDER", tmp_path)
    for name in SHOWN:
        _charts.load(DOCS / "benchmarks" / f"{name}.json").save(name)
    assert plots.main() == 0
    for name in SHOWN:
        drawn, chart = (tmp_path / f"{name}.svg").read_text(encoding="utf-8"), _charts.load(tmp_path / f"{name}.json")
        for words in (chart.title, chart.command, *chart.series):
            assert words.replace("&", "&amp;") in drawn
