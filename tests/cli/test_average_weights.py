"""scripts/average_weights.py"""

from pathlib import Path

import torch

from tensorframes.normals import about, load_weights, pretrained_path

STORED = Path(__file__).parents[1] / "normals" / "stored" / "format1.safetensors"


def test_weights_lie_between_two(script, tmp_path):
    from safetensors.torch import load_file, save_file

    with_header = load_weights(STORED)
    other, halfway = tmp_path / "other.safetensors", tmp_path / "halfway.safetensors"
    from safetensors import safe_open

    with safe_open(str(STORED), framework="pt") as content:
        header = content.metadata()
    save_file({name: value + 1 for name, value in load_file(STORED).items()}, other, metadata=header)
    assert script("average_weights", STORED, other, 0.25, halfway).code == 0
    found = load_weights(halfway).state_dict()
    for name, value in with_header.state_dict().items():
        assert torch.allclose(found[name], value + 0.25, atol=1e-6)
    assert about(halfway)["averaged"][0] == 0.25


def test_weights_of_two_networks_are_refused(script, tmp_path):
    code, _, told = script("average_weights", STORED, pretrained_path("fast"), 0.5, tmp_path / "none.safetensors")
    assert code != 0
    assert "expected weights of one network" in told
    assert not list(tmp_path.iterdir())
