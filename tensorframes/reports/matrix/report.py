"""The report of a matrix: results.csv, tables, figures, and report.md, which judges the claims."""

from collections.abc import Sequence
from pathlib import Path

from tensorframes.atomic import replace_text
from tensorframes.reports.markdown import markdown_table
from tensorframes.reports.matrix.claims import ERRORS, verdicts
from tensorframes.reports.matrix.figures import data_figure, network_figure, rotation_figure
from tensorframes.reports.matrix.records import Record, Setup
from tensorframes.reports.matrix.tables import block_lines, data_lines, results_csv, rotation_lines
from tensorframes.words import counted

BLOCKS = {
    "networks": "Networks",
    "frames": "Frames and messages",
    "backbones": "Other backbones",
    "tensors": "Which tensors, at equal width",
    "rotations": "Training and test rotations",
    "data": "The number of training clouds",
}
LINES = {"rotations": rotation_lines, "data": data_lines}
FIGURES = {"rotations": rotation_figure, "data": data_figure}
WHOLE = {"train": 9843, "test": 2468}
"""Clouds of ModelNet40's lists; those held out for validation are of the training list."""

TO_FILL = "to be filled from the paper with table and page"


def write_report(records: Sequence[Record], setup: Setup, folder: Path) -> Path:
    """Write results.csv, tables/BLOCK.md, figures/BLOCK.png and report.md; returns the last.

    Args:
        records: of the finished runs, in the order of the matrix. setup: what they were made with.
        folder: of the matrix.
    """
    replace_text(folder / "results.csv", results_csv(records, setup))
    (folder / "tables").mkdir(exist_ok=True)
    parts = [
        f"# Normals with tensor frames: {len(records)} of {counted(setup.planned, 'run')}\n",
        made_with(records, setup),
    ]
    parts += ["## Claims\n", claims_text(records, setup)]
    for block, title in BLOCKS.items():
        members = [record for record in records if block in record.blocks]
        if not members:
            continue
        table = markdown_table(LINES.get(block, block_lines)(members, setup))
        replace_text(folder / "tables" / f"{block}.md", table + "\n")
        FIGURES.get(block, network_figure)(members, setup, folder / "figures" / f"{block}.png")
        parts += [f"## {title}\n", table + "\n", f"![{title}](figures/{block}.png)\n"]
    replace_text(folder / "report.md", "\n".join(parts))
    return folder / "report.md"


def made_with(records: Sequence[Record], setup: Setup) -> str:
    """How the numbers were made, what they mean, and how far the data are from the whole."""
    hours = sum(record.seconds for record in records) / 3600
    scored = max(record.rotation(setup.rotation).get("clouds", 0) for record in records)
    lines = [
        f"- Command: `{setup.command}`; code: {setup.commit}; machine: {setup.machine}; {hours:.2f} hours of runs.",
        f"- {data_text(setup)} Scored: {counted(scored, 'test cloud')}.",
        f"- {setup.symbol} is the mean over clouds of the mean cosine similarity of a cloud, under test rotations of "
        f"the group {setup.rotation} unless said otherwise; RMSE is in degrees, unoriented. ± is the standard "
        "deviation between seeds.",
        "- The mean over classes is that of the classes' means, in which rare classes count as much as common ones.",
        f"- Differences are paired by test cloud and seed. A claim is confirmed or refuted beyond {ERRORS:.0f} "
        "standard errors if the bootstrap interval over seeds and clouds excludes zero, too; one seed decides nothing.",
    ]
    return "\n".join(lines) + "\n"


def data_text(setup: Setup) -> str:
    """The clouds that were used, and which part of ModelNet40 they are."""
    train, val, test = (setup.counts[split] for split in ("train", "val", "test"))
    text = f"Clouds: {train:,} to train, {val:,} to validate, {test:,} to test."
    if setup.data != "modelnet40":
        return f"{text} They are those of data={setup.data}, not the paper's: numbers cannot be compared with it."
    if train + val == WHOLE["train"] and test == WHOLE["test"]:
        return f"{text} This is all of ModelNet40."
    share = f"{(train + val) / WHOLE['train']:.1%} of the training and {test / WHOLE['test']:.1%} of the test clouds"
    return f"{text} As many as {share} of ModelNet40, so that numbers cannot be compared with published ones."


def claims_text(records: Sequence[Record], setup: Setup) -> str:
    """The table of claims; the paper's own figures are left open."""
    head = ["claim", "this run", "difference", "cost", "the paper"]
    lines = [head, ["---"] * len(head)]
    lines += [[each.text, f"**{each.outcome}**", each.found, each.cost, ""] for each in verdicts(records, setup)]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"{table}\n\nThe last column is {TO_FILL}.\n"
