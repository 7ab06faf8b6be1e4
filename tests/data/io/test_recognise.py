"""Files whose names do not tell what they are, or tell it wrongly."""

import bz2
import gzip
import io
import lzma
import os
import struct
import zipfile
from threading import Thread

import numpy as np
import pytest

from tensorframes.data.io import TARGETS, Columns, encode_cloud, parse_cloud, read_cloud, recognised, table_of
from tensorframes.errors import UserError

POS = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
CLOUD = Columns(table_of(dict(zip("xyz", POS.T, strict=True))))
KINDS = (".ply", ".pcd", ".las", ".npy", ".npz", ".obj", ".off", ".h5", ".xyz")


def encoded(suffix: str) -> bytes:
    return encode_cloud(CLOUD, "a", suffix)


def triangles(comment: bytes = b"solid") -> bytes:
    """A binary STL file of the first 39 points."""
    rows = np.zeros(13, dtype=[("normal", "<f4", (3,)), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
    rows["corners"] = POS[:39].reshape(13, 3, 3)
    return comment.ljust(80) + struct.pack("<I", 13) + rows.tobytes()


def zipped(name: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(zipfile.ZipInfo(name), "1,2,3")
    return stream.getvalue()


@pytest.mark.parametrize("suffix", KINDS)
def test_the_content_tells_the_kind(tmp_path, suffix):
    assert recognised(encoded(suffix)) == suffix
    (tmp_path / "scan").write_bytes(encoded(suffix))
    columns = read_cloud(tmp_path / "scan")
    assert columns.suffix == suffix
    np.testing.assert_allclose(columns.pos, POS, rtol=0, atol=1e-7)


@pytest.mark.parametrize(
    ("content", "suffix"),
    [
        (b"# made by hand\nmtllib a.mtl\nv -1 2.5 3e-2\n", ".obj"),
        (b"# v w x\n1 2 3\n", ".xyz"),
        (b"# by a program\n\n#\nFIELDS x y z\nPOINTS 1\nDATA ascii\n1 2 3\n", ".pcd"),
        (b"version .7\r\nfields x y z\r\npoints 1\r\ndata ASCII\r\n1 2 3\r\n", ".pcd"),
        (triangles(), ".stl"),
        (triangles(b"\0exported"), ".stl"),
        (b"solid a\nvertex 0 0 0\nvertex 1 0 0\nvertex 0 1 0\nendsolid\n", ".stl"),
        (b"STCNOFF\n", ".off"),
        (b"OFF3 1 0\n", ".off"),
        (b"OFFSET x y z\n1 2 3\n", ".xyz"),
        (b"solidity,x,y,z\n1,2,3,4\n", ".xyz"),
        (b"PLYWOOD\n", ".xyz"),
        (b"ply x y z\n1 1 2 3\n2 4 5 6\n", ".xyz"),
        (b"ply \r\nformat", ".ply"),
        (b"solid x y z\n1 1 2 3\n", ".xyz"),
        (b"solid\r\n FACET normal 0 0 1\r\n", ".stl"),
        (b"\xef\xbb\xbfply\nformat", ".ply"),
        (bytes(84), ".xyz"),
    ],
)
def test_signs_of_a_kind(content, suffix):
    assert recognised(content) == suffix


@pytest.mark.parametrize("suffix", [".ply", ".xyz"])
@pytest.mark.parametrize("name", ["pipe", "pipe.dat"])
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_pipes_are_recognised(tmp_path, suffix, name):
    os.mkfifo(tmp_path / name)
    writer = Thread(target=(tmp_path / name).write_bytes, args=(encoded(suffix),))
    writer.start()
    np.testing.assert_allclose(read_cloud(tmp_path / name).pos, POS, rtol=0, atol=1e-7)
    writer.join()


@pytest.mark.parametrize("suffix", [*KINDS, ".stl", ".bin"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_wrong_suffix_is_told(suffix, kind):
    if kind in (suffix, ".xyz"):  # text has no sign
        return
    with pytest.raises(UserError) as caught:
        parse_cloud(encoded(kind), f"a{suffix}")
    name = {".h5": "HDF5"}.get(kind, kind[1:].upper())
    assert str(caught.value).startswith(f"a{suffix}: expected a")
    assert str(caught.value).endswith(f" {name} file: rename it, or --from {kind[1:]}")


@pytest.mark.parametrize("name", ["a.ply", "a.xyz", "a.las", "a.npy", "a.csv.gz", "a", "standard input"])
@pytest.mark.parametrize(
    ("content", "what"),
    [
        (gzip.compress(b"1 2 3\n", mtime=0), "a gzip file: unpack it first"),
        (bz2.compress(b"1 2 3\n"), "a bzip2 file: unpack it first"),
        (lzma.compress(b"1 2 3\n"), "an xz file: unpack it first"),
        (zipped("a.csv"), "a zip archive: unpack it first"),
        (zipped("archive/data.pkl"), "a file of PyTorch: save an array with numpy.save"),
        (zipped("[Content_Types].xml"), "an Excel workbook: save it as CSV"),
        ("x,y,z\n1,2,3\n".encode("utf-16-le"), "UTF-16 without a byte order mark: save it as UTF-8"),
        ("x,y,z\n1,2,3\n".encode("utf-16-be"), "UTF-16 without a byte order mark: save it as UTF-8"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:abc\n", "a pointer of Git LFS: git lfs pull"),
        (b"\x89PNG\r\n\x1a\n\0\0", "an image"),
    ],
)
def test_packed_files_and_others_are_told(name, content, what):
    with pytest.raises(UserError, match="expected") as caught:
        parse_cloud(content, name)
    assert f" file, got {what}" in str(caught.value) or f"file of points, got {what}" in str(caught.value)


def test_what_is_not_known_is_told_as_before():
    for content, name, message in (
        (b"1 2 3\n", "a.ply", "got no header from ply to end_header"),
        (b"ply\nformat ascii 1.0\n", "a.ply", "got no header from ply to end_header"),
        (zipped("a.csv"), "a.npz", r"expected numbers of shape \(N, 3\)"),
        (b"1 2 3\0\n", "a.xyz", "expected text, got a binary file"),
        (b"1 2 3\0\n", "a", "a: expected a text file, got a binary file of an unknown format: --from KIND tells it"),
        (b"1 2 x\n", "a", "a, line 1: expected numbers"),
    ):
        with pytest.raises(UserError, match=message):
            parse_cloud(content, name)


@pytest.mark.parametrize("suffix", [".ply", ".pcd"])
def test_a_byte_order_mark_is_left_out(suffix):
    content = encoded(suffix)
    columns = parse_cloud(b"\xef\xbb\xbf" + content, f"a{suffix}")
    assert encode_cloud(columns, f"a{suffix}") == content


@pytest.mark.parametrize("name", ["a.txt", "a"])
@pytest.mark.parametrize("column", ["ply", "solid"])
def test_columns_called_like_a_format_are_text(name, column):
    columns = parse_cloud(f"{column} x y z\n1 1 2 3\n2 4 5 6\n".encode(), name)
    assert columns.names == (column, "x", "y", "z")
    np.testing.assert_array_equal(columns.pos, [[1, 2, 3], [4, 5, 6]])


def test_targets_of_every_kind_are_recognised_again():
    assert {*TARGETS} - {*KINDS} == {".laz", ".txt", ".csv", ".asc", ".pts", ".hdf5"}
