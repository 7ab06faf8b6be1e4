"""Dialects of text files: separator, decimal sign, quotes, marks of missing values."""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

COMMENTS = ("#", "//", "%")
QUOTED_SIGNS = ";\t|,#\n\r"
"""Signs that separate fields or rows or begin a comment; a text with one of them is quoted."""

ONE_ROW = str.maketrans("\n\r", "  ", '"')
"""What a text cannot keep within a field: its ends of lines and quotes."""

MISSING = frozenset(("", "na", "n/a", "#n/a", "null", "none", "nodata", "-", "?"))
"""Marks of missing values, besides those of ``NAN``."""

NAN = re.compile(r"[+-]?(nan(\([a-z0-9_]*\))?|1[.,]#(qnan|snan|nan|ind)\d*)", re.IGNORECASE)
INFINITE = re.compile(r"([+-]?)1[.,]#inf\d*", re.IGNORECASE)
"""Numbers that are not finite, as C's printf writes them: those of Microsoft's are unknown to Python."""

DECIMAL_COMMA = re.compile(r"[+-]?\d*,?\d+([eE][+-]?\d+)?")
GROUPED = re.compile(r"[+-]?\d{1,3}(([.,'\u00a0\u202f ])\d{3})(\2\d{3})*([.,]\d+)?")
BETWEEN = re.compile(r"[\s,;|]+")
"""What stands between fields, whatever the separator."""

TOKEN = re.compile(r'"[^"]*"|[^\s"]+')
MARK = re.compile(r"(?<=\s)#")
"""What may begin a comment behind the fields of a row."""

COMMENT = re.compile(r"(?<!1\.)#")
"""What begins a comment in a mesh: any # but that of 1.#INF."""


@dataclass(frozen=True)
class Dialect:
    """The syntax of the fields of a line.

    Args:
        separator: one character, or None for any white space.
        decimal: "." or ",".
        trailing: lines end with a separator.
        quoted: fields are in double quotes.
        width: number of fields in a row, 0 if unknown.
        comments: rows may end with a comment.
    """

    separator: str | None = None
    decimal: str = "."
    trailing: bool = False
    quoted: bool = False
    width: int = 0
    comments: bool = True

    def split(self, line: str) -> list[str]:
        """The fields of a line without comments, stripped of white space and quotes."""
        if '"' in line:
            fields = (
                TOKEN.findall(line)
                if self.separator is None
                else next(csv.reader([line], delimiter=self.separator, skipinitialspace=True))
            )
            fields = [field.strip().strip('"') for field in fields]
        elif self.separator is None:
            return line.split()
        else:
            fields = [field.strip() for field in line.split(self.separator)]
        return fields[:-1] if self.trailing and fields and not fields[-1] else fields

    def split_comment(self, line: str) -> tuple[str, str]:
        """The parts of a row before and from its comment, see ``bodies``."""
        body = next((body for body in self.bodies(line) if len(self.split(body)) == self.width or not self.width), line)
        return body, line[len(body) :]

    def bodies(self, line: str) -> Iterator[str]:
        """The parts of a row before what may be its comment, from the shortest to the whole line.

        A comment begins with white space and a #. Where the fields have separators, white space follows the #, too, and
        a number comes before: otherwise it stands in a text.
        """
        for mark in MARK.finditer(line) if self.comments else ():
            body = self.stripped(line[: mark.start()])
            fields = [] if body.count('"') % 2 else self.split(body)
            alone = not line[mark.end() : mark.end() + 1].strip()
            if fields and (
                self.separator is None or (alone and fields[-1] and number(fields[-1], self.decimal) is not None)
            ):
                yield body
        yield line

    def fields(self, line: str) -> list[str]:
        """The fields of a row."""
        return self.split(self.split_comment(line)[0])

    def join(self, fields: Sequence[str]) -> str:
        """One line of these fields, quoted if they contain the separator."""
        safe = [field if self._is_safe(field) else f'"{field.translate(ONE_ROW)}"' for field in fields]
        return (self.separator or " ").join(safe) + ((self.separator or "") if self.trailing else "")

    def _is_safe(self, field: str) -> bool:
        """Whether a field needs no quotes."""
        whole = self.separator is not None or field.split() == [field]
        return (
            whole and not self.quoted and not any(sign in field for sign in (self.separator or " ", '"', *QUOTED_SIGNS))
        )

    def append(self, line: str, fields: Sequence[str]) -> str:
        """The line, unchanged, with further fields appended."""
        body, comment = self.split_comment(line)
        bare, separator = self.stripped(body), self.separator or " "
        if self.trailing and bare.endswith(separator):
            return f"{bare}{separator.join(fields)}{separator}{comment}"
        return f"{bare}{separator}{separator.join(fields)}{comment}"

    def stripped(self, text: str) -> str:
        """A text without the white space at its end, but with a separator there."""
        last = text.rfind(self.separator) if self.separator else -1
        return text[: max(len(text.rstrip()), last + 1)]

    def written(self, number: str) -> str:
        """The text of a number in this dialect."""
        number = number.replace(".", self.decimal) if self.decimal != "." else number
        return f'"{number}"' if self.quoted else number


