"""metrics.json is strict, whole, and finds its way back into a table."""

import json
import os
import stat

import numpy as np
import pytest

from tensorframes.clouds import Cloud
from tensorframes.errors import UserError
from tensorframes.reports import compare, load_metrics, load_runs, methods_of, write_metrics
from tensorframes.scoring import PCA, score


@pytest.fixture
def metrics() -> dict:
    pos = np.random.default_rng(0).normal(size=(50, 3)) * [1, 1, 0]
    return score(PCA(8), [Cloud("flat", pos=pos, normal=np.tile([0, 0, 1.0], (50, 1)))])


def test_what_is_written_comes_back(metrics, tmp_path):
    path = write_metrics(tmp_path / "run", metrics)
    assert path == tmp_path / "run" / "metrics.json"
    assert load_metrics(tmp_path / "run") == load_metrics(path) == metrics
    assert path.read_text().endswith("}\n")


def test_a_number_json_lacks_is_refused_and_the_old_file_stays(metrics, tmp_path):
    write_metrics(tmp_path, metrics)
    with pytest.raises(ValueError, match="JSON"):
        write_metrics(tmp_path, {"average": {"rmse": float("nan")}})
    assert load_metrics(tmp_path) == metrics
    assert [p.name for p in tmp_path.iterdir()] == ["metrics.json"]


def test_a_break_while_writing_leaves_the_old_file_and_nothing_else(metrics, tmp_path, monkeypatch):
    write_metrics(tmp_path, metrics)
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        write_metrics(tmp_path, {"average": {}})
    assert load_metrics(tmp_path) == metrics
    assert [p.name for p in tmp_path.iterdir()] == ["metrics.json"]


@pytest.mark.skipif(os.name != "posix", reason="permission bits are POSIX's")
def test_others_may_read_it_as_any_file(metrics, tmp_path):
    before = os.umask(0o022)
    try:
        mode = write_metrics(tmp_path, metrics).stat().st_mode
    finally:
        os.umask(before)
    assert stat.S_IMODE(mode) == 0o644


@pytest.mark.parametrize("text", [None, "", "{", "[]", '{"loss": 1}'])
def test_what_is_not_a_runs_metrics_is_named(text, tmp_path):
    if text is not None:
        (tmp_path / "metrics.json").write_text(text)
    with pytest.raises(UserError, match=r"metrics\.json"):
        load_metrics(tmp_path)


def test_runs_are_told_apart_by_the_shortest_names(metrics, tmp_path):
    for run in ("a/one", "b/one", "b/two"):
        write_metrics(tmp_path / run, metrics)
    assert list(load_runs([tmp_path / "a/one", tmp_path / "b/two"])) == ["one", "two"]
    runs = load_runs([tmp_path / "a/one", tmp_path / "b/one/metrics.json"])
    assert list(runs) == ["a/one", "b/one"]
    assert compare(runs).row_count == 2
    with pytest.raises(UserError, match="one twice"):
        load_runs([tmp_path / "a/one", tmp_path / "b/../a/one"])


def test_a_runs_baselines_stand_below_it(metrics):
    together = json.loads(json.dumps({**metrics, "method": "network", "baselines": {"PCA 8": metrics}}))
    assert list(methods_of(together)) == ["network", "PCA 8"]
    assert compare(methods_of(together)).row_count == 2
