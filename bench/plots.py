"""Redraws the figures of docs/benchmarks from the numbers beside them.

    python3 vendor_setup bench plots [NAME ...] [--png FOLDER]

Each docs/benchmarks/NAME.json becomes NAME.svg beside it. A benchmark writes its JSON file when called with `--save`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ._charts import FOLDER, Chart, load

_BASELINE = "#9a9a9a"
_COLOURS = ("#2a6fbb", "#d98324", "#3a8a5c", "#a3489a", "#c9b23c", "#5bb3c4")


def draw(chart: Chart) -> Figure:
    """Draw one figure."""
    figure = Figure(figsize=(7, 3.4), layout="constrained")
    axes = figure.add_subplot()
    colours = _COLOURS if chart.kind == "parts" else (_BASELINE, *_COLOURS)
    {"lines": _lines, "bars": _bars, "parts": _parts}[chart.kind](axes, chart, colours)
    axes.set_title(chart.title, loc="left", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    figure.supxlabel(f"{chart.command}\n{chart.machine}", x=0.01, ha="left", fontsize=6.5, color="#666666")
    return figure


def _lines(axes: Axes, chart: Chart, colours: tuple[str, ...]) -> None:
    places = np.array(chart.at, float)
    for (name, values), colour in zip(chart.series.items(), colours, strict=False):
        axes.plot(places, _numbers(values), "o-", color=colour, label=name, markersize=4)
    axes.set_ylim(bottom=0)
    axes.set_xlabel(chart.x, fontsize=8)
    axes.set_ylabel(chart.y, fontsize=8)
    axes.tick_params(labelsize=8)


def _bars(axes: Axes, chart: Chart, colours: tuple[str, ...]) -> None:
    places, wide = np.arange(len(chart.at)), 0.8 / len(chart.series)
    for i, ((name, values), colour) in enumerate(zip(chart.series.items(), colours, strict=False)):
        bars = axes.bar(places + (i - (len(chart.series) - 1) / 2) * wide, _numbers(values), wide, 0, color=colour)
        bars.set_label(name)
        axes.bar_label(
            bars, ["" if value is None else f"{value:.2f}".lstrip("0") for value in values], fontsize=6.5, padding=1
        )
    axes.set_xticks(places, [str(label).replace(", ", ",\n").replace(" (", "\n(") for label in chart.at], fontsize=8)
    axes.set_ylabel(chart.y, fontsize=8)
    axes.tick_params("y", labelsize=8)


def _parts(axes: Axes, chart: Chart, colours: tuple[str, ...]) -> None:
    places, before = np.arange(len(chart.at))[::-1], np.zeros(len(chart.at))
    for (name, values), colour in zip(chart.series.items(), colours, strict=False):
        widths = np.nan_to_num(_numbers(values))
        axes.barh(places, widths, 0.6, before, color=colour, label=name)
        before += widths
    for place, whole in zip(places, before, strict=True):
        axes.annotate(f" {whole:.2f}", (whole, float(place)), va="center", fontsize=8)
    axes.set_yticks(places, [str(label) for label in chart.at], fontsize=8)
    axes.set_xlim(0, 1.1 * before.max())
    axes.set_xlabel(chart.x, fontsize=8)
    axes.tick_params("x", labelsize=8)


def _numbers(values: object) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Return an array with NaN in place of None."""
    return np.array(values, float)


def main() -> int:
    """Draw the named figures, or all of them."""
    parser = argparse.ArgumentParser(prog="bench plots", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("name", nargs="*", help="NAME of a docs/benchmarks/NAME.json")
    parser.add_argument("--png", type=Path, help="also write PNGs to this folder")
    options = parser.parse_args()
    # the same numbers give the same bytes
    mpl.rcParams.update({"svg.hashsalt": "splat-matte", "svg.fonttype": "none", "font.family": "DejaVu Sans"})
    files = [FOLDER / f"{name}.json" for name in options.name] or sorted(FOLDER.glob("*.json"))
    for file in files:
        figure = draw(load(file))
        figure.savefig(file.with_suffix(".svg"), metadata={"Date": None})
        if options.png:
            options.png.mkdir(parents=True, exist_ok=True)
            figure.savefig(options.png / f"{file.stem}.png", dpi=110)
        print(file.with_suffix(".svg"))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
