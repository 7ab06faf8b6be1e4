"""The default run and the experiments of the shipped weights configure the shipped networks."""

import json
from collections.abc import Iterator

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf
from safetensors import safe_open

from tensorframes.cli import build, config_dir
from tensorframes.normals import pretrained_path

BACKBONES, FEATURES = (
    sorted(path.stem for path in (config_dir() / group).glob("*.yaml")) for group in ("backbone", "features")
)


@pytest.fixture(autouse=True)
def _configs() -> Iterator[None]:
    GlobalHydra.instance().clear()
    with initialize_config_dir(version_base="1.3", config_dir=str(config_dir())):
        yield


@pytest.mark.parametrize(
    ("experiment", "weights"), [(None, "fast"), ("shapes_fast", "fast"), ("shapes_best_long", "best")]
)
def test_the_recipe_of_shipped_weights(experiment: str | None, weights: str) -> None:
    cfg = compose("train", [] if experiment is None else [f"experiment={experiment}"])
    with safe_open(str(pretrained_path(weights)), framework="pt") as content:
        recipe = json.loads(content.metadata()["model"])
    assert OmegaConf.to_container(cfg.model, resolve=True) == recipe


@pytest.mark.parametrize("features", FEATURES)
@pytest.mark.parametrize("backbone", BACKBONES)
def test_any_backbone_takes_any_features_and_the_head_of_the_best_weights(backbone: str, features: str) -> None:
    cfg = compose("train", ["experiment=shapes_best_long", f"backbone={backbone}", f"features={features}"])
    estimator = build.component(cfg.model, "model")
    assert estimator.head.local_planes is not None
    assert estimator.needs_profile == cfg.data.samples.profile == (features == "planes_profile")
    assert (estimator.head.multiscale_planes is None) == (features in ("constant", "moments"))
