"""scripts/average_weights.py"""

from pathlib import Path

import torch

from tensorframes.normals import about, load_weights, pretrained_path, recipe_of, save_weights

STORED = Path(__file__).parents[1] / "normals" / "stored" / "format1.safetensors"


def test_weights_lie_between_two(script, tmp_path):
    first, shifted = load_weights(STORED), load_weights(STORED)
    shifted.load_state_dict({name: value + 1 for name, value in first.state_dict().items()})
    other, average = tmp_path / "other.safetensors", tmp_path / "average.safetensors"
    save_weights(shifted, recipe_of(STORED), other, {})
    assert script("average_weights", STORED, other, 0.25, average).code == 0
    averaged = load_weights(average).state_dict()
    for name, value in first.state_dict().items():
        assert torch.allclose(averaged[name], value + 0.25, atol=1e-6)
    assert about(average)["averaged"][0] == 0.25


def test_weights_of_two_networks_are_refused(script, tmp_path):
    code, _, told = script("average_weights", STORED, pretrained_path("fast"), 0.5, tmp_path / "none.safetensors")
    assert code != 0
    assert "expected weights of one network" in told
    assert not list(tmp_path.iterdir())
