"""Self-contained HTML pages: tables, pictures and 3D views of clouds in one file that needs no network."""

import base64
import html
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from tensorframes.atomic import expect_replaceable, replacing
from tensorframes.errors import UserError, missing_library, needed_for
from tensorframes.reports.grid import Grid

HERE = Path(__file__).parent
PURPOSE, EXTRA = "HTML reports", "report"
SUFFIXES = (".html", ".htm")
POLICY = "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; img-src data: blob:"
"""What the browser may load: what is in the page, and nothing else. plotly.js compiles functions (``unsafe-eval``)."""

TEMPLATE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:,">
<style>
{style}</style>
<script>{library}</script>
</head>
<body>
<h1>{title}</h1>
<noscript><p>Without JavaScript the clouds in 3D and the histograms are not drawn.</p></noscript>
{body}
<script type="application/json" id="drawings">{drawings}</script>
<script>
{script}</script>
</body>
</html>
"""

Drawing = Mapping[str, Any]
"""What page.js draws: a ``view`` of clouds, or a ``histogram``."""


def expect_page(path: Path | str) -> None:
    """Raises an error before the work is done where ``write_page`` could not write its result.

    Raises:
        UserError: the file's type is not HTML; plotly is not installed; or see ``expect_replaceable``.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise UserError(f"expected a report of type .html, got {path}")
    expect_replaceable(path)
    if find_spec("plotly") is None:
        raise missing_library("plotly", PURPOSE, EXTRA)


def write_page(path: Path | str, title: str, parts: Sequence[str], drawings: Mapping[str, Drawing]) -> Path:
    """Writes a page, whole or not at all.

    Args:
        path: the file. title: of the page, as text.
        parts: of its body, as HTML. drawings: by the id of the element they are drawn in, see ``slot``.

    Raises:
        UserError: plotly is not installed.
        OSError: the file can't be written.
    """
    with needed_for(PURPOSE, EXTRA):
        from plotly.offline import get_plotlyjs
    text = TEMPLATE.format(
        policy=POLICY,
        title=html.escape(title),
        style=(HERE / "page.css").read_text(encoding="utf-8"),
        library=get_plotlyjs(),
        body="\n".join(parts),
        drawings=json.dumps(drawings, allow_nan=False).replace("<", "\\u003c"),  # no "</script>" in the data
        script=(HERE / "page.js").read_text(encoding="utf-8"),
    )
    with replacing(path) as file:
        file.write(text.encode(errors="backslashreplace"))  # a file's name may not be UTF-8
    return Path(path)


def packed(values: ArrayLike, dtype: str) -> str:
    """The bytes of an array in base64, little-endian: page.js reads ``<f4`` and ``u1``."""
    return base64.b64encode(np.ascontiguousarray(values, dtype=dtype).tobytes()).decode()


HOW_TO_MOVE = "Drag or press arrow keys to turn, scroll or press + and - to zoom, drag with the right button to move."
"""What the reader can do with a view."""


def slot(name: str, kind: str = "") -> str:
    """The element in which the drawing of this name is drawn."""
    return f'<div id="{html.escape(name)}" class="{kind}"></div>'


def heading(text: str) -> str:
    """A heading."""
    return f"<h2>{html.escape(text)}</h2>"


def paragraph(text: str) -> str:
    """A paragraph."""
    return f"<p>{html.escape(text)}</p>"


def facts(rows: Mapping[str, str]) -> str:
    """A table of two columns: what, and its value."""
    lines = "\n".join(
        f"<tr><td>{html.escape(what)}</td><td>{html.escape(value)}</td></tr>" for what, value in rows.items()
    )
    return f'<table class="facts">\n{lines}\n</table>'


def html_table(lines: Sequence[Sequence[str]], best: Sequence[str | None] = ()) -> str:
    """Rows of texts, their headings first, as a table.

    Args:
        lines: of equal length. best: by column, the text that is marked as the best value.
    """
    head, *rows = [[html.escape(text) for text in line] for line in lines]
    marked = [None if text is None else html.escape(text) for text in best] or [None] * len(head)
    cells = ["".join(f"<th>{text}</th>" for text in head)]
    for row in rows:
        pairs = zip(row, marked, strict=True)
        cells.append(
            "".join(f'<td class="best">{text}</td>' if text == top else f"<td>{text}</td>" for text, top in pairs)
        )
    return '<div class="wide"><table>\n' + "\n".join(f"<tr>{line}</tr>" for line in cells) + "\n</table></div>"


def grid_table(grid: Grid) -> str:
    """A table of scores, the best value of each column marked, its footer below."""
    best = [None, *(grid.best(index) for index in range(len(grid.columns)))]
    return html_table(grid.lines(), best) + (paragraph(grid.footer) if grid.footer else "")


def picture(draw: Callable[[Path], object], alt: str) -> str:
    """A static picture, in the page itself.

    Args:
        draw: writes the picture to a file whose name ends in .svg. alt: what the picture shows.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture.svg"
        draw(path)
        content = base64.b64encode(path.read_bytes()).decode()
    return f'<img alt="{html.escape(alt)}" src="data:image/svg+xml;base64,{content}">'
