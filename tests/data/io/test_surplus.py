"""Files that go on behind all that their headers declare."""

import io

import numpy as np
import pytest

from tensorframes.data.io import Columns, encode_cloud, parse_cloud, read_cloud, table_of
from tensorframes.errors import UserError
from tests.data.io.test_front import cloud


def declaring_fewer(suffix: str) -> bytes:
    """A file of 40 rows that declares 30."""
    text = encode_cloud(cloud().without(("ring",)), f"a{suffix}")
    if suffix == ".las":
        return text[:247] + (30).to_bytes(8, "little") + text[255:]
    return text.replace(b" 40\n", b" 30\n").replace(b"\n40 ", b"\n30 ")


@pytest.mark.parametrize(
    ("suffix", "note"),
    [(".ply", "240 more bytes"), (".pcd", "240 more bytes"), (".las", "420 more bytes"), (".off", "10 more lines")],
)
def test_more_than_the_header_declares_is_told(tmp_path, caplog, suffix, note):
    (tmp_path / f"a{suffix}").write_bytes(declaring_fewer(suffix))
    columns = read_cloud(tmp_path / f"a{suffix}")
    assert len(columns.table) == 30
    assert columns.notes == (f"{note} than the header declares, ignored",)
    assert caplog.messages == [f"{tmp_path / f'a{suffix}'}: {columns.notes[0]}"]


ROWS = "".join(f"{row} {row % 7} {row % 3}\n" for row in range(40))
TEXTS = {
    ".ply": "ply\nformat ascii 1.0\nelement vertex 30\n"
    "property float x\nproperty float y\nproperty float z\nend_header\n",
    ".pcd": "FIELDS x y z\nPOINTS 30\nDATA ascii\n",
}


@pytest.mark.parametrize("suffix", TEXTS)
def test_more_lines_than_the_header_declares_are_told(suffix):
    columns = parse_cloud((TEXTS[suffix] + ROWS + " \n\x1a").encode(), f"a{suffix}")
    assert (len(columns.table), columns.notes) == (30, ("10 more lines than the header declares, ignored",))


def test_arrays_and_triangles_behind_the_first_ones_are_told():
    stream = io.BytesIO()
    np.save(stream, cloud().pos)
    once = stream.getvalue()
    assert parse_cloud(once, "a.npy").notes == ()
    assert parse_cloud(once + once, "a.npy").notes == (f"{len(once):,} more bytes than the header declares, ignored",)
    triangles = b"\0" * 80 + b"\1\0\0\0" + np.arange(36, dtype="<f4").tobytes()
    assert parse_cloud(triangles, "a.stl").notes == ("94 more bytes than the header declares, ignored",)


@pytest.mark.parametrize("suffix", [".ply", ".pcd", ".las"])
@pytest.mark.parametrize("filling", [b"\n", b"\r\n", b"\0" * 512, b"\x1a"])
def test_filling_at_the_end_is_not_told(suffix, filling):
    assert parse_cloud(encode_cloud(cloud(), f"a{suffix}") + filling, f"a{suffix}").notes == ()


@pytest.mark.parametrize("suffix", [".ply", ".pcd", ".las", ".npy", ".stl"])
def test_binary_files_that_were_transferred_as_text_are_refused(suffix):
    if suffix == ".stl":
        content = b"\0" * 80 + b"\1\0\0\0" + np.full(12, 10, "<i4").tobytes() + b"\0\0"
    else:
        axes = dict.fromkeys("xyz", np.arange(40) / 4)  # their bounds have no byte 10 in the header of a LAS file
        columns = Columns(table_of({**axes, "ring": np.full(40, 10, "i4")}))
        content = encode_cloud(columns, f"a{suffix}")
    assert parse_cloud(content, f"a{suffix}").notes == ()
    with pytest.raises(UserError, match=r"got: bytes 10 that became 13 10, as in a transfer in text mode"):
        parse_cloud(content.replace(b"\n", b"\r\n"), f"a{suffix}")
