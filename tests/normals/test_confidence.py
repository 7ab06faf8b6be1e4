"""The distribution of errors, and the head that predicts it."""

import math

import pytest
import torch

from tensorframes.normals.confidence import ErrorModel, confidence, expected_error, log_density

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
    assert float(expected_error(model(torch.zeros(1, 1)))) == pytest.approx(float(angle.mean()), rel=0.15)
