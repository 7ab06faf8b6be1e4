"""Tables in Markdown."""

from collections.abc import Sequence


def markdown_table(lines: Sequence[Sequence[str]], rest: str = "---:") -> str:
    """Rows of texts, their headings first, as a table in Markdown.

    Args:
        lines: of equal length.
        rest: rule below all headings but the first: ``---:`` for numbers, at the right, or ``---``.
    """
    head, *rows = lines
    rule = ["---", *[rest] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, rule, *rows))
