"""The distribution of errors, and the head that predicts it."""

import copy
import math
from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor

from tensorframes.backbones import PointNet2
from tensorframes.frames import LearnedFrames
from tensorframes.layers import PlaneFeatures
from tensorframes.normals import (
    Jet,
    NeighbourPlanes,
    NormalEstimator,
    PlaneFitHead,
    PlaneHead,
    Select,
    WeightedFit,
    normals_and_confidence,
    normals_and_errors_of,
)
from tensorframes.normals.candidates import log_sine
from tensorframes.normals.confidence import ErrorModel, confidence, expected_error, log_density
from tensorframes.reps import Representation
from tensorframes.testing import assert_equivariant

ANGLES = torch.linspace(0, math.pi / 2, 200_001, dtype=torch.float64)


@pytest.mark.parametrize("parameters", [(0.0, -1.0, 2.0), (2.0, 4.0, 0.5), (-3.0, 1.0, 7.0), (50.0, 9.0, 0.0)])
def test_the_density_is_one_and_its_mean_the_expected_error(parameters: tuple[float, ...]) -> None:
    given = torch.tensor([parameters], dtype=torch.float64)
    density = log_density(given.expand(len(ANGLES), 3), ANGLES).exp() * 2 * math.pi * ANGLES.sin()
    assert torch.trapezoid(density, ANGLES).item() == pytest.approx(1, abs=1e-3)
    assert torch.trapezoid(density * ANGLES, ANGLES).item() == pytest.approx(expected_error(given).item(), abs=1e-4)


def test_extreme_parameters_give_finite_values_in_float32() -> None:
    given = torch.tensor([[100.0, 1e3, -1e3], [-100.0, 1e3, -1e3], [0.0, -1e3, 1e3]], requires_grad=True)
    expected = expected_error(given)
    density = log_density(given, torch.tensor([0.0, math.pi / 2, 1e-4]))
    (expected.sum() + density.sum()).backward()
    assert expected.isfinite().all()
    assert density.isfinite().all()
    assert given.grad is not None
    assert given.grad.isfinite().all()
    assert 0 < expected.detach().min().item() < 1e-3
    assert expected.detach().max().item() <= 1


def test_the_flattest_distribution_has_no_confidence_and_the_sharpest_all() -> None:
    flat, sharp = torch.tensor([[0.0, -9.0, -9.0]]), torch.tensor([[0.0, 9.0, 9.0]])
    assert float(confidence(expected_error(flat))) < 0.1
    assert float(confidence(expected_error(sharp))) > 0.999
    assert float(confidence(torch.tensor(1.0))) == 0


def test_likelihood_finds_the_errors_size() -> None:
    generator = torch.Generator().manual_seed(0)
    angle = (0.05 * torch.randn(4000, 2, generator=generator)).norm(dim=-1).clamp(max=1.5)
    model = ErrorModel(1)
    optimiser = torch.optim.Adam(model.parameters(), 0.03)
    for _ in range(150):
        loss = -log_density(model(torch.zeros(len(angle), 1)), angle).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert expected_error(model(torch.zeros(1, 1))).item() == pytest.approx(float(angle.mean()), rel=0.15)


def head(reps: Representation, error: bool = True) -> PlaneHead:
    width = {"hidden": 4, "nearest": 15, "tolerances": (0.003, 0.05)}
    initial = partial(Select, sources={"neighbours": NeighbourPlanes(5, 6)}, **width)
    final = partial(Select, sources={"jet": Jet()}, **width)
    fit = partial(WeightedFit, neighbours=(12, 4), hidden=4)
    return PlaneHead(reps, initial, fit, final, 1, 2, 4, ErrorModel if error else None)


def old_head(reps: Representation, error: bool = True) -> PlaneFitHead:
    """The head of the weights best."""
    sizes = {"neighbours": (12, 4), "fits": 2, "hidden": 8, "embedding": 4}
    planes = {"candidate_neighbours": (5, 3), "sizes": (4, 10), "final_selection": {"sample_neighbours": 5}}
    return PlaneFitHead(reps, **sizes, **planes, error=ErrorModel if error else None)


HEADS = {"planes": head, "old": old_head}


