"""What a file is by its content, whatever its name: by its first bytes, or by its first lines of text."""

import codecs
import re
from collections.abc import Sequence
from itertools import islice

from tensorframes.data.io.axes import POSITIONS, find_triple
from tensorframes.data.io.ptx import SIGN as PTX
from tensorframes.data.io.stl import is_whole_binary

TEXT = ".xyz"
"""The suffix of text that no format has a sign for."""

UNSIGNED = ".bin"
"""The suffix of files without any sign, as which many others can be read."""

SIGNATURES = {
    rb"ply[ \t]*[\r\n]": ".ply",
    rb"LASF": ".las",
    rb"\x93NUMPY": ".npy",
    rb"PK\x03\x04.*\.npy": ".npz",
    rb"\x89HDF": ".h5",
    rb"ASTM-E57": ".e57",
    rb"(?:ST)?[CN]*OFF(?:[\s\d]|$)": ".off",
    PTX: ".ptx",
    rb"solid\s.*[\r\n][ \t]*(?i:facet|endsolid)\b": ".stl",
}
"""First bytes of files, and their suffix."""

UNMISTAKABLE = (".ply", ".las", ".npy", ".npz", ".h5", ".e57", ".ptx")
"""Suffixes of files whose beginning no file of another format has."""

LINES = {rb"^(?i:DATA)\s+(?i:ascii|binary)": ".pcd", rb"^v(?:\s+[-+.\deE]+){3}": ".obj"}
"""Lines of files that may begin with anything, and their suffix."""

OTHERS = {
    rb"\x1f\x8b": "a gzip file: unpack it first",
    rb"BZh[1-9]": "a bzip2 file: unpack it first",
    rb"\xfd7zXZ": "an xz file: unpack it first",
    rb"\x28\xb5\x2f\xfd": "a Zstandard file: unpack it first",
    rb"7z\xbc\xaf|Rar!": "an archive: unpack it first",
    rb"PK\x03\x04.*\[Content_Types\]\.xml": "an Excel workbook: save it as CSV",
    rb"PK\x03\x04.*/data\.pkl": "a file of PyTorch: save an array with numpy.save",
    rb"PK\x03\x04": "a zip archive: unpack it first",
    rb"version https://git-lfs": "a pointer of Git LFS: git lfs pull fetches the file",
    rb"\x89PNG|\xff\xd8\xff|II\*\x00|MM\x00\*": "an image",
    rb"(?:[^\x00]\x00){8}|(?:\x00[^\x00]){8}": "UTF-16 without a byte order mark: save it as UTF-8",
}
"""First bytes of files that are never read as they are, and what these are."""

COLMAP = "# 3D point list with one line of data per point"
"""The first line of points3D.txt, whose rows have different numbers of fields."""

ATOM = re.compile(r"[A-Z][a-z]?( [-+]?\d*\.?\d+([eE][-+]?\d+)?){3}( .*)?")
"""An element and its position."""


def recognised(content: bytes) -> str:
    """The suffix of a file with this content; that of text where no format has it."""
    head = content[:65536].removeprefix(codecs.BOM_UTF8)
    found = next((suffix for sign, suffix in SIGNATURES.items() if re.match(sign, head, re.DOTALL)), None)
    if found is None and is_whole_binary(content):
        return ".stl"
    lines = (suffix for sign, suffix in LINES.items() if re.search(sign, head, re.MULTILINE))
    return found or next(lines, TEXT)


def packed_or_foreign(content: bytes) -> str:
    """What a file is that is packed, or of no format of points; empty if it may be one."""
    if recognised(content) != TEXT:
        return ""
    return next((what for sign, what in OTHERS.items() if re.match(sign, content[:65536], re.DOTALL)), "")


def other_text(lines: Sequence[str]) -> str:
    """What a molecule in the XYZ format of chemistry or the points of COLMAP begin with; empty of other files."""
    if any(line.startswith(COLMAP) for line in islice(lines, 3)):
        return "the points of a COLMAP model: colmap model_converter --output_type PLY converts it"
    first = list(islice((line.split() for line in lines if line.strip()), 3))
    counted = len(first) > 2 and len(first[0]) == 1 and first[0][0].isdecimal()
    if counted and find_triple(first[1], POSITIONS) is None and ATOM.fullmatch(" ".join(first[2])):
        return "the number of atoms of a molecule"
    return ""
