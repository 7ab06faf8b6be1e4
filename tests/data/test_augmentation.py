import numpy as np
import pytest

from tensorframes.data.transforms.augmentation import GROUPS, RandomRotation, turned


def sphere(count: int) -> np.ndarray:
    x = np.random.default_rng(1).standard_normal((count, 3))
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("group", GROUPS)
def test_draws_orthogonal_matrices_of_the_group(group):
    rng = np.random.default_rng(0)
    drawn = [RandomRotation(group).draw(rng) for _ in range(400)]
    assert max(np.abs(g @ g.T - np.eye(3)).max() for g in drawn) < 1e-12
    reflections = np.mean([np.linalg.det(g) < 0 for g in drawn])
    if group == "o3":
        assert 0.4 < reflections < 0.6
    else:
        assert reflections == 0
    if group == "z":
        assert all(np.array_equal(g[2], [0, 0, 1]) for g in drawn)
    if group == "off":
        assert all(np.array_equal(g, np.eye(3)) for g in drawn)


@pytest.mark.parametrize("group", ["so3", "o3"])
def test_draws_are_uniform(group):
    rng = np.random.default_rng(0)
    drawn = np.stack([RandomRotation(group).draw(rng) for _ in range(4000)])
    assert np.abs(drawn.mean(0)).max() < 0.04
    assert np.abs((drawn**2).mean(0) - 1 / 3).max() < 0.02


def test_normals_stay_outward_under_reflections():
    pos = sphere(200)
    rng = np.random.default_rng(0)
    determinants = set()
    for _ in range(20):
        g = RandomRotation("o3").draw(rng)
        determinants.add(round(np.linalg.det(g)))
        radial = (turned(pos, g) * turned(pos, g)).sum(1)
        assert np.abs(radial - 1).max() < 1e-5
        # A tangent plane's two directions stay at right angles to the normal, and its outer side stays outside.
        tangent = np.cross(pos, [0.3, -0.5, 0.8]).astype(np.float32)
        assert np.abs((turned(pos + 1e-3 * tangent, g) - turned(pos, g)) * turned(pos, g)).sum(1).max() < 2e-3
        assert np.allclose(np.linalg.norm(turned(pos + 0.5 * pos, g), axis=1), 1.5, atol=1e-5)
    assert determinants == {-1, 1}


def test_an_unknown_group_is_refused():
    with pytest.raises(ValueError, match="expected a group of off, z, so3, o3, got 'so2'"):
        RandomRotation("so2")
