"""Text files that are no tables of points, recognised by their first lines, for error messages."""

import re
from collections.abc import Sequence
from itertools import islice

from tensorframes.data.io.axes import POSITIONS, find_triple
from tensorframes.data.io.dialect import number

PTX = (1, 1, 3, 3, 3, 3, 4, 4, 4, 4)
"""How many numbers the lines of a PTX header have: columns, rows, scanner, axes, matrix."""

ATOM = re.compile(r"[A-Z][a-z]?( [-+]?\d*\.?\d+([eE][-+]?\d+)?){3}( .*)?")
"""An element and its position."""


def other_text(lines: Sequence[str]) -> str:
    """What begins a scan in PTX or a molecule in the XYZ format of chemistry; empty of other files."""
    first = list(islice((line.split() for line in lines if line.strip()), len(PTX)))
    if tuple(map(len, first)) == PTX and all(number(word) is not None for words in first for word in words):
        return "the header of a PTX file"
    counted = len(first) > 2 and len(first[0]) == 1 and first[0][0].isdecimal()
    if counted and find_triple(first[1], POSITIONS) is None and ATOM.fullmatch(" ".join(first[2])):
        return "the number of atoms of a molecule"
    return ""
