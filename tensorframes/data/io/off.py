"""OFF: vertices with normals (NOFF), colours and texture coordinates; faces and comments are preserved.

Source: The Geometry Center, *Geomview manual*, OFF files. MeshLab writes colours before normals, against the manual and
its own reader. No library is used: trimesh reads positions alone.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from tensorframes.data.io.colours import are_colours
from tensorframes.data.io.columns import COLOUR, NORMAL, POSITION, Columns, table_of
from tensorframes.data.io.dialect import uncommented
from tensorframes.data.io.faces import Faces, Mesh
from tensorframes.data.io.layout import Text, decode, shorten
from tensorframes.data.io.standard import standard
from tensorframes.data.io.surplus import note_on_lines
from tensorframes.data.io.values import as_floats, brief, is_float, texts_of
from tensorframes.errors import UserError
from tensorframes.words import counted

HEADER = re.compile(r"\s*(ST)?([CN]*)OFF\s*(.*)", re.DOTALL)
"""The first line; ModelNet's files have the counts behind it, some without a blank."""

TEXTURE = ("s", "t")


@dataclass(frozen=True, eq=False)
class OffOrigin:
    """A text file: its lines; that of the header; which are vertices; and the names of their numbers."""

    text: Text
    header: int
    vertices: tuple[int, ...]
    names: tuple[str, ...]


class OffFormat:
    """Text files of three dimensions; the letters before OFF say what stands behind a position."""

    name = "OFF"
    suffixes = (".off",)
    refusal = ""

    def read(self, path: Path, content: bytes) -> Columns:
        """The vertices, float64."""
        text = decode(path, content)
        places = [index for index, line in enumerate(text.lines) if uncommented(line).strip()]
        header = HEADER.fullmatch(uncommented(text.lines[places[0]]))
        if header is None or header[3].strip().upper().startswith("BINARY"):
            raise UserError(f"{path}: expected an OFF file of text, got {text.lines[places[0]].strip()[:40]!r}")
        rest = places[1:]
        counts = header[3].split()
        if not counts and rest:
            counts = uncommented(text.lines[rest.pop(0)]).split()
        if len(counts) < 2 or not all(each.isdecimal() for each in counts[:2]):
            raise UserError(
                f"{path}: expected the numbers of vertices and faces, got {' '.join(counts)[:40] or 'none'}"
            )
        count, faces = int(counts[0]), int(counts[1])
        if count == 0:
            raise UserError(f"{path}: expected points, got none")
        if len(rest) < count + faces:
            raise UserError(f"{path}: expected {counted(count + faces, 'line')} of vertices and faces, got {len(rest)}")
        rows = [uncommented(text.lines[place]).split() for place in rest[:count]]
        if len(widths := {len(row) for row in rows}) > 1:
            least, most = min(widths), max(widths)
            raise UserError(f"{path}: expected as many numbers for each vertex, got {least} to {most}")
        values = _values(rows)
        names = _in_order(_names(values.shape[1], header[1] is not None, header[2]), values)
        origin = OffOrigin(text, places[0], tuple(rest[:count]), names)
        rows = [uncommented(text.lines[place]).split() for place in rest[count : count + faces]]
        mesh = Mesh("faces", count, lambda: Faces.of([_corners(row) for row in rows])) if faces else None
        coloured = any(row[0].isdecimal() and len(row) > 1 + int(row[0]) for row in rows)
        other_content = (*(("faces",) if faces else ()), *(("colours of faces",) if coloured else ()))
        table = table_of(dict(zip(names, values.T, strict=True)))
        notes = note_on_lines([text.lines[place] for place in rest], count + faces)
        return Columns(table, origin, ".off", other_content=other_content, mesh=mesh, notes=notes)

    def unkept(self, columns: Columns) -> tuple[str, ...]:
        """All but positions, normals and what the file has."""
        return columns.besides(columns.origin.names if isinstance(columns.origin, OffOrigin) else ())

    def write(self, file: BinaryIO, columns: Columns, suffix: str) -> None:
        """The original lines with normals; other points as OFF or NOFF, with the faces of a mesh."""
        origin = columns.origin
        if isinstance(origin, OffOrigin) and len(origin.vertices) == len(columns.table):
            lines = _changed_lines(origin, columns) if columns.changed else origin.text.lines
            file.write(origin.text.encoded(lines))
            return
        columns = standard(columns)
        faces = [" ".join((str(len(row)), *row)) for row in columns.faces.texts()] if columns.faces else []
        head = ["NOFF" if columns.normals else "OFF", f"{len(columns.table)} {len(faces)} 0"]
        lines = [*head, *_rows(columns, (*columns.position, *columns.normals)), *faces]
        file.write(("\n".join(lines) + "\n").encode())


