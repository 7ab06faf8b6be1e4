"""Runs that continue from a checkpoint: what stays, and checkpoints that cannot be continued."""

import shutil
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf

from tensorframes.cli.checkpoint import read_checkpoint
from tensorframes.cli.continuing import continued
from tests.cli.commands import TRUST, App, assert_refused


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


def test_a_checkpoint_of_before_start_from_continues(app: App, trained: Path) -> None:
    content = torch.load(trained, weights_only=True)
    del content["tensorframes"]["config"]["start_from"]
    torch.save(content, "older.ckpt")
    assert app("train", TRUST, "ckpt_path=older.ckpt", "trainer.max_steps=6", "test=false")[0] == 0
