"""Airborne scans: lines across a track, with errors along the rays and points of plants."""

from dataclasses import replace

import numpy as np
import pytest

from tensorframes.data.synthetic.sampling import AirborneScan
from tensorframes.data.synthetic.sampling.airborne import house, settlement
from tensorframes.data.synthetic.shapes import fields
from tensorframes.data.synthetic.shapes.roots import evaluate
from tensorframes.data.synthetic.shapes.sampling import Implicit

HALF = (0.9, 0.6, 0.1)
SLAB = Implicit(fields.Box(HALF))
SCAN = AirborneScan(
    strips=1,
    angle=20.0,
    ratio=4.0,
    zigzag=0.0,
    noise=0.0,
    line_noise=0.0,
    offset=0.0,
    plants=0.0,
    plant_height=2.0,
    rounding=0.0,
    relief=1.0,
    lost=0.0,
    terrain=0.0,
    turned=0.0,
)
COUNT = 3000


def rng() -> np.random.Generator:
    return np.random.default_rng(4)


def flown(**changes: float) -> tuple[np.ndarray, np.ndarray]:
    return replace(SCAN, **changes).sample(SLAB, COUNT, rng())


def upper() -> tuple[np.ndarray, np.ndarray]:
    """Rows of points on the face of the slab that is most seen, and its normal."""
    normal = flown()[1]
    axes, counts = np.unique(np.round(normal, 6), axis=0, return_counts=True)
    face = axes[counts.argmax()]
    return np.flatnonzero(np.abs(normal - face).max(1) < 1e-5), face


@pytest.mark.parametrize(
    "changes", [{}, {"strips": 3}, {"zigzag": 1.0, "lost": 0.3}, {"ratio": 0.5, "turned": 1.0}], ids=repr
)
def test_without_errors_points_lie_on_the_surface_with_its_normals(changes):
    ball = Implicit(fields.Sphere(0.7))
    pos, normal = replace(SCAN, **changes).sample(ball, COUNT, rng())
    assert np.abs(pos - 0.7 * normal).max() < 1e-5
    assert 0.6 * COUNT < len(pos) < 1.5 * COUNT


def test_lines_are_farther_apart_than_their_points():
    pos, _ = flown()
    rows, face = upper()
    here = pos[rows]
    plane = here - here @ np.outer(face, face)
    near = np.linalg.norm(plane[:, None] - plane[None, ::40], axis=2)
    near[near == 0] = np.inf
    along = (plane[near.argmin(0)] - plane[::40]) / near.min(0)[:, None]
    # Nearest neighbours are on the same line, but at the edges of the face, and the lines are parallel.
    assert (np.abs(along @ along[0]) > 0.99).mean() > 0.95
    across = np.unique(np.round(plane @ np.cross(face, along[0]), 3))
    apart = np.median(np.diff(across)[np.diff(across) > 0.005])
    assert 3.0 < apart / np.median(near.min(0)) < 8.0  # 4 below the scanner, more where rays are steep to the face


def test_errors_are_along_the_rays_and_have_their_sizes():
    ground = {"terrain": 1.0, "houses": 0, "relief": 0.2, "ratio": 1.0}
    exact, normal = flown(**ground)
    near = np.sort(np.linalg.norm(exact[:, None] - exact[None, ::20], axis=2), axis=0)[40]
    spacing = np.sqrt(np.pi / 40) * np.median(near)
    for changes in ({"noise": 0.3}, {"line_noise": 0.3}):
        noisy, same = flown(**ground, **changes)
        assert np.array_equal(same, normal)
        error = np.linalg.norm(noisy - exact, axis=1)
        assert np.sqrt((error**2).mean()) == pytest.approx(0.3 * spacing, rel=0.2)
        ray = (noisy - exact) / error[:, None]
        assert np.abs(ray[:, 2]).min() > np.cos(np.radians(20.01))  # within the field of view
        assert np.linalg.svd(ray)[1][2] < 1e-6 * len(ray)  # in parallel planes


def test_a_line_shares_its_error():
    shift = np.linalg.norm(flown(line_noise=0.3)[0] - flown()[0], axis=1)
    sizes, counts = np.unique(np.round(shift, 9), return_counts=True)
    assert len(sizes) < len(shift) / 10
    assert counts.max() > 20


def test_plants_are_above_the_surface_and_unlabelled():
    exact, _ = flown()
    pos, normal = flown(plants=0.25)
    plant = (normal == 0).all(1)
    assert plant.mean() == pytest.approx(0.25, abs=0.03)
    assert np.array_equal(pos[~plant], exact[~plant])
    rows, face = upper()
    above = ((pos - exact) @ face)[np.intersect1d(rows, np.flatnonzero(plant))]
    assert (above > 0).all()


def test_strips_lie_at_different_heights():
    exact, _ = flown(strips=3)
    pos, _ = flown(strips=3, offset=0.3)
    shift = np.unique(np.round(pos - exact, 9), axis=0)
    assert 3 <= len(shift) <= 3 + 3  # equal up to rounding within a strip
    directions = shift / np.linalg.norm(shift, axis=1, keepdims=True)
    assert np.abs(directions @ directions[0]).min() > 0.999


def test_relief_scales_the_heights_and_normals():
    _, normal = flown(relief=0.5)
    assert np.allclose(np.linalg.norm(normal, axis=1), 1)
    terrain = replace(SCAN, terrain=1.0, houses=0)
    steep, flat = (replace(terrain, relief=size).sample(SLAB, COUNT, rng())[1] for size in (1.0, 0.2))
    # A horizontal component over the vertical one is the slope.
    assert np.allclose(flat[:, :2] / flat[:, 2:], 0.2 * steep[:, :2] / steep[:, 2:], atol=1e-6)


def test_houses_stand_on_the_ground():
    import torch

    axis = torch.linspace(-1.2, 1.2, 49, dtype=torch.float64)
    places = torch.cartesian_prod(axis, axis, axis)
    for seed in range(10):
        solid = places[evaluate(house(np.random.default_rng(seed)), places) < 0]
        assert len(solid)
        assert solid[:, 2].min() < -0.2
        assert 0 <= solid[:, 2].max() < 0.35
    few, many = (settlement(count, rng()).sample(500, rng())[1] for count in (0, 20))
    assert (np.abs(many[:, 2]) < 0.1).mean() > (np.abs(few[:, 2]) < 0.1).mean() + 0.05  # walls
