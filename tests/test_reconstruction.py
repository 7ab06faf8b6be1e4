"""The worked example: surfaces from normals, and their distances to the true ones."""

import runpy
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest


@pytest.fixture
def example(open3d: ModuleType) -> SimpleNamespace:
    path = Path(__file__).parents[1] / "examples" / "reconstruction.py"
    return SimpleNamespace(**runpy.run_path(str(path)))


def ball(count: int) -> np.ndarray:
    pos = np.random.default_rng(0).normal(size=(count, 3))
    return pos / np.linalg.norm(pos, axis=1, keepdims=True)


@pytest.mark.open3d
def test_a_ball_is_reconstructed_from_outward_normals(example: SimpleNamespace) -> None:
    true = example.Surface(ball(20_000), ball(20_000))
    found = example.reconstructed(ball(1000), ball(1000), 5)
    assert example.chamfer(found, true) < 0.005
    assert (found.normal * found.pos).sum(axis=1).mean() > 0.9
    wrong = ball(1000) * np.where(ball(1000)[:, :1] > 0, 1, -1)  # half of it inside out
    bent = example.reconstructed(ball(1000), wrong, 5)
    assert example.chamfer(bent, true) > 10 * example.chamfer(found, true)


@pytest.mark.open3d
def test_the_distance_of_two_balls(example: SimpleNamespace) -> None:
    sizes = ((1, 9999), (1.01, 5000), (2, 5000))
    one, two, far = (example.Surface(size * ball(count), ball(count)) for size, count in sizes)
    assert example.chamfer(one, two) == pytest.approx(0.01, rel=0.1)
    assert example.chamfer(one, far) == pytest.approx(1, rel=0.01)
