"""Rows of text with the marks of comments in them: a part of a field, or a comment."""

import pytest

from tensorframes.data.io import read_cloud
from tensorframes.errors import UserError

NORMALS = ("0 0 -1", "0.6 0.8 0", "1 0 0")


def with_normals(lines: list[str], separator: str, comments: tuple[str, ...] = ("", "")) -> list[str]:
    """Rows with normals between their fields and their comments."""
    normals = [separator.join(normal.split()) for normal in NORMALS]
    return [f"{line}{separator}{each}{end}" for line, each, end in zip(lines, normals, comments, strict=False)]


@pytest.mark.parametrize(
    ("head", "rows"),
    [
        ("x,y,z,colour", ["0.5,1,2,#ff0000", "1,2,3,#00ff00"]),
        ("x,y,z,colour,class", ["0.5,1,2,#ff0000,2", "1,2,3,#00ff00,2"]),
        ("x,y,z,colour,class", ["0.5,1,2, #ff0000,2", "1,2,3, # red,2"]),
        ("x,y,z,t,class", ["0.5,1,2,5,2", "1,2,3,#N/A,2"]),
        ("x,y,z,i", ["0.5,1,2,#DIV/0!", "1,2,3,7"]),
        ("x,y,z,name", ["0.5,1,2,Point #0", "1,2,3,Point # 1"]),
        ("x,y,z,name", ["0.5,1,2,12 #0", '1,2,3,"12 # 1"']),
        ("x,y,z,name", ["0.5,1,2,12 # 0", "1,2,3,- #"]),
        ("x;y;z;name", ["0.5;1;2; #5", "1;2;3;"]),
        ("name\tx\ty\tz", ["# 1\t0.5\t1\t2", "# 2 b\t1\t2\t3"]),
        ("id\tx\ty\tz\tname", ["#1\t0.5\t1\t2\t", "#2\t1\t2\t3\tb c"]),
        ("name,x,y,z", ["#0,0.5,1,2", "#1,1,2,3"]),
        ("name,x,y,z", ["no # 1,0.5,1,2", "no # 2,1,2,3"]),
        ("name,x,y,z", ["%0,0.5,1,2", "//1,1,2,3"]),
        ("name;x;y;z", ["#0;0,5;1;2", "#1;1;2;3"]),
        ("id;x;y;z", ["Stn #0;0.5;1;2", "Stn #1;1;2;3"]),
        ("id;x;y;z", ["12 #0;0,5;1;2", "12 #1;1;2;3"]),
        ("x\ty\tz\tcolour", ["0.5\t1\t2\t#ff0000", "1\t2\t3\t#00ff00"]),
        ("x\ty\tz\tcolour", ["0.5\t1\t2\t# red", "1\t2\t3\t"]),
        ("x y z colour", ["0.5 1 2 #ff0000", "1 2 3 #00ff00"]),
        ("x y z colour i", ["0.5 1 2 #ff0000 7", "1 2 3 #00ff00 7"]),
        ("x y z name", ["0.5 1 2 no#1", "1 2 3 no#2"]),
    ],
)
def test_marks_within_fields_are_text(through, head, rows):
    separator = next((sign for sign in ",;\t" if sign in head), " ")
    columns, written = through("\n".join([head, *rows, ""]), "a.csv")
    assert columns.names == tuple(head.split(separator))
    assert columns.pos.tolist() == [[0.5, 1, 2], [1, 2, 3]]
    written_normals = [
        line.replace(".", ",") if "0,5" in rows[0] else line for line in with_normals(["", ""], separator)
    ]
    expected = [f"{row}{normal}" for row, normal in zip(rows, written_normals, strict=True)]
    assert written.decode().splitlines() == [separator.join((head, "nx", "ny", "nz")), *expected]


