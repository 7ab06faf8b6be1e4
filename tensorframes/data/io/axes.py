"""Identification of position, normal and colour columns by name, whatever their case, units, punctuation or order."""

import re
from collections.abc import Collection, Sequence

Triples = tuple[tuple[str, str, str], ...]

PLANE = (("x", "y"), ("easting", "northing"), ("east", "north"), ("e", "n"))
HEIGHT = ("z", "elevation", "elev", "height", "altitude", "alt", "h")
"""Keys of surveyors' coordinates."""

POSITIONS: Triples = (
    ("x", "y", "z"),
    *(
        (f"{word}x", f"{word}y", f"{word}z")
        for word in ("pos", "position", "point", "points", "coord", "cartesian", "p")
    ),
    *((f"x{word}", f"y{word}", f"z{word}") for word in ("coord", "coordinate", "pos")),
    *((f"{word}0", f"{word}1", f"{word}2") for word in ("points", "point", "position", "xyz", "pos")),
    *((x, y, z) for x, y in PLANE for z in HEIGHT),
)
NORMALS: Triples = (
    ("nx", "ny", "nz"),
    *((f"{word}x", f"{word}y", f"{word}z") for word in ("normal", "normals", "norm")),
    *((f"x{word}", f"y{word}", f"z{word}") for word in ("normal", "n")),
    *((f"{word}0", f"{word}1", f"{word}2") for word in ("normals", "normal", "n")),
)
COLOURS: Triples = (
    ("red", "green", "blue"),
    ("r", "g", "b"),
    *((f"{word}r", f"{word}g", f"{word}b") for word in ("color", "colour")),
    *((f"{word}red", f"{word}green", f"{word}blue") for word in ("color", "colour", "diffuse")),
)
"""Keys of three columns each; the first triple that is present is used."""

POSITION_VECTORS = ("xyz", "pos", "position", "positions", "points", "point", "coord", "coords", "coordinates")
NORMAL_VECTORS = ("normal", "normals", "nxyz")
COLOUR_VECTORS = ("rgb", "color", "colors", "colour", "colours")
"""Keys of one column with three numbers per row."""

UNIT = re.compile(r"_(m|mm|cm|km|um|ft|in|inch|met(er|re)s?|feet|us_?ft)$")


def key_of(name: str) -> str:
    """A column's name without case, units and punctuation: x for "X [m]", "x_mm" and '"X"'."""
    bare = re.sub(r"[\[(].*?[\])]", "", name.strip().lower())
    bare = UNIT.sub("", re.sub(r"[^a-z0-9]+", "_", bare).strip("_"))
    return bare.replace("_", "")


def find_triple(names: Sequence[str], triples: Triples) -> tuple[str, ...] | None:
    """The names of the three columns that match one of the triples, or None; exact names take precedence."""
    if set(triples[0]) <= set(names):
        return triples[0]
    by_key: dict[str, str] = {}
    for name in names:
        by_key.setdefault(key_of(name), name)
    return next((tuple(by_key[key] for key in triple) for triple in triples if set(triple) <= by_key.keys()), None)


def readable(name: str) -> str:
    """A name in a file, read as Latin-1 if its bytes are not UTF-8 and were escaped."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return name.encode("utf-8", "surrogateescape").decode("latin-1")
    return name


def unique(names: Sequence[str], unnamed: str = "index") -> tuple[str, ...]:
    """The names as fields of a structured array: empty and repeated ones are replaced."""
    taken: set[str] = set()
    found = []
    for name in names:
        base = name or unnamed
        candidate, number = base, 2
        while candidate in taken or (candidate != name and candidate in names):
            candidate, number = f"{base}_{number}", number + 1
        taken.add(candidate)
        found.append(candidate)
    return tuple(found)


def fresh(names: Sequence[str], taken: Collection[str]) -> tuple[str, ...]:
    """Names for new columns beside those that are taken: repeated ones are replaced."""
    return unique([*taken, *names])[len(taken) :]
