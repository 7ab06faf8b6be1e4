"""The documentation site: ``sphinx-build -W -b html docs FOLDER``."""

import re
import sys
from importlib import metadata
from pathlib import Path

from numpy.typing import ArrayLike
from sphinx.application import Sphinx
from sphinx.util.typing import stringify_annotation

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE / "_ext")]

project = "tensorframes"
author = "The tensorframes authors"
copyright = author
try:
    release = metadata.version("tensorframes")
except metadata.PackageNotFoundError:  # a checkout that was never installed
    release = ""

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.mathjax",
    "myst_parser",
    "configuration",
]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build", "_ext"]
root_doc = "index"
smartquotes = False  # "..." in shapes stays as it is

# Docstrings: Google style, with reStructuredText mathematics.
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_class_signature = "mixed"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True

# Pages: Markdown with $mathematics$ and links to headings.
myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = "tensorframes"
html_copy_source = False
html_theme_options = {"navigation_with_keys": True}


ARRAY = r"~numpy\.ndarray\[tuple\[~typing\.Any, \.\.\.\], ~numpy\.dtype\[{}\]\]"
ANY_KIND = "~numpy._typing._array_like._ScalarT"


def _skip(app: Sphinx, what: str, name: str, member: object, skip: bool, options: object) -> bool | None:
    """Fields of named tuples say nothing of themselves; their class does."""
    return True if str(getattr(member, "__doc__", "")).startswith("Alias for field number") else None


def _attribute(app: Sphinx, what: str, name: str, member: object, options: object, lines: list[str]) -> None:
    """Napoleon takes what stands before a colon in a property's first line for its type; not after an empty line."""
    if what in ("property", "attribute", "data"):
        lines.insert(0, "")


def _signature(
    app: Sphinx, what: str, name: str, member: object, options: object, signature: str | None, result: str | None
) -> tuple[str, str | None] | None:
    """Protocols are not constructed, and modules without a constructor take no arguments; aliases of NumPy by name."""
    if getattr(member, "_is_protocol", False) or signature == "(*args: ~typing.Any, **kwargs: ~typing.Any)":
        return "", None
    return None if signature is None else (_with_aliases(signature), result and _with_aliases(result))


def _with_aliases(text: str) -> str:
    """Types with the aliases of NumPy that stand in the code, which Sphinx writes out."""
    text = text.replace(stringify_annotation(ArrayLike, "smart"), "~numpy.typing.ArrayLike")
    text = re.sub(ARRAY.format(re.escape(ANY_KIND)), "~numpy.typing.NDArray", text)
    return re.sub(ARRAY.format(r"([~.\w]+)"), r"~numpy.typing.NDArray[\1]", text)


def setup(app: Sphinx) -> None:
    """Called by Sphinx; before napoleon, whose priority is 500."""
    app.connect("autodoc-skip-member", _skip, priority=400)
    app.connect("autodoc-process-docstring", _attribute, priority=400)
    app.connect("autodoc-process-signature", _signature)
