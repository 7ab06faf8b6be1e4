"""metrics.json is strict and whole, and what it holds stands in a table."""

import json
import os
import stat

import numpy as np
import pytest

from tensorframes.data import Cloud
from tensorframes.reports import compare, methods_of, write_metrics
from tensorframes.scoring import PCA, score


@pytest.fixture
def metrics() -> dict:
    pos = np.random.default_rng(0).normal(size=(50, 3)) * [1, 1, 0]
    return score(PCA(8), [Cloud("flat", pos=pos, normal=np.tile([0, 0, 1.0], (50, 1)))])


def test_what_is_written_comes_back(metrics, tmp_path):
    path = write_metrics(tmp_path / "run", metrics)
    assert path == tmp_path / "run" / "metrics.json"
    assert json.loads(path.read_text()) == metrics
    assert path.read_text().endswith("}\n")
    assert write_metrics(path, {"average": {}}) == path
    assert json.loads(path.read_text()) == {"average": {}}


def test_a_number_json_lacks_is_refused_and_the_old_file_stays(metrics, tmp_path):
    write_metrics(tmp_path, metrics)
    with pytest.raises(ValueError, match="JSON"):
        write_metrics(tmp_path, {"average": {"rmse": float("nan")}})
    assert json.loads((tmp_path / "metrics.json").read_text()) == metrics
    assert [p.name for p in tmp_path.iterdir()] == ["metrics.json"]


def test_a_break_while_writing_leaves_the_old_file_and_nothing_else(metrics, tmp_path, monkeypatch):
    write_metrics(tmp_path, metrics)
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        write_metrics(tmp_path, {"average": {}})
    assert json.loads((tmp_path / "metrics.json").read_text()) == metrics
    assert [p.name for p in tmp_path.iterdir()] == ["metrics.json"]


@pytest.mark.skipif(os.name != "posix", reason="permission bits are POSIX's")
def test_others_may_read_it_as_any_file(metrics, tmp_path):
    before = os.umask(0o022)
    try:
        mode = write_metrics(tmp_path, metrics).stat().st_mode
    finally:
        os.umask(before)
    assert stat.S_IMODE(mode) == 0o644


def test_a_runs_baselines_stand_below_it(metrics):
    together = json.loads(json.dumps({**metrics, "method": "network", "baselines": {"PCA 8": metrics}}))
    assert list(methods_of(together)) == ["network", "PCA 8"]
    assert compare(methods_of(together)).row_count == 2
