"""tensorframes shards: a folder of clouds is written as shards, from which a run trains."""

from pathlib import Path

import numpy as np
import pytest

from tensorframes.cli import command_line, shards
from tensorframes.data import Folder, Shards


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["shards", *arguments])
    return command_line(shards, "shards")


def test_a_folder_becomes_shards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for split, count in (("train", 5), ("test", 1)):
        (tmp_path / "clouds" / split).mkdir(parents=True)
        for number in range(count):
            rows = np.c_[np.random.default_rng(number).normal(size=(9, 3)), -np.eye(3)[[0, 1, 2] * 3]]
            np.savetxt(tmp_path / "clouds" / split / f"{number}.xyz", rows)
    given = ["data=folder", f"data.root={tmp_path / 'clouds'}", "data.shares=[1.0,0.0,0.0]", "splits=[train,test]"]
    assert run(monkeypatch, *given, "shards=2") == 2
    assert "expected a value for to" in capsys.readouterr().err
    assert run(monkeypatch, *given, f"to={tmp_path / 'shards'}", "shards=2") == 0
    assert run(monkeypatch, *given, f"to={tmp_path}", "splits=[valid]") == 2
    assert "expected splits of train, val, test, got valid" in capsys.readouterr().err
    made, source = Shards(tmp_path / "shards"), Folder(tmp_path / "clouds", (1.0, 0.0, 0.0))
    assert [cloud.name for cloud in made.train] == source.train.names
    assert (made.train.shards, made.test.shards, made.test[0].name) == (2, 1, "0")
