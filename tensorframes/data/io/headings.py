"""Lines of names above the rows of a text file."""

import re

from tensorframes.data.io.axes import POSITIONS, find_triple
from tensorframes.data.io.dialect import Dialect

NAMED = re.compile(r'"[^"]*"|[^\s"\[(]+(?:\s*[\[(][^\])]*[\])])?')
"""One name in a line of names separated by white space; a unit in brackets is a part of it."""

NOTE = re.compile(r"\s+#\s+(?=\S)")
"""What may begin a comment behind the names."""

SEPARATORS = ",;\t|"


def split_names(text: str, dialect: Dialect, width: int, labelled: bool) -> tuple[str, ...]:
    """The names in a line, or none if their number differs from that of the columns.

    One name fewer than columns is allowed where the rows are ``labelled``: where they begin with their own names.
    """
    bare = unmarked(text)
    splits = splits_of(bare, dialect)
    unnamed = ([*names, ""] for names in splits if bare.endswith((dialect.separator or " ", ";", "\t", ",")))
    exact = next((names for names in (*splits, *unnamed) if len(names) == width), None)
    if exact is None and labelled and width > 3:
        exact = next(
            (["", *names] for names in splits if len(names) == width - 1 and find_triple(names, POSITIONS)), None
        )
    return tuple(exact or ())


def may_name_axes(text: str) -> bool:
    """Whether a line has names of positions, whatever separates them."""
    dialects = [Dialect(separator) for separator in SEPARATORS]
    splits = [names for body in bodies_of(text) for dialect in dialects for names in splits_of(body, dialect)]
    return any(find_triple(names, POSITIONS) for names in splits)


def unmarked(names: str) -> str:
    """A line of names without the mark of a comment."""
    return names.strip(" \r\n").lstrip("#/% ")


def bodies_of(names: str) -> list[str]:
    """The parts of a line of names before what may be its comment, from the shortest to the whole line, unmarked."""
    bare = unmarked(names)
    bodies = [bare[: note.start()] for note in NOTE.finditer(bare)]
    return [*(body for body in bodies if body.count('"') % 2 == 0), bare]


def splits_of(text: str, dialect: Dialect) -> list[list[str]]:
    """The possible splits of a line of names, with the separator of the rows first."""
    found = [Dialect(sign).split(text) for sign in (dialect.separator, ";", "\t", ",") if sign]
    found.append([name.strip('"') for name in NAMED.findall(text)])
    return [names[:-1] if names and not names[-1] else names for names in found]