def _names(width: int, texture: bool, letters: str) -> tuple[str, ...]:
    """Names of the numbers of a vertex.

    Raises:
        ValueError: there are fewer than the header says.
    """
    names: tuple[str, ...] = (*POSITION, *(NORMAL if "N" in letters else ()))
    last: tuple[str, ...] = TEXTURE if texture else ()
    between = width - len(names) - len(last)
    if between < (3 if "C" in letters else 0):
        raise ValueError(f"vertices of {width} numbers, fewer than the header says")
    colours = (*COLOUR, "alpha")[:between] if between in (3, 4) else ()
    others = colours or tuple(f"c{len(names) + index + 1}" for index in range(between))
    return (*names, *others, *last)


def _in_order(names: tuple[str, ...], values: NDArray) -> tuple[str, ...]:
    """The names (C,) of numbers (N, C) with the colours before the normals, if these are where normals should be."""
    colours = [name for name in names if name in (*COLOUR, "alpha")]
    if NORMAL[0] not in names or not colours:
        return names
    begin, end = 3, 6 + len(colours)
    first, last = values[:, begin : begin + 3], values[:, end - 3 : end]
    if not are_colours([*first.T]) or are_colours([*last.T]):
        return names
    return (*names[:begin], *colours, *NORMAL, *names[end:])


def _values(rows: list[list[str]]) -> NDArray[np.float64]:
    """(N, C) numbers of the vertices.

    Raises:
        ValueError: a field is no number.
    """
    try:
        return as_floats(rows)
    except ValueError as error:
        wrong = next(row for row in rows if not all(map(is_float, row)))
        raise ValueError(f"expected numbers of a vertex, got {shorten(' '.join(wrong))}") from error


def _corners(row: list[str]) -> list[int]:
    """The corners of a face; behind them may stand a colour.

    Raises:
        ValueError: there are fewer than the first number says.
    """
    count = int(row[0])
    if not 0 <= count < len(row):
        raise ValueError(f"a face of {len(row) - 1} numbers, fewer than {count}")
    return [int(text) for text in row[1 : 1 + count]]


def _changed_lines(origin: OffOrigin, columns: Columns) -> list[str]:
    """The lines with new and changed columns; normals stand behind the position."""
    lines = list(origin.text.lines)
    new = [name for name in columns.normals if name not in origin.names]
    others = [name for name in origin.names[3:] if name not in columns.normals]
    fields = [uncommented(lines[place]).split() for place in origin.vertices]
    texts = dict(zip(origin.names, map(list, zip(*fields, strict=True)), strict=True))
    texts |= {name: _texts(columns, name) for name in (*origin.names, *new) if name in new or name in columns.changed}
    ordered = zip(*(texts[name] for name in (*origin.names[:3], *columns.normals, *others)), strict=True)
    for place, row in zip(origin.vertices, ordered, strict=True):
        comment = lines[place][len(uncommented(lines[place])) :]
        lines[place] = " ".join([*row, *([comment] if comment else [])])
    if new:
        lines[origin.header] = lines[origin.header].replace("OFF", "NOFF ", 1).rstrip()
    return lines


def _rows(columns: Columns, names: tuple[str, ...]) -> list[str]:
    return [" ".join(row) for row in zip(*(_texts(columns, name) for name in names), strict=True)]


def _texts(columns: Columns, name: str) -> list[str]:
    values = columns.table[name]
    return texts_of(brief(values) if name in columns.normals else values)
