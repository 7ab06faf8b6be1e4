"""Measures the table of speed targets: python -m benchmarks [ROW ...] [--quick] [--device cuda] [--json FILE]

A row that needs another machine states this. With ``--quick`` sizes are small, and targets are not checked.
"""

import argparse
import importlib
import json
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from benchmarks.harness import Row, Settings, machine

ROWS = ("messages", "pointnet2", "normals", "neighbours", "processes", "waiting", "shards")
"""Modules of ``benchmarks.rows``, in the order of the table."""

ON_CPU = ("processes", "shards")
"""Those of them that use the CPU on any device."""

HEADER = ("what", "target", "measured (range)", "verdict", "note")


def rows_of(name: str, settings: Settings) -> Iterator[Row]:
    """The rows of one module; of one that fails, a row that says why."""
    try:
        yield from importlib.import_module(f"benchmarks.rows.{name}").measured(settings)
    except (ImportError, RuntimeError, ValueError, OSError) as error:
        yield Row(name, float("nan"), "", note=f"failed: {type(error).__name__}: {str(error).splitlines()[0][:120]}")


def markdown(rows: Sequence[Row]) -> str:
    """The table in Markdown."""
    lines = [HEADER, ("---",) * len(HEADER), *(row.cells() for row in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def arguments() -> argparse.ArgumentParser:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", choices=(*ROWS, []), metavar="ROW", help=f"of {', '.join(ROWS)}; all")
    parser.add_argument("--quick", action="store_true", help="small sizes: shows that it runs")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (%(default)s)")
    parser.add_argument("--json", type=Path, default=Path("bench.json"), help="where it is written to (%(default)s)")
    return parser


def main() -> None:
    """Measure, print each row as soon as it is there, then the table."""
    warnings.filterwarnings("ignore", category=UserWarning)
    given = arguments().parse_args()
    settings = Settings(torch.device(given.device), given.quick)
    rows = []
    for name in given.rows or ROWS:
        for row in rows_of(name, settings):
            rows.append(row)
            print("  ".join(filter(None, row.cells())), flush=True)
    described = machine(settings.device)
    print("\n" + ", ".join(f"{key} {value}" for key, value in described.items()) + "\n")
    print(markdown(rows))
    content = {"machine": described, "quick": settings.quick, "rows": [row.entry() for row in rows]}
    given.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
