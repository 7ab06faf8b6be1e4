"""Comparison of expected and observed errors, as a table and as a picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from tensorframes.reports.pictures import CURVES, FAINT, INK, saved

NAMES = {"expected": "expected error", "surface_variation": "PCA's surface variation", "oracle": "the error itself"}
"""Curves of sparsification, by what orders the points."""

HEADS = ("points", "expected", "observed")


def confidence_lines(scores: Mapping[str, Any]) -> list[list[str]]:
    """``scoring.confidence_scores`` as rows of texts, the headings first: expected and observed errors in bins of as
    many points each."""
    bins = [
        [f"{entry['points']:,}", f"{entry['expected']:.2f}", f"{entry['observed']:.2f}"]
        for entry in scores["reliability"]
    ]
    return [[*HEADS], *bins, ["all", f"{scores['expected']:.2f}", f"{scores['observed']:.2f}"]]


def explained(scores: Mapping[str, Any]) -> list[str]:
    """Two sentences on ``confidence_lines``."""
    areas = ", ".join(f"{NAMES[name]} {value:.3f}" for name, value in scores["area"].items())
    return [
        f"Degrees, means of bins of as many points each; apart by {scores['calibration_error']:.2f} on average.",
        f"Area between the sparsification curve and the best one, over the mean error: {areas}.",
    ]


def confidence_table(scores: Mapping[str, Any], title: str) -> Table:
    """A rich table of ``confidence_lines``."""
    caption = Text("\n".join(explained(scores)), style="dim", justify="left")
    heading = Text(title, style="bold")
    table = Table(
        title=heading, caption=caption, box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), title_justify="left"
    )
    heads, *bins, whole = confidence_lines(scores)
    for head in heads:
        table.add_column(head, justify="right")
    for line in bins:
        table.add_row(*line)
    table.add_row(*whole, style="bold")
    return table


def confidence_picture(scores: Mapping[str, Any], title: str, path: Path | str) -> Path:
    """Draw the reliability diagram and the sparsification curves of ``scoring.confidence_scores``."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    expected, observed = ([entry[name] for entry in scores["reliability"]] for name in ("expected", "observed"))
    ends = [0.8 * min(*expected, *observed), 1.2 * max(*expected, *observed)]
    left.plot(ends, ends, color=FAINT, linewidth=1, label="calibrated")
    left.plot(expected, observed, marker="o", markersize=4, color=CURVES[0], label="ten bins of as many points each")
    left.set(xscale="log", yscale="log", xlabel="expected error (degrees)", ylabel="observed error (degrees)")
    for (name, curve), colour in zip(scores["sparsification"].items(), CURVES, strict=False):
        right.plot(scores["removed"], curve, color=colour, label=NAMES[name])
    right.set(xlabel="share of the points removed", ylabel="mean error of the rest (degrees)", ylim=(0, None))
    for axis in (left, right):
        axis.legend(fontsize=8, frameon=False)
        axis.spines[["top", "right"]].set_visible(False)
    figure.suptitle(title, fontsize=11, color=INK, fontweight="bold")
    return saved(figure, path)