@pytest.mark.parametrize(
    ("head", "rows", "comments", "separator"),
    [
        ("", ["0.5 1 2", "1 2 3"], ["  # one", " #two, and; more"], " "),
        ("x y z", ["0.5 1 2", "1 2 3"], [" # 4, 5, 6, 7", " # 1.#QNAN"], " "),
        ("x y z colour", ["0.5 1 2 #ff0000", "1 2 3 #00ff00"], [" # red", ""], " "),
        ("", ["0.5,1,2", "1,2,3"], [" # one, and; more", "\t# two"], ","),
        ("# x,y,z", ["0.5,1,2", "1,2,3"], [" # one", " #"], ","),
        ("x,y,z", ["0.5,1,2", "1,2,3"], ["", " # two, and; more"], ","),
        ("x,y,z", ["0.5,1,2", "1,2,3"], [" # one, and; more", " # two"], ","),
        ("x;y;z;n", ["0.5;1;2;4", "1;2;3;8"], [" # c", ""], ";"),
        ("x;y;z;n", ["0,5;1;2;4", "1;2;3;8,5"], ["", "  # 1.5"], ";"),
        ("x\ty\tz\tn", ["0.5\t1\t2\t4", "1\t2\t3\t"], ["", ""], "\t"),
        ("x,y,z,n", ["0.5,1,2,-", "1,2,3,7"], [" # none", ""], ","),
    ],
)
def test_comments_behind_the_last_field_stay_there(through, head, rows, comments, separator):
    lines = [f"{row}{comment}" for row, comment in zip(rows, comments, strict=True)]
    columns, written = through("\n".join([*([head] if head else []), *lines, ""]), "a.txt")
    assert columns.pos.tolist() == [[0.5, 1, 2], [1, 2, 3]]
    assert "n" not in columns.names or columns.table["n"].dtype.kind in "uf"
    expected = with_normals(rows, separator, comments)
    assert written.decode().splitlines()[len([head]) if head else 0 :] == [
        line.replace("0.6;0.8", "0,6;0,8") if "0,5" in rows[0] else line for line in expected
    ]


@pytest.mark.parametrize("last", ["12 # 0,13 # 1", "12 # 0,a", "12 # 0,Point #5", "12 # 0,", "12 # 0,- #"])
def test_a_last_column_of_texts_has_no_comments(through, last):
    first, second = last.split(",")
    columns, _ = through(f"x,y,z,name\n0.5,1,2,{first}\n1,2,3,{second}\n", "a.csv")
    assert columns.table["name"].tolist() == [first, second]


def test_between_white_space_texts_with_a_mark_need_a_name_and_another_place_than_the_first(through, tmp_path):
    assert through("0.5 1 2 #ff0000\n1 2 3 #00ff00\n", "a.txt")[0].names == ("x", "y", "z")
    assert through("x y z c\n0.5 1 2 #ff0000\n", "a.txt")[0].names == ("x", "y", "z", "c")
    (tmp_path / "b.txt").write_text("c x y z\n#ff0000 1 2 3\n")
    with pytest.raises(UserError, match="expected rows of numbers, got none"):
        read_cloud(tmp_path / "b.txt")


def test_comments_behind_separators_at_the_end_stay_there(through):
    assert through("0.5,1,2, # one\n1,2,3,\n", "a.csv")[1] == b"0.5,1,2,0,0,-1, # one\n1,2,3,0.6,0.8,0,\n"


def test_labels_without_a_name_may_begin_with_a_mark(through):
    columns, written = through("x,y,z\n#1,0.5,1,2\n#2,1,2,3\n", "a.csv")
    assert columns.names == ("index", "x", "y", "z")
    assert written == b"x,y,z,nx,ny,nz\n#1,0.5,1,2,0,0,-1\n#2,1,2,3,0.6,0.8,0\n"


@pytest.mark.parametrize("comment", ["# a comment", "#1,2", "#, many, words, in it", "# 1 2 3"])
def test_lines_with_a_mark_that_are_no_row_stay_comments(through, comment):
    written = through(f"name,x,y,z\none,0.5,1,2\n{comment}\ntwo,1,2,3\n", "a.csv")[1].decode()
    assert written == f"name,x,y,z,nx,ny,nz\none,0.5,1,2,0,0,-1\n{comment}\ntwo,1,2,3,0.6,0.8,0\n"


def test_a_row_that_is_a_comment_is_no_point(through):
    assert through("x,y,z\n0.5,1,2\n#1,2,3\n", "a.csv")[1] == b"x,y,z,nx,ny,nz\n0.5,1,2,0,0,-1\n#1,2,3\n"


