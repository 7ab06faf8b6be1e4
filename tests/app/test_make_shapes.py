"""scripts/make_shapes.py tells a mistake in one line, too."""

import runpy
import sys
from pathlib import Path

import pytest

MISTAKES = {
    ("shapes", "--points", "0"): "expected points >= 1",
    ("shapes", "--train", "-1"): "expected train_shapes >= 0, got -1",
    ("shapes", "--points", "many"): "invalid int value: 'many'",
    ("shapes", "--seed", "-1"): "a seed >= 0",
    ("file",): "expected a folder that can be written to, got file (File exists)",
    ("file/below",): "expected a folder that can be written to, got file/below (Not a directory)",
    (): "the following arguments are required: folder",
}


@pytest.mark.parametrize("arguments", MISTAKES)
def test_mistakes(
    repository: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("no folder")
    monkeypatch.setattr(sys, "argv", ["make_shapes.py", *arguments])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(repository / "scripts" / "make_shapes.py"), run_name="__main__")
    err = capsys.readouterr().err
    assert ended.value.code == 2
    assert err.count("\n") == 1, err
    assert err.startswith("error: ")
    assert MISTAKES[arguments] in err


def test_shapes_are_written(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = ("--train", "1", "--val", "1", "--test", "1", "--points", "300")
    monkeypatch.setattr(sys, "argv", ["make_shapes.py", str(tmp_path), *counts])
    runpy.run_path(str(repository / "scripts" / "make_shapes.py"), run_name="__main__")
    names = (tmp_path / "testset_all.txt").read_text().split()
    assert all((tmp_path / f"{name}.xyz").is_file() for name in names)
