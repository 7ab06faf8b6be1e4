"""Equivariance errors as tables and as a picture."""

import re
from collections.abc import Mapping
from pathlib import Path

from rich import box
from rich.table import Table
from rich.text import Text

from tensorframes.reports.pictures import CURVES, FAINT, INK, saved

FLOOR = 1e-16  # smallest error on the logarithmic axis; zero is drawn at it
MODES = {"frozen": "graph and samples frozen", "anew": "graph and samples recomputed"}
STORED = {"equivariance": "float32", "equivariance_float64": "float64"}
"""The errors by their key in JSON, with the precision of the transformed coordinates: that of most files, and float64,
without its rounding."""
EXPLAINED = """\
Degrees between the normals of the transformed cloud and the transformed normals, over all points
and sampled rotations and reflections; the change of RMSE (scored points) is the largest."""
LIE_EXPLAINED = """\
Lie derivative under rotations, per radian: 0 is equivariant, 1 does not rotate at all. Normals in
radians; layers relative to their features, each from exactly equivariant inputs."""
Errors = Mapping[str, Mapping[str, float]]


def equivariance_table(errors: Mapping[str, Mapping[str, float | int | None]], title: str) -> Table:
    """A rich table of the equivariance errors of a method by cloud, the worst cloud last.

    Args:
        errors: `EquivarianceError.as_dict()` by cloud. title: of the table.
    """
    caption = Text(EXPLAINED, style="dim", justify="left")
    heading = Text(title, style="bold")
    table = Table(
        title=heading, caption=caption, box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 0), title_justify="left"
    )
    table.add_column("cloud", overflow="fold")
    head, *rows = equivariance_lines(errors)
    for column in head[1:]:
        table.add_column(column, justify="right")
    for name, *values in rows:
        table.add_row(Text(name), *values)
    return table


def equivariance_lines(errors: Mapping[str, Mapping[str, float | int | None]]) -> list[list[str]]:
    """The equivariance errors by cloud as rows of texts, the headings first, the worst cloud last."""
    lines = [["cloud", "mean", "99.9 %", "largest", "RMSE change"]]
    for name, entry in sorted(errors.items(), key=lambda item: item[1]["p99_9"] or 0):
        values = [entry[key] for key in ("mean", "p99_9", "max", "rmse_change")]
        lines.append([name, *("-" if value is None else f"{value:.3g}" for value in values)])
    return lines


def lie_table(errors: Errors) -> Table:
    """A rich table of the Lie derivative of the normals and of each layer.

    Args:
        errors: by mode (``frozen``, ``anew``) and place (``normal`` or the name of a layer).
    """
    caption = Text(LIE_EXPLAINED, style="dim", justify="left")
    table = Table(caption=caption, box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 0))
    head, *rows = lie_lines(errors)
    for number, column in enumerate(head):
        table.add_column(column, justify="right" if number else "left")
    for row in rows:
        table.add_row(*row)
    return table


def lie_lines(errors: Errors) -> list[list[str]]:
    """The Lie derivative by place and mode as rows of texts, the headings first."""
    rows = [[label(place), *(f"{errors[mode][place]:.1e}" for mode in errors)] for place in places(errors)]
    return [["place", *(MODES[mode] for mode in errors)], *rows]


def lie_picture(errors: Errors, title: str, path: Path | str) -> Path:
    """Draws the Lie derivative of the normals and of each layer on a logarithmic scale.

    Args:
        errors: as in ``lie_table``. title: of the picture. path: of the file.
    """
    from matplotlib.figure import Figure

    rows = places(errors)[::-1]
    figure = Figure(figsize=(7.4, 1.3 + 0.3 * len(rows)), layout="constrained", dpi=160)
    axis = figure.subplots()
    for number, (mode, colour) in enumerate(zip(errors, CURVES[1::-1], strict=False)):
        height = 0.8 / len(errors)
        at = [row + 0.4 - (number + 0.5) * height for row in range(len(rows))]
        size = [max(errors[mode][place], FLOOR) for place in rows]
        axis.barh(at, size, height, FLOOR, color=colour, label=MODES[mode])
    largest = max(errors[mode][place] for mode in errors for place in rows)
    axis.set(
        xscale="log",
        xlim=(FLOOR, max(10, 3 * largest)),
        yticks=range(len(rows)),
        yticklabels=[label(place) for place in rows],
    )
    for value, name in ((1e-12, "rounding (float64)"), (1.0, "no rotation")):
        axis.axvline(value, color=FAINT, linewidth=0.8, linestyle=":")
        behind = {"facecolor": "white", "edgecolor": "none", "pad": 1}
        axis.text(value, len(rows) - 0.35, name, fontsize=8, color=FAINT, ha="center", va="bottom", bbox=behind)
    axis.set_xlabel("Lie derivative under rotations, per radian", fontsize=9, color=INK)
    axis.set_title(title, fontsize=11, color=INK, fontweight="bold", loc="left", pad=18)
    axis.tick_params(labelsize=8, colors=INK, length=2)
    axis.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=8)
    return saved(figure, path)


def places(errors: Errors) -> list[str]:
    """The places that all modes have, in the order of the first."""
    first, *others = errors.values()
    return [place for place in first if all(place in other for other in others)]


def label(place: str) -> str:
    """The label of a probe: ``probes_down.0`` is "down 0", ``probes.1`` is "layer 1"."""
    place = re.sub(r"\bprobes_", "", place)
    return re.sub(r"\bprobes?\b", "layer", place).replace(".", " ")
