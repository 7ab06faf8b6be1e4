"""The documentation site: ``sphinx-build -W -b html docs FOLDER``."""

import sys
from importlib import metadata
from pathlib import Path

from sphinx.application import Sphinx

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


def _skip(app: Sphinx, what: str, name: str, member: object, skip: bool, options: object) -> bool | None:
    """Fields of named tuples say nothing of themselves; their class does."""
    return True if str(getattr(member, "__doc__", "")).startswith("Alias for field number") else None


def _attribute(app: Sphinx, what: str, name: str, member: object, options: object, lines: list[str]) -> None:
    """Napoleon takes what stands before a colon in a property's first line for its type; not after an empty line."""
    if what in ("property", "attribute", "data"):
        lines.insert(0, "")


def _protocol(
    app: Sphinx, what: str, name: str, member: object, options: object, signature: str | None, result: str | None
) -> tuple[str, None] | None:
    """Protocols are not constructed."""
    return ("", None) if getattr(member, "_is_protocol", False) else None


def setup(app: Sphinx) -> None:
    """Called by Sphinx; before napoleon, whose priority is 500."""
    app.connect("autodoc-skip-member", _skip, priority=400)
    app.connect("autodoc-process-docstring", _attribute, priority=400)
    app.connect("autodoc-process-signature", _protocol)
