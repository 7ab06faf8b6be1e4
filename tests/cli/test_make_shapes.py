"""scripts/make_shapes.py tells a mistake in one line, too."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

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
def test_mistakes(script: Callable[..., Any], arguments: tuple[str, ...]) -> None:
    Path("file").write_text("no folder")
    code, _, err = script("make_shapes", *arguments)
    assert code == 2
    assert err.count("\n") == 1, err
    assert err.startswith("error: ")
    assert MISTAKES[arguments] in err


def test_shapes_are_written(script: Callable[..., Any], tmp_path: Path) -> None:
    counts = ("--train", "1", "--val", "1", "--test", "1", "--points", "300")
    assert script("make_shapes", str(tmp_path), *counts).code == 0
    names = (tmp_path / "testset_all.txt").read_text().split()
    assert all((tmp_path / f"{name}.xyz").is_file() for name in names)
