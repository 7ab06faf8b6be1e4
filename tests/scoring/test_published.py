"""Published scores of clouds: read from a table, differences from them are told."""

from pathlib import Path

import pytest

from tensorframes.errors import UserError
from tensorframes.scoring import deviation, published_rmse


def table(folder: Path, text: str) -> Path:
    path = folder / "published.csv"
    path.write_text(text)
    return path


def test_differences_are_told_with_the_largest(tmp_path: Path) -> None:
    published = published_rmse(table(tmp_path, "# source\ncloud,rmse\nsphere,0.8\nvase,16.9\nboat,2\n"))
    assert published == {"sphere": 0.8, "vase": 16.9, "boat": 2.0}
    found = deviation(published, {"sphere": {"rmse": 0.9}, "vase": {"rmse": 16.7}, "mine": {"rmse": 1.0}})
    assert found.differences == pytest.approx({"sphere": 0.1, "vase": -0.2})
    assert str(found) == (
        "published RMSE of 2 of 3 clouds: -0.050 degrees on average, 0.150 in absolute value, at most -0.200 "
        "(vase: 16.700 here, 16.900 published)"
    )


@pytest.mark.parametrize("text", ["", "name,rmse\nsphere,1\n", "cloud,rmse\nsphere,one\n", "cloud,rmse\nsphere\n"])
def test_other_tables_are_refused_in_one_line(tmp_path: Path, text: str) -> None:
    with pytest.raises(UserError, match=r"expected columns cloud,rmse with numbers below rmse, got") as error:
        published_rmse(table(tmp_path, text))
    assert "\n" not in str(error.value)


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"expected published to be a CSV file, got .*none.csv"):
        published_rmse(tmp_path / "none.csv")
    with pytest.raises(UserError, match=r"expected published scores of the clouds, mine, ..., got none of them"):
        deviation({"sphere": 1.0}, {"mine": {"rmse": 1.0}})
