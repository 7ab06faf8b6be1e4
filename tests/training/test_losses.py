from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize
from torch_geometric.data import Batch, Data

from tensorframes.errors import UserError
from tensorframes.training import OrientedLoss, UnorientedLoss, rmse_degrees
from tensorframes.training.losses import mean_where


def batch_of(*normals: torch.Tensor, oriented: bool = True) -> Batch:
    items = [
        Data(
            pos=normal,
            normal=normal,
            loss_mask=torch.ones(len(normal), dtype=torch.bool),
            oriented=torch.tensor([oriented]),
        )
        for normal in normals
    ]
    return Batch.from_data_list(items)


def prediction_of(normal: torch.Tensor, *iterates: torch.Tensor) -> SimpleNamespace:
    return SimpleNamespace(
        normal=normal, iterates=torch.stack(iterates) if iterates else normal.new_zeros(0, *normal.shape)
    )


def turned(degrees: float, count: int) -> torch.Tensor:
    """Unit vectors at an angle from the x axis."""
    angle = torch.deg2rad(torch.tensor(degrees))
    return torch.stack([angle.cos(), angle.sin(), torch.zeros(())]).expand(count, 3)


X = torch.tensor([1.0, 0.0, 0.0])


def test_loss_is_the_mean_over_clouds_of_the_chords_root_mean_square() -> None:
    batch = batch_of(X.expand(3, 3), X.expand(5, 3))
    prediction = prediction_of(torch.cat([turned(20, 3), turned(60, 5)]))
    chords = 2 * torch.sin(torch.deg2rad(torch.tensor([20.0, 60.0])) / 2)
    assert UnorientedLoss(eps=1e-12)(prediction, batch).item() == pytest.approx(chords.mean().item(), rel=1e-5)
    assert rmse_degrees(prediction.normal, batch).tolist() == pytest.approx([20, 60], rel=1e-4)


def test_patches_of_noisy_clouds_count_by_their_square() -> None:
    """Of two clouds as noisy, and by kappa as wrong, the gradients of the worse patch are larger by its error."""
    batch = batch_of(X.expand(3, 3), X.expand(3, 3))
    chords = 2 * np.sin(np.radians([10.0, 30.0]) / 2)
    plain, noisy = UnorientedLoss(eps=1e-12), UnorientedLoss(eps=1e-12, noise_error=30.0)

    def weights(loss: torch.nn.Module) -> torch.Tensor:
        raw = torch.cat([turned(10.0, 3), turned(30.0, 3)]).clone().requires_grad_()
        loss(prediction_of(raw), batch).backward()
        assert raw.grad is not None
        return raw.grad.norm(dim=-1)

    found = prediction_of(torch.cat([turned(10.0, 3), turned(30.0, 3)]))
    assert noisy(found, batch) == plain(found, batch)  # nothing is known of the noise
    assert weights(noisy)[0].item() == pytest.approx(weights(noisy)[3].item(), rel=1e-4)
    batch.noise = torch.tensor([0.02, 0.0])
    assert noisy(found, batch).item() == pytest.approx((np.hypot(chords[0], 0.6) + chords[1]) / 2, rel=1e-5)
    batch.noise = torch.tensor([0.02, 0.02])
    expected = np.sqrt(chords**2 + 0.6**2).mean()
    assert noisy(found, batch).item() == pytest.approx(expected, rel=1e-5)
    size = chords / np.sqrt(chords**2 + 0.6**2)
    assert (weights(noisy)[3] / weights(noisy)[0]).item() == pytest.approx(size[1] / size[0], rel=1e-4)


