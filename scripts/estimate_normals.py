"""Normals for a point file: python scripts/estimate_normals.py scan.ply normals.ply [--weights best|fast|FILE]

Reads and writes PLY, PCD, LAS, LAZ, NPY, NPZ and text (XYZ, TXT, CSV, ASC, PTS); all other columns stay as they are.
The target is replaced when its new content is whole: interrupted, or on a full disk, it stays what it was.
"""

import argparse
import os
import sys

from tensorframes.errors import LineParser, UserError, interruptible, loading


def main() -> None:
    with loading():
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        from tensorframes.data.io import expect_target, lost_line, read_cloud, unkept, write_cloud
        from tensorframes.normals import estimate_normals
        from tensorframes.normals.predict import BLOCK

    parser = LineParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", help="the cloud")
    parser.add_argument("target", help="the file to write; it may be the same")
    parser.add_argument("--weights", default="best", help="best, fast or a weights file (%(default)s)")
    parser.add_argument("--device", help="cpu, cuda, cuda:1, ...; by default a GPU if there is one")
    parser.add_argument(
        "--block", type=int, default=BLOCK, help="larger clouds are worked through in blocks (%(default)s)"
    )
    given = parser.parse_args()
    console = Console(stderr=True)
    shown = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    try:
        expect_target(given.target)
        with Progress(*shown, TimeElapsedColumn(), console=console, disable=not console.is_terminal) as bars:
            bar = bars.add_task(f"reading {given.source}", total=1.0)
            cloud = read_cloud(given.source)
            if lost := unkept(given.target, cloud):
                console.print(f"note: {lost_line(given.target, lost)}", soft_wrap=True, markup=False, highlight=False)
            bars.update(bar, description=f"{len(cloud.table):,} points")
            normals = estimate_normals(
                cloud.pos,
                given.weights,
                given.device,
                progress=lambda done, total: bars.update(bar, completed=done, total=total),
                block=given.block,
            )
            write_cloud(given.target, cloud.without(lost).with_normals(normals))
    except (UserError, ValueError, RuntimeError) as error:  # torch tells of devices that are not there by RuntimeError
        parser.error(str(error))
    without = int((normals == 0).all(axis=1).sum())
    note = f"; {without:,} have none: not finite, far from all others, or on a line" if without else ""
    # What is written to the standard output is not mixed with what is told.
    apart = os.path.realpath(given.target) == os.path.realpath("/dev/stdout")
    told = f"{given.target}: normals of {len(normals) - without:,} points{note}"
    print(told, file=sys.stderr if apart else sys.stdout)


if __name__ == "__main__":
    sys.exit(interruptible(main))
