"""Checkpoints that are none, that are damaged, that name what they must not, and that cannot be continued."""

import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf

from tensorframes.cli import command_line, train
from tensorframes.cli.beginning import begin_with, differences, roots, with_network
from tensorframes.cli.checkpoint import load_estimator, read_checkpoint
from tensorframes.cli.continuing import continued
from tensorframes.cli.trained import load_trained
from tensorframes.errors import UserError
from tensorframes.normals import built, pretrained, save_weights
from tensorframes.normals.weights import recipe_of
from tensorframes.training.module import FORMAT
from tests.cli.commands import CONFIGS

STORED = Path(__file__).parents[1] / "normals" / "stored" / "format1.safetensors"

App = Callable[..., tuple[int, str, str]]

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

TRUST = "trusted=[standin]"


@pytest.fixture(scope="module")
def four_steps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a run of four steps, without a test, has left its folder."""
    folder = tmp_path_factory.mktemp("four_steps")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parent)
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["train.py", *CONFIGS, "experiment=tiny", "trainer.max_steps=4", "test=false"])
        assert command_line(train, "train") == 0
    return folder


@pytest.fixture
def trained(app: App, four_steps: Path) -> Path:
    """The last checkpoint of a run of four steps, in a copy of its folder."""
    shutil.copytree(four_steps / "outputs", "outputs")
    (path,) = Path("outputs/tiny").glob("*/checkpoints/last.ckpt")
    return path


def assert_refused(ended: tuple[int, str, str], *expected: str) -> None:
    code, _, err = ended
    assert code == 2
    assert err.count("\n") == 1, err
    assert all(text in err for text in expected), err


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


def test_a_run_that_is_over_is_not_continued(app: App, trained: Path) -> None:
    over = "expected trainer.max_steps above the 4 steps already trained, got "
    assert_refused(app("train", TRUST, f"ckpt_path={trained}"), f"{over}4")
    assert_refused(app("train", TRUST, f"ckpt_path={trained}", "trainer.max_steps=3"), f"{over}3")
    assert_refused(app("train", "experiment=tiny", f"ckpt_path={trained}", "trainer.max_steps=2"), f"{over}2")


@pytest.mark.parametrize(
    "override",
    ["model.oriented=true", "frames=identity", "++backbone.width=3"],
)
def test_what_was_trained_stays(app: App, trained: Path, override: str) -> None:
    key = override.lstrip("+").partition("=")[0]
    given = ("trainer.max_steps=8", override)
    assert_refused(
        app("train", TRUST, f"ckpt_path={trained}", *given), f"expected {key} to stay what it was in {trained}"
    )


def test_an_experiment_that_begins_with_weights_continues_without_them(trained: Path) -> None:
    cfg = OmegaConf.create({"ckpt_path": str(trained), "start_from": "fast"})
    given = ("experiment=tiny", f"ckpt_path={trained}")
    assert continued(cfg, given).start_from is None
    assert continued(cfg, (*given, "start_from=fast")).start_from == "fast"


def test_what_was_trained_stays_where_the_experiment_is_named_again(app: App, trained: Path) -> None:
    given = ("experiment=tiny", f"ckpt_path={trained}", "trainer.max_steps=6", "test=false")
    assert_refused(app("train", *given, "model.dropout=0.5"), "expected model.dropout to stay", "0.1, got 0.5")
    assert app("train", *given)[0] == 0


def test_a_copied_checkpoint_continues_in_silence(app: App, trained: Path, recwarn: pytest.WarningsRecorder) -> None:
    copied = Path("elsewhere/checkpoints/last.ckpt")
    copied.parent.mkdir(parents=True)
    shutil.copy(trained, copied)
    given = (TRUST, f"ckpt_path={copied}", "trainer.max_steps=6", "optimizer.lr=0.01", "callbacks.best=null")
    code, _, err = app("train", *given)
    assert (code, err) == (0, "")
    texts = [str(warning.message) for warning in recwarn]
    assert not [text for text in texts if "dirpath has changed" in text or "callbacks used" in text]
    assert read_checkpoint(copied)["global_step"] == 6


@pytest.mark.parametrize("without", ["config", "seed", "trainer.max_steps", "optimizer_states"])
def test_what_a_checkpoint_lacks_is_told_with_its_name(app: App, trained: Path, without: str) -> None:
    content = read_checkpoint(trained)
    config = content["tensorframes"]["config"]
    if without == "config":
        config.clear()
    elif without == "optimizer_states":
        del content[without]
    else:
        parent, _, key = without.rpartition(".")
        del (config[parent] if parent else config)[key]
    torch.save(content, "less.ckpt")
    told = "got one without" if without == "config" else without
    assert_refused(app("train", TRUST, "ckpt_path=less.ckpt", "trainer.max_steps=8"), "less.ckpt", told)


def test_a_checkpoint_to_continue_from_may_not_name_what_is_called(app: App, trained: Path) -> None:
    assert_refused(app("train", f"ckpt_path={trained}", "trainer.max_steps=8"), "got standin.", "trusted=[")
    content = torch.load(trained, weights_only=True)
    content["tensorframes"]["config"]["callbacks"]["best"]["_target_"] = "os.system"
    torch.save(content, "mean.ckpt")
    assert_refused(app("train", TRUST, "ckpt_path=mean.ckpt", "trainer.max_steps=8"), "mean.ckpt: ", "got os.system")
    content["tensorframes"]["config"]["callbacks"]["best"] = "${oc.create:'_target_: os.system'}"
    torch.save(content, "meaner.ckpt")
    assert_refused(app("train", TRUST, "ckpt_path=meaner.ckpt", "trainer.max_steps=8"), "got os.system")


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


def test_a_checkpoint_of_before_start_from_continues(app: App, trained: Path) -> None:
    content = torch.load(trained, weights_only=True)
    del content["tensorframes"]["config"]["start_from"]
    torch.save(content, "older.ckpt")
    assert app("train", TRUST, "ckpt_path=older.ckpt", "trainer.max_steps=6", "test=false")[0] == 0


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
