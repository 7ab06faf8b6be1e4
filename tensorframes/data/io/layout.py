"""The layout of a text file of numbers: lines before the rows, with names and a count, and the rows."""

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice, product
from math import isnan
from pathlib import Path

from tensorframes.data.io.axes import POSITIONS, find_triple
from tensorframes.data.io.dialect import BETWEEN, COMMENTS, MARK, TOKEN, Dialect, detect, number
from tensorframes.data.io.headings import SEPARATORS, bodies_of, may_name_axes, split_names, splits_of
from tensorframes.data.io.marks import have_comments, is_marked_row, marks_of_rows, may_be_row
from tensorframes.errors import UserError

SEPARATOR_LINE = re.compile(r'"?sep=(.)"?', re.IGNORECASE)
"""The first line in which Excel states the separator."""

TITLES = 20
"""Lines after the first one that is neither numbers nor names, within which names must follow."""

LABELLED = 20
"""Rows that are looked at to see whether they begin with names of their own."""


@dataclass(frozen=True, eq=False)
class Text:
    """A decoded file.

    Args:
        lines: without their ends.
        encoding: its name in Python, with a byte order mark if the file has one.
        newline: the line end.
        ended: the last line has a line end.
    """

    lines: list[str]
    encoding: str = "utf-8"
    newline: str = "\n"
    ended: bool = True

    def encoded(self, lines: list[str]) -> bytes:
        """Other lines in the same encoding."""
        text = self.newline.join(lines) + (self.newline if self.ended else "")
        try:
            return text.encode(self.encoding)
        except UnicodeEncodeError:
            return text.encode("utf-8")


@dataclass(frozen=True, eq=False)
class Layout:
    """The positions of names, count and rows among the lines.

    Args:
        start: index of the first row.
        dialect: of the rows, with their width.
        header: index of the line of names, or None.
        names: `width` names, stripped of quotes, as that line has them; empty without.
        count: index of the line with the number of rows, or None.
        marks: those of comments with which rows begin, too.
        note: the comment behind the names, with the white space before it.
    """

    start: int
    dialect: Dialect
    header: int | None = None
    names: tuple[str, ...] = ()
    count: int | None = None
    marks: tuple[str, ...] = ()
    note: str = ""

    @property
    def width(self) -> int:
        """Number of columns."""
        return self.dialect.width


def decode(path: Path, content: bytes) -> Text:
    """Lines of a text file in UTF-8, UTF-16, UTF-32 or Latin-1, with the line ends of any system, and without the sign
    by which DOS ends a file.

    Raises:
        UserError: the file is binary.
    """
    encoding = "utf-8"
    if content.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):  # the first begins as that of UTF-16 does
        encoding = "utf-32"
    elif content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    elif content.startswith(codecs.BOM_UTF8):
        encoding = "utf-8-sig"
    elif b"\0" in content:
        raise UserError(f"{path}: expected text, got a binary file")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        encoding = "latin-1"
        text = content.decode(encoding)
    text = text.removesuffix("\x1a")
    newline = "\r\n" if "\r\n" in text else "\r" if "\r" in text and "\n" not in text else "\n"
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    ended = lines[-1] == ""
    return Text(lines[:-1] if ended else lines, encoding, newline, ended)


def find_layout(path: Path, lines: list[str]) -> Layout:
    """The layout of the lines.

    Above the rows there may be, in any order: comments (#, //, %), of which the last that names a column x, y
    and z gives the names; one line of names without a mark, after titles; the number of rows; Excel's
    `sep=`; below names, units.

    Raises:
        UserError: a line is none of these, or there are no rows.
    """
    separator, header, count, odd, bare = None, None, None, None, False
    marks: tuple[str, ...] = ()
    for index, line in _not_blank(lines):
        text = line.strip()
        if hint := SEPARATOR_LINE.fullmatch(text):
            separator = hint[1]
        elif text.startswith(COMMENTS) and not (
            text.startswith(marks) and may_be_row(line, lines[header or 0], separator)
        ):
            header = index if not bare and may_name_axes(text) else header
        elif _is_count(text, lines, index):
            count = index
        elif (found := _row_dialect(line, separator, lines[header] if header is not None else "")) and odd is None:
            return replace(_with_names(path, lines, index, found, header, count), marks=marks)
        elif not bare and may_name_axes(text):
            header, bare, odd = index, True, None
            marks = marks_of_rows(lines[index + 1 :], line, separator)
        elif not (bare and index - (header or 0) == 1 and _are_units(line, lines[header or 0], separator)):
            odd = index if odd is None else odd  # a title, if names follow
        if odd is not None and (bare or index - odd > TITLES):
            break
    if odd is not None:
        text = shorten(lines[odd].strip())
        raise UserError(f"{path}, line {odd + 1}: expected numbers or names with x, y and z, got {text}")
    raise UserError(f"{path}: expected rows of numbers, got none")


def rows_of(lines: list[str], layout: Layout) -> Iterator[tuple[int, str]]:
    """Index and text of each row: each line that is neither blank (or separators alone), nor a comment, nor the count
    of a further block of rows."""
    blank = f" \t\r{layout.dialect.separator or ''}"
    for index in range(layout.start, len(lines)):
        line = lines[index].strip()
        if not line.strip(blank) or (layout.width > 1 and line.isdigit()):
            continue
        marked = line.startswith(layout.marks) and is_marked_row(lines[index], layout.names, layout.dialect)
        if marked or not line.startswith(COMMENTS):
            yield index, lines[index]


def shorten(text: str) -> str:
    """A text, shortened for messages."""
    return repr(text if len(text) <= 40 else text[:37] + "...")


