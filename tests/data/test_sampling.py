"""Ways of sampling: points where the sensor puts them, normals of the surface there."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tensorframes.data.synthetic.sampling import (
    SAMPLINGS,
    ContourLines,
    DepthImage,
    ElevationGrid,
    IsosurfaceVertices,
    MeshVertices,
    SpinningLidar,
    TerrestrialScan,
    VoxelFilter,
)
from tensorframes.data.synthetic.sampling.depth import image_noise, mixed
from tensorframes.data.synthetic.shapes import fields, meshes
from tensorframes.data.synthetic.shapes.combine import Offset, Placed
from tensorframes.data.synthetic.shapes.sampling import Implicit
from tensorframes.data.transforms.ranges import DECADES, sample_range

RADIUS = 0.7
BALL = Implicit(fields.Sphere(RADIUS))
GRID = ElevationGrid(
    ratio=2.0,
    jitter=0.0,
    noise=0.0,
    rounding=0.0,
    relief=1.0,
    missing=0.0,
    holes=0,
    staggered=0.0,
    terrain=0.0,
    turned=0.0,
)
CAMERA = DepthImage(views=1, scene=0.0, noise=0.0, smooth=0.0, window=1.0, rounding=0.0, lost=0.0, mixed=0.0)
SCAN = TerrestrialScan(views=1, noise=0.0, lines=0.0, scene=0.0, lost=0.0)
LIDAR = SpinningLidar(
    rings=32, down=-25.0, up=10.0, noise=0.0, laser_noise=0.0, rounding=0.0, alone=0.0, uneven=0.0, lost=0.0
)
LINES = ContourLines(ratio=5.0, noise=0.0, turned=0.0)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def spread(pos: np.ndarray, normal: np.ndarray) -> float:
    """How far apart x - r n lies for points x of a ball of radius r; they all are its middle."""
    return float(np.ptp(pos - RADIUS * normal, axis=0).max())


@pytest.mark.parametrize("name", SAMPLINGS)
def test_points_are_about_as_many_as_asked_and_a_function_of_the_seed(name):
    found = []
    for seed in range(4):
        pos, normal = SAMPLINGS[name].sample(BALL, 1500, rng(seed))
        assert pos.shape == normal.shape
        assert np.isfinite(pos).all()
        length = np.linalg.norm(normal, axis=1)
        assert (np.isclose(length, 1, atol=1e-6) | (length == 0)).all()
        found.append(len(pos))
    assert 0.5 * 1500 < np.median(found) < 1.6 * 1500
    again = SAMPLINGS[name].sample(BALL, 1500, rng(3))
    assert np.array_equal(again[0], pos)
    assert np.array_equal(again[1], normal)


@pytest.mark.parametrize(
    "way",
    [
        GRID,
        replace(GRID, turned=1.0, jitter=0.1, missing=0.3, holes=2, staggered=1.0),
        CAMERA,
        replace(CAMERA, views=3, lost=0.2),
        SCAN,
        replace(SCAN, views=4, lines=1.0, lost=0.2),
        LINES,
        replace(LINES, turned=1.0),
        *(MeshVertices(layout) for layout in ("triangulated", "polar", "turned", "boxed")),
        VoxelFilter(noise=0.0, point="first"),
    ],
    ids=repr,
)
def test_without_disturbance_points_lie_on_the_surface_with_its_normals(way):
    assert spread(*way.sample(BALL, 1000, rng())) < 1e-5
    apart = Implicit(Placed(fields.Sphere(RADIUS), torch.eye(3), torch.tensor([0.2, -0.1, 0.15])))
    assert spread(*way.sample(apart, 1000, rng(1))) < 1e-5


def test_meshes_have_the_normals_of_their_faces():
    mesh = meshes.polygonised(fields.Box((0.5, 0.4, 0.3)), 20)
    pos, normal = SCAN.sample(mesh, 1000, rng())
    assert (np.abs(normal).max(1) > 0.9999).mean() > 0.6  # the others lie on chamfers
    assert ((normal * pos).sum(1) > 0).all()
    flat = (np.abs(normal).max(1) > 0.9999) & (np.abs(normal[:, 2]) > 0.9)
    assert np.allclose(np.abs(pos[flat, 2]), 0.3, atol=1e-3)


def test_an_elevation_grid_is_a_lattice():
    pos, _ = GRID.sample(BALL, 2000, rng())
    steps = []
    for column in (0, 1):
        values = np.unique(np.round(pos[:, column], 9))
        steps.append(np.diff(values))
        assert np.ptp(steps[-1]) < 1e-8
        assert np.allclose(values / steps[-1][0], np.round(values / steps[-1][0]), atol=1e-5)
    assert steps[0][0] / steps[1][0] == pytest.approx(2.0)
    assert (pos[:, 2] > -1e-6).all()  # the upper half of the ball


def test_errors_of_an_elevation_grid_are_those_told():
    exact, normal = GRID.sample(BALL, 3000, rng())
    spacing = np.sqrt(np.prod([np.diff(np.unique(np.round(exact[:, a], 9)))[0] for a in (0, 1)]))
    noisy, same = replace(GRID, noise=0.2).sample(BALL, 3000, rng())
    assert np.array_equal(noisy[:, :2], exact[:, :2])
    assert np.array_equal(normal, same)
    assert (noisy - exact)[:, 2].std() == pytest.approx(0.2 * spacing, rel=0.1)
    stepped = replace(GRID, rounding=0.5).sample(BALL, 3000, rng())[0][:, 2] / (0.5 * spacing)
    assert np.allclose(stepped, np.round(stepped), atol=1e-4)
    flat, tilted = replace(GRID, relief=0.25).sample(BALL, 3000, rng())
    assert np.allclose(flat * [1, 1, 4], exact)
    ellipsoid = flat / [RADIUS**2, RADIUS**2, (0.25 * RADIUS) ** 2]
    assert np.allclose(tilted, ellipsoid / np.linalg.norm(ellipsoid, axis=1, keepdims=True), atol=1e-4)
    holes = len(replace(GRID, holes=4).sample(BALL, 3000, rng())[0])
    assert 1000 < holes < len(exact)


def test_a_depth_image_has_its_errors_along_the_rays():
    exact, normal = CAMERA.sample(BALL, 2000, rng())
    assert (exact[:, 2] > 0).all()
    pixels = exact[:, :2] / exact[:, 2:]
    pitch = np.diff(np.unique(np.round(pixels[:, 0], 9)))[0]
    assert np.allclose(pixels / pitch, np.round(pixels / pitch), atol=1e-5)
    middle = np.median(exact[:, 2])
    noisy, same = replace(CAMERA, noise=0.5).sample(BALL, 2000, rng())
    assert np.allclose(noisy[:, :2] / noisy[:, 2:], pixels)
    assert np.array_equal(normal, same)
    error = (noisy - exact)[:, 2] / (exact[:, 2] / middle) ** 2
    assert error.std() == pytest.approx(0.5 * pitch * middle, rel=0.1)
    for inverse in (0.0, 1.0):
        depth = replace(CAMERA, rounding=0.5, disparity=inverse).sample(BALL, 2000, rng())[0][:, 2]
        steps = 1 / depth / (0.5 * pitch / middle) if inverse else depth / (0.5 * pitch * middle)
        assert np.allclose(steps, np.round(steps), atol=1e-4)


@pytest.mark.parametrize(("window", "least", "most"), [(0.0, -0.05, 0.05), (2.0, 0.9, 0.98)])
def test_neighbouring_pixels_share_errors_within_the_window(window, least, most):
    image = image_noise((120, 90), window, rng())
    assert image.std() == pytest.approx(1)
    assert least < np.corrcoef(image[1:].ravel(), image[:-1].ravel())[0, 1] < most  # exp(-1 / (4 window^2))
    assert least < np.corrcoef(image[:, 1:].ravel(), image[:, :-1].ravel())[0, 1] < most
    exact = CAMERA.sample(BALL, 2000, rng())[0]
    noisy = replace(CAMERA, noise=0.5, smooth=1.0, window=window).sample(BALL, 2000, rng())[0]
    pitch, middle = np.diff(np.unique(np.round(exact[:, 0] / exact[:, 2], 9)))[0], np.median(exact[:, 2])
    error = (noisy - exact)[:, 2] / (exact[:, 2] / middle) ** 2
    assert error.std() == pytest.approx(0.5 * pitch * middle, rel=0.2)


def test_mixed_pixels_lie_between_both_sides_of_a_jump():
    image = np.full((40, 30), 2.0)
    image[20:] = 3.0
    image[5] = np.nan
    made, changed = mixed(image, 0.1, 0.5, rng())
    assert set(np.flatnonzero(changed.any(1))) == {19}
    assert 8 < changed.sum() < 22
    assert ((made[changed] > 2) & (made[changed] < 3)).all()
    assert np.array_equal(made[~changed], image[~changed], equal_nan=True)
    assert not mixed(image, 1.0, 0.5, rng())[1].any()
    ring = Implicit(fields.Torus(0.6, 0.15))
    clouds = [replace(CAMERA, mixed=1.0, distance=2.0).sample(ring, 1000, rng(seed))[1] for seed in range(6)]
    unlabelled = [(normal == 0).all(1).mean() for normal in clouds]
    assert 0 < max(unlabelled) < 0.2
    assert not (replace(CAMERA, distance=2.0).sample(ring, 1000, rng())[1] == 0).all(1).any()


def test_scans_have_their_noise_along_the_rays():
    exact, normal = SCAN.sample(BALL, 1500, rng())
    noisy, same = replace(SCAN, noise=0.01).sample(BALL, 1500, rng())
    assert np.array_equal(normal, same)
    # All the lines from a point to itself with noise meet in one place, the scanner's.
    along = (noisy - exact) / np.linalg.norm(noisy - exact, axis=1, keepdims=True)
    off = np.eye(3) - along[:, :, None] * along[:, None]
    eye = np.linalg.solve(off.sum(0), np.einsum("nab,nb->a", off, exact))
    assert np.abs(np.einsum("nab,nb->na", off, exact - eye)).max() < 1e-6
    assert (noisy - exact).std() * 3**0.5 == pytest.approx(0.01 * RADIUS, rel=0.1)


def test_lidar_gives_rings_with_noise_along_the_rays():
    exact, normal = LIDAR.sample(BALL, 4000, rng(2))
    distance = np.linalg.norm(exact, axis=1)
    rings = np.unique(np.round(np.degrees(np.arcsin(exact[:, 2] / distance)), 6))
    steps = np.diff(rings)
    assert 5 < len(rings) <= 32
    assert np.allclose(steps / (35 / 31), np.round(steps / (35 / 31)), atol=1e-4)
    noisy, same = replace(LIDAR, noise=0.02).sample(BALL, 4000, rng(2))
    assert np.array_equal(normal, same)
    assert np.abs(np.cross(noisy, exact)).max() < 1e-9 * distance.max() ** 2
    assert (np.linalg.norm(noisy, axis=1) - distance).std() == pytest.approx(0.02, rel=0.1)
    assert (normal[:, 2] > 0.99).mean() > 0.2  # ground


def test_points_of_a_laser_share_its_error():
    exact = LIDAR.sample(BALL, 4000, rng(2))[0]
    noisy = replace(LIDAR, laser_noise=0.01).sample(BALL, 4000, rng(2))[0]
    distance = np.linalg.norm(exact, axis=1)
    assert np.allclose(np.cross(noisy, exact), 0, atol=1e-9 * distance.max() ** 2)
    error = np.linalg.norm(noisy, axis=1) - distance
    ring = np.unique(np.round(np.degrees(np.arcsin(exact[:, 2] / distance)), 6), return_inverse=True)[1]
    of_ring = np.bincount(ring, error) / np.bincount(ring)
    assert np.allclose(error, of_ring[ring], atol=1e-9)
    assert 0.005 < of_ring.std() < 0.015


def test_contours_are_level_and_farther_apart_than_their_points():
    pos, _ = LINES.sample(BALL, 3000, rng())
    heights = np.unique(np.round(pos[:, 2], 6))
    apart = np.diff(heights)
    assert np.allclose(apart, apart[0], atol=1e-4)
    line = pos[np.abs(pos[:, 2] - heights[len(heights) // 2]) < 1e-5]
    angle = np.sort(np.arctan2(line[:, 1], line[:, 0]))
    step = np.linalg.norm(line[:, :2], axis=1).mean() * np.median(np.diff(angle))
    assert apart[0] / step == pytest.approx(5, rel=0.05)


def test_vertices_of_marching_cubes_lie_on_edges_of_the_grid():
    pos, normal = IsosurfaceVertices(ratio=1.0).sample(BALL, 2000, rng())
    steps = np.unique(np.round(np.diff(np.unique(np.round(pos, 7))), 6))
    side = steps[steps > 1e-3].min()
    assert np.abs(np.linalg.norm(pos, axis=1) - RADIUS).max() < 0.3 * side
    assert np.allclose(normal, pos / np.linalg.norm(pos, axis=1, keepdims=True), atol=1e-5)
    with pytest.raises(ValueError, match="expected the zeros of a field, got Mesh"):
        IsosurfaceVertices().sample(meshes.polygonised(BALL.field, 12), 500, rng())


def test_a_ball_becomes_a_uv_sphere():
    ball = Implicit(Placed(BALL.field, torch.eye(3), torch.tensor([0.1, 0.2, 0.0])))
    pos, _ = MeshVertices("polar", ratio=1.0).sample(ball, 2048, rng())
    latitude = np.unique(np.round(np.degrees(np.arcsin(pos[:, 2] / RADIUS)), 1))
    assert len(pos) == pytest.approx(2048, rel=0.05)
    assert len(latitude) == 32
    assert np.allclose(np.diff(latitude), 180 / 32, atol=0.5)


def test_voxels_keep_one_point_each():
    centre, _ = VoxelFilter(noise=0.0, point="centre").sample(BALL, 1000, rng())
    side = np.diff(np.unique(centre[:, 0])).min()
    assert np.allclose(centre / side - 0.5, np.round(centre / side - 0.5), atol=1e-5)
    voxels = np.round(centre / side - 0.5).astype(int)
    assert len(np.unique(voxels, axis=0)) == len(centre)
    first, _ = VoxelFilter(noise=0.0, point="first").sample(BALL, 1000, rng())
    middle, _ = VoxelFilter(noise=0.0, point="centroid").sample(BALL, 1000, rng())
    for other in (first, middle):
        assert np.array_equal(
            np.floor(other[np.lexsort(np.floor(other / side).T)] / side), np.floor(centre[np.lexsort(voxels.T)] / side)
        )
    assert np.abs(np.linalg.norm(middle, axis=1) - RADIUS).max() < 0.5 * side


def test_swept_vertices_are_regular_rings():
    pos, normal = MeshVertices("swept", ratio=1.0).sample(BALL, 2000, rng())
    assert len(pos) == pytest.approx(2000, rel=0.1)
    tree = np.linalg.norm(pos[:, None] - pos[None, ::50], axis=2)
    near = np.argsort(tree, axis=0)[:9]
    flat = pos[near] - pos[near].mean(0)
    estimate = np.linalg.eigh(np.einsum("kna,knb->nab", flat, flat))[1][:, :, 0]
    assert np.degrees(np.arccos(np.abs((estimate * normal[::50]).sum(1)))).mean() < 12


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: ElevationGrid(ratio=(3.0, 1.0)),
            r"expected ratio to be a number or a pair low <= high, got \(3.0, 1.0\)",
        ),
        (lambda: DepthImage(noise=(0.0, 0.1, 0.2)), "expected noise to be a number or a pair"),
        (lambda: MeshVertices("round"), "expected a layout of any, triangulated, .* got 'round'"),
        (lambda: VoxelFilter(point="last"), "expected a point of any, first, centroid, centre, got"),
    ],
)
def test_mistakes(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_nothing_to_see_is_told():
    nothing = Implicit(Offset(fields.Sphere(RADIUS), -5.0))
    for way in SAMPLINGS.values():
        with pytest.raises(ValueError, match="expected a"):
            replace(way, **({"terrain": 0.0} if hasattr(way, "terrain") else {})).sample(nothing, 100, rng(1))


def test_ranges_are_drawn_between_their_bounds():
    values = np.array([sample_range((2.0, 3.0), rng(seed)) for seed in range(300)])
    assert 2 <= values.min() < 2.1
    assert 2.9 < values.max() <= 3
    assert {sample_range((1, 4), rng(seed)) for seed in range(100)} == {1, 2, 3, 4}
    wide = np.array([sample_range((0.001, 1.0), rng(seed)) for seed in range(300)])
    assert 0.25 < (wide < 0.01).mean() < 0.42
    disturbed = np.array([sample_range((0.0, 0.3), rng(seed)) for seed in range(600)])
    assert 0.44 < (disturbed == 0).mean() < 0.56
    assert disturbed[disturbed > 0].min() >= 0.3 * 10**-DECADES
    assert sample_range(0.3, rng()) == 0.3
    assert ElevationGrid().draw(rng()).draw(rng(5)) == ElevationGrid().draw(rng())
