"""Points as text: what spreadsheets, scanners and viewers write is read, and written back character by character."""

import numpy as np
import pytest

from tensorframes.data.io import read_cloud, write_cloud
from tensorframes.data.io.text import positional_names
from tensorframes.errors import UserError

# name: (content, content with normals)
KEPT = {
    "spaces.xyz": (
        "0.50 1.5 2.5\n1 2 3.000\n-4 5 6.25\n",
        "0.50 1.5 2.5 0 0 -1\n1 2 3.000 0.6 0.8 0\n-4 5 6.25 1 0 0\n",
    ),
    "windows.xyz": (
        "0.5 1.5 2.5\r\n1 2 3\r\n-4 5 6.25",
        "0.5 1.5 2.5 0 0 -1\r\n1 2 3 0.6 0.8 0\r\n-4 5 6.25 1 0 0",
    ),
    "old_mac.xyz": ("0.5 1.5 2.5\r1 2 3\r-4 5 6.25\r", "0.5 1.5 2.5 0 0 -1\r1 2 3 0.6 0.8 0\r-4 5 6.25 1 0 0\r"),
    "untidy.xyz": (
        "\n  0.5\t1.5 2.5  # a\n// between\n\n1 2 3\n -4 5 6.25",
        "\n  0.5\t1.5 2.5 0 0 -1  # a\n// between\n\n1 2 3 0.6 0.8 0\n -4 5 6.25 1 0 0",
    ),
    "pandas.csv": (
        ",x,y,z\n0,0.5,1.5,2.5\n1,1,2,3\n2,-4,5,6.25\n",
        ",x,y,z,nx,ny,nz\n0,0.5,1.5,2.5,0,0,-1\n1,1,2,3,0.6,0.8,0\n2,-4,5,6.25,1,0,0\n",
    ),
    "units_and_case.csv": (
        "X [m],Y [m],Z [m],GpsTime\n0.5,1.5,2.5,1e9\n1,2,3,\n-4,5,6.25,7\n",
        "X [m],Y [m],Z [m],GpsTime,nx,ny,nz\n0.5,1.5,2.5,1e9,0,0,-1\n1,2,3,,0.6,0.8,0\n-4,5,6.25,7,1,0,0\n",
    ),
    "order.csv": (
        "z_mm,label,y_mm,x_mm\n2.5,tree,1.5,0.5\n3,house,2,1\n6.25,tree,5,-4\n",
        "z_mm,label,y_mm,x_mm,nx,ny,nz\n2.5,tree,1.5,0.5,0,0,-1\n3,house,2,1,0.6,0.8,0\n6.25,tree,5,-4,1,0,0\n",
    ),
    "quoted.txt": (
        '"X","Y","Z","I"\n0.5,1.5,2.5,7\n1,2,3,8\n-4,5,6.25,9\n',
        '"X","Y","Z","I","nx","ny","nz"\n0.5,1.5,2.5,7,0,0,-1\n1,2,3,8,0.6,0.8,0\n-4,5,6.25,9,1,0,0\n',
    ),
    "all_quoted.csv": (
        '"x","y","z"\n"0,5","1,5","2,5"\n"1","2","3"\n"-4","5","6,25"\n',
        '"x","y","z","nx","ny","nz"\n"0,5","1,5","2,5","0","0","-1"\n"1","2","3","0,6","0,8","0"\n'
        '"-4","5","6,25","1","0","0"\n',
    ),
    "excel.csv": (
        "sep=;\r\nx;y;z\r\n0,5;1,5;2,5\r\n1;2;3\r\n-4;5;6,25\r\n",
        "sep=;\r\nx;y;z;nx;ny;nz\r\n0,5;1,5;2,5;0;0;-1\r\n1;2;3;0,6;0,8;0\r\n-4;5;6,25;1;0;0\r\n",
    ),
    "whole_first.csv": ("1;2;3\n0,5;1;2\n4;5;6\n", "1;2;3;0;0;-1\n0,5;1;2;0,6;0,8;0\n4;5;6;1;0;0\n"),
    "spaced_commas.xyz": (
        "0,5 1,5 2,5\n1 2 3\n-4 5 6,25\n",
        "0,5 1,5 2,5 0 0 -1\n1 2 3 0,6 0,8 0\n-4 5 6,25 1 0 0\n",
    ),
    "trailing.xyz": (
        "0.5,1.5,2.5,\n1,2,3,\n-4,5,6.25,\n",
        "0.5,1.5,2.5,0,0,-1,\n1,2,3,0.6,0.8,0,\n-4,5,6.25,1,0,0,\n",
    ),
    "trailing_names.csv": (
        "x,y,z,\n0.5,1.5,2.5,\n1,2,3,\n-4,5,6.25,\n",
        "x,y,z,nx,ny,nz,\n0.5,1.5,2.5,0,0,-1,\n1,2,3,0.6,0.8,0,\n-4,5,6.25,1,0,0,\n",
    ),
    "cloudcompare.asc": (
        "//X Y Z Scalar [dB]\n3\n0.5 1.5 2.5 7\n1 2 3 8\n-4 5 6.25 9\n",
        "//X Y Z Scalar [dB] nx ny nz\n3\n0.5 1.5 2.5 7 0 0 -1\n1 2 3 8 0.6 0.8 0\n-4 5 6.25 9 1 0 0\n",
    ),
    "semicolons.txt": (
        "//X;Y;Z\n3\n0.5;1.5;2.5\n1;2;3\n-4;5;6.25\n",
        "//X;Y;Z;nx;ny;nz\n3\n0.5;1.5;2.5;0;0;-1\n1;2;3;0.6;0.8;0\n-4;5;6.25;1;0;0\n",
    ),
    "leica.pts": (
        "3\n0.5 1.5 2.5 -1484 1 2 3\n1 2 3 5 4 5 6\n-4 5 6.25 5 7 8 9\n",
        "3\n0.5 1.5 2.5 -1484 1 2 3 0 0 -1\n1 2 3 5 4 5 6 0.6 0.8 0\n-4 5 6.25 5 7 8 9 1 0 0\n",
    ),
    "two_scans.pts": (
        "2\n0.5 1.5 2.5 1\n1 2 3 2\n1\n-4 5 6.25 3\n",
        "2\n0.5 1.5 2.5 1 0 0 -1\n1 2 3 2 0.6 0.8 0\n1\n-4 5 6.25 3 1 0 0\n",
    ),
    "r_table.txt": (
        '"x" "y" "z"\n"1" 0.5 1.5 2.5\n"2" 1 2 3\n"3" -4 5 6.25\n',
        '"x" "y" "z" "nx" "ny" "nz"\n"1" 0.5 1.5 2.5 0 0 -1\n"2" 1 2 3 0.6 0.8 0\n"3" -4 5 6.25 1 0 0\n',
    ),
    "units_below.csv": (
        "x,y,z\nm,m,m\n0.5,1.5,2.5\n1,2,3\n-4,5,6.25\n",
        "x,y,z,nx,ny,nz\nm,m,m\n0.5,1.5,2.5,0,0,-1\n1,2,3,0.6,0.8,0\n-4,5,6.25,1,0,0\n",
    ),
    "titles.csv": (
        "Survey of 3 May;;\n;;\nX;Y;Z\n0,5;1,5;2,5\n1;2;3\n-4;5;6,25\n;;\n",
        "Survey of 3 May;;\n;;\nX;Y;Z;nx;ny;nz\n0,5;1,5;2,5;0;0;-1\n1;2;3;0,6;0,8;0\n-4;5;6,25;1;0;0\n;;\n",
    ),
    "own_normals.csv": (
        "Nx,X,Ny,Y,Nz,Z\n1,0.5,0,1.5,0,2.50\n1,1,0,2,0,3\n0,-4,0,5,1,6.25\n",
        "Nx,X,Ny,Y,Nz,Z\n0,0.5,0,1.5,-1,2.50\n0.6,1,0.8,2,0,3\n1,-4,0,5,0,6.25\n",
    ),
    "paraview.csv": (
        '"Points:0","Points:1","Points:2"\n0.5,1.5,2.5\n1,2,3\n-4,5,6.25\n',
        '"Points:0","Points:1","Points:2","nx","ny","nz"\n0.5,1.5,2.5,0,0,-1\n1,2,3,0.6,0.8,0\n-4,5,6.25,1,0,0\n',
    ),
}


