"""Runs that begin with trained weights: which of them fit, and what begins anew."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf

from tensorframes.cli.beginning import begin_with, differences, roots, with_network
from tensorframes.cli.checkpoint import read_checkpoint
from tensorframes.cli.trained import load_trained
from tensorframes.errors import UserError
from tensorframes.normals import built, pretrained, save_weights
from tensorframes.normals.weights import recipe_of
from tests.cli.commands import TRUST, App, assert_refused

STORED = Path(__file__).parents[1] / "normals" / "stored" / "format1.safetensors"


def test_a_run_begins_with_the_weights_of_another(app: App, trained: Path) -> None:
    given = ("experiment=tiny", "trainer.max_steps=1", "test=false", "optimizer.lr=0", "callbacks.ema=null")
    assert app("train", *given, "name=begun", f"start_from={trained}", TRUST)[0] == 0
    (path,) = Path("outputs/begun").glob("*/checkpoints/last.ckpt")
    begun, before = read_checkpoint(path), read_checkpoint(trained)
    assert begun["global_step"] == 1
    assert begun["state_dict"].keys() == before["state_dict"].keys()
    assert all(torch.equal(value, before["state_dict"][name]) for name, value in begun["state_dict"].items())


def stored_recipe(**changes: object) -> dict[str, Any]:
    """The model of the stored weights, with another backbone."""
    recipe = recipe_of(STORED)
    return {**recipe, "backbone": {**recipe["backbone"], **changes}}


def test_a_part_that_the_weights_lack_begins_anew(caplog: pytest.LogCaptureFixture) -> None:
    recipe = stored_recipe(refine=True)
    known = load_trained(str(STORED), [], "start_from").estimator.state_dict()
    module = SimpleNamespace(estimator=built(recipe))
    before = {name: value.clone() for name, value in module.estimator.state_dict().items()}
    with caplog.at_level("INFO"):
        begin_with(module, load_trained(str(STORED), [], "start_from"), recipe)
    assert re.search(r"format1.safetensors has no weights for backbone\.\S+: they begin anew", caplog.text)
    for name, value in module.estimator.state_dict().items():
        assert torch.equal(value, known[name] if name in known else before[name])


def test_parts_that_begin_anew_are_named_no_wider_than_they_are() -> None:
    known = ["head.fits.0.weight_net.1.weight", "head.fits.1.weight_net.1.weight"]
    planes = ["head.small_planes.inlier_coefficients", "head.small_planes.point_layer.weight"]
    strengths = ["head.fits.0.strength.weight", "head.fits.0.strength.bias"]
    assert roots([*planes, *strengths], known) == ["head.small_planes", "head.fits.0.strength"]
    assert roots(["head.fits.0.weight_net.1.bias", "scale"], known) == ["head.fits.0.weight_net.1.bias", "scale"]


def test_weights_with_more_than_the_model_are_refused(tmp_path: Path) -> None:
    more = stored_recipe(refine=True)
    save_weights(built(more), more, tmp_path / "more.safetensors", {})
    recipe, trained = stored_recipe(), load_trained(str(tmp_path / "more.safetensors"), [], "start_from")
    module = SimpleNamespace(estimator=built(recipe))
    with pytest.raises(UserError, match=r"got backbone\..*where the model has none"):
        begin_with(module, trained, recipe)


SCALAR = {"_target_": "tensorframes.messages.ScalarMessages"}
TENSOR = {"_target_": "tensorframes.messages.kinds.TensorMessages", "shares": [0.375, 0.25]}


@pytest.mark.parametrize(
    ("part", "changes", "told"),
    [
        ("backbone", {"messages": SCALAR}, r"with backbone\.messages TensorMessages \(here ScalarMessages\): name the"),
        (
            "backbone",
            {"messages": TENSOR | {"shares": [0.375, 0.375]}},
            r"messages\.shares .* \(here \[0\.375, 0\.375\]",
        ),
        ("backbone", {"messages": TENSOR}, ""),  # the same class by another name
        ("backbone", {"neighbours": 9}, ""),
        (
            "frames",
            {"_target_": "tensorframes.frames.GravityFrames", "axis": [0, 0, 1]},
            r"frames LearnedFrames \(here G",
        ),
    ],
)
def test_weights_of_features_of_another_meaning_are_refused(part: str, changes: dict[str, Any], told: str) -> None:
    recipe, trained = stored_recipe(), load_trained(str(STORED), [], "start_from")
    recipe[part] |= changes
    module = SimpleNamespace(estimator=built(recipe))
    if not told:
        begin_with(module, trained, recipe)
        return
    with pytest.raises(UserError, match=f"weights of the model configured, got .*safetensors .*{told}"):
        begin_with(module, trained, recipe)


def test_all_settings_that_differ_are_named() -> None:
    saved = {
        "frames": {"group": "so", "hidden": 8},
        "backbone": {"aggregations": ["max"], "radii": [1.5], "refine": False},
    }
    given = {
        "frames": {"group": "o", "hidden": 9},
        "backbone": {"aggregations": ["mean"], "radii": [2], "refine": True},
    }
    expected = [("frames.group", "so", "o"), ("backbone.aggregations", ["max"], ["mean"])]
    assert differences(saved, given) == expected


def test_a_run_continues_or_begins_with_weights(app: App, trained: Path) -> None:
    given = ("experiment=tiny", f"ckpt_path={trained}", "start_from=best")
    assert_refused(app("train", *given), "expected start_from or ckpt_path, got both")


def test_a_run_does_not_begin_with_what_does_not_fit(app: App, trained: Path) -> None:
    assert_refused(app("train", "experiment=tiny", "start_from=none"), "start_from", "fast, best", "got none")
    assert_refused(app("train", "experiment=tiny", "start_from=none.ckpt"), "got none.ckpt")
    assert_refused(app("train", "experiment=tiny", "start_from=best"), "start_from", "the model configured")


def test_a_model_without_a_class_is_a_change_to_the_network_of_the_weights(tmp_path: Path) -> None:
    error = {"_target_": "tensorframes.normals.ErrorModel", "_partial_": True, "hidden": 8}
    model, overrides = {"head": {"error": error}}, ("experiment=confidence", f"start_from={STORED}")
    cfg = OmegaConf.create({"model": model, "start_from": str(STORED), "ckpt_path": None, "trusted": []})
    changed, trained = with_network(cfg, overrides)
    assert trained.recipe == stored_recipe()
    expected = stored_recipe()
    expected["head"]["error"] = error
    assert OmegaConf.to_container(changed.model) == expected
    assert OmegaConf.to_container(cfg.model) == model
    assert with_network(changed, overrides) == (changed, None)
    with pytest.raises(UserError, match=r"expected the network of .*format1.safetensors as it is, got frames=pca"):
        with_network(cfg, (*overrides, "frames=pca"))
    with pytest.raises(UserError, match=r"as it is, got task.head.embedding=8"):
        with_network(cfg, (*overrides, "task.head.embedding=8"))
    for wrong, shown in ((None, "none"), (5, "5")):
        cfg.start_from = wrong
        with pytest.raises(UserError, match=f"start_from to name the weights whose network is taken, got {shown}"):
            with_network(cfg, overrides)
    cfg.start_from = str(tmp_path / "vector.safetensors")
    expected["head"] = {"_target_": "tensorframes.normals.VectorHead", "_partial_": True}
    save_weights(built(expected), expected, cfg.start_from, {})
    with pytest.raises(
        UserError, match=r"expected weights with a PlaneHead, .* got VectorHead in .*vector.safetensors"
    ):
        with_network(cfg, overrides[:1])


def test_a_network_learns_its_errors_with_the_experiment(app: App) -> None:
    shapes = ("data.train_shapes=1", "data.sampled_shapes=0", "data.val_shapes=1", "data.points=2000", "data.workers=0")
    size = ("data.test_points=1000", "data.samples.patch_points=200", "trainer.limit_val_batches=1", "loader.workers=0")
    steps = ("trainer.max_steps=2", "trainer.val_check_interval=2", "test=false", "data.root=shapes")
    # Another width: the model of the error of the weights begins anew.
    code, _, err = app("train", "experiment=confidence", "model.head.error.hidden=16", *shapes, *size, *steps)
    assert (code, err) == (0, "")
    (made,) = Path("outputs/confidence").glob("*/checkpoints/best.ckpt")
    last = f"ckpt_path={made.with_name('last.ckpt')}"
    again = app("train", "experiment=confidence", "model.head.error.hidden=16", last, *shapes, *size, *steps)
    assert_refused(again, "expected trainer.max_steps above the 2 steps already trained")
    assert app("train", "model=with_error", last, "trainer.max_steps=3").code == 0
    weights, begun = read_checkpoint(made)["state_dict"], pretrained("fast").state_dict()
    learned = {name for name, value in begun.items() if not torch.equal(value, weights[f"estimator.{name}"])}
    assert learned
    assert all(name.startswith("head.error.") for name in learned)
