"""Which parts of an estimator a run trains, and what it asks of them beside being right."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch_geometric.data import Batch, Data

from tensorframes.normals import Estimator, Prediction
from tensorframes.training import NormalTraining, UnorientedLoss, parameter_groups


def training(only: list[str]) -> NormalTraining:
    estimator = torch.nn.ModuleDict(
        {
            "head": torch.nn.ModuleDict({"choice": torch.nn.Linear(2, 2), "choices": torch.nn.Linear(2, 2)}),
            "backbone": torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2), torch.nn.BatchNorm1d(2)),
        }
    )
    estimator.oriented = False
    return NormalTraining(estimator, UnorientedLoss(), lambda groups: torch.optim.SGD(groups, lr=1.0), None, only=only)


def trained(module: NormalTraining) -> list[str]:
    return [name for name, parameter in module.estimator.named_parameters() if parameter.requires_grad]


def test_all_parts_are_trained_unless_some_are_named() -> None:
    assert len(trained(training([]))) == 10
    assert trained(training(["head.choice"])) == ["head.choice.weight", "head.choice.bias"]
    assert trained(training(["head.choice", "backbone.1"])) == [
        "head.choice.weight",
        "head.choice.bias",
        "backbone.1.weight",
        "backbone.1.bias",
    ]
    assert sum(len(group["params"]) for group in parameter_groups(training(["head"]).estimator)) == 4


def test_averages_of_norms_that_are_not_trained_stay() -> None:
    module = training(["backbone.1"]).train()
    module.estimator["backbone"](torch.randn(8, 2))
    _, moved, kept = module.estimator["backbone"]
    assert moved.running_mean.any()
    assert not kept.running_mean.any()


def test_a_part_that_is_not_there_is_told() -> None:
    with pytest.raises(ValueError, match=r"expected parts .* such as head.choice, .*, got head.choic"):
        training(["head.choic"])


class Jumpy(Estimator):
    """Normals that are random, the same for the same draws, or hang on the last digits of positions."""

    accepts_float64 = True

    def __init__(self, digits: float) -> None:
        super().__init__()
        self.digits = torch.nn.Parameter(torch.tensor(digits))

    def forward(self, pos: torch.Tensor, batch: torch.Tensor, scale: torch.Tensor, rows: torch.Tensor) -> Any:
        lean = torch.rand(len(rows)) + self.digits * pos[rows, 0].double().mul(1e6).sin().float()
        normal = torch.stack([lean.cos(), lean.sin(), torch.zeros_like(lean)], dim=-1)
        return Prediction(normal, normal.new_zeros(0, *normal.shape))


def loss_of(digits: float, steady: float, monkeypatch: pytest.MonkeyPatch) -> float:
    trainer = SimpleNamespace(world_size=1, global_step=3, optimizers=[SimpleNamespace(param_groups=[{"lr": 0.0}])])
    monkeypatch.setattr(NormalTraining, "trainer", trainer)
    monkeypatch.setattr(NormalTraining, "log", lambda *_, **__: None)
    module = NormalTraining(Jumpy(digits), UnorientedLoss(), lambda groups: None, None, steady=steady)
    pos = torch.randn(50, 3, generator=torch.Generator().manual_seed(0))
    cloud = Data(
        pos=pos, normal=torch.eye(3)[:1].expand(50, 3), inner=torch.arange(50) < 20, scale=torch.ones(1), num_nodes=50
    )
    batch = Batch.from_data_list([cloud])
    module.on_train_batch_start(batch, 0)
    loss = module.training_step(batch, 0)
    loss.backward()
    return loss.item()


def test_normals_that_hang_on_rounding_cost_and_random_draws_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    plain, steady = (loss_of(0.0, weight, monkeypatch) for weight in (0.0, 2.0))
    assert steady == pytest.approx(plain, abs=1e-6)
    plain, steady = (loss_of(0.3, weight, monkeypatch) for weight in (0.0, 2.0))
    assert 0.1 < steady - plain < 2


def test_an_estimator_that_takes_no_float64_is_not_given_it(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    forward = Jumpy.forward
    monkeypatch.setattr(Jumpy, "forward", lambda self, pos, *rest: seen.append(pos.dtype) or forward(self, pos, *rest))
    for exact, second in ((True, torch.float64), (False, torch.float32)):
        monkeypatch.setattr(Jumpy, "accepts_float64", exact)
        loss_of(0.3, 2.0, monkeypatch)
        assert seen[-2:] == [torch.float32, second]


def test_a_negative_weight_is_told() -> None:
    with pytest.raises(ValueError, match="expected steady >= 0, got -1"):
        NormalTraining(Jumpy(0.0), UnorientedLoss(), lambda groups: None, None, steady=-1)
