"""PTX: all scans of a file in its common coordinates.

Source: Leica Geosystems, *Cyclone PTX file format*. No library is used: those that read it leave out the transformation
or all scans but the first.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tensorframes.data.io.colours import are_colours
from tensorframes.data.io.columns import COLOUR, POSITION, Columns
from tensorframes.data.io.format import ReadOnly
from tensorframes.data.io.layout import decode
from tensorframes.data.io.scans import counts_of, joined, of_some, sensor_of
from tensorframes.data.io.shape import organised
from tensorframes.data.io.surplus import FILLING
from tensorframes.data.io.values import read_table
from tensorframes.words import counted

HEADER = (1, 1, 3, 3, 3, 3, 4, 4, 4, 4)
"""How many numbers the lines of a header have: columns, rows, scanner, its axes, matrix."""

MATRIX = slice(6, 10)
"""Lines of the matrix, by which a row (x, y, z, 1) is multiplied from the left."""

SIGN = rb"\s*" + rb"\s*[\r\n]\s*".join(rb"[ \t]+".join([rb"[-+.\deE]+"] * count) for count in HEADER) + rb"\s*[\r\n]"
"""The first lines of a file."""

NAMES: dict[int, tuple[str, ...]] = {
    3: POSITION, 4: (*POSITION, "intensity"), 6: (*POSITION, *COLOUR), 7: (*POSITION, "intensity", *COLOUR)
}  # fmt: skip
"""Names by the number of columns."""


class PtxFormat(ReadOnly):
    """The scans one after the other, in their order; a column `scan` numbers them if there are several."""

    name = "PTX"
    suffixes = (".ptx",)
    refusal = "a PTX file has no place for normals; choose .ply, .pcd or .laz"

    def read(self, path: Path, content: bytes) -> Columns:
        """The points; pixels without a return, which have zeros, have the position NaN."""
        if not re.match(SIGN, content):
            raise ValueError("no header of columns, rows, scanner, axes and matrix")
        lines = [line for line in decode(path, content).lines if line.strip(FILLING)]
        found = list(_scans(lines))
        if not found:
            raise ValueError("no points")
        scans, matrices, shapes = (list(each) for each in zip(*found, strict=True))
        poses = () if all(np.array_equal(matrix, np.eye(4)) for matrix in matrices) else ("poses",)
        left_out = (*poses, *of_some([name for scan in scans for name in scan], scans))
        sensor = sensor_of([matrix[3, :3] for matrix in matrices], counts_of(scans))
        shape = organised(shapes[0]) if len(scans) == 1 else ()
        return Columns(joined(scans), None, ".ptx", other_content=left_out, sensor=sensor, shape=shape)


def _scans(lines: Sequence[str]) -> Iterator[tuple[dict[str, NDArray], NDArray[np.float64], tuple[int, int]]]:
    """The columns of each scan, its matrix, and (columns, rows) of its points.

    Raises:
        ValueError: a header is none, or there are fewer points than it says.
    """
    place, number = 0, 1
    while place < len(lines):
        head = [line.split() for line in lines[place : place + len(HEADER)]]
        if tuple(map(len, head)) != HEADER or not head[0][0].isdecimal() or not head[1][0].isdecimal():
            raise ValueError(f"no header of scan {number} in line {place + 1} of those that are not blank")
        shape, place = (int(head[0][0]), int(head[1][0])), place + len(HEADER)
        count = shape[0] * shape[1]
        if place + count > len(lines):
            raise ValueError(f"{counted(len(lines) - place, 'point')} of scan {number}, not {shape[0]} x {shape[1]}")
        matrix = np.array(head[MATRIX], dtype=np.float64)
        if count:
            yield _scan(lines[place : place + count], matrix), matrix, shape
        place, number = place + count, number + 1


def _scan(lines: Sequence[str], matrix: NDArray[np.float64]) -> dict[str, NDArray]:
    """The columns of one scan."""
    values = read_table(lines, len(lines[0].split()))
    if (names := NAMES.get(values.shape[1])) is None:
        raise ValueError(f"rows of {values.shape[1]} numbers, not x y z intensity (red green blue)")
    pos = values[:, :3] @ matrix[:3, :3] + matrix[3, :3]
    pos[~values[:, :3].any(axis=1)] = np.nan
    arrays = dict(zip(names, (*pos.T, *values[:, 3:].T), strict=True))
    if COLOUR[0] in arrays and are_colours([arrays[name] for name in COLOUR]):
        arrays |= {name: arrays[name].astype(np.uint8) for name in COLOUR}
    return arrays
