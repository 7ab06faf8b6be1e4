"""A user's mistake is one line on stderr that says what is allowed, and exit code 2."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from tensorframes.backbones import PointNet2
from tensorframes.cli.leftovers import is_unused
from tensorframes.cli.values import check_profile
from tensorframes.errors import UserError
from tensorframes.frames import LearnedFrames
from tensorframes.layers import PlaneFeatures
from tensorframes.normals import NormalEstimator, VectorHead

App = Callable[..., tuple[int, str, str]]

TRAINING = {
    "trainer.foo=1": "expected a setting of trainer, one of accelerator",
    "loader.bach_size=1": "(did you mean batch_size?)",
    "bakbone=foo": "(did you mean backbone?)",
    "backbone=foo": "expected backbone to be one of ",
    "data/augmentation=so4": "expected data/augmentation to be one of o3, off, so3, z, got so4",
    "data.augmentation.group=so4": "data.augmentation: expected a group of off, z, so3, o3, got 'so4'",
    "trainer.max_steps=abc": "expected trainer.max_steps to be a whole number, got 'abc'",
    "trainer.max_steps=0": "expected trainer.max_steps >= 1, got 0",
    "trainer.devices=0": "trainer: ",
    "trainer.devices=[7]": "trainer: ",
    "trainer.val_check_interval=0": "trainer.val_check_interval to be a whole number of steps, 1 or more, got 0",
    "trainer.val_check_interval=0.5": "a whole number of steps, 1 or more, got 0.5",
    "trainer.val_check_interval=null": "a whole number of steps, 1 or more, got None",
    "trainer.accumulate_grad_batches=0": "expected trainer.accumulate_grad_batches >= 1, got 0",
    "trainer.log_every_n_steps=-1": "expected trainer.log_every_n_steps >= 0, got -1",
    "callbacks.best.monitor=foo": "expected callbacks.best.monitor to be val/rmse or val/rmse/CATEGORY, got foo",
    "callbacks.best.monitor=val/rmse/foo": "one of val/rmse, val/rmse/no_noise, val/rmse/low_noise, got val/rmse/foo",
    "trainer.limit_val_batches=0.1": "expected trainer.limit_val_batches to leave one cloud of 3, got 0.1",
    "trainer.limit_val_batches=-1": "trainer: ",
    "callbacks.best=5": "expected callbacks.best to be a component with a _target_, or null, got 5",
    "logger.csv=5": "expected logger.csv to be a component",
    "baselines.pca_18=5": "expected baselines.pca_18 to be a component",
    "trainer.precision=17": "bf16-mixed",
    "trainer.precision=16-true": "to be one of 32-true, 64-true, bf16-mixed, 16-mixed, got 16-true",
    "trainer.precision=bf16-true": "to be one of 32-true, 64-true, bf16-mixed, 16-mixed, got bf16-true",
    "trainer.precision=transformer-engine": "bf16-mixed, 16-mixed, got transformer-engine",
    "trainer.precision=16-mixed": "expected trainer.precision=bf16-mixed on this device, got 16-mixed",
    "callbacks=null": "error_clouds, last, progress, got null; without any: ~callbacks",
    "task.loss={eps:0.1,foo:2}": "expected a setting of task.loss, one of eps, iterates_weight, noise_error; got foo",
    "optimizer={l_r:1}": "got l_r (did you mean lr?)",
    "task={loss:{foo:3}}": "expected a setting of task.loss, one of eps, iterates_weight, noise_error; got foo",
    "hydra={foo:1}": "expected a setting of Hydra's own (--cfg hydra lists them), got hydra.foo",
    "logger=5": "expected logger to be one of csv, wandb, got 5; without any: ~logger",
    "trainer=null": "expected trainer to be one of cpu, ddp, default, gpu, got null\n",
    "~trainer": "expected trainer to be a component with a _target_, got {'accelerator': 'cpu'",
    "~loader": "expected loader to be a component with a _target_, got none",
    "schedule=null": "expected schedule to be a component with a _target_, got none",
    "~task.loss": "expected task.loss to be a component with a _target_, got none",
    "~data.samples": "expected data.samples to be a component with a _target_, got none",
    "~seed": "expected seed to be a whole number, got none: it was deleted",
    "~trainer.max_steps": "expected trainer.max_steps to be a whole number, got none: it was deleted",
    "hydra.run.dir=/dev/null/run": "expected a file or folder that can be used, got /dev/null/run (Not a directory)",
    "folder=elsewhere": "expected hydra.run.dir=DIR to name the folder of a run, got folder=elsewhere",
    "callbacks.best.dirpath=/dev/null/kept": "expected a file or folder that can be used, got /dev/null/kept",
    "trainer.accelerator=abacus": "abacus",
    "trainer.check_val_every_n_epoch=0": "since trainer.val_check_interval counts steps, not epochs, got",
    "+trainer.max_epochs=1": "trainer.max_steps counts steps, not epochs, got trainer.max_epochs=1",
    "+trainer.min_epochs=1": "trainer.max_steps counts steps, not epochs, got trainer.min_epochs=1",
    "+trainer.limit_train_batches=1": "counts steps, not epochs, got trainer.limit_train_batches=1\n",
    "+trainer.limit_train_batches=3": "counts steps, not epochs, got trainer.limit_train_batches=3",
    "+trainer.overfit_batches=1": "trainer.max_steps counts steps, not epochs, got trainer.overfit_batches=1",
    "+trainer.fast_dev_run=true": "trainer.max_steps counts steps, not epochs, got trainer.fast_dev_run=True",
    "optimizer.lr=-1": "optimizer: Invalid learning rate",
    "optimizer.betas=[0.9]": "optimizer: IndexError: list index out of range",
    "data.samples.seed=-1": "expected data.samples.seed in [0, 2^32), got -1",
    "seed=-1": "expected seed in [0, 2^32), got -1",
    "loader.batch_size=0": "loader: expected batch_size >= 1",
    "data.samples.patch_points=0": "data.samples: expected patch_points >= 1",
    "data.root=/a=b": "'data.root=\"/my data/a=b\"'",
    "data.root=a,b": "'data.root=\"/my data/a=b\"'",
    "data.root=Müll": "a space or letters such as 'ä' must be quoted twice",
    "data.root=~/a": "the shell leaves a '~' after '=' as it is: write $HOME",
    "data=folder": "expected a value for data.root",
    "+foo=1": "expected a setting, one of backbone",
    "+task.foo=1": "expected a setting of task, one of",
    "+trainer.foo=1": "expected a setting of trainer",
    "hydra.foo=1": "hydra.foo",
    "foo": "expected overrides like key=value, got foo",
    "--foo": "unrecognized arguments: --foo",
    "seed=abc": "expected seed to be a whole number, got 'abc'",
    "test=maybe": "expected test to be true or false, got 'maybe'",
    "test_clouds=0": "expected test_clouds >= 1 or null, got 0",
    "task=oriented": "expected an estimator that claims orientation",
    "name=a b": "expected a name without",
    "ckpt_path=none.ckpt": "expected a checkpoint file, got none.ckpt",
    "model._target_=nowhere.Net": "expected model._target_ to name",
}

WHILE_TRAINING = ("callbacks.best.dirpath=/dev/null/kept",)

ABOUT_THE_TEST = {
    ("data/protocol=rotations", "data.protocol.rotations=[foo]"): "rotations of none, z, so3, o3, got foo",
    ("data/protocol=rotations", "data.protocol.rotations=[]"): "data.protocol.rotations of none, z, so3, o3, got none",
    ("data/protocol=rotations", "data.protocol.seed=-1"): "expected data.protocol.seed in [0, 2^32), got -1",
    ("baselines.pca_18.k=1",): "baselines.pca_18: expected at least 3 neighbours, got 1",
    ("data.tested=0",): "expected at least one test cloud, got none",
}

EVALUATING = {
    "ckpt_path=run/checkpoints/best.ckpt": "got ckpt_path",
    "data=tiny": "expected a value for checkpoint",
    "checkpoint=foo": "a file or one of fast, best, pca, robust_pca, jet, open3d, got foo",
    "checkpoint=a/foo.ckpt": "got a/foo.ckpt, which is none",
    "chekpoint=pca": "(did you mean checkpoint?)",
    "seed=-1": "expected a value for checkpoint",
    "data=null": "expected data to be one of folder, modelnet40, pcpnet, shapes",
    "folder=elsewhere": "expected hydra.run.dir=DIR to name the folder of a run, got folder=elsewhere",
}


def assert_one_line(ended: tuple[int, str, str], expected: str) -> None:
    code, _, err = ended
    assert code == 2
    assert err.count("\n") == 1, err
    assert err.startswith("error: ")
    assert expected in err


@pytest.mark.parametrize("override", TRAINING)
def test_training_mistakes(app: App, override: str) -> None:
    assert_one_line(app("train", "experiment=tiny", override), TRAINING[override])
    assert Path("outputs").exists() == (override in WHILE_TRAINING)


def test_profiles_are_measured_on_whole_clouds_in_training_too() -> None:
    backbone = PointNet2(widths=(8, 8), radii=(1.5,), features=PlaneFeatures((), variation_profile=True))
    estimator = NormalEstimator(LearnedFrames(), backbone, VectorHead)
    module, cfg = SimpleNamespace(estimator=estimator), OmegaConf.create({"data": {"samples": {"profile": False}}})
    with pytest.raises(UserError, match=r"expected data\.samples\.profile=true .*, got false"):
        check_profile(cfg, module)
    cfg.data.samples.profile = True
    check_profile(cfg, module)


@pytest.mark.parametrize("overrides", ABOUT_THE_TEST)
def test_mistakes_about_the_test_are_told_before_training(app: App, overrides: tuple[str, ...]) -> None:
    assert_one_line(app("train", "experiment=tiny", *overrides), ABOUT_THE_TEST[overrides])
    assert not list(Path("outputs/tiny").glob("*/metrics.csv"))


@pytest.mark.parametrize("accelerator", ["auto", "gpu", "mps"])
def test_gpus_without_float64_are_not_used(app: App, accelerator: str, monkeypatch: pytest.MonkeyPatch) -> None:
    apple = "pytorch_lightning.accelerators.mps.MPSAccelerator"
    monkeypatch.setattr(f"{apple}.is_available", lambda: True)
    monkeypatch.setattr(f"{apple}.get_parallel_devices", lambda _: [torch.device("mps", 0)])
    monkeypatch.setattr(f"{apple}.parse_devices", lambda _: [0])
    chosen = ("trainer.max_steps=1", "test=false", f"trainer.accelerator={accelerator}")
    ended = app("train", "experiment=tiny", *chosen)
    if accelerator == "auto":
        assert ended[0] == 0
    else:
        assert_one_line(ended, "expected a CPU or a CUDA GPU, got mps: the geometry needs float64; trainer=cpu")


@pytest.mark.parametrize("device", ["meta", "xla", "cpu:0x", "cuda:", "gpu", "vulkan"])
def test_devices_that_are_none(app: App, device: str) -> None:
    ended = app("evaluate", "data=tiny", "checkpoint=pca", f"device='{device}'")
    assert_one_line(ended, f"expected device to be auto, cpu, cuda or cuda:NUMBER, got {device}")


def test_a_tracker_that_is_not_installed(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    ended = app("train", "experiment=tiny", "logger=wandb")
    assert_one_line(ended, "expected wandb for logger=wandb, got none; pip install 'tensorframes[wandb]'")


def test_a_device_that_this_machine_lacks(app: App) -> None:
    ended = app("evaluate", "data=tiny", "checkpoint=pca", "device=cuda:99")
    assert_one_line(ended, "expected device to be auto, cpu or one that this machine has, got cuda:99")


PCPNET = ("experiment=tiny", "data=pcpnet", "data.root=clouds", "data.train_list=train", "data.sources=[]")


@pytest.mark.parametrize(
    ("name", "expected"),
    [("al", "expected one of the lists all, train, got al"), ("all", "list all names, no absent.xyz, absent.normals")],
)
def test_a_test_list_is_read_before_training(app: App, tmp_path: Path, name: str, expected: str) -> None:
    (tmp_path / "clouds").mkdir()
    rows = np.random.default_rng(0).normal(size=(50, 3))
    for cloud in ("one", "two"):
        np.savetxt(tmp_path / "clouds" / f"{cloud}.xyz", rows)
        np.savetxt(tmp_path / "clouds" / f"{cloud}.normals", rows)
    for file, names in (("train.txt", "one\ntwo\n"), ("all.txt", "one\nabsent\n")):
        (tmp_path / "clouds" / file).write_text(names)
    code, _, err = app("train", *PCPNET, f"data.test_list={name}")
    assert code == 2
    assert [line for line in err.splitlines() if line.startswith("error: ")] == [err.splitlines()[-1]], err
    assert expected in err.splitlines()[-1]
    assert not list(Path("outputs/tiny").glob("*/metrics.csv"))


@pytest.mark.parametrize("override", EVALUATING)
def test_evaluation_mistakes(app: App, override: str) -> None:
    assert_one_line(app("evaluate", "data=tiny", override), EVALUATING[override])
    assert not Path("outputs").exists()


def test_a_mistake_leaves_what_was_in_the_folder_before(app: App, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    assert app("train", "experiment=tiny", f"hydra.run.dir={tmp_path}", "seed=-1")[0] == 2
    assert (tmp_path / "notes.txt").is_file()


@pytest.mark.parametrize("name", [".", "mine/run"])
def test_a_mistake_leaves_a_folder_that_the_user_named(app: App, tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir(parents=True, exist_ok=True)
    assert app("train", "experiment=tiny", f"hydra.run.dir={name}", "seed=-1")[0] == 2
    assert (tmp_path / name).is_dir()


def test_a_folder_that_another_process_has_is_not_removed(tmp_path: Path) -> None:
    (tmp_path / "run.log").touch()
    (tmp_path / ".lock").write_text("process 1 on another machine")
    assert not is_unused(tmp_path)
    (tmp_path / ".lock").unlink()
    assert is_unused(tmp_path)


def test_an_evaluation_without_its_data_leaves_nothing(app: App, tmp_path: Path) -> None:
    ended = app("evaluate", "data=pcpnet", "data.root=absent", "data.sources=[]", "checkpoint=pca")
    assert_one_line(ended, "absent")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("~data.protocol", "expected data.protocol to be a component with a _target_, got none"),
        ("~device", "expected device to be a text, got none: it was deleted"),
        ("~methods", "expected checkpoint to be a file or one of fast, best, got pca"),
    ],
)
def test_settings_deleted_from_an_evaluation(app: App, override: str, expected: str) -> None:
    assert_one_line(app("evaluate", "data=tiny", "checkpoint=pca", override), expected)


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("callbacks.early_stopping.monitor=foo", "monitor to be val/rmse or val/rmse/CATEGORY, got foo"),
        ("data.validated=0", "expected validation clouds for callbacks.early_stopping, got none"),
        ("trainer.limit_val_batches=0", "expected validation clouds for callbacks.early_stopping, got none"),
    ],
)
def test_early_stopping_that_cannot_judge(app: App, override: str, expected: str) -> None:
    assert_one_line(app("train", "experiment=tiny", "callbacks=early_stopping", override), expected)


def test_a_batch_that_devices_cannot_share(app: App) -> None:
    ended = app("train", "experiment=tiny", "trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=3")
    assert_one_line(ended, "expected loader.batch_size to be a multiple of the 3 devices, got 4")


def test_quoted_paths_are_taken(app: App, tmp_path: Path) -> None:
    odd = tmp_path / "my data, a=b"
    ended = app("evaluate", "data=pcpnet", f'data.root="{odd}"', "data.sources=[]", "checkpoint=pca")
    assert_one_line(ended, "my data, a=b")


def test_a_failed_run_ends_with_1_and_a_traceback(app: App) -> None:
    code, _, err = app("train", "experiment=tiny", "+callbacks.broken._target_=standin.Broken")
    assert code == 1
    assert "ZeroDivisionError" in err
    assert "Traceback" in err
    (log,) = Path("outputs/tiny").glob("*/run.log")
    assert "ZeroDivisionError" in log.read_text()


def test_full_errors_on_request(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    code, _, err = app("train", "experiment=tiny", "trainer.foo=1")
    assert code == 2
    assert "Traceback" in err


def test_a_sweeps_other_jobs_run_when_one_fails(app: App) -> None:
    code, _, err = app("train", "experiment=tiny", "-m", "trainer.max_steps=0,1", "test=false")
    assert code == 2
    assert err.count("error:") == 1
    (csv,) = Path("multirun").glob("*/*/metrics.csv")
    assert csv.parent.name == "1"
