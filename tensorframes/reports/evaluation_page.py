"""The page of ``tensorframes evaluate report=true``: scores, errors on the worst clouds, confidence, equivariance."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from tensorframes.data import Cloud
from tensorframes.reports.cloud_view import Colouring, Shown, cloud_view
from tensorframes.reports.confidence import confidence_lines, confidence_picture, explained
from tensorframes.reports.curves import score_picture
from tensorframes.reports.equivariance import (
    EXPLAINED,
    LIE_EXPLAINED,
    STORED,
    equivariance_lines,
    lie_lines,
    lie_picture,
)
from tensorframes.reports.grid import Metrics, grid_of
from tensorframes.reports.page import (
    HOW_TO_MOVE,
    Drawing,
    facts,
    grid_table,
    heading,
    html_table,
    paragraph,
    picture,
    slot,
    write_page,
)
from tensorframes.reports.pictures import TITLES, error_panel, short, worst_clouds
from tensorframes.reports.results import methods_of
from tensorframes.reports.splats import best_view
from tensorframes.scoring import Method
from tensorframes.scoring.modelnet import turned_cloud
from tensorframes.words import counted

LISTED = 6
"""Clouds whose errors are shown, at least: the worst of each category, then the worst of the others."""
POINTS = 20_000
LIMIT = 60.0
"""Degrees at the end of the colour scale."""


def write_evaluation_page(
    path: Path | str, methods: Sequence[Method], metrics: Metrics, clouds: Sequence[Cloud], done: Mapping[str, str]
) -> Path:
    """Writes the page of a run.

    Args:
        path: the file, .html.
        methods: that of the run, then the methods to compare it with; their errors are computed here.
        metrics: the content of metrics.json, of either protocol.
        clouds: that were scored, in order.
        done: what was done, as texts by name.

    Raises:
        UserError: plotly or matplotlib is not installed.
        OSError: the file can't be written.
    """
    results = methods_of(metrics)
    rotated = "per_rotation" in metrics
    chosen = worst_rotated(metrics, clouds) if rotated else worst(metrics, clouds)
    figures = rotated_lines(results, chosen) if rotated else cloud_lines(results, chosen)
    shown = "By test rotation" if rotated else "Share of points with errors below 5 to 30 degrees (PGP)"
    parts = [
        facts(done),
        heading("Scores"),
        grid_table(grid_of(results)),
        heading(shown),
        picture(lambda file: score_picture(results, file), shown),
        heading("Worst clouds"),
        paragraph(chosen_line(rotated)),
        html_table(figures),
        paragraph(HOW_TO_MOVE),
        slot("errors"),
        *confidence_parts(metrics),
        *equivariance_parts(metrics),
    ]
    title = f"Scores of {metrics.get('method', 'a network')}"
    return write_page(path, title, parts, {"errors": error_view(methods, chosen)})


def worst(metrics: Metrics, clouds: Sequence[Cloud]) -> list[Cloud]:
    """The cloud of largest RMSE in each category, then the worst of the others up to LISTED."""
    chosen = worst_clouds(metrics, clouds)
    taken = {cloud.name for cloud in chosen}
    per_cloud = metrics["per_cloud"]
    rest = sorted((name for name in per_cloud if name not in taken), key=lambda name: -per_cloud[name]["rmse"])
    order = list(per_cloud)
    return chosen + [clouds[order.index(name)] for name in rest[: max(0, LISTED - len(chosen))]]


def worst_rotated(metrics: Metrics, clouds: Sequence[Cloud]) -> list[Cloud]:
    """The clouds of largest RMSE under any test rotation, each turned by the rotation under which it is worst."""
    per_rotation = metrics["per_rotation"]
    entries = [
        (entry["rmse"], index, rotation)
        for rotation, found in per_rotation.items()
        for index, entry in enumerate(found["per_cloud"].values())
    ]
    largest: dict[int, tuple[float, str]] = {}
    for rmse, index, rotation in entries:
        largest[index] = max(largest.get(index, (-1.0, "")), (rmse, rotation), key=lambda pair: pair[0])
    order = sorted(largest, key=lambda index: -largest[index][0])[:LISTED]
    turned = [(turned_cloud(clouds[index], largest[index][1], metrics["seed"]), largest[index][1]) for index in order]
    return [replace(cloud, category=rotation) for cloud, rotation in turned]


def cloud_lines(results: Mapping[str, Metrics], chosen: Sequence[Cloud]) -> list[list[str]]:
    """The figures of clouds by PCPNet's protocol as rows of texts, the headings first."""
    lines = [
        [
            "cloud",
            "category",
            *(f"RMSE of {name} (°)" for name in results),
            "below 10°",
            "below 30°",
            "scored",
            "no normal",
        ]
    ]
    for cloud in chosen:
        first, *_ = entries = [metrics["per_cloud"][cloud.name] for metrics in results.values()]
        shares = [f"{100 * first['pgp'][at]:.1f} %" for at in ("10", "30")]
        counts = [f"{first['scored']:,}", f"{first['no_normal'] + first['not_finite']:,}"]
        rmse = [f"{entry['rmse']:.2f}" for entry in entries]
        lines.append([cloud.name, TITLES.get(cloud.category, cloud.category), *rmse, *shares, *counts])
    return lines


