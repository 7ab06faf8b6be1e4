"""Numbers of things are in the plural only where there are several."""

import pytest

from tensorframes.data.datasets.cleaning import Counts, report
from tensorframes.reports.normals_page import drawn_line
from tensorframes.words import be, counted, every, percent


@pytest.mark.parametrize(("count", "text"), [(0, "0 test clouds"), (1, "1 test cloud"), (20000, "20,000 test clouds")])
def test_a_noun_is_in_the_plural_unless_there_is_one(count: int, text: str) -> None:
    assert counted(count, "test cloud") == text


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0 %"), (1e-7, "below 0.01 %"), (1e-4, "0.01 %"), (0.0351, "3.5 %"), (0.12, "12 %"), (0.9949, "99 %")]
    + [(0.995, "100 %"), (1, "100 %")],
)
def test_shares_have_two_digits_and_no_exponent(share: float, text: str) -> None:
    assert percent(share) == text


def test_one_of_one_is_the_only_one() -> None:
    assert (every(1, "cloud"), every(2, "cloud"), be(1), be(2)) == ("the only cloud", "all 2 clouds", "is", "are")
    assert drawn_line(1, 1).startswith("Drawn: the only point. ")


def test_the_line_on_rows_that_were_changed(caplog: pytest.LogCaptureFixture) -> None:
    report("clouds", [Counts(rows=5, not_finite=1, renormalised=2)])
    assert caplog.messages == ["clouds: clouds 1, rows 5; 1 row not finite dropped, 2 normals made unit"]
