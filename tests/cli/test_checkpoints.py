"""Checkpoints that are none, that are damaged, and that name what they must not."""

from pathlib import Path
from typing import Any

import pytest
import torch

from tensorframes.cli.checkpoint import load_estimator, read_checkpoint
from tensorframes.errors import UserError
from tensorframes.training.module import FORMAT

WHOLE: dict[str, Any] = {"format": FORMAT, "model": {}, "config": {}}
NONE = {
    "something else": {"weights": 1},
    "got .*, which holds something": {"tensorframes": 5},
    "format 99": {"tensorframes": {"format": 99}},
    "with its model, got .*other.ckpt": {"tensorframes": {"format": FORMAT}},
    "with its config, got .*other.ckpt": {"tensorframes": {"format": FORMAT, "model": {}}},
    "with its config": {"tensorframes": {**WHOLE, "config": 3}},
    "state_dict of tensors, got .*other.ckpt": {"tensorframes": WHOLE},
    "a state_dict of tensors": {"tensorframes": WHOLE, "state_dict": {"weight": "heavy"}},
    "state_dict of": {"tensorframes": WHOLE, "state_dict": [1.0]},
}


@pytest.mark.parametrize("message", NONE)
def test_what_is_no_checkpoint_is_told(tmp_path: Path, message: str) -> None:
    torch.save(NONE[message], tmp_path / "other.ckpt")
    with pytest.raises(UserError, match=message):
        read_checkpoint(tmp_path / "other.ckpt")


def test_the_folder_of_a_run_is_answered_with_its_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"expected a checkpoint file, got .*, which is a folder$"):
        read_checkpoint(tmp_path)
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "best.ckpt").touch()
    with pytest.raises(UserError, match=r"which is a folder; that of the run there is .*best\.ckpt$"):
        read_checkpoint(tmp_path)


def test_files_of_another_kind_are_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="expected a checkpoint file"):
        read_checkpoint(tmp_path / "none.ckpt")
    (tmp_path / "text.ckpt").write_text("no checkpoint")
    with pytest.raises(UserError, match="cannot be read"):
        read_checkpoint(tmp_path / "text.ckpt")


def test_settings_that_heads_had_once_are_left_out(tmp_path: Path) -> None:
    path, target = tmp_path / "old.ckpt", "tensorframes.normals.PlaneFitHead"
    for robust in (True, False):
        model = {"head": {"_target_": target, "robust": robust}}
        torch.save({"tensorframes": {**WHOLE, "model": model, "config": {"model": model}}, "state_dict": {}}, path)
        if robust:
            found = read_checkpoint(path)["tensorframes"]
            assert found["model"] == found["config"]["model"] == {"head": {"_target_": target}}
    with pytest.raises(UserError, match=f"^{path}: expected a PlaneFitHead with all parts, got one with robust="):
        read_checkpoint(path)


def test_damage_is_told(tmp_path: Path) -> None:
    path, weight = tmp_path / "whole.ckpt", torch.arange(1000.0)
    torch.save({"tensorframes": WHOLE, "state_dict": {"weight": weight}}, path)
    assert torch.equal(read_checkpoint(path)["state_dict"]["weight"], weight)
    content = bytearray(path.read_bytes())
    start = content.index(weight.numpy().tobytes())
    content[start + 400 : start + 404] = torch.tensor([1e9]).numpy().tobytes()
    path.write_bytes(content)
    assert torch.load(path, weights_only=True)["state_dict"]["weight"].max() == 1e9  # torch doesn't notice
    with pytest.raises(UserError, match=r"expected a whole checkpoint, got .*whole.ckpt, which is damaged"):
        read_checkpoint(path)
    path.write_bytes(content[:2000])
    with pytest.raises(UserError, match="cannot be read"):
        read_checkpoint(path)


@pytest.mark.parametrize(
    "target", ["os.system", "tensorframes.cli.cli.os.system", "torch.hub.load", "standin.TinyEstimator"]
)
def test_a_checkpoint_may_not_name_what_is_called(tmp_path: Path, target: str) -> None:
    path = tmp_path / "mean.ckpt"
    torch.save({"tensorframes": {**WHOLE, "model": {"_target_": target}}, "state_dict": {}}, path)
    with pytest.raises(UserError, match=r"mean\.ckpt: expected a class of tensorframes, torch"):
        load_estimator(path)
