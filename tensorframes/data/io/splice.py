"""Replacement and insertion of fields in lines of text, without changes to other characters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tensorframes.data.io.dialect import Dialect


@dataclass(frozen=True)
class Splice:
    """The changes of N rows.

    Args:
        replaced: by the index of a field the N texts it becomes.
        appended: of each new field the N texts.
    """

    replaced: Mapping[int, Sequence[str]]
    appended: Sequence[Sequence[str]]


def splice_line(dialect: Dialect, line: str, splice: Splice, row: int) -> str:
    """One row with its new fields."""
    if splice.replaced:
        body, comment = dialect.split_comment(line)
        fields = dialect.split(body)
        for index, texts in splice.replaced.items():
            fields[index] = texts[row]
        blank = line[: len(line) - len(line.lstrip())]
        line = blank + dialect.join(fields) + comment
    return dialect.append(line, [texts[row] for texts in splice.appended]) if splice.appended else line
