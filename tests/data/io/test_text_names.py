"""Text files with fewer names than columns, and the texts of numbers in other kinds of text."""

import numpy as np
import pytest

from tensorframes.data.io import Columns, read_cloud, table_of, write_cloud
from tensorframes.errors import UserError

FEWER = [
    ("x y z", ["0.5 1.5 2.5 255", "1.0 2.5 3.5 0"], "x y z c4"),
    ("#X Y Z", ["1 2 3 255", "5 2 4 255"], "x y z c4"),
    ("//X Y Z R G B", ["0.5 1.5 2.5 1 2 3 0.5", "1.0 2.5 3.5 4 5 6 0.5"], "x y z c4 c5 c6 c7"),
    ("x y z i", ["0.5 1.5 2.5 7 8", "1.0 2.5 3.5 7 8"], "x y z c4 c5"),
]
LABELLED = [
    ("x y z", ["1 0.5 1.5 2.5", "2 1.0 2.5 3.5"], "index x y z"),
    ("x y z", ["1 5 1 2", "2 1 2 3"], "index x y z"),
    ("x y z", ["17 0.5 1.5 2.5", "4 1.0 2.5 3.5"], "index x y z"),
    ("x y z", ["tree 0.5 1.5 2.5", "house 1.0 2.5 3.5"], "index x y z"),
]


@pytest.mark.parametrize(("head", "rows", "names"), [*FEWER, *LABELLED])
def test_fewer_names_than_columns_name_the_last_ones_only_below_labels(through, head, rows, names):
    assert through("\n".join([head, *rows, ""]), "a.txt")[0].names == tuple(names.split())


@pytest.mark.parametrize(("head", "rows", "names"), LABELLED)
def test_labels_may_lack_a_name_with_separators(through, head, rows, names):
    content = "\n".join([head, *rows, ""]).replace(" ", ",")
    assert through(content, "a.csv")[0].names == tuple(names.split())


@pytest.mark.parametrize("empty", [1, 2])
def test_last_columns_may_lack_a_name(through, empty):
    content = f"x,y,z{',' * empty}\n" + "".join(f"{x},1.5,2.5{',7' * empty}\n" for x in (0.5, 1.5))
    columns, written = through(content, "a.csv")
    assert columns.names[:3] == ("x", "y", "z")
    assert columns.pos[:, 0].tolist() == [0.5, 1.5]
    assert written.decode().splitlines()[1] == f"0.5,1.5,2.5{',7' * empty},0,0,-1"


@pytest.mark.parametrize("blank", ["\x0b", "\x0c", "\u00a0", " \u2003"])
def test_lines_of_any_white_space_are_blank(through, tmp_path, blank):
    content = f"0.5 1.5 2.5\n{blank}\n1 2 3\n"
    assert through(content, "a.xyz")[1].decode() == f"0.5 1.5 2.5 0 0 -1\n{blank}\n1 2 3 0.6 0.8 0\n"
    assert through(content, "b.xyz", "b.csv")[1].decode() == "x,y,z,nx,ny,nz\n0.5,1.5,2.5,0,0,-1\n1,2,3,0.6,0.8,0\n"


@pytest.mark.parametrize(
    ("content", "fields"),
    [
        ("x;y;z\n1.234,5;1;0,50\n2.234.567,5;1;2\n", ["1234.5 1 0.50", "2234567.5 1 2"]),
        ('x,y,z\n"1,234.5",2,3\n"1,234",2,-1.#IND\n', ["1234.5 2 3", "1234 2 nan"]),
        ("x,y,z\n1.5D+01,2,NULL\n1,2,-1.#INF\n", ["15 2 nan", "1 2 -inf"]),
    ],
)
def test_other_kinds_of_text_get_numbers_that_they_read_alike(through, tmp_path, content, fields):
    assert through(content, "a.csv", "b.xyz")[1].decode() == (
        f"# x y z nx ny nz\n{fields[0]} 0 0 -1\n{fields[1]} 0.6 0.8 0\n"
    )


@pytest.mark.parametrize("note", ["a;b", "a|b", "a,b", "no #3", "a b", "a\tb", "a\u00a0b", "", "plain"])
@pytest.mark.parametrize("source", ["a.csv", "a.npy"])
@pytest.mark.parametrize("target", ["b.csv", "b.txt", "b.xyz"])
def test_texts_with_separators_in_them_are_kept(tmp_path, unit, note, source, target):
    arrays = {"x": np.array([0.5, 1, 2]), "y": np.ones(3), "z": np.zeros(3), "n": np.array([note, "b", note])}
    write_cloud(tmp_path / source, Columns(table_of(arrays)))
    write_cloud(tmp_path / target, read_cloud(tmp_path / source).with_normals(unit))
    found = read_cloud(tmp_path / target)
    assert found.table["n"].tolist() == [note, "b", note]
    np.testing.assert_array_equal(found.normal.astype("f4"), unit)


