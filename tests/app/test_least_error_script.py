"""scripts/least_error.py prints the least error of each level of noise, or one line on what is wrong."""

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

MISTAKES = {
    ("none.ply",): "none.ply",
    ("bare.xyz",): "bare.xyz: expected points with normals, got none",
    ("few.npy",): "few.npy: expected more than 100000 points, got 400",
    ("few.npy", "--points", "100", "--scored", "9"): "more points are needed",
    (
        "same.npy",
        "--points",
        "100",
        "--scored",
        "9",
    ): "same.npy: expected neighbours within 0, half the noise",
    ("few.npy", "--scored", "0"): "expected 1 <= scored <= points and a seed >= 0, got 0, 100000 and 0",
    ("few.npy", "--points", "10", "--scored", "20"): "expected 1 <= scored <= points",
    ("few.npy", "--seed", "-1"): "a seed >= 0, got 5000, 100000 and -1",
    (): "the following arguments are required: files",
}


def square(count: int) -> np.ndarray:
    """Points of a flat square with their normals."""
    flat = np.zeros((count, 6), dtype=np.float32)
    flat[:, :2] = np.random.default_rng(0).uniform(size=(count, 2))
    flat[:, 5] = 1
    return flat


def run(repository: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["least_error.py", *arguments])
    runpy.run_path(str(repository / "scripts" / "least_error.py"), run_name="__main__")


@pytest.mark.parametrize("arguments", MISTAKES)
def test_mistakes(
    repository: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
) -> None:
    monkeypatch.chdir(tmp_path)
    np.savetxt("bare.xyz", square(400)[:, :3])
    np.save("few.npy", square(400))
    np.save("same.npy", np.tile(square(1), (400, 1)))
    with pytest.raises(SystemExit) as ended:
        run(repository, monkeypatch, *arguments)
    err = capsys.readouterr().err
    assert ended.value.code == 2
    assert err.count("\n") == 1, err
    assert err.startswith("error: ")
    assert MISTAKES[arguments] in err


def test_a_flat_surface_can_be_known(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("square.npy", square(400_000))
    run(repository, monkeypatch, "square.npy", "square.npy", "--points", "50", "--scored", "20")
    line = "low_noise 0.00  med_noise 0.00  high_noise 0.00"
    assert capsys.readouterr().out.splitlines() == [f"square  {line}", f"square  {line}", f"mean  {line}"]
