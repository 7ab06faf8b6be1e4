"""PLY: text and binary of both byte orders; lists, other elements and comments are preserved."""

from codecs import BOM_UTF8
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from tensorframes.data.io.axes import POSITIONS, find_triple, fresh, readable, unique
from tensorframes.data.io.columns import Columns
from tensorframes.data.io.dialect import Dialect
from tensorframes.data.io.faces import Faces, Mesh
from tensorframes.data.io.ply_header import WORDS, Element, Header, Property, read_header
from tensorframes.data.io.ply_rows import CutOff, read_binary, read_text, row_texts, skip_binary, write_binary
from tensorframes.data.io.splice import Splice, splice_line
from tensorframes.data.io.standard import standard
from tensorframes.data.io.surplus import note_on_bytes, note_on_lines
from tensorframes.data.io.types import SMALL, exact_type
from tensorframes.data.io.values import texts_of
from tensorframes.errors import UserError

POINTS = ("vertex", "vertices", "point", "points")
"""Names of elements of points."""


@dataclass(frozen=True, eq=False)
class PlyOrigin:
    """A PLY file around its points.

    Args:
        header: of the file.
        element: the one that holds the points.
        names: its properties' in the table.
        before: bytes between the header and the element's rows.
        after: bytes behind them.
        lines: its rows as text, none in a binary file.
    """

    header: Header
    element: Element
    names: tuple[str, ...]
    before: bytes
    after: bytes
    lines: tuple[str, ...] = ()


class PlyFormat:
    """The element `vertex`, or the first that has x, y and z, as columns; lists are columns of objects."""

    name = "PLY"
    suffixes = (".ply",)
    refusal = ""

    def read(self, path: Path, content: bytes) -> Columns:
        """The points, with all other content of the file."""
        content = content.removeprefix(BOM_UTF8)
        header, start = read_header(path, content)
        element = _points(path, header)
        names = unique([readable(each.name) for each in element.properties], "property")
        body = content[start:]
        table, origin, notes = (_from_binary if header.order else _from_text)(header, element, names, body)
        others = [each for each in header.elements if each is not element and each.count]
        other_content = tuple(f"element {each.name}" for each in others)
        faces = next((each for each in others if find_corners(each) is not None), None)
        if faces is None:
            return Columns(table, origin, ".ply", other_content=other_content, notes=notes)
        place = find_corners(faces)
        more = tuple(f"{each.name} of faces" for index, each in enumerate(faces.properties) if index != place)
        mesh = Mesh(f"element {faces.name}", element.count, lambda: read_faces(origin, faces))
        return Columns(table, origin, ".ply", other_content=(*other_content, *more), mesh=mesh, notes=notes)

    def unkept(self, columns: Columns) -> tuple[str, ...]:
        """Columns that are not numeric, or not representable by a type of PLY, such as some 64-bit integers."""
        from_ply = columns.origin.names if isinstance(columns.origin, PlyOrigin) else ()
        return tuple(name for name in columns.names if name not in from_ply and exact_type(columns.table[name]) is None)

    def write(self, file: BinaryIO, columns: Columns, suffix: str) -> None:
        """The original file with new and changed columns; other points as binary, little-endian, with the faces of a
        mesh."""
        origin = columns.origin
        if not isinstance(origin, PlyOrigin) or not set(origin.names) <= set(columns.names):
            columns, origin = standard(replace(columns, origin=None)), _empty_origin(columns.faces)
        properties = _properties(columns, origin)
        file.write(origin.header.encoded(_header_lines(columns, origin, properties)))
        file.write(origin.before)
        order = [*origin.names, *(name for name in columns.names if name not in origin.names)]
        if origin.header.order:
            table = columns.table if order == list(columns.names) else columns.table[order]
            for part in write_binary(_as_lists(table, properties), properties, origin.header.order):
                file.write(part)
        else:
            file.write(origin.header.encoded(_text_lines(columns, origin)))
        file.write(origin.after)


