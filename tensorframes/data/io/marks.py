"""Marks of comments in tables: which of them are comments, and which are parts of texts."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import product

import numpy as np

from tensorframes.data.io.axes import NORMALS, POSITIONS, find_triple
from tensorframes.data.io.dialect import BETWEEN, COMMENTS, MARK, Dialect, detect, number, numbers
from tensorframes.data.io.headings import SEPARATORS, bodies_of


def have_comments(rows: list[str], dialect: Dialect, header: str) -> bool:
    """Whether what looks like comments in a table are some: its last column is numeric, of coordinates or elsewhere."""
    if not any("#" in row and MARK.search(row) for row in rows):
        return False
    splits = [dialect.split(body) for body in bodies_of(header)]
    if any(names[-1] in (find_triple(names, triples) or ()) for names in splits for triples in (POSITIONS, NORMALS)):
        return True
    parts = [dialect.split_comment(row) for row in rows if row.strip() and not row.lstrip().startswith(COMMENTS)]
    others = numbers([dialect.split(body)[-1] for body, comment in parts if not comment], dialect.decimal)
    return others is not None and not np.isnan(others).all()


def marks_of_rows(lines: list[str], header: str, separator: str | None) -> tuple[str, ...]:
    """The marks of comments with which rows begin, below a line of names without one.

    Those of all rows, or # if most rows have it and the others begin with names, too: labels are alike. Other rows with
    a mark are commented out.
    """
    if not any(line.lstrip().startswith(COMMENTS) for line in lines):
        return ()
    rows = [line.lstrip() for line in lines if may_be_row(line, header, separator)]
    others = [row for row in rows if not row.startswith(COMMENTS)]
    if not others:
        return COMMENTS
    most = 2 * sum(row.startswith("#") for row in rows) > len(rows)
    labelled = all(number(BETWEEN.split(row, maxsplit=1)[0]) is None for row in others)
    return ("#",) if most and labelled else ()


def may_be_row(text: str, header: str, separator: str | None) -> bool:
    """Whether a line, perhaps with the mark of a comment, may be a row below a line of names without one."""
    for sign, body in product(separator or SEPARATORS, bodies_of(header)):
        names, dialect = Dialect(sign).split(body), replace(detect(text, sign), trailing=False)
        if any(is_marked_row(text, each, dialect) for each in (names, ["", *names], [*names, ""])):
            return True
    return False


def is_marked_row(text: str, names: Sequence[str], dialect: Dialect) -> bool:
    """Whether a line, perhaps with the mark of a comment, is a row: it has a field for each name, and numbers for
    positions."""
    found, fields = find_triple(names, POSITIONS), dialect.split(text)
    if found is None or len(fields) != len(names):
        return False
    return all(number(fields[names.index(name)], dialect.decimal) is not None for name in found)
