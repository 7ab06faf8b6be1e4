"""Parts of one's own from a package outside the repository: named by ``_target_``, found with one flag."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tensorframes.normals import about
from tests.cli.commands import Ended, run_command, run_script

PARTS = """
from collections.abc import Sequence

import numpy as np

from tensorframes.backbones import PointNet
from tensorframes.data import Cloud
from tensorframes.frames import NearestNeighbourFrames
from tensorframes.training import UnorientedLoss


class Backbone(PointNet):
    def __init__(self, messages, width: int = 8) -> None:
        super().__init__(messages, widths=(8, width), pooled=8, neighbours=4)


class OwnFrames(NearestNeighbourFrames):
    def __init__(self) -> None:
        super().__init__("so", candidates=4)


class Balls(Sequence):
    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Cloud:
        if index >= self.count:
            raise IndexError(index)
        normal = np.random.default_rng(index).normal(size=(60, 3)).astype("f4")
        normal /= np.linalg.norm(normal, axis=1, keepdims=True)
        return Cloud(f"ball{index}", 2 * normal, normal, category="no_noise")


class Clouds:
    def __init__(self, count: int = 2) -> None:
        self.train = self.val = self.test = Balls(count)


class Short:
    def __init__(self, count: int = 2) -> None:
        self.train = Balls(count)


class Pairs(Balls):
    def __getitem__(self, index: int):
        cloud = super().__getitem__(index)
        return cloud.pos, cloud.normal


class PairClouds(Clouds):
    def __init__(self, count: int = 2) -> None:
        super().__init__()
        self.train = Pairs(count)


class Holes(Balls):
    def __getitem__(self, index: int) -> Cloud:
        return Cloud("holes", np.full((60, 3), np.nan), np.ones((60, 3)))


class HoleClouds(Clouds):
    def __init__(self, count: int = 2) -> None:
        super().__init__()
        self.train = Holes(count)


class Narrow(Backbone):
    def forward(self, *given):
        x, frames = super().forward(*given)
        return x[:, 1:], frames


class Featureless(Backbone):
    def forward(self, *given):
        return super().forward(*given)[0]


class Matrices(OwnFrames):
    def forward(self, *given):
        return super().forward(*given).matrices


class Any:
    def __init__(self, **given) -> None:
        pass


class Many(UnorientedLoss):
    def forward(self, prediction, batch):
        return prediction.normal.sum(-1)


class Wide(Backbone):
    def forward(self, *given):
        x, frames = super().forward(*given)
        return x.double(), frames


class Constant(UnorientedLoss):
    def forward(self, prediction, batch):
        return super().forward(prediction, batch).detach()


class HoleTestClouds(Clouds):
    def __init__(self, count: int = 2) -> None:
        super().__init__()
        self.test = Holes(count)


class HoleValidationClouds(Clouds):
    def __init__(self, count: int = 2) -> None:
        super().__init__()
        self.val = Holes(count)


class Same(Balls):
    def __getitem__(self, index: int) -> Cloud:
        return super().__getitem__(0)


class SameTestClouds(Clouds):
    def __init__(self, count: int = 2) -> None:
        super().__init__()
        self.test = Same(count)


class NoTestClouds(Clouds):
    def __init__(self, count: int = 2) -> None:
        super().__init__()
        self.test = Pairs(count)


def nothing(*given, **named):
    return {}


class Loss(UnorientedLoss):
    def forward(self, *given):
        print("the loss of one's own")
        return super().forward(*given)
"""
CONFIGS = {
    "backbone/own.yaml": "_target_: plugin_parts.Backbone\nmessages: ${messages}\nwidth: 8\n",
    "frames/own.yaml": "_target_: plugin_parts.OwnFrames\n",
    "data/own.yaml": "defaults: [augmentation: o3, corruption: none, samples: patches, protocol: categories, _self_]\n"
    "_target_: plugin_parts.Clouds\ncount: 2\n",
    "task/own.yaml": "head: {_target_: tensorframes.normals.VectorHead, _partial_: true}\noriented: false\n"
    "loss: {_target_: plugin_parts.Loss, iterates_weight: 0.0}\n",
}
OWN = ("backbone=own", "frames=own", "data=own", "task=own")
SHORT = ("trainer=cpu", "trainer.max_steps=2", "loader.workers=0", "baselines=null")


WITH_CONFIGS = ("--config-dir", "my configs")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a run, in a folder where the package lies, which is not installed."""
    home = tmp_path_factory.mktemp("home")
    for name, text in {"plugin_parts/__init__.py": PARTS, **{f"my configs/{k}": v for k, v in CONFIGS.items()}}.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        patch.setattr(sys, "path", [*sys.path])
        ended = run_command("train", *WITH_CONFIGS, *OWN, *SHORT, "name=own")
        assert ended.code == 0, ended.err
        assert "the loss of one's own" in ended.out
        (folder,) = Path("outputs/own").iterdir()
        yield folder
    sys.modules.pop("plugin_parts", None)


