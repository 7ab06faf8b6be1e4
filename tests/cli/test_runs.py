"""Whole runs: what they leave, that they repeat themselves, continue, share their work, and are scored again alike."""

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from tensorframes.cli.checkpoint import read_checkpoint
from tensorframes.cli.equivariance import STORED
from tests.cli.wandb_file import sent
from tests.reports.pages import Page

App = Callable[..., tuple[int, str, str]]
LEFT = {".lock", "command.yaml", "config.yaml", "metrics.csv", "metrics.json", "errors.png", "run.log", "checkpoints"}


def only_run(name: str, top: str = "outputs") -> Path:
    (folder,) = Path(top, name).iterdir()
    return folder


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


def test_scores_of_a_run_that_is_trained_further_are_kept_under_another_name(app: App) -> None:
    few = ("experiment=tiny", "test_clouds=1", "trainer.max_steps=1", "hydra.run.dir=run")
    assert app("train", *few)[0] == 0
    before = Path("run/metrics.json").read_text()
    further = ("train", "experiment=tiny", "ckpt_path=run/checkpoints/last.ckpt", "trainer.max_steps=2", "test=false")
    code, out, err = app(*further)
    assert err == ""
    assert (code, "scores after 1 step are in metrics_1.json" in out) == (0, True)
    assert not Path("run/metrics.json").exists()
    assert Path("run/metrics_1.json").read_text() == before
    assert Path("run/errors_1.png").is_file()
    assert app(*further[:-1], "test=true")[0] == 0
    assert Path("run/metrics.json").is_file()


