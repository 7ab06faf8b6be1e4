"""Tables of a matrix: a row for each run as CSV, a table for each block in Markdown."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence

from tensorframes.reports.matrix.claims import largest_change, slopes
from tensorframes.reports.matrix.pairing import spread
from tensorframes.reports.matrix.records import Key, Record, Setup, by_key

ROTATIONS = ("none", "z", "so3", "o3")
MEASURED = ("cosine_oriented", "cosine_unoriented", "rmse")
NOTHING = "–"

Lines = list[list[str]]
"""The rows of a table, its headings first."""


def results_csv(records: Sequence[Record], setup: Setup) -> str:
    """A row for each run: what it is, what it cost, its scores under each rotation, and the means over classes."""
    rotations = [name for name in ROTATIONS if any(record.rotation(name) for record in records)]
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    plain = ("run", "blocks", "backbone", "network", "frames", "messages", "trained", "seed", "clouds")
    costs = ("parameters", "seconds_per_step", "memory", "hours")
    scores = [f"{key}_{name}" for name in rotations for key in MEASURED]
    writer.writerow([*plain, *costs, *scores, "clouds_scored", "class_mean"])
    for record in records:
        row: list[str | float | None] = [record.name, " ".join(record.blocks), record.backbone, record.network]
        row += [record.frames, record.messages]
        row += [record.trained, record.seed, record.clouds, record.parameters]
        row += [record.cost("seconds_per_step"), record.cost("memory"), round(record.seconds / 3600, 4)]
        row += [record.rotation(name).get(key) for name in rotations for key in MEASURED]
        row += [record.rotation(setup.rotation).get("clouds"), record.class_mean(setup.rotation, setup.score)]
        writer.writerow(["" if value is None else value for value in row])
    return text.getvalue()


def cell(records: Sequence[Record], value: Callable[[Record], float | None], digits: int = 4) -> str:
    """Mean and spread over seeds; the mean alone of one run, a dash of none."""
    return spread_cell([found for record in records if (found := value(record)) is not None], digits)


def spread_cell(values: Sequence[float], digits: int) -> str:
    """Mean and spread of one value a seed."""
    if not values:
        return NOTHING
    its = spread(values)
    text = f"{its.mean:,.{digits}f}"
    return text if its.deviation is None else f"{text} ± {its.deviation:.{digits}f}"


def score_cell(records: Sequence[Record], rotation: str, setup: Setup) -> str:
    """Mean and spread of the main score under a rotation."""
    return cell(records, lambda record: record.rotation(rotation).get(setup.score))


def block_lines(records: Sequence[Record], setup: Setup) -> Lines:
    """A row for each network of a block: scores, and what they cost; then the baselines."""
    rotation = setup.rotation
    head = ["network", "runs", f"{setup.symbol} {rotation}", "mean over classes", "RMSE", "parameters"]
    lines = [[*head, "seconds a step", "peak memory, MB"]]
    several = len({record.backbone for record in records}) > 1
    for (backbone, _, _), members in by_key(records).items():
        line = [f"{backbone}, {members[0].title}" if several else members[0].title, str(len(members))]
        line += [score_cell(members, rotation, setup)]
        line += [cell(members, lambda record: record.class_mean(rotation, setup.score))]
        line += [cell(members, lambda record: record.rotation(rotation).get("rmse"), 2)]
        line += [f"{members[0].parameters:,}", cell(members, lambda record: record.cost("seconds_per_step"), 3)]
        lines.append([*line, cell(members, megabytes, 0)])
    return [*lines, *baseline_lines(records, setup)]


def megabytes(record: Record) -> float | None:
    """The peak memory of a run."""
    size = record.cost("memory")
    return None if size is None else size / 1e6


def baseline_lines(records: Sequence[Record], setup: Setup) -> Lines:
    """A row for each classical method that was scored beside a run."""
    found: dict[str, Mapping[str, float | None]] = {}
    for record in records:
        for name, entry in record.metrics.get("baselines", {}).items():
            found.setdefault(name, entry["per_rotation"].get(setup.rotation, {}))
    lines = []
    for name, entry in found.items():
        shown = [(entry.get(setup.score), 4), (entry.get("rmse"), 2)]
        score, rmse = (NOTHING if value is None else f"{value:.{digits}f}" for value, digits in shown)
        lines.append([name, NOTHING, score, NOTHING, rmse, *[NOTHING] * 3])
    return lines


def rotation_lines(records: Sequence[Record], setup: Setup) -> Lines:
    """A row for each network of the block of rotations: its score by test rotation. For exactly equivariant ones the
    largest change of a cloud's score stands under the others, which are scored on a few clouds."""
    rotations = [name for name in ROTATIONS if any(record.rotation(name) for record in records)]
    lines = [["network", *(f"{setup.symbol} {name}" for name in rotations)]]
    for members in by_key(records).values():
        changes = [change for each in members if each.exact and (change := largest_change(each, setup)) is not None]
        same = f"same within {max(changes):.0e}" if changes else ""
        row = [score_cell(members, name, setup) if name == setup.rotation or not same else same for name in rotations]
        lines.append([members[0].title, *row])
    return lines


def data_lines(records: Sequence[Record], setup: Setup) -> Lines:
    """A row for each number of training clouds, a column for each network; below them the exponents of the error."""
    runs: dict[Key, list[Record]] = by_key([record for record in records if record.clouds is not None])
    networks = {(backbone, name): members[0].title for (backbone, name, _), members in runs.items()}
    lines = [["training clouds", *(f"{setup.symbol}, {title}" for title in networks.values())]]
    for size in sorted({clouds for *_, clouds in runs if clouds is not None}):
        lines.append(
            [f"{size:,}", *(score_cell(runs.get((*each, size), []), setup.rotation, setup) for each in networks)]
        )
    fitted = [spread_cell(list(slopes(runs, *each, setup).values()), 2) for each in networks]
    return [*lines, [f"exponent of 1 − {setup.symbol}", *fitted]]