def test_a_run_continues_and_begins(run: Path) -> None:
    more = ("train", *WITH_CONFIGS, *OWN, *SHORT, "test=false")
    assert run_command(*more, f"start_from={run}/checkpoints/best.ckpt").code == 0
    again = ("train", f"ckpt_path={run}/checkpoints/last.ckpt", "trainer.max_steps=3", "test=false")
    assert_told_of_trust(run_command(*again))
    assert run_command(*again, "trusted=[plugin_parts]").code == 0


def test_a_checkpoint_is_scored_and_used(run: Path) -> None:
    best = run / "checkpoints" / "best.ckpt"
    assert run_command("evaluate", *WITH_CONFIGS, "data=own", f"checkpoint={best}").code == 0
    np.savetxt("scan.xyz", np.random.default_rng(0).normal(size=(50, 3)))
    used = ("normals", "scan.xyz", "out.xyz", "--weights", best, "--device", "cpu")
    assert_told_of_trust(run_command(*used))
    ended = run_command(*used, "--trusted", "plugin_parts")
    assert ended.code == 0, ended.err
    assert re.fullmatch(r"out\.xyz: normals of 50 points in [\d.]+ s; fewer than 300 points: .*\n", ended.out)


def test_normals_finds_the_package_in_the_folder_it_is_started_in(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path not in ("", str(Path.cwd()))])
    for name in [name for name in sys.modules if name.partition(".")[0] == "plugin_parts"]:
        monkeypatch.delitem(sys.modules, name)
    np.savetxt("scan.xyz", np.random.default_rng(0).normal(size=(50, 3)))
    weights = ("--weights", run / "checkpoints" / "best.ckpt", "--trusted", "plugin_parts")
    ended = run_command("normals", "scan.xyz", "new.xyz", *weights, "--device", "cpu")
    assert (ended.code, ended.err) == (0, "")


def assert_told_of_trust(ended: Ended) -> None:
    assert (ended.code, ended.err.count("\n")) == (2, 1), ended.err
    assert "expected a class of tensorframes, torch" in ended.err
    assert "trust plugin_parts: 'trusted=[plugin_parts]'" in ended.err


def test_mistakes_name_the_settings_of_ones_own(run: Path) -> None:
    for override, message in {
        "backbone.widht=3": "expected a setting of backbone, one of messages, width; got widht (did you mean width?)",
        "backbone=owm": ", own, ",
        "backbone.width=wide": "expected backbone.width to be a whole number, got 'wide'",
    }.items():
        code, _, err = run_command("train", *WITH_CONFIGS, *OWN, override)
        assert (code, err.count("\n")) == (2, 1), err
        assert message in err


def test_a_checkpoint_is_exported_as_weights(run: Path) -> None:
    best = run / "checkpoints" / "best.ckpt"
    assert_told_of_trust(run_command("export", best, "own.safetensors"))
    ended = run_command("export", best, "own.safetensors", "--trusted", "plugin_parts")
    assert (ended.code, ended.err) == (0, "")
    assert about("own.safetensors")["experiment"] == "own"
    again = ("export", "own.safetensors", "again.safetensors", "--trusted", "plugin_parts")
    assert run_command(*again).code == 0
    assert about("again.safetensors") == about("own.safetensors")


def test_scripts_take_a_checkpoint_of_ones_own(run: Path) -> None:
    best = run / "checkpoints" / "best.ckpt"
    assert_told_of_trust(run_script("draw_errors", best, 0, "errors.png"))
    ended = run_script("draw_errors", best, 99, "errors.png", "--trusted", "plugin_parts")
    assert "expected a shape from 0 to " in ended.err


def test_mistakes_behind_an_experiment_of_ones_own_name_its_settings(run: Path) -> None:
    experiment = Path("my configs/experiment/whole.yaml")
    experiment.parent.mkdir(exist_ok=True)
    experiment.write_text("# @package _global_\ndefaults: [override /backbone: own]\n")
    ended = run_command("train", *WITH_CONFIGS, "experiment=whole", "backbone.widht=3")
    assert "one of messages, width; got widht" in ended.err
    ended = run_command("train", "-m", *WITH_CONFIGS, "backbone=own,pointnet", "backbone.widht=3")
    assert "one of messages, width; got widht" in ended.err