def test_a_run_leaves_one_folder_and_its_checkpoint_scores_alike_alone(app: App) -> None:
    code, out, err = app("train", "experiment=tiny")
    folder = only_run("tiny")
    assert (code, err) == (0, "")
    assert {path.name for path in folder.iterdir()} == LEFT
    assert {path.name for path in (folder / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt"}
    assert "PCA 112" in out
    assert "points" in out
    trained = json.loads((folder / "metrics.json").read_text())
    assert set(trained["baselines"]) == {"PCA 18", "PCA 112"}
    assert "PCA 112" in (folder / "run.log").read_text()

    code, _, err = app("evaluate", "data=tiny", f"checkpoint={folder}/checkpoints/best.ckpt", "trusted=[standin]")
    assert (code, err) == (0, "")
    scored = json.loads((only_run("evaluate") / "metrics.json").read_text())
    assert scored["average"]["rmse"] == pytest.approx(trained["average"]["rmse"], rel=1e-5)


def test_equivariance_is_measured_and_told(app: App) -> None:
    assert app("train", "experiment=tiny", "test=false")[0] == 0
    trained = f"checkpoint={only_run('tiny')}/checkpoints/last.ckpt"
    largest = []
    for name, checkpoint in (("none", trained), ("exact", "checkpoint=pca")):
        trust = "trusted=[standin]"
        given = ("data=tiny", checkpoint, trust, "equivariance=true", "report=true", f"name={name}")
        code, out, _ = app("evaluate", *given)
        assert code == 0
        assert "RMSE change" in out
        found = json.loads((only_run(name) / "metrics.json").read_text())
        largest.append([max(cloud["p99_9"] for cloud in found[key].values()) for key in STORED])
    results = json.loads((only_run("none") / "metrics.json").read_text())
    assert results["lie_derivative"]["anew"]["normal"] > 0.1
    assert (only_run("none") / "lie_derivative.png").stat().st_size > 1000
    assert not (only_run("exact") / "lie_derivative.png").exists()  # of a network only
    network, pca = (Page(only_run(name) / "report.html") for name in ("none", "exact"))
    assert network.drawings["errors"]["panels"] == ["network", "PCA 18"]
    assert pca.drawings["errors"]["panels"] == ["PCA 18"]
    assert list(results["baselines"]) == ["PCA 18"]
    assert "stored in float64" in network.text
    assert ("Where equivariance is lost" in network.text, "Where equivariance is lost" in pca.text) == (True, False)
    assert min(largest[0]) > 10  # a perceptron on positions
    assert largest[1][0] < 0.1
    assert largest[1][1] < 0.01 * largest[1][0]


def test_pcpnets_clouds_are_told_how_far_they_are_from_published_scores(app: App, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    names = ["sphere100k", "cylinder100k_ddist_minmax"]
    for name in names:
        normal = rng.normal(size=(200, 3))
        normal /= np.linalg.norm(normal, axis=1, keepdims=True)
        np.savetxt(tmp_path / f"{name}.xyz", normal)
        np.savetxt(tmp_path / f"{name}.normals", normal)
        np.savetxt(tmp_path / f"{name}.pidx", np.arange(20), fmt="%d")
    (tmp_path / "testset_all.txt").write_text("\n".join(names))
    (tmp_path / "published.csv").write_text("cloud,rmse\nsphere100k,0.8\ncube100k,1\n")
    given = ("data=pcpnet", f"data.root={tmp_path}", f"published={tmp_path / 'published.csv'}")
    code, out, _ = app("evaluate", "checkpoint=pca", "methods.pca.k=112", *given)
    assert code == 0
    assert "published RMSE of 1 of 2 clouds: " in out
    found = json.loads((only_run("evaluate") / "metrics.json").read_text())
    measured = found["per_cloud"]["sphere100k"]["rmse"]
    assert found["published_differences"] == {"sphere100k": pytest.approx(measured - 0.8)}


def test_no_name_holds_what_overrides_cannot_take(app: App, tmp_path: Path) -> None:
    assert (
        app("train", "-m", "experiment=tiny", "optimizer.lr=0.001,0.002", "trainer.max_steps=1", "test=false")[0] == 0
    )
    made = [path.relative_to(tmp_path) for path in tmp_path.rglob("*")]
    assert {path.name for path in only_run("", "multirun").iterdir()} == {"0", "1", "multirun.yaml"}
    assert not [path for path in made if set("=, ") & set(str(path))]


def test_the_test_may_be_of_some_clouds_alone(app: App) -> None:
    code, out, _ = app("train", "experiment=tiny", "trainer.max_steps=1", "test_clouds=1")
    assert code == 0
    assert "1 of the 2 test clouds will be scored" in out
    assert json.loads((only_run("tiny") / "metrics.json").read_text())["average"]["clouds"] == 1


def test_the_checkpoint_that_a_folder_is_taken_for_depends_on_its_use(app: App) -> None:
    assert app("train", "experiment=tiny", "trainer.max_steps=1", "test=false", "hydra.run.dir=run")[0] == 0
    for command, setting, name in (
        (("train", "experiment=tiny"), "ckpt_path", "last"),
        (("train", "experiment=tiny"), "start_from", "best"),
        (("evaluate", "data=tiny"), "checkpoint", "best"),
    ):
        code, _, err = app(*command, f"{setting}=./run")
        assert code == 2
        assert err.endswith(f"which is a folder; that of the run there is run/checkpoints/{name}.ckpt\n")


def test_an_evaluation_replaces_nothing_of_a_training_run(app: App) -> None:
    assert app("train", "experiment=tiny", "trainer.max_steps=1", "test=false", "hydra.run.dir=run")[0] == 0
    before = Path("run/config.yaml").read_bytes()
    code, _, err = app("evaluate", "data=tiny", "checkpoint=pca", "hydra.run.dir=run")
    assert (code, err) == (2, "error: expected hydra.run.dir to be a folder without a training run, got run\n")
    assert (Path("run/config.yaml").read_bytes(), Path("run/metrics.json").exists()) == (before, False)
    for _ in range(2):
        assert app("evaluate", "data=tiny", "checkpoint=pca", "hydra.run.dir=scores")[0] == 0


def test_scores_of_some_clouds_alone(app: App) -> None:
    code, out, _ = app("evaluate", "data=tiny", "checkpoint=pca", "test_clouds=1")
    assert code == 0
    assert "1 of the 2 test clouds is scored" in out
    assert json.loads((only_run("evaluate") / "metrics.json").read_text())["average"]["clouds"] == 1
    code, _, err = app("evaluate", "data=tiny", "checkpoint=pca", "test_clouds=0")
    assert (code, err) == (2, "error: expected test_clouds >= 1 or null, got 0\n")


def test_the_cost_of_a_run_is_in_its_metrics(app: App) -> None:
    assert app("train", "experiment=tiny", "trainer.max_steps=3")[0] == 0
    cost = json.loads((only_run("tiny") / "metrics.json").read_text())["training"]
    assert cost["steps"] == 3
    assert 0 < cost["seconds_per_step"] < 10
    assert cost["peak_memory_bytes"] > 1e7
    assert cost["parameters"]["total"] == sum(n for name, n in cost["parameters"].items() if name != "total") > 0
    assert float(rows_of(only_run("tiny"))[-1]["cost/seconds_per_step"]) == pytest.approx(cost["seconds_per_step"])


def test_training_may_be_of_some_clouds_alone(app: App) -> None:
    few = ("experiment=tiny", "trainer.max_steps=1", "test=false")
    assert app("train", *few, "data.train_clouds=0.5")[0] == 0
    for wrong in ("7", "0", "1.5", "few", "true"):
        code, _, err = app("train", *few, f"data.train_clouds={wrong}")
        assert (code, err.count("\n")) == (2, 1), err
        assert "expected data.train_clouds to be a number of clouds from 1 to 6 or a share in (0, 1], got" in err


def test_without_validation_clouds_the_last_weights_are_scored(app: App, recwarn: pytest.WarningsRecorder) -> None:
    code, out, err = app("train", "experiment=tiny", "data.validated=0")
    assert (code, err) == (0, "")
    assert "no validation clouds: last.ckpt is scored" in out
    assert not [warning for warning in recwarn if "across ranks is zero" in str(warning.message)]
    folder = only_run("tiny")
    assert [path.name for path in (folder / "checkpoints").iterdir()] == ["last.ckpt"]
    assert read_checkpoint(folder / "checkpoints" / "last.ckpt")["global_step"] == 12
    assert (folder / "metrics.json").is_file()


def test_a_run_that_does_not_improve_stops_early_and_is_scored(app: App) -> None:
    stopping = ("callbacks=early_stopping", "callbacks.early_stopping.patience=1")
    settings = ("+callbacks.early_stopping.min_delta=1000", "trainer.max_steps=40")
    assert app("train", "experiment=tiny", *stopping, *settings)[0] == 0
    folder = only_run("tiny")
    assert [int(row["step"]) for row in rows_of(folder)][-1] == 10
    assert read_checkpoint(folder / "checkpoints" / "last.ckpt")["global_step"] == 10
    assert (folder / "metrics.json").is_file()


def test_a_patience_longer_than_the_run_is_told(app: App) -> None:
    for patience, told in ((1, False), (2, True)):
        stopping = ("callbacks=early_stopping", f"callbacks.early_stopping.patience={patience}", "test=false")
        code, out, _ = app("train", "experiment=tiny", *stopping)
        assert code == 0
        assert ("callbacks.early_stopping cannot stop before step 15, and there are 12" in out) == told


WITHOUT_EFFECT = (
    *("+trainer.limit_train_batches=1.0", "+trainer.overfit_batches=0.0", "+trainer.fast_dev_run=false"),
    *("trainer.check_val_every_n_epoch=1", "+trainer.max_epochs=-1", "+trainer.min_epochs=0"),
)
"""Lightning's defaults, and other values that leave training one endless epoch."""


def test_a_run_repeats_itself_exactly_and_trains(app: App) -> None:
    for name, defaults in (("one", ()), ("two", WITHOUT_EFFECT)):
        settings = ("data/augmentation=off", "optimizer.lr=0.05", "trainer.max_steps=40", "test=false")
        seldom = ("trainer.val_check_interval=20", "callbacks.last.every_n_train_steps=40")
        assert app("train", "experiment=tiny", f"name={name}", *settings, *seldom, *defaults)[0] == 0
    one, two = rows_of(only_run("one")), rows_of(only_run("two"))
    assert one == two
    losses = [float(row["train/loss"]) for row in one]
    assert sum(losses[-4:]) < 0.9 * sum(losses[:4])


def assert_continues_to(whole: list[dict[str, str]], app: App, folder: Path) -> None:
    """The run in the folder goes on from its last checkpoint, and ends with the rows of an undisturbed one."""
    trust = "trusted=[standin]"
    assert app("train", trust, f"ckpt_path={folder}/checkpoints/last.ckpt", "++callbacks.ending=null")[0] == 0
    assert list(folder.parent.iterdir()) == [folder]
    rows = rows_of(folder)
    assert [row["train/loss"] for row in rows] == [row["train/loss"] for row in whole]
    assert rows[-1] == whole[-1]  # the averaged weights' validation, too


LOADED = ("experiment=tiny", "test=false", "loader.workers=1")


def test_what_a_killed_run_leaves_continues_as_if_nothing_had_happened(app: App) -> None:
    copied = "+callbacks.ending={_target_:standin.Copied,folder:'${folder}',steps:[7,10]}"
    assert app("train", *LOADED, copied)[0] == 0
    folder = only_run("tiny")
    whole = rows_of(folder)
    for step in (7, 10):
        shutil.rmtree(folder)
        shutil.move(f"left_after_{step}", folder)
        assert len(rows_of(folder)) < len(whole)
        assert_continues_to(whole, app, folder)


@pytest.mark.slow
def test_a_killed_run_continues_as_if_nothing_had_happened(process: App, app: App) -> None:
    assert process(*LOADED, "+callbacks.ending={_target_:standin.Killer,step:10}", "name=killed")[0] == -9
    assert app("train", *LOADED, "name=whole")[0] == 0
    assert_continues_to(rows_of(only_run("whole")), app, only_run("killed"))


@pytest.mark.slow
def test_two_processes_train_as_one_into_one_folder(process: App, app: App) -> None:
    def settings(name: str) -> tuple[str, ...]:
        kept = f"+callbacks.kept={{_target_:standin.Gradients,path:{name}.pt}}"
        return ("experiment=tiny", "model.dropout=0", "trainer.max_steps=6", f"name={name}", kept)

    assert process(*settings("two"), "trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2")[0] == 0
    assert app("train", *settings("one"))[0] == 0
    gradients = [torch.load(f"{name}.pt") for name in ("two", "one")]
    torch.testing.assert_close(*gradients, rtol=1e-5, atol=1e-8)
    assert all(gradient.any() for gradient in gradients[0].values())
    two, one = only_run("two"), only_run("one")
    assert {path.name for path in two.iterdir()} == LEFT
    for row, other in zip(rows_of(two), rows_of(one), strict=True):
        learned, alone = (
            {key: float(value) for key, value in each.items() if value and not key.startswith("cost/")}
            for each in (row, other)
        )
        assert learned == pytest.approx(alone, rel=1e-4)
    scores = [json.loads((folder / "metrics.json").read_text())["average"]["rmse"] for folder in (two, one)]
    assert scores[0] == pytest.approx(scores[1], rel=1e-5)


def test_wandb_groups_and_tags_the_runs_of_a_sweep_and_a_continued_one_stays_the_same(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    given = ("experiment=tiny", "logger=wandb", "trainer.max_steps=1", "test_clouds=1", "baselines.pca_112=null")
    assert app("train", "-m", *given, "data/augmentation=o3")[0] == 0
    (sweep,) = Path("multirun").iterdir()
    folder = sweep / "0"
    run, config, summary = sent(folder / "wandb")
    assert (run["group"], "data/augmentation=o3" in run["name"]) == (sweep.name, True)
    expected = [
        "trained=o3",
        "frames=learned_small",
        "messages=tensor",
        "backbone=pointnet2_small",
        "features=planes",
        "seed=0",
    ]
    assert set(run["tags"]) == set(expected)
    assert config["choices"]["data/augmentation"] == "o3"
    metrics = json.loads((folder / "metrics.json").read_text())
    assert summary["test/rmse"] == pytest.approx(metrics["average"]["rmse"])
    assert summary["baselines/PCA 18/test/rmse"] == pytest.approx(metrics["baselines"]["PCA 18"]["average"]["rmse"])
    assert summary["parameters"] > 0
    assert list((folder / "wandb").rglob("test/errors*.png"))

    last = folder / "checkpoints" / "last.ckpt"
    assert app("train", f"ckpt_path={last}", "trainer.max_steps=2", "trusted=[standin]", "test=false")[0] == 0
    assert sent(folder / "wandb").run == run


def test_a_run_that_was_ended_before_its_test_is_scored_without_another_step(app: App) -> None:
    assert app("train", "experiment=tiny")[0] == 0
    folder = only_run("tiny")
    scores, rows = (folder / "metrics.json").read_text(), rows_of(folder)
    (folder / "metrics.json").unlink()
    assert app("train", f"ckpt_path={folder}/checkpoints/last.ckpt", "trusted=[standin]")[0] == 0
    found, expected = json.loads((folder / "metrics.json").read_text()), json.loads(scores)
    assert found["average"]["rmse"] == expected["average"]["rmse"]
    kept = [[(row["step"], row["train/loss"], row["test/rmse"]) for row in each] for each in (rows_of(folder), rows)]
    assert kept[0] == kept[1]


def test_wandb_without_an_account_is_offline_and_silent(
    app: App, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    for name in ("WANDB_MODE", "WANDB_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    code, _, err = app("train", "experiment=tiny", "logger=wandb", "test=false", "trainer.max_steps=2")
    folder = only_run("tiny")
    assert (code, err) == (0, "")
    assert len(rows_of(folder)) == 2
    (run,) = (folder / "wandb").glob("offline-run-*")
    assert list(run.rglob("*.pts.json"))
