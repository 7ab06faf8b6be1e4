"""The documentation site: ``sphinx-build -W -b html docs FOLDER``."""

import sys
from importlib import metadata
from pathlib import Path

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
