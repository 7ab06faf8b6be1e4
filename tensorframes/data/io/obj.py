"""OBJ: vertices and a normal for each; faces, groups, materials and comments are preserved.

Source: Wavefront Technologies, *Object Files (.obj)*, Advanced Visualizer Manual, appendix B1. No library is used:
trimesh leaves out vertices that no face uses, and none keeps the other lines.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from tensorframes.data.io.columns import COLOUR, NORMAL, POSITION, Columns, table_of
from tensorframes.data.io.dialect import Dialect, uncommented
from tensorframes.data.io.faces import Faces, Mesh
from tensorframes.data.io.layout import Text, decode, shorten
from tensorframes.data.io.splice import Splice, splice_line
from tensorframes.data.io.standard import standard
from tensorframes.data.io.values import as_floats, brief, is_float, texts_of
from tensorframes.errors import UserError

OTHERS = {0: (), 1: ("w",), 3: COLOUR, 4: (*COLOUR, "alpha")}
"""Names of the numbers behind a position, by how many there are; colours are an extension of MeshLab."""

FACES = "lines f"
"""The name of the faces in messages."""

CORNER = re.compile(r"(-?\d+)(?:/(-?\d*)(?:/(-?\d*))?)?")
"""A corner of a face: v, v/vt, v//vn or v/vt/vn."""


@dataclass(frozen=True, eq=False)
class ObjOrigin:
    """A file: its lines, with continued ones joined; which are vertices; and the names of their numbers."""

    text: Text
    vertices: tuple[int, ...]
    names: tuple[str, ...]


class ObjFormat:
    """Lines `v`; lines `vn` are the vertices' normals where every corner of a face has those of its vertex."""

    name = "OBJ"
    suffixes = (".obj",)
    refusal = ""

    def read(self, path: Path, content: bytes) -> Columns:
        """The vertices, float64."""
        text = decode(path, content)
        lines = _joined(text.lines)
        vertices = tuple(index for index, line in enumerate(lines) if _key(line) == "v")
        if not vertices:
            raise UserError(f"{path}: expected vertices (lines v x y z), got none")
        values = _numbers(path, lines, vertices)
        names = (*POSITION, *_others(values.shape[1] - 3))
        arrays = dict(zip(names, values.T, strict=True))
        normals = [index for index, line in enumerate(lines) if _key(line) == "vn"]
        if len(normals) == len(vertices) and _by_vertex(lines):
            arrays |= dict(zip(NORMAL, _numbers(path, lines, normals)[:, :3].T, strict=True))
        other_content = tuple(f"lines {key}" for key in dict.fromkeys(map(_key, lines)) if key not in ("", "v", "vn"))
        origin = ObjOrigin(Text(lines, text.encoding, text.newline, text.ended), vertices, names)
        mesh = Mesh(FACES, len(vertices), lambda: _faces(lines)) if FACES in other_content else None
        return Columns(table_of(arrays), origin, ".obj", other_content=other_content, mesh=mesh)

    def unkept(self, columns: Columns) -> tuple[str, ...]:
        """All but positions, normals and what the file has."""
        return columns.besides(columns.origin.names if isinstance(columns.origin, ObjOrigin) else ())

    def write(self, file: BinaryIO, columns: Columns, suffix: str) -> None:
        """The original lines, each vertex followed by its normal, and faces that refer to it; others as v, vn and f."""
        origin = columns.origin
        if isinstance(origin, ObjOrigin) and len(origin.vertices) == len(columns.table):
            file.write(origin.text.encoded(_changed_lines(origin, columns)))
            return
        columns = standard(columns)
        vertices = _rows("v", columns, columns.position)
        normals = _rows("vn", columns, columns.normals) if columns.normals else []
        lines = [line for pair in zip(vertices, normals, strict=True) for line in pair] if normals else vertices
        for corners in columns.faces.texts(1) if columns.faces else ():
            lines.append(" ".join(("f", *(f"{row}//{row}" if normals else row for row in corners))))
        file.write(("\n".join(lines) + "\n").encode())


def _key(line: str) -> str:
    """The first word of a line; empty of blank lines and comments."""
    word = line.split(None, 1)[:1]
    return "" if not word or word[0].startswith("#") else word[0]