@pytest.mark.parametrize("name", KEPT)
def test_all_but_the_normals_is_kept_as_text(through, pos, name):
    before, after = KEPT[name]
    columns, written = through(before, name)
    assert written.decode() == after
    if name != "whole_first.csv":
        np.testing.assert_array_equal(columns.pos, pos)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32", "latin-1"])
def test_encodings_are_kept(through, encoding):
    columns, written = through("x y z Größe\r\n0.5 1.5 2.5 7\r\n".encode(encoding), "a.txt")
    assert columns.names == ("x", "y", "z", "Größe")
    assert written == "x y z Größe nx ny nz\r\n0.5 1.5 2.5 7 0 0 -1\r\n".encode(encoding)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("nan", np.nan), ("1.#QNAN", np.nan), ("-1.#IND", np.nan), ("NULL", np.nan), ("1.#INF", np.inf),
        ("1.5D+01", 15), ("1e300", 1e300), ("-.5", -0.5),
    ],
)  # fmt: skip
def test_numbers_as_programs_write_them(through, field, value):
    columns, written = through(f"0.5 1.5 {field}\n1 2 3\n", "a.xyz")
    np.testing.assert_array_equal(columns.pos, [[0.5, 1.5, value], [1, 2, 3]])
    assert written.decode() == f"0.5 1.5 {field} 0 0 -1\n1 2 3 0.6 0.8 0\n"


