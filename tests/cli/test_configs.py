"""Every configuration of every group, and every experiment, can be composed, passes the checks and can be built."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, OmegaConf, open_dict

from tensorframes.cli import build, config_dir
from tensorframes.cli.beginning import begin_with, with_network
from tensorframes.cli.checks import check_settings
from tensorframes.cli.trained import load_trained
from tensorframes.normals import pretrained

CONFIGS = config_dir()
NOT_BUILT = {"launcher", "experiment", "scale", "target"}  # Hydra's own settings; overrides; of `reproduce`
COMPONENTS = sorted(
    (str(path.parent.relative_to(CONFIGS)), path.stem)
    for path in CONFIGS.rglob("*.yaml")
    if path.parent != CONFIGS and path.parent.name not in NOT_BUILT
)
ADDED = {"data/sampling": ("+data/sampling@data.samplings.own", "data.samplings.own")}  # several of a group at a time
NEEDED = {"data/folder": ["data.root=clouds"], "data/shards": ["data.root=shards"]}


@pytest.fixture
def composed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[object]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_MODE", "disabled")
    GlobalHydra.instance().clear()

    def configuration(name: str, *overrides: str) -> DictConfig:
        cfg = compose(name, [*overrides])
        with open_dict(cfg):
            cfg.folder = str(tmp_path)
            if not any(override.startswith("experiment=") for override in overrides):
                cfg.name = "run"
        return cfg

    with initialize_config_dir(version_base="1.3", config_dir=str(CONFIGS)):
        yield configuration


def check_and_build(cfg: DictConfig, key: str) -> None:
    """The component at ``key``, or each of the components in it."""
    node = OmegaConf.select(cfg, key)
    if key == "data":
        assert build.data_set(cfg) is not None
    elif key == "trainer":
        assert build.component(node, key, logger=False) is not None
    elif "_target_" in node:
        assert build.component(node, key) is not None
    else:
        for name, part in node.items():
            if OmegaConf.is_dict(part):
                assert build.component(part, f"{key}.{name}") is not None


@pytest.mark.parametrize(("group", "name"), COMPONENTS)
def test_every_component(composed: object, group: str, name: str) -> None:
    if (group, name) == ("trainer", "gpu"):
        pytest.importorskip("torch").cuda.is_available() or pytest.skip("no GPU on this machine")
    chosen, key = ADDED.get(group, (group, group.replace("/", ".")))
    cfg = composed("train", f"{chosen}={name}", *NEEDED.get(f"{group}/{name}", []))
    check_settings(cfg)
    check_and_build(cfg, key)


@pytest.mark.parametrize("name", sorted(path.stem for path in (CONFIGS / "experiment").glob("*.yaml")))
def test_every_experiment(composed: object, name: str) -> None:
    cfg, _ = with_network(composed("train", f"experiment={name}"), ())
    check_settings(cfg)
    build.training_module(cfg)
    build.each(cfg.callbacks, "callbacks")
    assert build.data_set(cfg) is not None
    assert cfg.name == name


@pytest.mark.parametrize("data", ["shapes", "shapes_sensors", "pcpnet", "modelnet40"])
def test_evaluation(composed: object, data: str) -> None:
    cfg = composed("evaluate", f"data={data}", "checkpoint=pca")
    check_settings(cfg)
    assert [method.name for method in build.each(cfg.methods, "methods").values()]


@pytest.mark.parametrize("name", [None, *sorted(path.stem for path in (CONFIGS / "experiment").glob("*.yaml"))])
def test_a_default_run_can_stop_early(composed: object, name: str | None) -> None:
    given = [f"experiment={name}"] if name else []
    cfg = composed("train", "callbacks=early_stopping", *given)
    assert set(cfg.callbacks) == {*composed("train", *given).callbacks, "early_stopping"}
    patience = cfg.callbacks.early_stopping.patience
    assert cfg.trainer.val_check_interval * (1 + patience) < cfg.trainer.max_steps


@pytest.mark.parametrize("name", ["fast", "best", "finetune_best", "confidence"])
def test_an_experiment_on_shapes_takes_other_data(composed: object, name: str) -> None:
    check_settings(composed("train", f"experiment={name}", "data=folder", "data.root=clouds"))


@pytest.mark.parametrize(("weights", "experiment"), [("fast", "fast"), ("best", "finetune_best")])
def test_the_weights_are_of_the_network_of_their_experiment(composed: object, weights: str, experiment: str) -> None:
    cfg = composed("train", f"experiment={experiment}")
    module = build.training_module(cfg)
    begin_with(module, load_trained(weights, [], "start_from"), OmegaConf.to_container(cfg.model, resolve=True))
    own, shipped = module.estimator.state_dict(), pretrained(weights).state_dict()
    left_out = shipped.keys() - own.keys()
    assert left_out == {key for key in shipped if key.startswith("head.error.")} != set()
    assert own.keys() <= shipped.keys()
    assert all(torch.equal(value, shipped[key]) for key, value in own.items())
