"""What tables show, mark and warn of."""

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from tensorframes.clouds import CATEGORIES, Cloud
from tensorframes.reports import compare, to_csv, to_markdown
from tensorframes.scoring import score, score_rotated


class Off:
    """Off by some degrees everywhere."""

    def __init__(self, degrees: float, oriented: bool = False) -> None:
        self.name, self.oriented, self.angle = f"off {degrees}", oriented, np.radians(degrees)

    def __call__(self, points, rows=None):
        return np.tile([np.sin(self.angle), 0, np.cos(self.angle)], (len(points), 1))


def clouds(categories=CATEGORIES, count: int = 20) -> list[Cloud]:
    pos = np.random.default_rng(0).normal(size=(count, 3))
    normal = np.tile([0, 0, 1.0], (count, 1))
    return [
        Cloud(f"{c}_{i}", pos=pos, normal=normal, category=c, scored=np.arange(5)) for c in categories for i in (1, 2)
    ]


@pytest.fixture
def results() -> dict:
    return {"network": score(Off(10), clouds()), "PCA 18": score(Off(12.5), clouds())}


def printed(results: dict, width: int = 80) -> str:
    out = io.StringIO()
    Console(file=out, width=width).print(compare(results, "Test clouds"))
    return out.getvalue()


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
    network, pca = to_markdown(results).splitlines()[2:4]
    assert network.count("**10.00**") == 7
    assert "**" not in pca
    assert to_markdown({"network": results["network"]}).count("**") == 0
    twins = {"a": results["network"], "b": results["network"]}
    assert [line.count("**10.00**") for line in to_markdown(twins).splitlines()[2:4]] == [7, 7]


def test_markdown_is_a_table_with_as_many_cells_in_each_row(results):
    lines = to_markdown({"a|b": results["network"]}).splitlines()
    assert {line.replace(r"\|", "").count("|") for line in lines[:3]} == {10}


def test_csv_has_all_digits(results):
    rows = list(csv.DictReader(io.StringIO(to_csv(results))))
    assert float(rows[1]["average"]) == results["PCA 18"]["average"]["rmse"]
    assert float(rows[0]["none"]) == results["network"]["per_category"]["no_noise"]["rmse"]


def test_scores_on_different_points_are_called_not_comparable(results):
    other = results | {"less": score(Off(1), clouds()[:-1])}
    assert "NOT COMPARABLE" in " ".join(printed(other).split())


def test_a_category_a_method_lacks_is_a_dash(results):
    table = to_markdown({"all": results["network"], "one": score(Off(1), clouds(CATEGORIES[:1]))})
    assert table.splitlines()[3].split("|")[3].strip() == "–"


def test_own_categories_keep_their_names_and_come_last():
    head = to_markdown({"a": score(Off(1), clouds(("scan", "no_noise")))}).splitlines()[0]
    assert [cell.strip() for cell in head.split("|")[2:6]] == ["none", "scan", "average", "s/cloud"]


def test_missing_normals_are_told():
    class Missing(Off):
        def __call__(self, points, rows=None):
            return super().__call__(points, rows) * (np.arange(len(points)) > 0)[:, None]

    assert "PCA: 2 rows without a normal count as 90 degrees" in to_markdown(
        {"PCA": score(Missing(1), clouds(("scan",)))}
    )


def test_rotations_have_cosines_and_rmse_a_column_each_and_the_oriented_only_where_claimed():
    plain = {name: score_rotated(Off(angle), clouds()) for name, angle in (("a", 60), ("b", 0))}
    head, _, first, second = to_markdown(plain).splitlines()[:4]
    assert [cell.strip() for cell in head.replace(r"\|", "/").split("|")[2:-1]] == [
        *(f"/cos/ {name}" for name in ("none", "z", "so3", "o3")),
        *(f"RMSE {name}" for name in ("none", "z", "so3", "o3")),
    ]
    assert first.split("|")[2].strip() == "0.5000"
    assert second.split("|")[2].strip() == "**1.0000**"  # the higher cosine, the lower RMSE
    assert second.split("|")[6].strip() == "**0.00**"
    assert "cos none" in to_csv({"a": score_rotated(Off(60, oriented=True), clouds())})
    assert "…" not in printed(plain)


def test_scores_of_two_protocols_do_not_mix(results):
    with pytest.raises(ValueError, match="one protocol, got both"):
        compare(results | {"other": score_rotated(Off(1), clouds())})
    with pytest.raises(ValueError, match="got none"):
        compare({})


def test_names_are_not_read_as_markup(results, tmp_path: Path):
    assert "[bold]x" in printed({"[bold]x": results["network"]})
