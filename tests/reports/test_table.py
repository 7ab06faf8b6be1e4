"""What tables show, mark and warn of."""

import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from tensorframes.data import CATEGORIES, Cloud
from tensorframes.reports import compare
from tensorframes.reports.table import print_table
from tensorframes.scoring import score, score_rotated


class Off:
    """Off by some degrees everywhere."""

    def __init__(self, degrees: float, oriented: bool = False) -> None:
        self.name, self.oriented, self.angle = f"off {degrees}", oriented, np.radians(degrees)
        self.equivariant = False

    def __call__(self, points, rows=None):
        return np.tile([np.sin(self.angle), 0, np.cos(self.angle)], (len(points if rows is None else rows), 1))


def clouds(categories=CATEGORIES, count: int = 20) -> list[Cloud]:
    pos = np.random.default_rng(0).normal(size=(count, 3))
    normal = np.tile([0, 0, 1.0], (count, 1))
    return [
        Cloud(f"{c}_{i}", pos=pos, normal=normal, category=c, eval_index=np.arange(5))
        for c in categories
        for i in (1, 2)
    ]


@pytest.fixture
def results() -> dict:
    return {"network": score(Off(10), clouds()), "PCA 18": score(Off(12.5), clouds())}


def printed(results: dict, width: int = 80) -> str:
    out = io.StringIO()
    Console(file=out, width=width).print(compare(results, "Test clouds"))
    return out.getvalue()


def shown(results: dict) -> list[list[str]]:
    """The table's lines as texts, the first its headings; the best of a column in stars."""
    columns = compare(results).columns
    marked = [[str(cell) for cell in columns[0].cells]] + [
        [f"*{cell}*" if "bold" in str(cell.style) else str(cell) for cell in column.cells] for column in columns[1:]
    ]
    return [[str(column.header) for column in columns], *map(list, zip(*marked, strict=True))]


def test_the_screen_shows_every_category_the_average_and_the_extent(results):
    text = printed(results)
    for word in ("none", "low", "medium", "high", "striped", "gradient", "average", "s/cloud", "Test clouds"):
        assert word in text
    line = next(line for line in text.splitlines() if "network" in line)
    assert line.split()[1:8] == ["10.00"] * 7
    flat = " ".join(text.split())
    assert "Clouds: 12, points: 240, scored: 60. Shapes a category: 2. Points a cloud: 20." in flat
    assert "NOT COMPARABLE" not in flat


def test_the_best_of_each_column_is_marked_and_ties_are_equal(results):
    _, network, pca = shown(results)
    assert network.count("*10.00*") == 7
    assert not any("*" in cell for cell in pca)
    assert not any("*" in cell for cell in shown({"network": results["network"]})[1])
    twins = {"a": results["network"], "b": results["network"]}
    assert [line.count("*10.00*") for line in shown(twins)[1:]] == [7, 7]


def test_scores_on_different_points_are_called_not_comparable(results):
    other = results | {"less": score(Off(1), clouds()[:-1])}
    assert "NOT COMPARABLE" in " ".join(printed(other).split())


def test_a_category_a_method_lacks_is_a_dash(results):
    table = shown({"all": results["network"], "one": score(Off(1), clouds(CATEGORIES[:1]))})
    assert table[2][2] == "–"


def test_own_categories_keep_their_names_and_come_last():
    head = shown({"a": score(Off(1), clouds(("scan", "no_noise")))})[0]
    assert head == ["method", "none", "scan", "average", "s/cloud"]


def test_many_categories_are_rows_and_methods_columns():
    names = [
        f"{where}_{what}" for where in ("close", "distant", "inner") for what in ("grid", "rings", "lines", "dust")
    ]
    results = {"a": score(Off(1), clouds(names)), "b": score(Off(2), clouds(names))}
    table = shown(results)
    assert table[0] == ["method", "a", "b"]
    assert [line[0] for line in table[1:]] == [*names, "average", "s/cloud"]
    assert table[1][1:] == ["*1.00*", "2.00"]
    assert "…" not in printed(results)


def test_missing_normals_are_told():
    class Missing(Off):
        def __call__(self, points, rows=None):
            return super().__call__(points, rows) * (np.asarray(rows) > 0)[:, None]

    text = printed({"PCA": score(Missing(1), clouds(("scan",)))})
    assert "PCA: 2 rows without a normal, scored as 90 degrees" in " ".join(text.split())


def test_rotations_have_cosines_and_rmse_a_column_each_and_the_oriented_only_where_claimed():
    plain = {name: score_rotated(Off(angle), clouds()) for name, angle in (("a", 60), ("b", 0))}
    head, first, second = shown(plain)
    assert head[1:] == [f"{label} {name}" for label in ("|cos|", "RMSE") for name in ("none", "z", "so3", "o3")]
    assert first[1] == "0.5000"
    assert second[1] == "*1.0000*"  # the higher cosine, the lower RMSE
    assert second[5] == "*0.00*"
    assert "cos none" in shown({"a": score_rotated(Off(60, oriented=True), clouds())})[0]
    assert "…" not in printed(plain)


def test_scores_of_two_protocols_do_not_mix(results):
    with pytest.raises(ValueError, match="one protocol, got both"):
        compare(results | {"other": score_rotated(Off(1), clouds())})
    with pytest.raises(ValueError, match="got none"):
        compare({})


def test_names_are_not_read_as_markup(results, tmp_path: Path):
    assert "[bold]x" in printed({"[bold]x": results["network"]})


def test_numbers_and_names_are_whole_in_a_narrow_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    names = ("network", "PCA 18", "PCA 112")
    print_table(compare({name: score_rotated(Off(1, oriented=True), clouds()) for name in names}))
    text = capsys.readouterr().out
    assert "…" not in text
    assert all(name in text for name in names)


def test_work_goes_on_where_the_reader_has_closed_the_output() -> None:
    program = "from rich.table import Table\nfrom tensorframes.reports.table import print_table\n"
    program += "for _ in range(2):\n    print_table(Table('a'))\nprint('more')\nraise SystemExit(7)\n"
    reader, writer = os.pipe()
    os.close(reader)
    ended = subprocess.run([sys.executable, "-c", program], stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (7, "")
