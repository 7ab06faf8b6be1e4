"""The arguments of ``tensorframes normals``."""

import argparse
import os
from collections.abc import Sequence
from glob import glob

from tensorframes.errors import LineParser

CONFIDENCES = ("field", "length")
"""The forms of a confidence."""

DESCRIPTION = """\
Estimates normals of a point cloud file: tensorframes normals scan.ply normals.ply

Reads and writes PLY, PCD, LAS, LAZ, NPY, NPZ, text (XYZ, TXT, CSV, ASC, PTS), OBJ, OFF and HDF5, and reads STL, E57,
PTX and the BIN of KITTI and nuScenes. Other columns are kept. The target is written, or with --overwrite replaced,
only once its content is complete: an interrupt or a full disk changes nothing.

Several clouds are written to an existing folder: tensorframes normals scans/*.ply normals
"""


def parser() -> LineParser:
    """The command's arguments."""
    reader = LineParser(
        prog="tensorframes normals", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    reader.add_argument("sources", metavar="source", nargs="+", help="a point cloud; - for standard input")
    reader.add_argument("target", help="the file to write, or an existing folder; - for standard output")
    reader.add_argument(
        "--from", dest="source_kind", metavar="KIND", help="format of the source, such as ply (default: by its name)"
    )
    reader.add_argument("--to", dest="target_kind", metavar="KIND", help="format of the target (default: by its name)")
    reader.add_argument(
        "--overwrite", action="store_true", help="replace an existing target or report; the target may be the source"
    )
    reader.add_argument("--quiet", action="store_true", help="print errors only")
    reader.add_argument("--weights", default="fast", help="fast, best, a weights file or a checkpoint (default: fast)")
    reader.add_argument("--device", help="cpu, cuda, cuda:1, ... (default: a GPU if there is one)")
    reader.add_argument("--block", type=int, help="points per block of a large cloud (250000; on a GPU what fits)")
    reader.add_argument(
        "--orient",
        default="none",
        metavar="HOW",
        help="sign of the normals: none, viewpoint X,Y,Z, sensor, up, outward or consistent (default: none)",
    )
    reader.add_argument("--report", metavar="FILE", help="also write an HTML report: FILE.html")
    reader.add_argument(
        "--confidence",
        nargs="?",
        const=CONFIDENCES[0],
        choices=CONFIDENCES,
        help="also write the confidence in each normal, from 0 to 1: as a column, or as the length of the normal",
    )
    reader.add_argument(
        "--trusted",
        action="append",
        default=[],
        metavar="PACKAGE",
        help="a package whose classes a checkpoint may use",
    )
    return reader


def join_words(arguments: Sequence[str]) -> list[str]:
    """The arguments, with words that belong together made one: ``--orient viewpoint X,Y,Z``, which may begin with
    a minus, and ``--confidence`` before a file, which is not its value. Files behind ``--`` may begin with a minus."""
    words = list(arguments)
    if "--" in words:
        place = words.index("--")
        files = [f".{os.sep}{word}" if word.startswith("-") and word != "-" else word for word in words[place + 1 :]]
        return [*join_words(words[:place]), *files]
    for place, word in enumerate(words[1:]):
        if words[place] == "--confidence" and word not in CONFIDENCES:
            words[place] = f"--confidence={CONFIDENCES[0]}"
    for place in range(1, len(words) - 1):
        if words[place - 1 : place + 1] == ["--orient", "viewpoint"]:
            words[place : place + 2] = [f"viewpoint={words[place + 1]}"]
            break
    return words


def expanded(names: Sequence[str]) -> list[str]:
    """The names, with the files that a pattern (*, ?, [...]) matches in its place, as shells but those of Windows do.

    A name that exists, or that no file matches, stays.
    """
    return [found for name in names for found in (not os.path.lexists(name) and sorted(glob(name))) or [name]]


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
    wrong = (
        len(viewpoint or ()) != 3
        if method == "viewpoint"
        else text not in ("none", "sensor", "up", "outward", "consistent")
    )
    if wrong:
        expected = "none, viewpoint X,Y,Z, sensor, up, outward or consistent"
        raise ValueError(f"expected --orient {expected}, got {text.replace('=', ' ')!r}")
    return method, viewpoint
