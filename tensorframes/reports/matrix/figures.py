"""Figures of a matrix: scores by network, by test rotation, and by the number of training clouds."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tensorframes.errors import needed_for
from tensorframes.reports.matrix.records import Record, Setup, by_key
from tensorframes.reports.matrix.tables import ROTATIONS
from tensorframes.reports.pictures import CURVES, INK, saved

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def network_figure(records: Sequence[Record], setup: Setup, path: Path) -> Path:
    """A row for each network: a dot for each seed, a bar at their mean."""
    runs = by_key(records)
    several = len({record.backbone for record in records}) > 1
    figure, axis = panel(7.0, 0.6 + 0.3 * len(runs))
    names = []
    for place, ((backbone, _, _), members) in enumerate(runs.items()):
        values = [each.rotation(setup.rotation).get(setup.score) for each in members]
        there = [value for value in values if value is not None]
        axis.plot(there, [place] * len(there), "o", color=CURVES[1], markersize=4, alpha=0.6)
        if there:
            axis.plot([np.mean(there)], [place], "|", color=INK, markersize=14, markeredgewidth=2)
        names.append(f"{backbone}, {members[0].title}" if several else members[0].title)
    axis.set_yticks(range(len(names)), names)
    axis.set_ylim(len(names) - 0.5, -0.5)  # the first one at the top
    axis.set_xlabel(f"mean {setup.symbol} under {setup.rotation}", fontsize=9, color=INK)
    return saved(figure, path)


def rotation_figure(records: Sequence[Record], setup: Setup, path: Path) -> Path:
    """Lines of the score by test rotation; networks that are exactly equivariant are level."""
    rotations = [name for name in ROTATIONS if any(record.rotation(name) for record in records)]
    figure, axis = panel(5.0, 3.2)
    for members in by_key(records).values():
        means = [mean_score(members, setup.rotation if members[0].exact else name, setup) for name in rotations]
        axis.plot(range(len(rotations)), means, marker="o", markersize=4, label=members[0].title)
    axis.set_xticks(range(len(rotations)), rotations)
    axis.set_xlabel("test rotation", fontsize=9, color=INK)
    axis.set_ylabel(f"mean {setup.symbol}", fontsize=9, color=INK)
    figure.legend(loc="outside upper center", ncols=1, frameon=False, fontsize=8)
    return saved(figure, path)


def data_figure(records: Sequence[Record], setup: Setup, path: Path) -> Path:
    """The error 1 - score against the number of training clouds, both logarithmic, with the spread over seeds."""
    runs = by_key([record for record in records if record.clouds is not None])
    figure, axis = panel(5.0, 3.4)
    for name in dict.fromkeys(network for _, network, _ in runs):
        mine = {clouds: members for (_, network, clouds), members in runs.items() if network == name and clouds}
        sizes = sorted(mine)
        errors = [[1 - mean_score([each], setup.rotation, setup) for each in mine[size]] for size in sizes]
        means, title = [float(np.mean(each)) for each in errors], mine[sizes[0]][0].title
        axis.errorbar(sizes, means, yerr=[np.std(each) for each in errors], marker="o", markersize=4, label=title)
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_xlabel("training clouds", fontsize=9, color=INK)
    axis.set_ylabel(f"1 − mean {setup.symbol}", fontsize=9, color=INK)
    figure.legend(loc="outside upper center", ncols=1, frameon=False, fontsize=8)
    return saved(figure, path)


def mean_score(records: Sequence[Record], rotation: str, setup: Setup) -> float:
    """The mean over runs of the score under a rotation; NaN if there is none."""
    values = [each.rotation(rotation).get(setup.score) for each in records]
    there = [value for value in values if value is not None]
    return float(np.mean(there)) if there else float("nan")


def panel(width: float, height: float) -> "tuple[Figure, Axes]":
    """A figure with one panel, in inches."""
    with needed_for("pictures"):
        from matplotlib.figure import Figure
    figure = Figure(figsize=(width, height), layout="constrained", dpi=160)
    axis = figure.subplots()
    axis.set_prop_cycle(color=CURVES)
    axis.grid(color="#e5e7eb", linewidth=0.8)
    axis.spines[["top", "right"]].set_visible(False)
    axis.tick_params(labelsize=8, colors=INK, length=2)
    return figure, axis
