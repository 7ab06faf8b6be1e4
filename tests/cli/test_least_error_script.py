"""scripts/least_error.py prints the least error of each level of noise, or one line on what is wrong."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

MISTAKES = {
    ("none.ply",): "none.ply",
    ("bare.xyz",): "bare.xyz: expected points with normals, got none",
    ("few.npy",): "few.npy: expected more than 100000 points with normals, got 400",
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
    flat[:, 5] = -1  # a number below 0 tells normals from colours
    return flat


@pytest.mark.parametrize("arguments", MISTAKES)
def test_mistakes(script: Callable[..., Any], arguments: tuple[str, ...]) -> None:
    np.savetxt("bare.xyz", square(400)[:, :3])
    np.save("few.npy", square(400))
    np.save("same.npy", np.tile(square(1), (400, 1)))
    code, _, err = script("least_error", *arguments)
    assert code == 2
    assert err.count("\n") == 1, err
    assert err.startswith("error: ")
    assert MISTAKES[arguments] in err


def test_a_flat_surface_can_be_known(script: Callable[..., Any]) -> None:
    np.save("square.npy", square(400_000))
    code, out, _ = script("least_error", "square.npy", "square.npy", "--points", "50", "--scored", "20")
    line = "low_noise 0.00  med_noise 0.00  high_noise 0.00"
    assert code == 0
    assert out.splitlines() == [f"square  {line}", f"square  {line}", f"mean  {line}"]
