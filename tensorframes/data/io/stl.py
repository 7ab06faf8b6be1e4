"""STL: the distinct corners of the triangles, from text and binary files.

Source: 3D Systems, *StereoLithography Interface Specification*, 1988. No library is used: a file is one array of
records, and trimesh and numpy-stl have rules of their own on which corners are one vertex.
"""

import re
from codecs import BOM_UTF8
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tensorframes.data.io.columns import POSITION, Columns, table_of
from tensorframes.data.io.faces import Faces, Mesh
from tensorframes.data.io.format import ReadOnly
from tensorframes.data.io.layout import shorten
from tensorframes.data.io.surplus import note_on_bytes
from tensorframes.data.io.values import as_floats, is_float
from tensorframes.words import counted

START = 84
"""Bytes before the triangles: a comment of 80, and their number."""

SOME = 1024
"""First bytes, of which some are zero in all binary files."""

TRIANGLE = np.dtype([("normal", "<f4", (3,)), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])

VERTEX = re.compile(rb"^\s*vertex\s+(\S+)\s+(\S+)\s+(\S+)", re.MULTILINE | re.IGNORECASE)


class StlFormat(ReadOnly):
    """Every triangle repeats its corners. Equal ones are one point, in the order in which they first occur."""

    name = "STL"
    suffixes = (".stl",)
    refusal = "an STL file has no place for normals of points; choose .ply or .obj"

    def read(self, path: Path, content: bytes) -> Columns:
        """The points, float32 of binary files and float64 of text."""
        text = content.removeprefix(BOM_UTF8)
        binary = _is_binary(text)
        corners = _from_binary(content) if binary else _from_text(text)
        notes = note_on_bytes(content, START + TRIANGLE.itemsize * _declared(content)) if binary else ()
        points, rows = _distinct(corners)
        mesh = Mesh("triangles", len(points), lambda: Faces(np.full(len(rows) // 3, 3), rows))
        table = table_of(dict(zip(POSITION, points.T, strict=True)))
        return Columns(table, None, ".stl", other_content=(mesh.name,), mesh=mesh, notes=notes)


def _is_binary(content: bytes) -> bool:
    """Whether there is more than text: binary files may begin with `solid`, too."""
    if content.lstrip()[:5].lower() != b"solid":
        return True
    return b"\0" in content[:SOME] or is_whole_binary(content)


def is_whole_binary(content: bytes) -> bool:
    """Whether this is as long as a binary file of the triangles that it declares, and declares some."""
    count = _declared(content)
    return count > 0 and len(content) == START + TRIANGLE.itemsize * count


def _declared(content: bytes) -> int:
    return int.from_bytes(content[START - 4 : START], "little")


def _from_binary(content: bytes) -> NDArray:
    """(3 T, 3) corners."""
    if len(content) < START:
        raise ValueError(f"{counted(len(content), 'byte')}, fewer than a header has")
    count = _declared(content)
    if len(content) < START + TRIANGLE.itemsize * count:
        raise ValueError(f"{counted(count, 'triangle')} declared, and {len(content) - START} bytes of them")
    return np.frombuffer(content, TRIANGLE, count, START)["corners"].reshape(-1, 3)


def _from_text(content: bytes) -> NDArray:
    """(3 T, 3) corners."""
    content = content.replace(b"\r", b"\n")
    if not re.search(rb"^\s*endsolid", content, re.MULTILINE | re.IGNORECASE):
        raise ValueError("text that ends before endsolid")
    rows = [[text.decode("ascii", "replace") for text in row] for row in VERTEX.findall(content)]
    try:
        corners = as_floats(rows).reshape(-1, 3)
    except ValueError as error:
        wrong = next(row for row in rows if not all(map(is_float, row)))
        raise ValueError(f"a corner at {shorten(' '.join(wrong))}") from error
    if len(corners) % 3:
        raise ValueError(f"{counted(len(corners), 'corner')}, no multiple of three")
    return corners


def _distinct(corners: NDArray) -> tuple[NDArray, NDArray]:
    """The distinct corners, and (3 T,) which of them each corner is."""
    import torch  # takes seconds, which other files need not wait for

    from tensorframes.geometry.distances import distinct_points

    exact = torch.from_numpy(corners.astype(np.float64))
    found = distinct_points(exact, torch.zeros(len(exact), dtype=torch.long))
    return corners[found.first.numpy()], found.index.numpy()
