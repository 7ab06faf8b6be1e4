"""Numbers that are no longer finite are told as such, whatever they break; other errors stay what they are."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor
from torch_geometric.data import Batch, Data

from tensorframes.normals import Estimator, Prediction
from tensorframes.training import Diverged, NormalTraining, UnorientedLoss
from tensorframes.training.finite import all_finite, gives_finite_values


def eigenvectors(x: Tensor) -> Tensor:
    return torch.linalg.eigh(x.unsqueeze(-1) * x.unsqueeze(-2)).eigenvectors[..., -1]


def search(x: Tensor) -> Tensor:
    if not torch.isfinite(x).all():
        raise ValueError("expected finite support")
    return x


def wrong(x: Tensor) -> Tensor:
    raise ValueError("expected another width")


class Scaled(Estimator):
    """Positions times a weight, and what is made of them."""

    def __init__(self, weight: float, made: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.linear, self.made = torch.nn.Linear(3, 3, bias=False), made
        torch.nn.init.constant_(self.linear.weight, weight)

    def forward(
        self, pos: Tensor, batch: Tensor, scale: Tensor, rows: Tensor, profile: Tensor | None = None
    ) -> Prediction:
        normal = self.made(self.linear(pos)[rows])
        return Prediction(normal, normal.new_zeros(0, *normal.shape))


def step(weight: float, made: Callable[[Tensor], Tensor], monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = SimpleNamespace(world_size=1, optimizers=[SimpleNamespace(param_groups=[{"lr": 0.0}])])
    monkeypatch.setattr(NormalTraining, "trainer", trainer)
    monkeypatch.setattr(NormalTraining, "log", lambda *_, **__: None)
    pos, normal = torch.randn(20, 3), torch.eye(3)[:1].expand(20, 3)
    cloud = Data(pos=pos, normal=normal, loss_mask=torch.ones(20, dtype=torch.bool), scale=torch.ones(1))
    module = NormalTraining(Scaled(weight, made), UnorientedLoss(), lambda groups: None, None)
    module.training_step(Batch.from_data_list([cloud]), 0)


@pytest.mark.parametrize("weight", [float("nan"), float("inf"), 3e38])
@pytest.mark.parametrize("made", [eigenvectors, search])
def test_what_fails_in_numbers_that_are_not_finite(
    made: Callable[[Tensor], Tensor], weight: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Diverged, match="expected finite features, got NaN or infinity at step 0"):
        step(weight, made, monkeypatch)


def test_a_loss_that_is_not_finite(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Diverged, match=r"expected a finite loss, got nan at step 0( \(batch of .*\))?$"):
        step(float("nan"), lambda x: x, monkeypatch)
    step(1.0, eigenvectors, monkeypatch)


def test_other_errors_stay_what_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="expected another width") as caught:
        step(1.0, wrong, monkeypatch)
    assert not isinstance(caught.value, Diverged)


@pytest.mark.parametrize("told", ["CUDA out of memory. Tried to", "DefaultCPUAllocator: can't allocate memory: you"])
def test_memory_that_runs_out_is_told_without_a_second_pass(told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def exhausted(x: Tensor) -> Tensor:
        calls.append(x)
        raise (torch.OutOfMemoryError if "CUDA" in told else RuntimeError)(told)

    with pytest.raises(RuntimeError, match=told[:20]):
        step(float("nan"), exhausted, monkeypatch)
    assert len(calls) == 1


def test_modules_are_watched_during_one_call_alone() -> None:
    network = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.ReLU())
    assert gives_finite_values(network, lambda: network(torch.ones(1, 2)))
    assert not gives_finite_values(network, lambda: network(torch.full((1, 2), torch.nan)))
    assert not network[0]._forward_hooks
    assert all_finite(torch.ones(2), torch.tensor([1]))
    assert not all_finite(torch.ones(2), torch.tensor([-torch.inf]))