def _joined(lines: Sequence[str]) -> list[str]:
    """The lines; those that end with a backslash with the next ones."""
    found: list[str] = []
    continued = False
    for line in lines:
        if continued:
            found[-1] = f"{found[-1]} {line.lstrip()}"
        else:
            found.append(line)
        continued = found[-1].endswith("\\") and not found[-1].lstrip().startswith("#")
        found[-1] = found[-1][:-1] if continued else found[-1]
    return found


def _numbers(path: Path, lines: Sequence[str], places: Sequence[int]) -> NDArray[np.float64]:
    """(N, C) numbers of lines; three of each where lines have different numbers of them."""
    rows = [uncommented(lines[place]).split()[1:] for place in places]
    width = len(rows[0]) if all(len(row) == len(rows[0]) for row in rows) else 3
    try:
        if width < 3 or min(map(len, rows)) < 3:
            raise ValueError
        return as_floats([row[:width] for row in rows])
    except ValueError:
        wrong = next((place for place, row in zip(places, rows, strict=True) if not _is_vector(row)), places[0])
        text = shorten(lines[wrong].strip())
        raise UserError(f"{path}: expected at least three numbers in a line, got {text}") from None


def _is_vector(row: Sequence[str]) -> bool:
    return len(row) >= 3 and all(map(is_float, row))


def _others(count: int) -> tuple[str, ...]:
    return OTHERS.get(count) or tuple(f"c{index + 4}" for index in range(count))


def _by_vertex(lines: Sequence[str]) -> bool:
    """Whether all corners of faces that name a normal name that of their vertex's number."""
    vertices = normals = 0
    for line in lines:
        key = _key(line)
        vertices, normals = vertices + (key == "v"), normals + (key == "vn")
        if key == "f" and "/" in line:
            for vertex, _, normal in CORNER.findall(line):
                if normal and _absolute(vertex, vertices) != _absolute(normal, normals):
                    return False
    return True


def _faces(lines: Sequence[str]) -> Faces:
    """The faces, of the vertices alone.

    Raises:
        ValueError: a corner is no number, or 0.
    """
    vertices, rows = 0, []
    for line in lines:
        key = _key(line)
        vertices += key == "v"
        if key == "f":
            corners = [word.partition("/")[0] for word in uncommented(line).split()[1:]]
            if 0 in map(int, corners):
                raise ValueError("a corner 0")
            rows.append([_absolute(corner, vertices) - 1 for corner in corners])
    return Faces.of(rows)


def _absolute(number: str, count: int) -> int:
    """A number counted from 1; negative ones count back from the last line so far."""
    return int(number) if int(number) > 0 else count + 1 + int(number)


def _changed_lines(origin: ObjOrigin, columns: Columns) -> list[str]:
    """The lines with new and changed columns."""
    changed = [name for name in origin.names if name in columns.changed]
    splice = Splice({origin.names.index(name) + 1: texts_of(columns.table[name]) for name in changed}, [])
    place = {line: row for row, line in enumerate(origin.vertices)}
    anew = bool(columns.normals) and bool({*columns.normals} & columns.changed)
    normals = _rows("vn", columns, columns.normals) if anew else []
    found = []
    for index, line in enumerate(origin.text.lines):
        key = _key(line)
        if index in place:
            found.append(splice_line(Dialect(), line, splice, place[index]))
            found += normals[place[index] : place[index] + 1]
        elif key == "f" and anew:
            face, mark, comment = line.partition("#")
            found.append(CORNER.sub(_with_normal, face) + mark + comment)
        elif key != "vn" or not anew:
            found.append(line)
    return found


def _with_normal(corner: re.Match[str]) -> str:
    """A corner that names the normal of its vertex: both have the same number, also if it counts back."""
    return f"{corner[1]}/{corner[2] or ''}/{corner[1]}"


def _rows(key: str, columns: Columns, names: tuple[str, ...]) -> list[str]:
    """One line of a key and three numbers for each point."""
    vectors = [columns.table[name] for name in names] if len(names) == 3 else [*columns.table[names[0]].T]
    texts = (texts_of(brief(column) if names == columns.normals else column) for column in vectors)
    return [" ".join((key, *row)) for row in zip(*texts, strict=True)]
