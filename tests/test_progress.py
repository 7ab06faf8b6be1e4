"""One type of progress callback, and the bar on the terminal."""

import pytest

from tensorframes.progress import progress_bar, track, tracked


def test_items_are_done_when_the_next_is_asked_for() -> None:
    counts: list[tuple[int, int]] = []
    items = tracked("ab", lambda *each: counts.append(each))
    assert next(items) == "a"
    assert counts == [(0, 2)]
    assert [*items] == ["b"]
    assert counts == [(0, 2), (1, 2), (2, 2)]
    assert [*tracked("ab", None)] == ["a", "b"]


def test_nothing_is_shown_where_there_is_no_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    assert [*track("abc", "reading")] == ["a", "b", "c"]
    with progress_bar("downloading", byte_counts=True) as progress:
        progress(5, 0)
        progress(7, 7)
    assert capfd.readouterr() == ("", "")


def test_a_terminal_shows_what_is_done(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    with progress_bar("reading clouds") as progress:
        progress(1, 4)
    assert "reading clouds" in capfd.readouterr().err


def test_points_have_a_rate(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    times = iter([0.0, *[2.0] * 1000])
    monkeypatch.setattr("tensorframes.progress.time.monotonic", lambda: next(times))
    with progress_bar("normals", points=8000) as progress:
        progress(1, 4)
    assert "1,000 points/s" in capfd.readouterr().err
    with progress_bar("normals", points=8000, shown=False) as progress:
        progress(1, 4)
    assert capfd.readouterr().err == ""