def _with_names(
    path: Path, lines: list[str], start: int, dialect: Dialect, header: int | None, count: int | None
) -> Layout:
    if header is not None and dialect.separator and not lines[header].lstrip().startswith(COMMENTS):
        dialect = replace(dialect, comments=have_comments(lines[start:], dialect, lines[header]))
    dialect = _with_decimal(dialect, lines[start:])
    widths = [len(dialect.split(body)) for body in dialect.bodies(lines[start])]
    if header is None:
        return Layout(start, replace(dialect, width=widths[0]), count=count)
    bodies = bodies_of(lines[header])
    splits = splits_of(bodies[-1], dialect)
    if dialect.trailing and any(
        len(names) == widths[0] + 1 for body in bodies for names in splits_of(body, dialect)
    ):  # only the last value is missing
        dialect, widths = replace(dialect, trailing=False), [widths[0] + 1]
    labelled = _are_labelled(lines[start:], dialect)
    for body, width in product(bodies, widths):
        names = split_names(body, dialect, width, labelled)
        if find_triple(names, POSITIONS):
            note = bodies[-1][len(body) :]
            return Layout(start, replace(dialect, width=width), header, names, count, note=note)
    separated = next((names for names in splits[:-1] if dialect.separator and find_triple(names, POSITIONS)), None)
    if separated or not any(find_triple(names[:3], POSITIONS) == tuple(names[:3]) for names in splits):
        got = f"{len(separated)}: {shorten(lines[header])}" if separated else shorten(lines[header])
        raise UserError(f"{path}, line {header + 1}: expected {widths[0]} names, one a column, got {got}")
    return Layout(start, replace(dialect, width=widths[0]), count=count)  # names with blanks; the positions come first


def _are_labelled(rows: list[str], dialect: Dialect) -> bool:
    """Whether rows begin with a name of their own, as R writes them: a text, a number in quotes or beside numbers with
    points, or 1, 2, 3, ...; other numbers are coordinates."""
    some = [line for _, line in islice(_not_blank(rows), LABELLED) if not line.lstrip().startswith(COMMENTS)]
    fields = [dialect.fields(line) for line in some]
    labels = [row[0] for row in fields]
    if all(line.lstrip().startswith('"') for line in some) and not dialect.quoted:
        return True
    if not all(label.isdecimal() for label in labels):
        return all(number(label, dialect.decimal) is None for label in labels)
    apart = len({*labels}) == len(labels) and not any(row[1].lstrip("-").isdecimal() for row in fields if len(row) > 1)
    return apart or labels == [str(place + 1) for place in range(len(labels))]


def _with_decimal(dialect: Dialect, rows: list[str]) -> Dialect:
    """The dialect with the decimal sign of a later row, if the first row has integers only."""
    if dialect.separator == "," or dialect.decimal == ",":
        return dialect
    bodies = (dialect.split_comment(row)[0] for row in rows if "," in row and not row.lstrip().startswith(COMMENTS))
    first = next((body for body in bodies if "," in body), None)
    return dialect if first is None else replace(dialect, decimal=detect(first, dialect.separator).decimal)


def _not_blank(lines: list[str]) -> Iterator[tuple[int, str]]:
    return ((index, line) for index, line in enumerate(lines) if line.strip())


def _is_count(text: str, lines: list[str], index: int) -> bool:
    if not text.isdigit():
        return False
    following = next((line for _, line in _not_blank(lines[index + 1 : index + 5])), "")
    return len(TOKEN.findall(following.replace(",", " ").replace(";", " "))) > 1


def _row_dialect(line: str, separator: str | None, names: str) -> Dialect | None:
    """The dialect of a row; that of the line of names where this makes as many fields, or where only this makes it a
    row: a text may have other separators and the mark of a comment in it."""
    splits = [(sign, Dialect(sign).split(part)) for part in bodies_of(names)[::-1] for sign in (None, *SEPARATORS)]
    own = [(sign, len(split)) for sign, split in splits if find_triple(split, POSITIONS)]
    body = MARK.split(line)[0]
    exact = [
        (text, sign) for text in (line, body) for sign, count in own if sign and len(Dialect(sign).split(text)) == count
    ]
    texts = (body, line) if len(BETWEEN.split(body.strip())) >= 3 else (line,)
    others = [(text, sign) for text in texts for sign in (separator or "", *(sign for sign, _ in own))]
    tried = ((text, Dialect() if sign is None else detect(text, sign)) for text, sign in (*exact, *others))
    return next((dialect for text, dialect in tried if _is_row(text, dialect, bool(names))), None)


def _are_units(line: str, header: str, separator: str | None) -> bool:
    """Whether the line below names may be one of units: none of the positions is a number."""
    dialect = replace(detect(line, separator), trailing=False)
    fields, names = dialect.split(line), Dialect(dialect.separator).split(header)
    found = find_triple(names, POSITIONS) or ()
    values = [
        number(field, dialect.decimal)
        for field, name in zip(fields, names if found else fields, strict=False)
        if not found or name in found
    ]
    return len(fields) >= 3 and all(value is None or isnan(value) for value in values)


def _is_row(text: str, dialect: Dialect, named: bool) -> bool:
    """Whether fields are numbers, some possibly missing; below names, or after three numbers, other fields are
    allowed."""
    fields = dialect.split(text)
    values = [number(field, dialect.decimal) for field in fields]
    numeric = sum(value is not None for value in values)
    if numeric == len(values):
        return any(fields)
    return numeric >= 3 and (named or None not in values[:3])