@pytest.mark.parametrize("name", ['"a,b"', '"a;b"', '"a\tb"', '"a b"', "a,b", "a;b"])
def test_names_with_other_separators_in_them_are_followed_by_new_ones(through, tmp_path, name):
    columns, written = through(f"# x y z {name}\n0.5 1 2 7\n1.5 1 2 8\n", "a.txt")
    assert columns.names == ("x", "y", "z", name.strip('"'))
    assert written.decode().splitlines()[0].split(name)[1].replace('"', "") == " nx ny nz"
    assert read_cloud(tmp_path / "out.txt").names == (*columns.names, "nx", "ny", "nz")


@pytest.mark.parametrize(
    ("names", "note"),
    [
        ("x,y,z", " # in metres"),
        ("x,y,z", " # metres"),
        ("x,y,z", "  # in metres, at 10:00; local"),
        ("x,y,z,i", " # metres"),
        ("#x,y,z", " # metres"),
        ("x;y;z;i", "\t# metres"),
        ("x y z", " # in metres"),
        ("x y z i", " # metres"),
        ("# x y z i", " # in metres"),
        ("x,y,z,Point # id,class", ""),
        ("id # 1,x,y,z", " # metres"),
        ("x,y,z,Point #", ""),
        ("x,y,z,Point #1", ""),
        ('x,y,z,"Point # id"', ""),
        ("x y z # i", ""),
    ],
)
def test_names_may_be_followed_by_a_comment(through, names, note):
    separator = next((sign for sign in ",;" if sign in names), " ")
    found = [name.strip('"') for name in names.removeprefix("#").strip().split(separator)]
    rows = [separator.join([str(7 + row)] * len(found)) for row in range(2)]
    columns, written = through("\n".join([f"{names}{note}", *rows, ""]), "a.csv")
    assert columns.names == tuple(found)
    head = written.decode().splitlines()[0].replace('"n', "n").replace('x"', "x").replace('y"', "y").replace('z"', "z")
    assert head == separator.join((names, "nx", "ny", "nz")) + note


@pytest.mark.parametrize("target", ["b.csv", "b.txt"])
def test_ends_of_lines_within_texts_become_blanks(tmp_path, target):
    arrays = {"x": np.array([0.5, 1]), "y": np.ones(2), "z": np.zeros(2), "a\nb": np.array(["c\r\nd", "e"])}
    write_cloud(tmp_path / target, Columns(table_of(arrays)))
    assert read_cloud(tmp_path / target).table["a b"].tolist() == ["c  d", "e"]


@pytest.mark.parametrize("note", ["a;b", "a|b"])
def test_other_programs_do_not_quote_other_separators(through, note):
    columns, written = through(f"x,y,z,n\n0.5,1,2,{note}\n1.5,1,2,b\n", "a.csv")
    assert columns.table["n"].tolist() == [note, "b"]
    assert written.decode().splitlines()[1] == f"0.5,1,2,{note},0,0,-1"
    assert through("x y z n\n0.5 1 2 a,b\n1.5 1 2 b\n", "b.txt")[0].table["n"].tolist() == ["a,b", "b"]


@pytest.mark.parametrize(
    ("head", "position"),
    [
        ("E,N,H", "E N H"),
        ("h,n,e,code", "e n h"),
        ("P,N,E,Z,D", "E N Z"),
        ("X,Y,H", "X Y H"),
        ("Point,East,North,Elev", "East North Elev"),
        ("NORTHING,EASTING,ELEVATION", "EASTING NORTHING ELEVATION"),
        ("id;easting [m];northing [m];alt [m]", "easting [m],northing [m],alt [m]"),
        ("x y alt", "x y alt"),
        ("E,N,H,x,y,z", "x y z"),
    ],
)
def test_headers_of_surveyors(tmp_path, head, position):
    separator = ";" if ";" in head else "," if "," in head else " "
    names, place = head.split(separator), position.split("," if "," in position else None)
    rows = np.arange(2 * len(names)).reshape(2, -1) + 0.5
    np.savetxt(tmp_path / "a.csv", rows, delimiter=separator, header=head, comments="", fmt="%g")
    columns = read_cloud(tmp_path / "a.csv")
    assert columns.position == tuple(place)
    np.testing.assert_array_equal(columns.pos, rows[:, [names.index(name) for name in place]])


@pytest.mark.parametrize("head", ["lon,lat,h", "e,n,code", "x,h,w", "n,x,y"])
def test_headers_without_three_coordinates(tmp_path, head):
    (tmp_path / "a.csv").write_text(f"{head}\n1,2,3\n")
    with pytest.raises(UserError, match="expected numbers or names with x, y and z"):
        read_cloud(tmp_path / "a.csv")