def _points(path: Path, header: Header) -> Element:
    """The element that has rows with positions, or else the one that should have some."""
    named = [each for each in header.elements if each.name.lower() in POINTS]
    with_position = [each for each in header.elements if find_triple([one.name for one in each.properties], POSITIONS)]
    if not (named or with_position):
        found = [each.name for each in header.elements]
        raise UserError(f"{path}: expected a PLY file with an element vertex, got {', '.join(found) or 'none'}")
    filled = [each for each in with_position if each.count]
    return ([each for each in filled if each in named] or filled or named or with_position)[0]


def _from_binary(
    header: Header, element: Element, names: tuple[str, ...], body: bytes
) -> tuple[NDArray, PlyOrigin, tuple[str, ...]]:
    """The rows, what is around them, and notes."""
    start, place = 0, header.elements.index(element)
    for each in header.elements[:place]:
        start = skip_binary(each, body, start, header.order)
    table, end = read_binary(element, names, body, start, header.order)
    last = end
    for each in header.elements[place + 1 :]:
        last = skip_binary(each, body, last, header.order)
    return table, PlyOrigin(header, element, names, body[:start], body[end:]), note_on_bytes(body, last)


def _from_text(
    header: Header, element: Element, names: tuple[str, ...], body: bytes
) -> tuple[NDArray, PlyOrigin, tuple[str, ...]]:
    """The rows, what is around them, and notes."""
    lines = body.decode("utf-8", "surrogateescape").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    lines = [line for line in lines if line.strip()]
    place = header.elements.index(element)
    start = sum(each.count for each in header.elements[:place])
    end = start + element.count
    for number, each in enumerate(header.elements):
        if sum(one.count for one in header.elements[: number + 1]) > len(lines):
            raise CutOff(each)
    table = read_text(element, names, lines[start:end])
    before, after = header.encoded(lines[:start]), header.encoded(lines[end:])
    notes = note_on_lines(lines, sum(each.count for each in header.elements))
    return table, PlyOrigin(header, element, names, before, after, tuple(lines[start:end])), notes


def _empty_origin(faces: Faces | None) -> PlyOrigin:
    element, lines, after = Element("vertex", 0, (), 2), [], b""
    if faces is not None:
        kind, after = faces.lists()
        lines = [f"element face {len(faces.lengths)}", f"property list {WORDS[kind]} int vertex_indices"]
    head = ("ply", "format binary_little_endian 1.0", "element vertex 0", *lines, "end_header")
    return PlyOrigin(Header(head, "\n", "<", (element,)), element, (), b"", after)


def find_corners(element: Element) -> int | None:
    """Which property of an element is the list of the corners of faces; none of strips of triangles."""
    if "strip" in element.name.lower():
        return None
    lists = [each.name if each.length else "" for each in element.properties]
    return next((place for place, name in enumerate(lists) if name in ("vertex_indices", "vertex_index")), None)


def read_faces(origin: PlyOrigin, faces: Element) -> Faces:
    """The faces in the bytes before or behind the points.

    Raises:
        ValueError: they are cut off, or no numbers.
    """
    header = origin.header
    places = [header.elements.index(each) for each in (origin.element, faces)]
    content = origin.before if places[1] < places[0] else origin.after
    between = header.elements[0 if places[1] < places[0] else places[0] + 1 : places[1]]
    names = [str(index) for index in range(len(faces.properties))]
    if header.order:
        start = 0
        for each in between:
            start = skip_binary(each, content, start, header.order)
        table = read_binary(faces, names, content, start, header.order)[0]
    else:
        start = sum(each.count for each in between)
        lines = content.decode("utf-8", "surrogateescape").split(header.newline)
        table = read_text(faces, names, lines[start : start + faces.count])
    return Faces.of(table[str(find_corners(faces))].tolist())


