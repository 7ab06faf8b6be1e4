"""Numbers that are not finite, as C's printf writes them: their rows keep their place in every kind of text."""

import numpy as np
import pytest

from tensorframes.data.io import read_cloud
from tensorframes.errors import UserError

PLY = "ply\nformat ascii 1.0\nelement vertex 3\nproperty double x\nproperty float y\nproperty float z\n"
PCD = "VERSION .7\nFIELDS x y z{0}\nSIZE 8 4 4{1}\nTYPE F F F{2}\nCOUNT 1 1 1{3}\nWIDTH 3\nHEIGHT 1\nDATA ascii\n"
FILES = {
    "a.ply": f"{PLY}end_header\n0.5 1 2\n{{0}} {{0}} {{0}}\n1 2 3\n",
    "lists.ply": f"{PLY}property list uchar float s\nend_header\n0.5 1 2 1 7\n{{0}} {{0}} {{0}} 1 {{0}}\n1 2 3 0\n",
    "long.ply": f"{PLY}property int64 t\nend_header\n0.5 1 2 {2**60 + 1}\n{{0}} {{0}} {{0}} 7\n1 2 3 7\n",
    "a.pcd": PCD.format("", "", "", "") + "0.5 1 2\n{0} {0} {0}\n1 2 3\n",
    "long.pcd": PCD.format(" t", " 8", " U", " 1") + f"0.5 1 2 {2**60 + 1}\n{{0}} {{0}} {{0}} 7\n1 2 3 7\n",
    "a.xyz": "0.5 1 2\n{0} {0} {0}\n1 2 3\n",
    "a.csv": "x,y,z\n0.5,1,2\n{0},{0},{0}\n1,2,3\n",
    "a.obj": "v 0.5 1 2\nv {0} {0} {0}\nv 1 2 3\n",
    "a.off": "OFF\n3 0 0\n0.5 1 2\n{0} {0} {0}\n1 2 3\n",
}
NUMBERS = {
    "nan": np.nan, "-nan": np.nan, "-nan(ind)": np.nan, "nan(snan)": np.nan, "nan(0x7)": np.nan, "1.#QNAN": np.nan,
    "1.#QNAN0": np.nan, "-1.#IND": np.nan, "1.#SNAN": np.nan, "1.#INF": np.inf, "-1.#INF00": -np.inf, "-inf": -np.inf,
}  # fmt: skip


@pytest.mark.parametrize("text", NUMBERS)
@pytest.mark.parametrize("name", FILES)
def test_rows_that_are_not_finite_keep_their_place(through, name, text):
    columns, written = through(FILES[name].format(text), name)
    np.testing.assert_array_equal(columns.pos, [[0.5, 1, 2], [NUMBERS[text]] * 3, [1, 2, 3]])
    assert text.encode() in written
    if "t" in columns.names:
        assert columns.table["t"].tolist() == [2**60 + 1, 7, 7]


def test_corners_of_triangles_that_are_not_finite(tmp_path):
    corners = "".join(f"vertex {corner}\n" for corner in ("0 0 0", "1 0 0", "-nan(ind) 0 1"))
    (tmp_path / "a.stl").write_text(
        f"solid a\nfacet normal 0 0 1\nouter loop\n{corners}endloop\nendfacet\nendsolid a\n"
    )
    np.testing.assert_array_equal(read_cloud(tmp_path / "a.stl").pos, [[0, 0, 0], [1, 0, 0], [np.nan, 0, 1]])


@pytest.mark.parametrize("name", ["a.ply", "a.pcd", "a.obj", "a.off"])
@pytest.mark.parametrize("text", ["1,5", "null", "-", "nan(", "1.#"])
def test_other_texts_are_no_numbers(tmp_path, name, text):
    (tmp_path / name).write_text(FILES[name].format(text))
    with pytest.raises(UserError, match="expected"):
        read_cloud(tmp_path / name)
