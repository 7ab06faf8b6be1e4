"""Descriptions in files: what they may name, and what is made of them."""

from functools import partial
from typing import Any

import pytest
import torch

from tensorframes.errors import UserError
from tensorframes.recipes import built, check_trusted

LINEAR = {"_target_": "torch.nn.Linear", "in_features": 2, "out_features": 3}


def test_classes_are_called_with_their_arguments() -> None:
    layer = built({**LINEAR, "bias": False})
    assert (layer.in_features, layer.out_features, layer.bias) == (2, 3, None)


def test_arguments_may_be_descriptions_partial_or_by_position() -> None:
    recipe = {"_target_": "torch.nn.Sequential", "_args_": [LINEAR, {"_target_": "torch.nn.ReLU"}]}
    assert [type(layer) for layer in built(recipe)] == [torch.nn.Linear, torch.nn.ReLU]
    made = built({"layers": [{**LINEAR, "_partial_": True}]})["layers"][0]
    assert isinstance(made, partial)
    assert made().in_features == 2


@pytest.mark.parametrize(
    "target",
    [
        "os.system",  # another package
        "tensorframes.data.read_cloud",  # a function
        "tensorframes.nowhere.Net",  # nothing
        "torch.os.system",  # another package's, by this one's name
        "tensorframes",  # a module
        "torch.nn.Linear.forward",  # a method
        "",
    ],
)
def test_nothing_else_is_called(target: str) -> None:
    recipe: dict[str, Any] = {"layers": [{"_target_": target}]}
    for refuse in (built, check_trusted):
        with pytest.raises(UserError, match="expected a class of tensorframes, torch"):
            refuse(recipe)


def test_other_packages_are_trusted_by_name() -> None:
    recipe = {"_target_": "fractions.Fraction", "numerator": 3}
    with pytest.raises(UserError, match=r"got fractions\.Fraction; .*'trusted=\[fractions\]'"):
        built(recipe)
    assert built(recipe, ["fractions"]) == 3


def test_functions_of_this_package_are_allowed_where_asked_for() -> None:
    recipe = {"_target_": "tensorframes.scoring.score", "_partial_": True}
    check_trusted(recipe, own_functions=True)
    with pytest.raises(UserError):
        check_trusted(recipe)
    with pytest.raises(UserError):
        check_trusted({"_target_": "torch.manual_seed"}, own_functions=True)
