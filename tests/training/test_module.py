"""Which parts of an estimator a run trains."""

import pytest
import torch

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
