"""Normals in one line: good, blind to scale, offset, order and type, exactly equivariant."""

import copy
from collections.abc import Callable

import numpy as np
import pytest
import torch

import tensorframes
from tensorframes.normals import PRETRAINED, pretrained
from tensorframes.scoring import PCA, angles, rmse
from tensorframes.testing import assert_equivariant


def cube(count: int = 3000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Points on the faces of a cube, and their normals."""
    rng = np.random.default_rng(seed)
    face, pos = rng.integers(3, size=count), rng.uniform(-1, 1, (count, 3))
    normal = np.eye(3)[face]
    pos[np.arange(count), face] = rng.choice([-1.0, 1.0], count)
    return pos, normal


def cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.abs((a * b).sum(1))


@pytest.mark.parametrize("weights", PRETRAINED)
def test_a_cube_has_the_normals_of_its_faces(weights: str) -> None:
    pos, normal = cube()
    estimated = tensorframes.estimate_normals(pos, weights)
    assert estimated.dtype == np.float32
    assert np.median(cosines(estimated, normal)) > 0.9999
    assert rmse(angles(estimated, normal)) < 0.75 * rmse(angles(PCA(18)(pos), normal))


def test_scale_offset_order_and_type_do_not_matter() -> None:
    pos, _ = cube(800)
    estimated = tensorframes.estimate_normals(pos)
    order = np.random.default_rng(1).permutation(len(pos))
    for other in (1000 * pos + 5, pos.astype("f4"), torch.from_numpy(pos), pos.tolist()):
        assert cosines(np.asarray(tensorframes.estimate_normals(other)), estimated).min() > 0.999
    assert cosines(tensorframes.estimate_normals(pos[order]), estimated[order]).min() > 0.999


@pytest.mark.parametrize("weights", PRETRAINED)
@pytest.mark.parametrize("flat", [False, True])
def test_shipped_weights_are_equivariant_to_rounding(weights: str, flat: bool) -> None:
    estimator = copy.deepcopy(pretrained(weights)).double()
    pos = torch.randn(150, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    pos[:, 2] *= 0 if flat else 1
    assert_equivariant(lambda pos: estimator(pos).normal, pos, "1x1", unoriented=True, tolerance=1e-7)


def test_what_cannot_have_a_normal_has_none() -> None:
    line = np.linspace(0, 1, 50)[:, None] * [[1.0, 2.0, 3.0]]
    assert not tensorframes.estimate_normals(line).any()
    assert not tensorframes.estimate_normals(np.zeros((5, 3))).any()
    pos, _ = cube(500)
    pos[7] = np.nan
    estimated = tensorframes.estimate_normals(pos)
    assert not estimated[7].any()
    assert np.allclose(np.linalg.norm(np.delete(estimated, 7, 0), axis=1), 1, atol=1e-5)


@pytest.mark.parametrize(
    ("points", "message"),
    [
        (np.zeros((5, 2)), "expected points"),
        (np.zeros((0, 3)), "expected at least one finite point"),
        (np.full((4, 3), np.inf), "expected at least one finite point"),
        ("scan.ply", "expected points"),
        (torch.zeros(3, 2, dtype=torch.bfloat16), "expected points"),
    ],
)
def test_bad_points_are_refused(points: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tensorframes.estimate_normals(points)


def test_progress_is_reported() -> None:
    counts: list[tuple[int, int]] = []
    estimated = tensorframes.estimate_normals(cube(400)[0], progress=lambda *each: counts.append(each))
    total = counts[0][1]
    assert [whole for _, whole in counts] == [total] * len(counts)
    assert [done for done, _ in counts] == [*range(total + 1), total][: len(counts)]
    assert counts[-1] == (total, total)
    assert total > 5
    assert (estimated == tensorframes.estimate_normals(cube(400)[0])).all()
    count = len(counts)
    tensorframes.estimate_normals(cube(400)[0])
    assert len(counts) == count


def test_a_network_that_was_handed_out_is_the_callers_own() -> None:
    before = tensorframes.estimate_normals(cube(300)[0])
    mine = pretrained()
    for parameter in mine.parameters():
        parameter.data.zero_()
    assert (tensorframes.estimate_normals(cube(300)[0]) == before).all()


@pytest.mark.parametrize("ask", [tensorframes.estimate_normals, tensorframes.normals_and_confidence])
def test_a_network_in_training_mode_is_refused(ask: Callable) -> None:
    with pytest.raises(ValueError, match=r"^expected an estimator in evaluation mode, got one in training mode"):
        ask(cube(300)[0], pretrained().train())


def test_the_default_device_of_torch_does_not_matter() -> None:
    pos, _ = cube(600)
    estimated = tensorframes.estimate_normals(pos, "fast", "cpu")
    with torch.device("meta"):
        assert (tensorframes.estimate_normals(pos, "fast", "cpu") == estimated).all()
        blocks = tensorframes.estimate_normals(pos, "fast", "cpu", block=400)
        oriented = tensorframes.orient_normals(pos, estimated)
    assert np.median(cosines(blocks, estimated)) > 0.9999
    assert (oriented == tensorframes.orient_normals(pos, estimated)).all()
