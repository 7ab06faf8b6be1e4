"""Equal points merged, clouds centred and in units of their scale: in one place, for arrays and for tensors."""

import numpy as np
import pytest
import torch

from tensorframes.normals import Estimator, Prediction, normals_of
from tensorframes.normals.normalise import in_scale, merged_cloud, normalised, usable_points


def test_clouds_are_centred_scaled_and_merged() -> None:
    pos = torch.randn(40, 3, dtype=torch.float64)
    batch = torch.arange(2).repeat_interleave(40)
    clouds = normalised(torch.cat([pos, 7 * pos + 100]), batch, torch.float32, 5)
    first, second = clouds.pos[clouds.batch == 0], clouds.pos[clouds.batch == 1]
    torch.testing.assert_close(first, second)
    assert first.mean(0).abs().max() < 1e-12
    assert clouds.knn_index.shape == (80, 9)
    twice = normalised(torch.cat([pos, pos + 1e-12]), torch.zeros(80, dtype=torch.long), torch.float32, 5)
    assert len(twice.pos) == 40
    assert torch.equal(twice.index, torch.arange(40).repeat(2))


def test_usable_points_are_finite_centred_and_have_their_places() -> None:
    points = np.random.default_rng(0).normal(size=(50, 3)) + 1e3
    spoiled = np.insert(points, [3, 9], [[np.nan, 0, 0], [1e15, 0, 0]], axis=0)
    pos, place = usable_points(spoiled)
    assert np.flatnonzero(place < 0).tolist() == [3, 10]
    np.testing.assert_allclose(pos[place[place >= 0]], points - points.mean(0))
    with pytest.raises(ValueError, match="none finite"):
        usable_points(np.full((2, 3), np.inf))


def test_a_merged_cloud_has_the_scale_of_its_distinct_points() -> None:
    points = np.random.default_rng(0).normal(size=(50, 3))
    cloud, copies = merged_cloud(points), merged_cloud(np.concatenate([points] * 3))
    assert cloud.scale == copies.scale > 0
    np.testing.assert_array_equal(copies.pos[copies.index].numpy(), np.concatenate([points] * 3))


class Constant(Estimator):
    """The same normal everywhere: the smallest estimator there is."""

    def __init__(self) -> None:
        super().__init__()
        self.normal = torch.nn.Parameter(torch.tensor([0.0, 0.0, 1.0]))
        self.dtypes: list[torch.dtype] = []

    def forward(
        self,
        pos: torch.Tensor,
        batch: torch.Tensor | None = None,
        scale: torch.Tensor | None = None,
        rows: torch.Tensor | None = None,
        profile: torch.Tensor | None = None,
    ) -> Prediction:
        """One row for each point asked for."""
        self.dtypes.append(pos.dtype)
        normal = self.normal.expand(len(pos) if rows is None else len(rows), 3)
        return Prediction(normal, normal.new_zeros(0, *normal.shape))


@pytest.mark.parametrize("block", [None, 20])
def test_an_estimator_with_the_defaults_alone_is_enough_for_whole_clouds(block: int | None) -> None:
    estimator, points = Constant().eval(), np.random.default_rng(0).normal(size=(50, 3))
    normals = normals_of(estimator, points, [3, 3, 49], block=block)
    np.testing.assert_array_equal(normals, [[0, 0, 1]] * 3)
    assert set(estimator.dtypes) == {torch.float32}
    estimator.accepts_float64 = True
    normals_of(estimator, points, block=block)
    assert estimator.dtypes[-1] == torch.float64


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf")])
def test_a_scale_is_finite_and_above_zero(scale: float) -> None:
    pos, batch = torch.randn(20, 3, dtype=torch.float64), torch.arange(20) // 10
    with pytest.raises(ValueError, match=f"expected a finite scale above 0 for each cloud, got {scale}$"):
        in_scale(pos, batch, torch.tensor([1.0, scale]))