@pytest.fixture(scope="module", params=list(HEADS))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def estimator(kind: str) -> NormalEstimator:
    torch.manual_seed(3)
    features = PlaneFeatures((), variation_profile=False)
    backbone = PointNet2(features=features, widths=(12, 16), radii=(2.0,), neighbours=8)
    made = NormalEstimator(LearnedFrames(hidden=8), backbone, HEADS[kind]).double().eval()
    with torch.no_grad():
        for parameter in made.head.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return made


def points(count: int = 200) -> Tensor:
    generator = torch.Generator().manual_seed(5)
    uv = 4 * torch.rand(count, 2, generator=generator, dtype=torch.float64)
    return torch.cat([uv, uv[:, :1].sin() * uv[:, 1:]], dim=1)


def test_the_expected_error_is_invariant(estimator: NormalEstimator) -> None:
    errors = expected_error(estimator(points()).error)
    assert (errors.max() - errors.min()).item() > 1e-3
    assert_equivariant(lambda pos: expected_error(estimator(pos).error).unsqueeze(-1), points(), "1x0", tolerance=1e-7)


def test_normals_are_the_same_without_the_model(estimator: NormalEstimator, kind: str) -> None:
    without = partial(HEADS[kind], error=False)
    bare = NormalEstimator(LearnedFrames(hidden=8), estimator.backbone, without).double().eval()
    bare.load_state_dict({k: v for k, v in estimator.state_dict().items() if not k.startswith("head.error.")})
    assert torch.equal(bare(points()).normal, estimator(points()).normal)
    assert bare(points()).error is None


def test_answers_by_blocks_and_rows(estimator: NormalEstimator) -> None:
    pos = np.concatenate([points().numpy(), [[np.nan, 0, 0]]])
    whole, blocks = normals_and_errors_of(estimator, pos), normals_and_errors_of(estimator, pos, block=120)
    rows = normals_and_errors_of(estimator, pos, np.array([200, 3]))
    assert whole.error is not None
    assert blocks.error is not None
    assert rows.error is not None
    assert whole.error[200] == 1
    assert not whole.normal[200].any()
    assert rows.error.tolist() == [1, whole.error[3]]
    assert np.abs(whole.error - blocks.error).mean() < 0.05


@torch.no_grad()
def test_mixed_precision_leaves_small_angles_between_normals(estimator: NormalEstimator) -> None:
    network, pos = copy.deepcopy(estimator).float(), points().float()
    with torch.autocast("cpu", torch.bfloat16):
        found = network(pos)
    assert found.error_features is not None
    cosine = (found.iterates.double() * found.normal.double()).sum(-1).T
    expected = log_sine(1 - cosine.square())
    assert (expected < log_sine(torch.tensor(math.sin(math.radians(2)) ** 2))).any()
    assert (found.error_features[:, -expected.shape[1] :] - expected).abs().max() < 0.05


@pytest.mark.parametrize("rows", [[200], []])
def test_rows_without_a_normal_have_an_error_where_the_network_has_a_model(
    estimator: NormalEstimator, kind: str, rows: list[int]
) -> None:
    pos = np.concatenate([points().numpy(), [[np.nan, 0, 0]]])
    assert normals_and_errors_of(estimator, pos, np.array(rows)).error.tolist() == [1.0] * len(rows)
    bare = NormalEstimator(LearnedFrames(hidden=8), estimator.backbone, partial(HEADS[kind], error=False)).eval()
    assert normals_and_errors_of(bare.double(), pos, np.array(rows)).error is None


def test_confidence_is_of_the_type_of_the_points(estimator: NormalEstimator) -> None:
    normals, sure = normals_and_confidence(points().float(), estimator, "cpu")
    assert normals.dtype == sure.dtype == torch.float32
    assert sure.shape == (200,)
    assert 0 <= float(sure.min()) <= float(sure.max()) <= 1
    assert isinstance(normals_and_confidence(points().numpy(), estimator, "cpu")[1], np.ndarray)


def test_weights_without_a_model_are_refused(estimator: NormalEstimator) -> None:
    bare = NormalEstimator(LearnedFrames(hidden=8), estimator.backbone, partial(head, error=False)).double().eval()
    with pytest.raises(ValueError, match=r"expected weights with a model of their error .* got an estimator without"):
        normals_and_confidence(points(), bare, "cpu")
