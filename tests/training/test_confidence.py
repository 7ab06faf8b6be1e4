"""Training of the expected error."""

import copy
from functools import partial
from types import SimpleNamespace

import pytest
import torch
from torch_geometric.data import Batch, Data

from tensorframes.backbones import PointNet2
from tensorframes.frames import LearnedFrames
from tensorframes.layers import PlaneFeatures
from tensorframes.normals import ErrorModel, Jet, NormalEstimator, PlaneHead, Select, WeightedFit
from tensorframes.training import ConfidenceTraining, UnorientedLoss, parameter_groups


def network(error: bool = True) -> NormalEstimator:
    torch.manual_seed(0)
    select = partial(Select, sources={"jet": Jet()}, hidden=4, nearest=15, tolerances=(0.003, 0.05))
    fit = partial(WeightedFit, neighbours=(12, 4), hidden=4)
    head = partial(PlaneHead, initial_selection=select, fit=fit, final_selection=select, levels=2, embedding=4)
    backbone = PointNet2(features=PlaneFeatures((), variation_profile=False), widths=(12, 16), radii=(2.0,))
    return NormalEstimator(LearnedFrames(hidden=8), backbone, partial(head, error=ErrorModel if error else None))


def batch() -> Batch:
    generator = torch.Generator().manual_seed(1)
    pos = torch.rand(300, 3, generator=generator) * torch.tensor([1, 1, 0.1])
    normal = torch.tensor([0.0, 0, 1]).expand(300, 3)
    cloud = Data(pos=pos, normal=normal, loss_mask=torch.arange(300) < 200, scale=torch.tensor([0.1]))
    return Batch.from_data_list([cloud, cloud.clone()])


def test_only_the_model_of_the_error_learns() -> None:
    module = ConfidenceTraining(network(), UnorientedLoss(), torch.optim.SGD, lambda *_: None)
    before = copy.deepcopy(module.estimator.state_dict())
    module.train()
    assert not module.estimator.backbone.training
    optimiser = torch.optim.Adam(parameter_groups(module.estimator), 0.01)
    losses = []
    for _ in range(5):
        loss = module.loss_of(batch())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    changed = {name for name, value in module.estimator.state_dict().items() if not torch.equal(value, before[name])}
    assert changed
    assert all(name.startswith("head.error.") for name in changed)


def minimised(module: ConfidenceTraining, of: Batch) -> torch.Tensor:
    torch.manual_seed(2)
    return module._minimised(module._predict(of), of)


def test_each_step_learns_from_the_points_of_earlier_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tensorframes.training.confidence.KEPT", 150)
    monkeypatch.setattr("tensorframes.training.confidence.REMEMBERED", 400)
    module = ConfidenceTraining(network(), UnorientedLoss(), torch.optim.SGD, lambda *_: None).train()
    first = minimised(module, batch())
    assert len(module._memory) == 150
    other = batch()
    other.normal = torch.tensor([1.0, 0, 0]).expand_as(other.normal)
    second = minimised(module, other)
    known = module._memory[:, -1].float()
    assert len(known) == 300
    assert known[:150].mean() < 0.7 < known[150:].mean()  # the second batch's normals are wrong, the first's are kept
    assert not second.isclose(first)
    second.backward()
    assert all(parameter.grad is not None for parameter in module.estimator.head.error.parameters())
    minimised(module, batch())
    assert torch.equal(module._memory[:100, -1].float(), known[50:150])  # the oldest points are forgotten
    module.eval()
    assert len(module._memory) == 400


def test_what_is_remembered_is_in_the_checkpoint() -> None:
    module, again = (ConfidenceTraining(network(), UnorientedLoss(), torch.optim.SGD, lambda *_: None) for _ in "ab")
    minimised(module.train(), batch())
    checkpoint = {"state_dict": module.state_dict()}
    module.on_save_checkpoint(checkpoint)
    again.load_state_dict(checkpoint["state_dict"])
    again.on_load_checkpoint(checkpoint)
    assert torch.equal(minimised(module, batch()), minimised(again.train(), batch()))


def test_a_cloud_that_two_processes_validate_counts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two clouds on three processes, the first is repeated, with the same number."""
    module = ConfidenceTraining(network(), UnorientedLoss(), torch.optim.SGD, lambda *_: None).eval()
    logged: dict[str, float] = {}
    monkeypatch.setattr(ConfidenceTraining, "log", lambda _, name, value, **__: logged.update({name: float(value)}))
    monkeypatch.setattr(ConfidenceTraining, "trainer", SimpleNamespace(world_size=1))
    module.on_validation_epoch_start()
    for place, noise in ((0, 0.0), (1, 0.1), (0, 0.0)):
        (cloud, _) = batch().to_data_list()
        cloud.pos = cloud.pos + noise * torch.rand(300, 3, generator=torch.Generator().manual_seed(0))
        cloud.place, cloud.category = place, "all"
        module.validation_step(Batch.from_data_list([cloud]), 0)
    module.on_validation_epoch_end()
    values = {place: value for place, _, value in module._likelihoods}
    assert len(module._likelihoods) == 3
    assert values[0] != pytest.approx(values[1], abs=1e-3)
    assert logged["val/nll"] == pytest.approx((values[0] + values[1]) / 2)


def test_a_network_without_a_model_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected a network with a model of its error"):
        ConfidenceTraining(network(error=False), UnorientedLoss(), torch.optim.SGD, lambda *_: None)
