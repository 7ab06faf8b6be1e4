"""Weights files: read back the same; anything else is refused in one line."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from tensorframes.errors import UserError
from tensorframes.normals import (
    PRETRAINED,
    about,
    built,
    chosen_device,
    load_weights,
    normals_of,
    pretrained,
    save_weights,
)
from tensorframes.normals.earlier_names import present_recipe
from tensorframes.normals.weights import pretrained_path, recipe_of

STORED = Path(__file__).parent / "stored"


def points() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(60, 3)).astype("f4")


def header(path: Path) -> dict[str, str]:
    from safetensors import safe_open

    with safe_open(str(path), framework="pt") as content:
        return content.metadata()


def test_reading_weights_draws_no_random_numbers() -> None:
    before = torch.get_rng_state()
    load_weights(pretrained_path("fast"))
    assert torch.equal(torch.get_rng_state(), before)


def test_defaults_and_modes_of_torch_do_not_matter() -> None:
    torch.set_default_dtype(torch.bfloat16)
    try:
        with torch.device("meta"), torch.inference_mode():
            estimator = load_weights(pretrained_path("fast"))
            assert torch.get_default_dtype() == torch.bfloat16
    finally:
        torch.set_default_dtype(torch.float32)
    expected = pretrained("fast")
    for values in (estimator.parameters(), estimator.buffers()):
        assert not any(value.is_meta or value.is_inference() or value.dtype == torch.bfloat16 for value in values)
    for found, wanted in zip(estimator.buffers(), expected.buffers(), strict=True):
        assert torch.equal(found, wanted)
    np.testing.assert_array_equal(normals_of(estimator, points()), normals_of(expected, points()))


def test_settings_of_parts_that_every_old_head_has_are_no_settings() -> None:
    recipe = {"head": {"_target_": "tensorframes.normals.PlaneFitHead", "fits": 2, "robust": True, "offsets": True}}
    kept = present_recipe(recipe, "old.ckpt")
    assert kept["head"] == {"_target_": "tensorframes.normals.PlaneFitHead", "fits": 2}
    assert present_recipe({"head": {"robust": True}}, "old.ckpt") == {"head": {"robust": True}}


def test_old_weights_are_read_without_these_settings(tmp_path: Path) -> None:
    state, fields = load_file(pretrained_path("best")), header(pretrained_path("best"))
    recipe = json.loads(fields["model"])
    file = tmp_path / "old.safetensors"
    for robust in (True, False):
        recipe["head"]["robust"] = robust
        save_file(state, file, {**fields, "model": json.dumps(recipe)})
        if robust:
            assert "robust" not in recipe_of(file)["head"]
            assert load_weights(file).state_dict().keys() == state.keys()
    for read in (recipe_of, load_weights):
        with pytest.raises(UserError, match=f"^{file}: expected a PlaneFitHead with all parts, got .* robust=False"):
            read(file)


def test_pretrained_weights_may_be_trained_wherever_they_are_made() -> None:
    with torch.inference_mode(), torch.device("meta"):
        estimator = pretrained("fast")
    values = [*estimator.parameters(), *estimator.buffers()]
    assert not any(value.is_meta or value.is_inference() for value in values)
    estimator(torch.from_numpy(points()).float()).normal.sum().backward()
    assert any(parameter.grad is not None for parameter in estimator.parameters())


def test_stored_weights_give_the_normals_they_gave() -> None:
    # In float64: what float32 rounds is the processor's, and the final selection may depend on it.
    estimator = load_weights(STORED / "format1.safetensors").double()
    expected = np.loadtxt(STORED / "format1.normals")
    cosine = np.abs((normals_of(estimator, points()) * expected).sum(1))
    assert cosine.min() > 1 - 1e-5
    assert not estimator.training


def test_weights_are_read_back_as_they_were(tmp_path: Path) -> None:
    recipe = recipe_of(STORED / "format1.safetensors")
    estimator = built(recipe).double()
    save_weights(estimator, recipe, tmp_path / "new" / "mine.safetensors", {"steps": 7})
    again = load_weights(tmp_path / "new" / "mine.safetensors")
    for name, value in estimator.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], value.float(), rtol=0, atol=0)
    assert about(tmp_path / "new" / "mine.safetensors") == {"steps": 7}


def test_what_is_no_weights_file_is_refused(tmp_path: Path) -> None:
    state, fields = load_file(STORED / "format1.safetensors"), header(STORED / "format1.safetensors")
    (tmp_path / "text.safetensors").write_text("no weights")
    save_file(state, tmp_path / "bare.safetensors")
    save_file(state, tmp_path / "newer.safetensors", {**fields, "format": "99"})
    foreign = json.loads(fields["model"])
    foreign["frames"] = {"_target_": "os.system", "command": "true"}
    save_file(state, tmp_path / "foreign.safetensors", {**fields, "model": json.dumps(foreign)})
    other = json.loads(fields["model"])
    other["backbone"]["widths"] = [16, 32]
    save_file(state, tmp_path / "other.safetensors", {**fields, "model": json.dumps(other)})
    save_file(state, tmp_path / "frames.safetensors", {**fields, "model": json.dumps(foreign["head"])})
    save_file(state, tmp_path / "nothing.safetensors", {**fields, "model": "null"})
    for name, message in {
        "none": "or a weights file, got",
        "text": "which holds something else",
        "bare": "which holds something else",
        "newer": "expected weights of format 1 to 3, got format 99",
        "foreign": "expected a class of tensorframes, torch, got os.system",
        "other": "expected weights that fit their model",
        "frames": "expected an estimator of normals",
        "nothing": "expected an estimator of normals",
    }.items():
        with pytest.raises(UserError, match=message) as caught:
            load_weights(tmp_path / f"{name}.safetensors")
        assert "\n" not in str(caught.value)


def test_weights_that_lack_a_part_are_refused(tmp_path: Path) -> None:
    state = load_file(STORED / "format1.safetensors")
    del state["head.votes.own.weight"]
    save_file(state, tmp_path / "less.safetensors", header(STORED / "format1.safetensors"))
    with pytest.raises(UserError, match=r"weights that fit their model.*head\.small_planes\.point_layer\.weight"):
        load_weights(tmp_path / "less.safetensors")


@pytest.mark.parametrize("name", PRETRAINED)
def test_shipped_weights_are_small(name: str) -> None:
    path, estimator = pretrained_path(name), pretrained(name)
    assert path.stat().st_size <= 12e6
    assert sum(parameter.numel() for parameter in estimator.parameters()) <= 3e6
    assert about(path)["experiment"] == {"best": "finetune_best", "fast": "fast"}[name]
    assert about(path)["steps"] >= 1000


def test_fast_is_the_smaller_one() -> None:
    fast, best = (sum(p.numel() for p in pretrained(name).parameters()) for name in PRETRAINED)
    assert fast < 0.6 * best


def test_a_checkpoint_is_told_from_weights(tmp_path: Path) -> None:
    (tmp_path / "best.ckpt").write_bytes(b"")
    with pytest.raises(
        UserError, match=r"got the checkpoint .*best\.ckpt, which tensorframes normals and evaluate take"
    ):
        load_weights(tmp_path / "best.ckpt")


def test_unknown_weights_are_named() -> None:
    with pytest.raises(UserError, match="expected weights of fast, best, got 'worst'"):
        pretrained("worst")


def test_an_integer_is_the_number_of_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="expected device to be auto, cpu or one that this machine has, got cuda:99"):
        chosen_device(99)
    with pytest.raises(UserError, match="expected device to be auto, cpu, cuda or cuda:NUMBER, got -1"):
        chosen_device(-1)
    with pytest.raises(UserError, match=r"got mps: it has no float64, which the geometry needs; take the CPU$"):
        chosen_device("mps")
    monkeypatch.setattr(torch, "empty", lambda *_, device: None)
    assert chosen_device(1) == torch.device("cuda", 1)