def _properties(columns: Columns, origin: PlyOrigin) -> list[Property]:
    """All columns with their types, those of the file first."""
    found = []
    for each, name in zip(origin.element.properties, origin.names, strict=True):
        kind = exact_type(columns.table[name]) if name in columns.changed else None
        found.append(each if kind is None or each.length else replace(each, kind=kind.str[1:]))
    new = [name for name in columns.names if name not in origin.names]
    words = fresh(["_".join(name.split()) for name in new], {each.name for each in origin.element.properties})
    return [*found, *(_new_property(word, columns.table[name]) for word, name in zip(words, new, strict=True))]


def _new_property(name: str, values: NDArray) -> Property:
    kind = exact_type(values, SMALL)
    if kind is None:
        raise ValueError(f"expected numbers in {name}, got {values.dtype}")
    length = "" if values.ndim == 1 else "u1" if values[0].size < 256 else "i4"
    return Property(name, kind.str[1:], length)


def _header_lines(columns: Columns, origin: PlyOrigin, properties: list[Property]) -> list[str]:
    element, lines = origin.element, list(origin.header.lines)
    if len(columns.table) != element.count:
        lines[element.line] = f"element {element.name} {len(columns.table)}"
    for old, new in zip(element.properties, properties, strict=False):
        if new.kind != old.kind:
            lines[old.line] = _property_line(new, lines)
    last = max((each.line for each in element.properties), default=element.line)
    added = [_property_line(each, lines) for each in properties[len(element.properties) :]]
    return [*lines[: last + 1], *added, *lines[last + 1 :]]


def _property_line(each: Property, lines: Sequence[str]) -> str:
    """The line of a property, with types in the spelling of the header: float or float32."""
    numbered = any(line.startswith(("property float32", "property float64")) for line in lines)
    kinds = [each.length, each.kind] if each.length else [each.kind]
    long = {"i": "int", "u": "uint", "f": "float"}
    words = [f"{long[kind[0]]}{8 * int(kind[1])}" if numbered else WORDS[kind] for kind in kinds]
    return " ".join(["property", *(["list"] if each.length else []), *words, each.name])


def _as_lists(table: NDArray, properties: Sequence[Property]) -> NDArray:
    """The table with columns of several numbers as lists."""
    if not any(table.dtype[name].shape for name in table.dtype.names or ()):
        return table
    fields = zip(table.dtype.names or (), properties, strict=True)
    lists = np.empty(len(table), dtype=[(name, object if p.length else table.dtype[name]) for name, p in fields])
    for name in table.dtype.names or ():
        values = table[name]
        if values.ndim == 1:
            lists[name] = values
        else:
            for row in range(len(table)):
                lists[name][row] = values[row].ravel()
    return lists


def _text_lines(columns: Columns, origin: PlyOrigin) -> list[str]:
    """The lines of the points with new and changed columns."""
    fixed = origin.lines and len(origin.lines) == len(columns.table)
    new = [name for name in columns.names if name not in origin.names]
    if not fixed:
        texts = [_texts(columns.table[name]) for name in (*origin.names, *new)]
        return [" ".join(row) for row in zip(*texts, strict=True)]
    changed = {name: _texts(columns.table[name]) for name in origin.names if name in columns.changed}
    if changed and origin.element.has_lists:
        texts = [changed.get(name) or _texts(columns.table[name]) for name in origin.names]
        lines = [" ".join(row) for row in zip(*texts, strict=True)]
        changed = {}
    else:
        lines = list(origin.lines)
    splice = Splice(
        {origin.names.index(name): texts for name, texts in changed.items()},
        [_texts(columns.table[name]) for name in new],
    )
    return [splice_line(Dialect(), line.rstrip(), splice, row) for row, line in enumerate(lines)]


def _texts(values: NDArray) -> list[str]:
    return texts_of(values) if values.ndim == 1 and values.dtype.kind != "O" else row_texts(values)
