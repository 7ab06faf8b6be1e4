"""What a file is by its content, whatever its name."""

import codecs
import re

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
    rb"solid\s.*[\r\n][ \t]*(?i:facet|endsolid)\b": ".stl",
}
"""First bytes of files, and their suffix."""

SURE = (".ply", ".las", ".npy", ".npz", ".h5", ".e57")
"""Suffixes of files whose first bytes no file of another format has."""

LINES = {rb"^(?i:DATA)\s+(?i:ascii|binary)": ".pcd", rb"^v(?:\s+[-+.\deE]+){3}": ".obj"}
"""Lines of files that may begin with anything, and their suffix."""

OTHERS = {
    rb"\x1f\x8b": "a gzip file: unpack it first",
    rb"BZh[1-9]": "a bzip2 file: unpack it first",
    rb"\xfd7zXZ": "an xz file: unpack it first",
    rb"\x28\xb5\x2f\xfd": "a Zstandard file: unpack it first",
    rb"7z\xbc\xaf|Rar!": "an archive: unpack it first",
    rb"PK\x03\x04.*\[Content_Types\]\.xml": "an Excel workbook: save it as CSV",
    rb"PK\x03\x04": "a zip archive: unpack it first",
    rb"version https://git-lfs": "a pointer of Git LFS: git lfs pull fetches the file",
    rb"\x89PNG|\xff\xd8\xff|II\*\x00|MM\x00\*": "an image",
    rb"(?:[^\x00]\x00){8}|(?:\x00[^\x00]){8}": "UTF-16 without a byte order mark: save it as UTF-8",
}
"""First bytes of files that are never read as they are, and what these are."""


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
