"""Earlier names of parameters: files and states with them are read as if they had the present ones."""

import inspect
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from tensorframes.cli.checkpoint import load_estimator
from tensorframes.layers import AnyDimensionFit
from tensorframes.normals import load_weights, normals_of
from tensorframes.normals.earlier_names import (
    EARLIER_NAMES,
    EARLIER_SETTINGS,
    with_present_names,
    with_present_settings,
)
from tensorframes.normals.final_selection import FinalSelection
from tensorframes.normals.offset import Offset
from tensorframes.normals.weights import pretrained_path, recipe_of
from tensorframes.training import ConfidenceTraining
from tensorframes.training.confidence import ErrorLikelihood
from tensorframes.training.module import FORMAT
from tests.backbones.test_backbones import MADE
from tests.normals.earlier import earlier_key, earlier_recipe, earlier_state
from tests.normals.small import estimator, old_head, surface

STORED = Path(__file__).parent / "stored" / "format1.safetensors"


def networks() -> nn.ModuleDict:
    """Networks with all parts that have earlier names."""
    heads = {"plane_head": estimator(), "plane_fit_head": estimator(head=old_head), "curves": AnyDimensionFit()}
    return nn.ModuleDict({**heads, **{name: make() for name, make in MADE.items()}})


def test_states_with_earlier_names_get_the_present_ones() -> None:
    module = networks()
    state, earlier = module.state_dict(), earlier_state(module)
    found = with_present_names(earlier, module)
    assert list(found) == list(state)
    assert all(torch.equal(found[key], value) for key, value in state.items())
    assert with_present_names(state, module) is state


def test_all_names_in_the_table_are_of_parameters() -> None:
    module = networks()
    keys = [key.split(".") for key in module.state_dict()]
    parts = dict(module.named_modules())
    named = {(type(parts[".".join(key[:depth])]), key[depth]) for key in keys for depth in range(len(key))}
    for kind, names in EARLIER_NAMES.items():
        own = {name for part, name in named if issubclass(part, kind)}
        assert set(names.values()) <= own, kind
        assert not set(names) & own, kind


def test_a_name_that_a_subclass_gives_to_something_else_is_its_own() -> None:
    class Shared(Offset):
        def __init__(self) -> None:
            super().__init__(4, 8)
            self.share = nn.Parameter(torch.zeros(3))

    state = Shared().state_dict()
    assert with_present_names(state, Shared()) is state


def test_all_settings_in_the_table_are_arguments() -> None:
    kinds = {"": None, "final_selection": FinalSelection}
    for kind, names in EARLIER_SETTINGS.items():
        for name, now in names.items():
            part, _, key = now.rpartition(".")
            arguments = inspect.signature(kinds[part] or kind).parameters
            assert key in arguments
            assert name.rpartition(".")[2] not in arguments


def test_settings_with_earlier_names_get_the_present_ones() -> None:
    head = {"_target_": "tensorframes.normals.plane_head.PlaneHead", "guess": {"hidden": 8}, "fits": 1, "final": None}
    config = {
        "task": {"head": head, "guess": 3},
        "mine": ["${task.head.guess.hidden}", "${task.head.guess}", "${task.head.guessed}", "${task.guess} final"],
        "other": {"_target_": "elsewhere.PlaneHead", "guess": 4},
    }
    present = with_present_settings(config)
    assert list(present["task"]["head"].items())[1:] == [
        ("initial_selection", {"hidden": 8}),
        ("fits", 1),
        ("final_selection", None),
    ]
    now = "${task.head.initial_selection"
    assert present["mine"] == [f"{now}.hidden}}", f"{now}}}", "${task.head.guessed}", "${task.guess} final"]
    assert (present["task"]["guess"], present["other"]) == (3, config["other"])
    assert with_present_settings(present) == present


@pytest.mark.parametrize("name", ["fast", "best"])
def test_the_settings_of_shipped_weights_have_present_names(name: str) -> None:
    recipe = recipe_of(pretrained_path(name))
    assert earlier_recipe(recipe) != recipe == with_present_settings(earlier_recipe(recipe))


@pytest.mark.parametrize("given", [STORED, pretrained_path("fast")], ids=["PlaneFitHead", "PlaneHead"])
def test_files_with_earlier_names_are_read(given: Path, tmp_path: Path) -> None:
    network, recipe, points = load_weights(given), earlier_recipe(recipe_of(given)), surface(60).numpy()
    assert recipe != recipe_of(given)
    state, earlier = network.state_dict(), earlier_state(network)
    assert not earlier.keys() >= {key for key in state if key.startswith("head.")}
    save_file(earlier, tmp_path / "earlier.safetensors", {"format": "1", "model": json.dumps(recipe), "about": "{}"})
    content = {
        "tensorframes": {"format": FORMAT, "model": recipe, "config": {}},
        "state_dict": {f"estimator.{key}": value for key, value in earlier.items()},
    }
    torch.save(content, tmp_path / "earlier.ckpt")
    for read in (load_weights(tmp_path / "earlier.safetensors"), load_estimator(tmp_path / "earlier.ckpt")):
        assert list(read.state_dict()) == list(state)
        assert all(torch.equal(value, state[key]) for key, value in read.state_dict().items())
        np.testing.assert_array_equal(normals_of(read, points), normals_of(network, points))


def test_the_stored_file_has_earlier_names() -> None:
    network = load_weights(STORED)
    assert load_file(STORED).keys() == {earlier_key(key, network) for key in network.state_dict()}


def test_the_model_of_the_error_continues_from_earlier_names() -> None:
    network = load_weights(pretrained_path("fast"))
    module = ConfidenceTraining(network, ErrorLikelihood(), torch.optim.Adam, lambda *_: None)
    checkpoint = {"state_dict": earlier_state(module), "evidence": torch.ones(2, 3)}
    module.on_load_checkpoint(checkpoint)
    module.load_state_dict(checkpoint["state_dict"])
    assert len(module._memory) == 2
