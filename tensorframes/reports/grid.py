"""The contents of a table of scores."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tensorframes.data import CATEGORIES
from tensorframes.words import counted

LABELS = {
    "no_noise": "none",
    "low_noise": "low",
    "med_noise": "medium",
    "high_noise": "high",
    "vardensity_striped": "striped",
    "vardensity_gradient": "gradient",
}
ROTATED = (("cosine_unoriented", "|cos|", 4, "high"), ("cosine_oriented", "cos", 4, "high"), ("rmse", "RMSE", 2, "low"))

Metrics = Mapping[str, Any]


@dataclass(frozen=True)
class Column:
    """One column: its heading, decimal places, and which values are best (low, high, or "" for neither)."""

    head: str
    digits: int = 2
    best: str = "low"

    def text(self, value: float | None) -> str:
        """The value as text, a dash for None."""
        return "–" if value is None else f"{value:.{self.digits}f}"


@dataclass(frozen=True)
class Grid:
    """A table of scores: rows[i] is a method's name and its values, one a column, None if it has none.

    ``corner`` is the heading of the names.
    """

    columns: tuple[Column, ...]
    rows: tuple[tuple[str, tuple[float | None, ...]], ...]
    footer: str = ""
    corner: str = "method"

    def lines(self) -> list[list[str]]:
        """The table as rows of texts, the headings first."""
        head = [self.corner, *(column.head for column in self.columns)]
        return [head, *([name, *map(Column.text, self.columns, values)] for name, values in self.rows)]

    def best(self, index: int) -> str | None:
        """The text of the best value of a column; None if there are fewer than two values."""
        column = self.columns[index]
        values = [value for _, row in self.rows if (value := row[index]) is not None]
        if len(values) < 2 or not column.best:
            return None
        return column.text(min(values) if column.best == "low" else max(values))


def grid_of(results: Mapping[str, Metrics]) -> Grid:
    """The grid of scores by method name, of either protocol.

    Raises:
        ValueError: there are no scores, or they are of both protocols.
    """
    rotated = {"per_rotation" in metrics for metrics in results.values()}
    if len(rotated) != 1:
        raise ValueError(f"expected scores of one protocol, got {'both' if rotated else 'none'}")
    return rotation_grid(results) if rotated.pop() else category_grid(results)


def category_grid(results: Mapping[str, Metrics]) -> Grid:
    """RMSE in degrees by category, their average, and seconds per cloud, of results of `scoring.score`.

    Clouds that are all of the category no_noise, as those of one's own, have their average alone.
    """
    names = in_protocol_order([name for metrics in results.values() for name in metrics["per_category"]])
    names = [] if names == ["no_noise"] else names
    columns = [Column(LABELS.get(name, name)) for name in names]
    rows = [
        (
            method,
            (
                *(metrics["per_category"].get(name, {}).get("rmse") for name in names),
                metrics["average"]["rmse"],
                metrics["average"]["seconds"],
            ),
        )
        for method, metrics in results.items()
    ]
    return Grid((*columns, Column("average"), Column("s/cloud", best="")), tuple(rows), category_footer(results))


def rotation_grid(results: Mapping[str, Metrics]) -> Grid:
    """Mean cosine similarities and RMSE by test rotation, of results of `scoring.score_rotated`."""
    names = list(dict.fromkeys(name for metrics in results.values() for name in metrics["per_rotation"]))
    columns, shown = [], []
    for key, label, digits, best in ROTATED:
        if any(entry[key] is not None for metrics in results.values() for entry in metrics["per_rotation"].values()):
            columns += [Column(f"{label} {name}", digits, best) for name in names]
            shown += [(name, key) for name in names]
    rows = [
        (method, tuple(metrics["per_rotation"].get(name, {}).get(key) for name, key in shown))
        for method, metrics in results.items()
    ]
    entries = [next(iter(metrics["per_rotation"].values())) for metrics in results.values()]
    text = "Mean cosine similarity (|cos| unoriented, cos oriented) and RMSE in degrees (unoriented), by test rotation."
    footer = f"{text} {extent(entries[0])}{differences(results, entries)}{equal_rotations(results)}"
    return Grid(tuple(columns), tuple(rows), footer)


def equal_rotations(results: Mapping[str, Metrics]) -> str:
    """Which methods were shown to be equal under all rotations on some clouds and then scored once, as text."""
    alike: dict[tuple[int, str], dict[str, float]] = {}
    for method, metrics in results.items():
        if found := metrics.get("equal_rotations"):
            group = alike.setdefault((found["clouds"], found["rotation"]), {})
            group[method] = found["largest_difference"]["cosine_unoriented"]
    return "".join(
        f" {named(group)} exactly equivariant: "
        f"on {counted(clouds, 'cloud')} |cos| differs by at most {max(group.values()):.1e} between rotations; "
        f"all clouds were scored under rotation {rotation} alone."
        for (clouds, rotation), group in alike.items()
    )


def named(methods: Collection[str]) -> str:
    """One to three methods by name, more by their number, with the verb."""
    subject = f"{len(methods)} of these" if len(methods) > 3 else " and ".join(methods)
    return f"{subject} {'is' if len(methods) == 1 else 'are'}"


def in_protocol_order(names: Sequence[str]) -> list[str]:
    """The distinct categories: those of the protocol in its order, then the others in the order given."""
    present = dict.fromkeys(names)
    return [name for name in CATEGORIES if name in present] + [name for name in present if name not in CATEGORIES]


def category_footer(results: Mapping[str, Metrics]) -> str:
    """The unit, the numbers of clouds, shapes and points, and warnings, below a table by category."""
    entries = [metrics["average"] for metrics in results.values()]
    first = next(iter(results.values()))
    shapes = span([entry["clouds"] for entry in first["per_category"].values()])
    points = span([entry["points"] for entry in first["per_cloud"].values()])
    missing = "".join(
        f" {method}: {counted(entry['no_normal'] + entry['not_finite'], 'row')} without a normal, scored as 90 degrees."
        for method, entry in zip(results, entries, strict=True)
        if entry["no_normal"] + entry["not_finite"]
    )
    text = f"RMSE in degrees, unoriented. {extent(entries[0])} Shapes a category: {shapes}. Points a cloud: {points}."
    return text + differences(results, entries) + missing


def span(counts: Sequence[int]) -> str:
    """The smallest and the largest count, as text; one number if they are equal."""
    least, largest = min(counts), max(counts)
    return f"{least:,}" if least == largest else f"{least:,} to {largest:,}"


def extent(entry: Metrics) -> str:
    """Numbers of clouds, points and scored points, as text."""
    return f"Clouds: {entry['clouds']:,}, points: {entry['points']:,}, scored: {entry['scored']:,}."


def differences(results: Mapping[str, Metrics], entries: Sequence[Metrics]) -> str:
    """A warning if the methods were scored on different numbers of clouds or points, else empty."""
    extents = {(entry["clouds"], entry["points"], entry["scored"]) for entry in entries}
    return " NOT COMPARABLE: the methods were scored on different points." if len(extents) > 1 else ""