def detect(line: str, separator: str | None = None) -> Dialect:
    """The dialect of a row of numbers without a comment; `separator` if the file states it."""
    body = line.strip("\r\n ")
    outside = re.sub(r'"[^"]*"', '""', body)
    found = separator or next((sign for sign in ";\t|" if sign in outside), None)
    if found == "\t" and not separator and any(len(field.split()) > 1 for field in outside.split("\t")):
        found = None  # white space of both kinds
    if found is None and "," in outside and not _is_spaced_with_decimal_commas(outside):
        found = ","
    if found == "\t" and outside.count(",") >= 2 and all(part.endswith(",") for part in outside.split("\t")[:-1]):
        found = ","
    fields = Dialect(found).split(body)
    comma = found != "," or '"' in body
    decimal = (
        ","
        if comma and any("," in field for field in fields) and not any(_is_point(field) for field in fields)
        else "."
    )
    quoted = found is not None and body.startswith('"') and body.count('"') >= 2 * len(fields)
    return Dialect(found, decimal, found is not None and body.endswith(found), quoted)


def uncommented(line: str) -> str:
    """A line of a mesh up to its comment."""
    return COMMENT.split(line, maxsplit=1)[0]


def number(text: str, decimal: str = ".") -> float | None:
    """The number in a field, NaN for a missing value, None if it is not a number."""
    try:
        value = float(text)
    except ValueError:
        return _odd_number(text.strip().strip('"').strip(), decimal)
    return None if "_" in text else value


def numbers(texts: Sequence[str], decimal: str = ".") -> NDArray[np.float64] | None:
    """The numbers of one column, or None if one of its fields is not a number."""
    found = [number(text, decimal) for text in texts]
    return None if None in found else np.array(found, dtype=np.float64)


def usual(text: str) -> str:
    """A number that is not finite, as C's printf writes it, as Python reads it; other texts unchanged."""
    infinite = INFINITE.fullmatch(text)
    return "nan" if NAN.fullmatch(text) else f"{infinite[1]}inf" if infinite else text


def _odd_number(text: str, decimal: str) -> float | None:
    if text.lower() in MISSING:
        return float("nan")
    if NAN.fullmatch(text) or INFINITE.fullmatch(text):
        return float(usual(text))
    if GROUPED.fullmatch(text) and text.count(decimal) <= 1:
        text = re.sub(r"[.,'\u00a0\u202f ]", lambda sign: "." if sign[0] == decimal else "", text)
    plain = text.replace(",", ".") if decimal == "," else text
    if not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eEdD][+-]?\d+)?", plain):
        return None
    return float(plain.lower().replace("d", "e"))


def _is_spaced_with_decimal_commas(line: str) -> bool:
    fields = line.split()
    return len(fields) >= 3 and all(DECIMAL_COMMA.fullmatch(field) for field in fields)


def _is_point(field: str) -> bool:
    """Whether the decimal sign of a field is a point: 0.5 or 1,234.5, but not 1.234,5."""
    return "." in field and field.rfind(".") > field.rfind(",")
