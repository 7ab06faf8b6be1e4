"""Normals for a point file: python scripts/estimate_normals.py scan.ply normals.ply [--weights best|fast|FILE]

Reads and writes PLY, XYZ, NPY and the like; all other columns stay as they are.
"""

import argparse
import sys
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from tensorframes.clouds import read_cloud, write_cloud
from tensorframes.clouds.formats import SUFFIXES
from tensorframes.errors import LineParser, UserError
from tensorframes.inference import estimate_normals
from tensorframes.inference.whole import BLOCK


def main() -> None:
    parser = LineParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", help="the cloud")
    parser.add_argument("target", help="the file to write; it may be the same")
    parser.add_argument("--weights", default="best", help="best, fast or a weights file (%(default)s)")
    parser.add_argument("--device", help="cpu, cuda, cuda:1, ...; by default a GPU if there is one")
    parser.add_argument(
        "--block", type=int, default=BLOCK, help="larger clouds are worked through in blocks (%(default)s)"
    )
    given = parser.parse_args()
    if Path(given.target).suffix.lower() not in SUFFIXES:
        parser.error(f"{given.target}: expected a file of type {', '.join(SUFFIXES)}")
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    try:
        with Progress(*columns, TimeElapsedColumn(), console=console, disable=not console.is_terminal) as bars:
            bar = bars.add_task(f"reading {given.source}", total=1.0)
            cloud = read_cloud(given.source)
            bars.update(bar, description=f"{len(cloud.table):,} points")
            normals = estimate_normals(
                cloud.pos,
                given.weights,
                given.device,
                progress=lambda share: bars.update(bar, completed=share),
                block=given.block,
            )
            write_cloud(given.target, cloud.with_normals(normals))
    except (UserError, ValueError, RuntimeError) as error:  # torch tells of devices that are not there by RuntimeError
        parser.error(str(error))
    without = int((normals == 0).all(axis=1).sum())
    note = f"; {without:,} have none: not finite, far from all others, or on a line" if without else ""
    print(f"{given.target}: normals of {len(normals) - without:,} points{note}")


if __name__ == "__main__":
    sys.exit(main())
