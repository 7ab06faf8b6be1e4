"""``tensorframes normals``: a point file in, the same file with normals out."""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tensorframes.errors import LineParser, UserError, loading

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tensorframes.normals import NormalEstimator

DESCRIPTION = """\
Normals for a point file: tensorframes normals scan.ply normals.ply

Reads and writes PLY, PCD, LAS, LAZ, NPY, NPZ and text (XYZ, TXT, CSV, ASC, PTS); all other columns stay as they are.
The target is replaced once its new content is complete: after an interrupt, or on a full disk, it is unchanged.
"""


def parser() -> LineParser:
    """The command's arguments."""
    reader = LineParser(
        prog="tensorframes normals", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    reader.add_argument("source", help="the cloud")
    reader.add_argument("target", help="the file to write; it may be the source")
    reader.add_argument("--weights", default="best", help="best, fast, a weights file or a checkpoint (%(default)s)")
    reader.add_argument("--device", help="cpu, cuda, cuda:1, ...; by default a GPU if there is one")
    reader.add_argument("--block", type=int, help="points of a block, for larger clouds (250000)")
    reader.add_argument(
        "--orient", default="none", metavar="HOW", help="signs: none, viewpoint X,Y,Z, up, outward, consistent (none)"
    )
    reader.add_argument("--report", metavar="FILE", help="also write a page to look at: FILE.html")
    reader.add_argument(
        "--trusted",
        action="append",
        default=[],
        metavar="PACKAGE",
        help="a package whose classes a checkpoint may name",
    )
    return reader


def main(arguments: Sequence[str]) -> int:
    """Read, estimate, write; returns the exit code."""
    reader = parser()
    given = reader.parse_args(joined(arguments))
    with loading():
        from tensorframes.cli.reporting import check_report
        from tensorframes.data.io import expect_target
    try:
        expect_target(given.target)
        check_report(given.report)
        normals = written(given, orientation(given.orient))
    except (ValueError, RuntimeError) as error:  # torch raises RuntimeError for devices that do not exist
        reader.error(str(error))
    without = int((normals == 0).all(axis=1).sum())
    note = f"; {without:,} have none: not finite, far from all others, or on a line" if without else ""
    # Messages do not mix with a cloud that is written to standard output.
    apart = os.path.realpath(given.target) == os.path.realpath("/dev/stdout")
    line = f"{given.target}: normals of {len(normals) - without:,} points{note}"
    print(line, file=sys.stderr if apart else sys.stdout)
    return 0


def joined(arguments: Sequence[str]) -> list[str]:
    """The arguments, with the two words of ``--orient viewpoint X,Y,Z`` made one; the second may begin with a minus."""
    words = list(arguments)
    for place in range(1, len(words) - 1):
        if words[place - 1 : place + 1] == ["--orient", "viewpoint"]:
            words[place : place + 2] = [f"viewpoint={words[place + 1]}"]
            break
    return words


def orientation(text: str) -> tuple[str, tuple[float, ...] | None]:
    """Method of orientation, and its viewpoint.

    Raises:
        ValueError: it is none of those that there are.
    """
    method, _, place = text.partition("=")
    try:
        viewpoint = tuple(map(float, place.split(","))) if method == "viewpoint" else None
    except ValueError:
        viewpoint = ()
    wrong = len(viewpoint or ()) != 3 if method == "viewpoint" else text not in ("none", "up", "outward", "consistent")
    if wrong:
        expected = "none, viewpoint X,Y,Z, up, outward or consistent"
        raise ValueError(f"expected --orient {expected}, got {text.replace('=', ' ')!r}")
    return method, viewpoint


def written(given: argparse.Namespace, orient: tuple[str, tuple[float, ...] | None]) -> "NDArray":
    """Write the target, with a progress bar on a terminal; returns the normals (N, 3).

    Args:
        given: the arguments. orient: method and viewpoint, see ``orientation``.
    """
    with loading():
        from tensorframes.cli.reporting import report_run
        from tensorframes.data.io import lost_line, read_cloud, unkept, write_cloud
        from tensorframes.normals import estimate_normals, orient_normals
        from tensorframes.progress import progress_bar
    with progress_bar(f"reading {given.source}"):
        cloud = read_cloud(given.source)
    if lost := unkept(given.target, cloud):
        print(f"note: {lost_line(given.target, lost)}", file=sys.stderr)
    start = time.perf_counter()
    with progress_bar(f"{len(cloud.table):,} points") as progress:
        normals = estimate_normals(
            cloud.pos,
            chosen_weights(given.weights, given.trusted),
            given.device,
            progress=progress,
            **({} if given.block is None else {"block": given.block}),
        )
    if orient[0] != "none":
        with progress_bar("orienting"):
            normals = orient_normals(cloud.pos, normals, *orient)
    write_cloud(given.target, cloud.without(lost).with_normals(normals))
    report_run(given, cloud.pos, normals, start)
    return normals


def chosen_weights(name: str, trusted: Sequence[str]) -> "str | NormalEstimator":
    """The name, if it is that of weights of the package, or the estimator in the file of that name.

    Raises:
        UserError: there is no such file, or it is neither a weights file nor a checkpoint.
    """
    from tensorframes.cli.folders import find_plugins
    from tensorframes.normals import PRETRAINED, NormalEstimator, load_weights

    if trusted:
        find_plugins()
    if name in PRETRAINED:
        return name
    if not name.endswith(".ckpt"):
        return load_weights(name, trusted)
    from tensorframes.cli.checkpoint import load_estimator

    estimator = load_estimator(name, trusted)
    if not isinstance(estimator, NormalEstimator):
        raise UserError(f"expected a NormalEstimator in {name}, got a {type(estimator).__name__}")
    return estimator