def test_grouped_digits_of_spreadsheets(through):
    assert through("x;y;z\n1.234,5;1;0,5\n2.234.567,5;1;2\n", "a.csv")[0].pos[:, 0].tolist() == [1234.5, 2234567.5]
    assert through('x,y,z\n"1,234.5",2,3\n1,2,3\n', "b.csv")[0].pos[:, 0].tolist() == [1234.5, 1]


def test_long_integers_keep_every_digit(through, tmp_path):
    columns, _ = through("x,y,z,ns\n1,2,3,1700000000123456789\n1,2,4,1700000000123456790\n", "a.csv", "b.npy")
    assert columns.table["ns"].tolist() == [1700000000123456789, 1700000000123456790]
    assert read_cloud(tmp_path / "b.npy").table["ns"].tolist() == columns.table["ns"].tolist()


def test_whole_columns_are_integers_and_others_are_not(through):
    columns, _ = through("x y z red level part\n1 2 3 255 -7 1.0\n1 2 4 0 70000 2\n", "a.txt")
    assert [columns.table.dtype[name].str[1:] for name in columns.names] == ["f8", "f8", "f8", "u1", "i4", "f8"]


COLOURS = np.eye(3)[[0, 1, 2, 2, 0, 1]]
FLOOR = np.tile([0.06, -0.08, 0.99499], (6, 1))  # behind a confidence of 0.98 its x and y make a unit vector, too


@pytest.mark.parametrize(
    ("rows", "names"),
    [
        (np.c_[np.ones((6, 3)), COLOURS], "x y z c4 c5 c6"),
        (np.c_[np.ones((6, 3)), COLOURS * 255], "x y z red green blue"),
        (np.c_[np.ones((6, 3)), COLOURS * 256], "x y z c4 c5 c6"),
        (np.c_[np.ones((6, 3)), -COLOURS], "x y z nx ny nz"),
        (np.c_[np.ones((6, 3)), COLOURS * [1, -1, 1]], "x y z nx ny nz"),
        (np.c_[np.ones((6, 3)), COLOURS, -COLOURS], "x y z c4 c5 c6 nx ny nz"),
        (np.c_[np.ones((6, 3)), np.arange(6), -COLOURS], "x y z c4 nx ny nz"),
        (np.c_[np.ones((6, 3)), np.full(6, 0.98), FLOOR], "x y z c4 nx ny nz"),
        (np.c_[np.ones((6, 3)), FLOOR, np.full(6, 0.98)], "x y z nx ny nz c7"),
        (np.c_[np.ones((6, 3)), -COLOURS * [[1], [0], [0], [0], [np.nan], [0]]], "x y z nx ny nz"),
        (np.c_[np.arange(30), np.ones((30, 3)), np.arange(30)], "index x y z c4"),
        (np.c_[np.arange(1, 31), np.ones((30, 3))], "index x y z"),
        (np.c_[np.arange(30), np.ones((30, 2))], "x y z"),
    ],
)
def test_columns_without_names(rows, names):
    assert " ".join(positional_names(list(rows.T))) == names