@pytest.mark.parametrize(
    ("content", "after"),
    [
        (
            "x\ty\tz\tn\n1\t2\t3\ta\n4\t5\t6\t\n",
            "x\ty\tz\tn\tnx\tny\tnz\n1\t2\t3\ta\t0\t0\t-1\n4\t5\t6\t\t0.6\t0.8\t0\n",
        ),
        ("x\ty\tz\t\n1\t2\t3\t7\n4\t5\t6\t\n", "x\ty\tz\t\tnx\tny\tnz\n1\t2\t3\t7\t0\t0\t-1\n4\t5\t6\t\t0.6\t0.8\t0\n"),
        ("x\ty\tz\n1\t2\t3\t\n4\t5\t6\t\n", "x\ty\tz\tnx\tny\tnz\n1\t2\t3\t0\t0\t-1\t\n4\t5\t6\t0.6\t0.8\t0\t\n"),
        (
            "\tx\ty\tz\n7\t2\t3\t5\n9\t5\t6\t7\n",
            "\tx\ty\tz\tnx\tny\tnz\n7\t2\t3\t5\t0\t0\t-1\n9\t5\t6\t7\t0.6\t0.8\t0\n",
        ),
        ("x;y;z\n1;2;3\n;;5\n", "x;y;z;nx;ny;nz\n1;2;3;0;0;-1\n;;5;0.6;0.8;0\n"),
    ],
)
def test_empty_fields_at_the_ends_of_a_row_keep_their_place(through, content, after):
    assert through(content, "a.txt")[1].decode() == after


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("x,y,z\n0,0,0,1,2,3.5\n1,0,0.1,1,2,3.5\n", "line 1: expected 6 names, one a column, got 3: 'x,y,z'"),
        ("x,y,z\n0,188817,-0,198390,0,961764\n", "line 1: expected 6 names, one a column, got 3: 'x,y,z'"),
        ("#X;Y;Z\n0;0;0;1\n", "line 1: expected 4 names, one a column, got 3: '#X;Y;Z'"),
        ("a title\nx\ty\tz\ti\n0\t0\t0\n", r"line 2: expected 3 names, one a column, got 4: 'x\\ty\\tz\\ti'"),
    ],
)
def test_names_with_separators_are_as_many_as_the_columns(tmp_path, content, message):
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises(UserError, match=message):
        read_cloud(tmp_path / "a.csv")


@pytest.mark.parametrize("row", ["1,2,3# first", "1,2,three", "1;2;3# first", "m,m,3"])
def test_a_first_row_with_a_number_is_no_row_of_units(tmp_path, row):
    separator = ";" if ";" in row else ","
    (tmp_path / "a.csv").write_text(f"x,y,z\n{row}\n4,5,6\n7,8,9\n".replace(",", separator))
    with pytest.raises(UserError, match=f"line 2: expected numbers or names with x, y and z, got '{row}'"):
        read_cloud(tmp_path / "a.csv")


@pytest.mark.parametrize("units", ["m,m,m,-", "m,m,m,1", ",,,"])
def test_a_row_of_units_has_no_positions(through, units):
    assert through(f"x,y,z,i\n{units}\n4,5,6,7\n7,8,9,1\n", "a.csv")[0].pos.tolist() == [[4, 5, 6], [7, 8, 9]]


@pytest.mark.parametrize(
    ("rows", "kept"),
    [
        ("a,1 #b,4 c,7", "a c"),
        ("a,1 //b,4 c,7", "a c"),
        ("a,1 %b,4 c,7", "a c"),
        ("#a,1 b,4 c,7", "b c"),
        ("one,1 #2,4", "one"),
        ("0,1 #1,4 2,7", "0 2"),
        ("0,1 #1,4 #2,7 #3,8", "0"),
        ("%a,1 %b,4 c,7", "c"),
        ("#0,1 #1,4 origin,7", "#0 #1 origin"),
        ("origin,1 #0,4 #1,7", "origin #0 #1"),
        ("%0,1 %1,4 %2,7", "%0 %1 %2"),
    ],
)
def test_a_row_with_a_mark_among_others_is_commented_out(through, rows, kept):
    lines = [f"{row},2,3" for row in rows.split()]
    columns, written = through("\n".join(["name,x,y,z", *lines, ""]), "a.csv")
    assert " ".join(map(str, columns.table["name"])) == kept
    assert [line for line in lines if line.split(",")[0] not in kept.split()] == [
        line for line in written.decode().splitlines()[1:] if len(line.split(",")) == 4
    ]