@pytest.mark.parametrize("given", [{"iterates_weight": -1}, {"noise_error": -1}, {"eps": 0.0}, {"eps": float("nan")}])
def test_negative_settings_are_refused(given: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected iterates_weight and noise_error >= 0 and eps > 0"):
        UnorientedLoss(**given)


def test_sign_counts_in_the_oriented_loss_alone() -> None:
    batch = batch_of(X.expand(4, 3))
    flipped = prediction_of(-turned(10, 4))
    assert UnorientedLoss()(flipped, batch) == pytest.approx(UnorientedLoss()(prediction_of(turned(10, 4)), batch))
    assert OrientedLoss()(flipped, batch) > 1.9


@pytest.mark.parametrize(("loss", "largest"), [(UnorientedLoss(eps=1e-12), 2**0.5), (OrientedLoss(eps=1e-12), 2.0)])
def test_no_normal_is_the_largest_loss_and_has_finite_gradients(loss: torch.nn.Module, largest: float) -> None:
    batch = batch_of(X.expand(4, 3))
    raw = torch.zeros(4, 3, requires_grad=True)
    value = loss(prediction_of(normalize(raw, dim=-1)), batch)
    value.backward()
    assert value.item() == pytest.approx(largest)
    assert torch.isfinite(raw.grad).all()


def test_a_perfect_prediction_has_finite_gradients() -> None:
    raw = X.expand(4, 3).clone().requires_grad_()
    UnorientedLoss()(prediction_of(normalize(raw, dim=-1)), batch_of(X.expand(4, 3))).backward()
    assert torch.isfinite(raw.grad).all()


def test_only_points_in_the_loss_mask_count() -> None:
    batch = batch_of(torch.cat([X.expand(2, 3), turned(90, 2)]))
    batch.loss_mask = torch.tensor([True, True, False, False])
    assert UnorientedLoss(eps=1e-12)(prediction_of(turned(0, 2)), batch).item() == pytest.approx(0, abs=1e-5)


def test_clouds_without_points_in_the_loss_mask_are_left_out() -> None:
    both, one = batch_of(X.expand(2, 3), X.expand(5, 3)), batch_of(X.expand(5, 3))
    both.loss_mask = torch.arange(7) >= 2
    loss, found = UnorientedLoss(iterates_weight=0.5), turned(20.0, 5)
    assert loss(prediction_of(found, found), both) == loss(prediction_of(found, found), one)
    assert mean_where(rmse_degrees(found, both), both).item() == pytest.approx(20, rel=1e-4)


def test_a_batch_without_points_in_the_loss_mask_has_no_loss_and_no_gradient() -> None:
    batch = batch_of(X.expand(2, 3), X.expand(5, 3))
    batch.loss_mask = torch.zeros(7, dtype=torch.bool)
    raw = torch.randn(1, 3, requires_grad=True)
    loss, none = UnorientedLoss(iterates_weight=0.5), normalize(raw, dim=-1)[:0]
    value = loss(prediction_of(none, none), batch)
    value.backward()
    assert value.item() == 0
    assert raw.grad is not None
    assert raw.grad.abs().max() == 0
    assert mean_where(rmse_degrees(none, batch), batch).item() == 0


@pytest.mark.parametrize("other", [0.0, 7.0, float("nan")])
def test_what_stands_in_place_of_a_missing_normal_does_not_matter(other: float) -> None:
    """The loss and its gradient are those of the labelled points alone."""
    truth, mask = torch.cat([X.expand(4, 3), turned(50, 4)]), torch.arange(8) % 2 == 0
    batch = batch_of(torch.where(mask.unsqueeze(-1), truth, other))
    batch.loss_mask = mask
    raw = turned(20, 4).clone().requires_grad_()
    alone = raw.detach().clone().requires_grad_()
    UnorientedLoss()(prediction_of(raw), batch).backward()
    UnorientedLoss()(prediction_of(alone), batch_of(truth[mask])).backward()
    assert raw.grad is not None
    assert torch.equal(raw.grad, alone.grad)
    assert raw.grad.abs().max() > 0


def test_the_normals_that_were_corrected_have_their_own_weight() -> None:
    batch = batch_of(X.expand(4, 3))
    good, fair, bad = turned(0, 4), turned(20, 4), turned(45, 4)
    alone, weighted = UnorientedLoss(), UnorientedLoss(iterates_weight=0.5)
    expected = alone(prediction_of(good), batch) + 0.25 * sum(alone(prediction_of(n), batch) for n in (fair, bad))
    assert weighted(prediction_of(good, bad, fair), batch) == pytest.approx(expected)
    assert weighted(prediction_of(good), batch) == alone(prediction_of(good), batch)


def test_oriented_loss_refuses_clouds_marked_unoriented() -> None:
    batch = batch_of(X.expand(4, 3), oriented=False)
    with pytest.raises(UserError, match="1 of 1 marked unoriented"):
        OrientedLoss()(prediction_of(turned(0, 4)), batch)