@pytest.mark.parametrize(
    ("zeros", "line"),
    [
        ("0.000000 0.000000 0.000000 ", "0 0 -1"),  # a cloud of MeshLab, whose rows end with a blank
        ("0 0 0", "0 0 0 0 0 -1"),
        ("0.0 0.0 0", "0.0 0.0 0 0 0 -1"),
        ("0.0 0.0 0.5", "0.0 0.0 0.5 0 0 -1"),
        ("0.0 0.0 nan", "0.0 0.0 nan 0 0 -1"),
        ("0.0 0.0 0.0 0.0", "0.0 0.0 0.0 0.0 0 0 -1"),
    ],
)
def test_normals_that_are_not_set_are_replaced(through, zeros, line):
    _, written = through(f"0.5 1.5 2.5 {zeros}\n1 2 3 {zeros}\n-4 5 6.25 {zeros}\n", "a.xyz")
    assert f"0.5 1.5 2.5 {line}" in written.decode().splitlines()


def test_pure_colours_are_not_overwritten(through):
    _, written = through("0.5 1.5 2.5 1.0 0.0 0.0\n1 2 3 0.0 0.0 1.0\n-4 5 6.25 0 1 0\n", "a.xyz")
    assert written == b"0.5 1.5 2.5 1.0 0.0 0.0 0 0 -1\n1 2 3 0.0 0.0 1.0 0.6 0.8 0\n-4 5 6.25 0 1 0 1 0 0\n"


def test_names_are_added_where_the_place_would_not_tell(tmp_path):
    (tmp_path / "a.xyz").write_text("1 2 3\n4 5 6\n")
    up = np.array([[0, 0, 1], [0, 0, 1]])
    for name in ("a.xyz", "a.txt", "a.csv"):
        write_cloud(tmp_path / name, read_cloud(tmp_path / "a.xyz").with_normals(up))
        np.testing.assert_array_equal(read_cloud(tmp_path / name).normal, up)
    assert (tmp_path / "a.xyz").read_text() == "# x y z nx ny nz\n1 2 3 0 0 1\n4 5 6 0 0 1\n"
    assert (tmp_path / "a.csv").read_text() == "x,y,z,nx,ny,nz\n1,2,3,0,0,1\n4,5,6,0,0,1\n"


def test_names_with_blanks_that_do_not_fit_are_not_guessed(through, tmp_path):
    columns, _ = through("//X Y Z Scan angle\n0.5 1.5 2.5 7\n1 2 3 8\n", "a.asc")
    assert columns.names == ("x", "y", "z", "c4")
    (tmp_path / "b.asc").write_text("//Scan angle X Y Z\n7 0.5 1.5 2.5\n8 1 2 3\n")
    with pytest.raises(UserError, match=r"b\.asc, line 1: expected 4 names"):
        read_cloud(tmp_path / "b.asc")


@pytest.mark.parametrize(
    ("target", "content"),
    [
        ("b.csv", "x,y,z,i\n0.50,1,2,7\n1,2,3,8\n"),
        ("b.xyz", "# x y z i\n0.50 1 2 7\n1 2 3 8\n"),
        ("b.pts", "2\n0.50 1 2 7\n1 2 3 8\n"),
    ],
)
def test_other_kinds_of_text_get_their_own_form(tmp_path, target, content):
    (tmp_path / "a.txt").write_text("i;x;y;z\n7;0,50;1;2\n8;1;2;3\n")
    columns = read_cloud(tmp_path / "a.txt")
    write_cloud(tmp_path / target, columns)
    values = [line.split("," if target.endswith("csv") else None) for line in content.splitlines()]
    written = (tmp_path / target).read_text()
    if not target.endswith("pts"):  # a PTS file begins with the position; others keep the order
        columns_of = [line.split("," if target.endswith("csv") else None) for line in written.splitlines()]
        assert [sorted(row) for row in columns_of] == [sorted(row) for row in values]
        np.testing.assert_array_equal(read_cloud(tmp_path / target).table["i"], [7, 8])
    else:
        assert written == content


PTX = b"2\n1\n0 0 0\n1 0 0\n0 1 0\n0 0 1\n1 0 0 0\n0 1 0 0\n0 0 1 0\n0 0 0 1\n0.5 1 2 0.5\n0 0 0 0.5\n"


