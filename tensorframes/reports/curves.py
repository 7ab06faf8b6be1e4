"""Pictures of scores: proportions of good points (PGP) by category, and means by test rotation."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from tensorframes.errors import UserError, needed_for
from tensorframes.reports.grid import ROTATED, Metrics, grid_of, in_protocol_order
from tensorframes.reports.pictures import CURVES, INK, TITLES, saved, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FEW = len(CURVES)  # runs whose curves have colours of their own
MARKERS = "o^sD"  # of the first dots of each colour, the second, ...

QUALITIES = {"cosine_unoriented": "mean |cos|", "cosine_oriented": "mean cos", "rmse": "RMSE (degrees)"}


def expect_picture(path: Path | str) -> None:
    """Raises an error before the work is done where ``saved`` could not write its result.

    Raises:
        UserError: matplotlib writes no such files.
    """
    with needed_for("pictures"):
        from matplotlib.backend_bases import FigureCanvasBase
    suffix = Path(path).suffix
    if suffix and suffix[1:].lower() not in FigureCanvasBase.get_supported_filetypes():
        raise UserError(f"expected a picture of type .png, .pdf, .svg, got {path}")


def score_picture(results: Mapping[str, Metrics], path: Path | str) -> Path:
    """Draw the scores of one protocol: ``pgp_picture`` or ``rotation_picture``; ``row_picture`` of many methods.

    Raises:
        ValueError: there are no scores, they are of both protocols, or matplotlib cannot write files of this format.
    """
    grid_of(results)  # raises for scores of both protocols
    rotated = "per_rotation" in next(iter(results.values()))
    if len(results) > FEW:
        return row_picture(results, path)
    return rotation_picture(results, path) if rotated else pgp_picture(results, path)


def pgp_picture(results: Mapping[str, Metrics], path: Path | str) -> Path:
    """Draw the PGP of each category, the share of points with errors below 5 to 30 degrees: a curve for each method."""
    categories = in_protocol_order([name for metrics in results.values() for name in metrics["per_category"]])
    figure, axes = panels(len(categories), sharey=True)
    for axis, category in zip(axes, categories, strict=False):
        for method, metrics in results.items():
            shares = metrics["per_category"].get(category, {}).get("pgp", {})
            axis.plot([float(at) for at in shares], list(shares.values()), marker="o", markersize=3.5, label=method)
        axis.set_title(TITLES.get(category, category), fontsize=10, color=INK, fontweight="bold")
        axis.set_ylim(0, 1.02)
    figure.supxlabel("error below (degrees)", fontsize=9, color=INK)
    figure.supylabel("share of points", fontsize=9, color=INK)
    return finished(figure, axes, path)


def rotation_picture(results: Mapping[str, Metrics], path: Path | str) -> Path:
    """Draw each metric (mean cosines, RMSE) by test rotation: a line for each method, level for an equivariant one."""
    rotations = list(dict.fromkeys(name for metrics in results.values() for name in metrics["per_rotation"]))
    entries = [entry for metrics in results.values() for entry in metrics["per_rotation"].values()]
    shown = [key for key, *_ in ROTATED if any(entry[key] is not None for entry in entries)]
    figure, axes = panels(len(shown), sharey=False)
    for axis, key in zip(axes, shown, strict=False):
        for method, metrics in results.items():
            values = [metrics["per_rotation"].get(name, {}).get(key) for name in rotations]
            line = [float("nan") if value is None else value for value in values]
            axis.plot(range(len(rotations)), line, marker="o", markersize=3.5, label=method)
        axis.set_xticks(range(len(rotations)), rotations)
        axis.set_title(QUALITIES[key], fontsize=10, color=INK, fontweight="bold")
    figure.supxlabel("test rotation", fontsize=9, color=INK)
    return finished(figure, axes, path)


def row_picture(results: Mapping[str, Metrics], path: Path | str) -> Path:
    """Draw each metric as a row for each method, with a dot for each test rotation or category."""
    kind = "per_rotation" if "per_rotation" in next(iter(results.values())) else "per_category"
    parts = list(dict.fromkeys(name for metrics in results.values() for name in metrics[kind]))
    parts = in_protocol_order(parts) if kind == "per_category" else parts
    known = [entry for metrics in results.values() for entry in metrics[kind].values()]
    shown = [key for key in QUALITIES if any(entry.get(key) is not None for entry in known)]
    if not shown:
        raise ValueError("expected scores to draw, got none")
    figure, axes = panels(len(shown), sharey=True, sharex=False)
    names = [short(name, 60) for name in results]
    figure.set_size_inches(2.6 * len(shown) + 0.07 * max(map(len, names)), 0.17 * len(names) + 1)
    for axis, key in zip(axes, shown, strict=False):
        for number, part in enumerate(parts):
            marker = MARKERS[number // len(CURVES) % len(MARKERS)]
            values = [metrics[kind].get(part, {}).get(key) for metrics in results.values()]
            line = [float("nan") if value is None else value for value in values]
            axis.plot(line, range(len(line)), marker, markersize=3.5, label=TITLES.get(part, part))
        axis.set_yticks(range(len(names)), names)
        axis.set_ylim(len(names) - 0.5, -0.5)  # the first one at the top
        axis.set_title(QUALITIES[key], fontsize=10, color=INK, fontweight="bold")
        axis.tick_params(labelsize=7)
    return finished(figure, axes, path)


def panels(count: int, sharey: bool, sharex: bool = True) -> "tuple[Figure, list[Axes]]":
    """A figure with ``count`` panels, at most three a row."""
    with needed_for("pictures"):
        from matplotlib.figure import Figure
    across = min(3, count)
    down = -(-count // across)
    figure = Figure(figsize=(2.9 * across + 0.4, 2.35 * down + 0.5), layout="constrained", dpi=160)
    axes = list(figure.subplots(down, across, squeeze=False, sharex=sharex, sharey=sharey).flat)
    for axis in axes[:count]:
        axis.set_prop_cycle(color=CURVES)
        axis.grid(color="#e5e7eb", linewidth=0.8)
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(labelsize=8, colors=INK, length=2)
    for axis in axes[count:]:
        axis.set_visible(False)
    return figure, axes


def finished(figure: "Figure", axes: "list[Axes]", path: Path | str) -> Path:
    """Write the figure, the names of its curves above its panels, in as many columns as there is room for."""
    handles, names = axes[0].get_legend_handles_labels()
    names = [short(name, 60) for name in names]
    columns = max(1, min(len(names), 4, int(figure.get_figwidth() / (0.07 * max(map(len, names)) + 0.5))))
    figure.set_figheight(figure.get_figheight() + 0.18 * (-(-len(names) // columns) - 1))
    figure.legend(handles, names, loc="outside upper center", ncols=columns, frameon=False, fontsize=9)
    return saved(figure, path)