@pytest.mark.parametrize(
    ("part", "kind", "message"),
    [
        ("data", "Short", "data: expected a dataset with train, val, test, got Short without val and test"),
        ("data", "PairClouds", r"expected a Cloud as item \d of Pairs, got tuple"),
        ("data", "HoleClouds", "holes: expected finite pos, got NaN or infinity"),
        ("backbone", "Narrow", r"expected features \(\d+, 8\) from Narrow.forward, got shape \(\d+, 7\)"),
        ("backbone", "Featureless", "expected features and Frames from Featureless.forward, got Tensor"),
        ("backbone", "Any", "model: expected a subclass of Backbone, got Any"),
        ("frames", "Matrices", "expected Matrices to return Frames, got Tensor"),
        ("frames", "Any", "model: expected a subclass of FrameFinder, got Any"),
        ("backbone", "Wide", "expected features of torch.float32 from Wide.forward, got torch.float64"),
        ("task.loss", "Many", r"expected one number from Many, got shape \(\d+,\)"),
        (
            "task.loss",
            "Constant",
            "expected a loss with a gradient from Constant, got one that does not depend on the weights",
        ),
        ("+callbacks.mine", "Any", "callbacks.mine: expected an instance of Callback, got Any"),
        ("+logger.mine", "Any", "logger.mine: expected an instance of Logger, got Any"),
        ("optimizer", "nothing", "optimizer: expected an instance of Optimizer, got dict"),
        ("data.augmentation", "Any", "data.augmentation: expected an object with a method draw, got Any"),
        ("data.corruption", "Any", "data.corruption: expected an object with a method draw, got Any"),
    ],
)
def test_a_part_that_is_not_what_it_should_be_is_told(run: Path, part: str, kind: str, message: str) -> None:
    ended = run_command("train", *WITH_CONFIGS, *OWN, *SHORT, "test=false", f"{part}._target_=plugin_parts.{kind}")
    assert ended.code == 2
    assert re.search(f"^error: {message}", ended.err, re.MULTILINE), ended.err


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("HoleValidationClouds", "holes: expected finite pos, got NaN or infinity"),
        ("HoleTestClouds", "holes: expected finite pos, got NaN or infinity"),
        ("SameTestClouds", "expected clouds of different names, got 'ball0' twice"),
    ],
)
def test_clouds_that_cannot_be_scored_are_told_before_the_first_step(run: Path, kind: str, message: str) -> None:
    into = "hydra.run.dir=unscored"
    ended = run_command("train", *WITH_CONFIGS, *OWN, *SHORT, f"data._target_=plugin_parts.{kind}", into)
    assert ended.code == 2
    assert ended.err.endswith(f"error: {message}\n"), ended.err
    assert not Path("unscored/config.yaml").exists()


def test_a_schedule_that_is_none_is_told(run: Path) -> None:
    own = ("schedule._target_=plugin_parts.nothing", "+schedule._partial_=true", "test=false")
    ended = run_command("train", *WITH_CONFIGS, *OWN, *SHORT, *own)
    assert (ended.code, ended.err) == (2, "error: schedule: expected an instance of LRScheduler, got dict\n")


@pytest.mark.parametrize(
    ("part", "kind", "message"),
    [
        ("data", "NoTestClouds", "expected a Cloud as item 0 of Pairs, got tuple"),
        (
            "data.protocol",
            "nothing",
            "data.protocol: expected scores as of tensorframes.scoring.score or score_rotated",
        ),
    ],
)
def test_a_test_that_is_not_what_it_should_be_is_told(run: Path, part: str, kind: str, message: str) -> None:
    ended = run_command("evaluate", *WITH_CONFIGS, "data=own", "checkpoint=pca", f"{part}._target_=plugin_parts.{kind}")
    assert (ended.code, ended.err.count("\n")) == (2, 1), ended.err
    assert ended.err.startswith(f"error: {message}")


def test_a_part_without_a_target_is_told(run: Path) -> None:
    (Path("my configs") / "backbone" / "bare.yaml").write_text("width: 3\n")
    for given, expected in {
        "backbone=bare": "model.backbone to be a backbone",
        "~task.head._target_": "model.head to be a callable",
    }.items():
        ended = run_command("train", *WITH_CONFIGS, *SHORT, "test=false", given)
        assert (ended.code, ended.err) == (2, f"error: expected {expected}, got settings without a _target_\n")


def test_a_configuration_that_is_no_yaml_is_told(run: Path) -> None:
    (Path("my configs") / "backbone" / "broken.yaml").write_text("_target_: a\n b: [\n")
    ended = run_command("train", *WITH_CONFIGS, "backbone=broken")
    assert ended.code == 2
    assert re.fullmatch(r"error: .*broken\.yaml, line 2: expected YAML, got an error: .*\n", ended.err)