COLMAP = b"""# 3D point list with one line of data per point:
#   POINT3D_ID, X, Y, Z, R, G, B, ERROR, TRACK[] as (IMAGE_ID, POINT2D_IDX)
63390 1.67 0.81 4.68 115 121 122 1.33 16 6542 15 7345
"""


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "a.xyz: expected points, got an empty file"),
        (b" \r\n\n", "empty file"),
        (b"# only a comment\n", "expected rows of numbers, got none"),
        (b"x y z\n", "expected rows of numbers, got none"),
        (b"1 2 3\n4 5\n", "a.xyz, line 2: expected 3 columns as above, got 2"),
        (b"# a\n\n1 2 3\n\n4 5 6 7\n", "a.xyz, line 5: expected 3 columns as above, got 4"),
        (b"1,2,3,\n4,5,6,7\n", "a.xyz, line 2: expected 3 columns as above, got 4"),
        (b"1 2 3\n4 five 6\n", "a.xyz, line 2: expected numbers, got 'five'"),
        (b"1 2 3 4\n4 5 6 six\n", "a.xyz, line 2: expected numbers, got 'six'"),
        (b"x,y,z\n1,2,3\n4,5_0,6\n", "a.xyz, line 3: expected numbers, got '5_0'"),
        (b"5\n1 2 3\n4 5 6\n", "a.xyz: expected 5 rows, as line 1 says, got 2"),
        (b"1 2\n3 4\n", r"line 1: expected at least 3 columns \(x y z\), got 2: '1 2'"),
        (PTX, "a.xyz: expected a text file, got a PTX file: rename it, or --from ptx"),
        (b"3\nwater\nO 0 0 0\nH 0 0 1\nH 0 1 0\n", "got the number of atoms of a molecule"),
        (b"2\n\nC 0.1 -1e-3 .5\nCl 0 0 1\n", "got the number of atoms of a molecule"),
        (b"1\nan energy of -5.3\n  He 0 0 0 0.5\n", "got the number of atoms of a molecule"),
        (b"lon,lat,h\n1,2,3\n", "a.xyz, line 1: expected numbers or names with x, y and z, got 'lon,lat,h'"),
        (b"x y z\n1 2 3\nlast words here now\n", "a.xyz, line 3: expected 3 columns as above, got 4"),
        (b"a title\n1 2 3\n4 5 6\n", "a.xyz, line 1: expected numbers or names with x, y and z, got 'a title'"),
        (b"1 2 3 " * 5, "got 1 row of 15 columns: transpose it, or name the columns"),
        (b"1 2 3 4 5 6 7 8 9 10 11 12 13\n" * 3, "got 3 rows of 13 columns: transpose it"),
        (b"1 " * 100_000, "a.xyz: expected one point a row, got 100,000 columns"),
        (b'{"a": 1}\n', "a.xyz, line 1: expected numbers"),
        (COLMAP, "got the points of a COLMAP model: colmap model_converter --output_type PLY converts it"),
        (b"\x00\x01\x02\x89PNG", "expected text, got a binary file"),
        (b"\xff\x89\x13 \x99\n", "a.xyz, line 1: expected numbers"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, content, message):
    file = tmp_path / "a.xyz"
    file.write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        read_cloud(file)
    assert "\n" not in str(caught.value)


def test_the_sign_by_which_dos_ends_a_file_is_left_out(through):
    assert through("0.5 1.5 2.5\r\n1 2 3\r\n\x1a", "a.xyz")[1] == b"0.5 1.5 2.5 0 0 -1\r\n1 2 3 0.6 0.8 0\r\n"


def test_labels_of_one_letter_are_no_molecule(through):
    assert through("2\nname x y z\nA 0.5 1 2\nB 1 2 3\n", "a.xyz")[0].names == ("name", "x", "y", "z")


def test_a_count_that_is_too_small_is_put_right(through):
    assert through("1\n0.5 1.5 2.5 1\n1 2 3 2\n", "a.pts")[1].startswith(b"2\n0.5 1.5 2.5 1 0 0 -1\n")


def test_rows_that_were_replaced_are_written_anew(tmp_path, unit):
    (tmp_path / "a.xyz").write_text("1 2 3\n4 5 6\n7 8 9\n")
    columns = read_cloud(tmp_path / "a.xyz")
    moved = columns.with_columns({name: columns.table[name] + 0.5 for name in "xyz"})
    write_cloud(tmp_path / "b.xyz", moved.with_normals(unit))
    assert (tmp_path / "b.xyz").read_text().startswith("1.5 2.5 3.5 0 0 -1\n4.5 5.5 6.5 ")