def rotated_lines(results: Mapping[str, Metrics], chosen: Sequence[Cloud]) -> list[list[str]]:
    """The figures of clouds by ModelNet40's protocol as rows of texts; a cloud's ``category`` is its rotation."""
    heads = [f"{what} of {name}{unit}" for name in results for what, unit in (("RMSE", " (°)"), ("mean |cos|", ""))]
    lines = [["cloud", "test rotation", *heads]]
    for cloud in chosen:
        entries = [metrics["per_rotation"][cloud.category]["per_cloud"][cloud.name] for metrics in results.values()]
        values = [text for each in entries for text in (f"{each['rmse']:.2f}", f"{each['cosine_unoriented']:.4f}")]
        lines.append([cloud.name, cloud.category, *values])
    return lines


def chosen_line(rotated: bool) -> str:
    """Which clouds are listed."""
    if rotated:
        return "The clouds of largest RMSE under any test rotation, turned as there."
    which = "The cloud of largest RMSE in each category, then the worst of the others."
    return f"{which} Shares and counts are of the first method."


def error_view(methods: Sequence[Method], chosen: Sequence[Cloud]) -> Drawing:
    """The errors on each of the clouds: a panel for each method."""
    shown = []
    for cloud in chosen:
        panels = [error_panel(method, cloud, POINTS) for method in methods]
        first = panels[0].cloud
        category = TITLES.get(cloud.category, cloud.category)
        note = f"{cloud.name}, {category}: {len(first):,} of {counted(len(cloud), 'point')}."
        values = [[panel.degrees.astype(np.float32)] for panel in panels]
        notes = [f"RMSE {panel.rmse:.2f}°" for panel in panels]
        label = f"{short(cloud.name)}, {category}"
        shown.append(Shown(label, first.pos, values, best_view(first.pos), note, notes))
    colouring = Colouring("error", "", "angle to the true normal (degrees)", (0.0, LIMIT))
    return cloud_view(shown, [colouring], [method.name for method in methods])


def confidence_parts(metrics: Metrics) -> list[str]:
    """Expected and observed errors, where they were compared."""
    scores, title = metrics.get("confidence"), "Expected and observed errors"
    if not scores:
        return []
    shown = picture(lambda file: confidence_picture(scores, title, file), "Calibration and sparsification curves")
    return [heading(title), shown, html_table(confidence_lines(scores)), paragraph(" ".join(explained(scores)))]


def equivariance_parts(metrics: Metrics) -> list[str]:
    """The equivariance errors, where they were measured."""
    parts = []
    for key, precision in STORED.items():
        if key in metrics:
            parts += [
                heading(f"Equivariance, turned, then stored in {precision}"),
                html_table(equivariance_lines(metrics[key])),
            ]
            parts.append(paragraph(EXPLAINED))
    if local := metrics.get("lie_derivative"):
        title = "Where equivariance is lost"
        parts += [
            heading(title),
            picture(lambda file: lie_picture(local, title, file), title),
            html_table(lie_lines(local)),
        ]
        parts.append(paragraph(LIE_EXPLAINED))
    return parts
