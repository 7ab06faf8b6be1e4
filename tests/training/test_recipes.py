"""The experiments configure the networks that they say, and any backbone takes their features and heads."""

from collections.abc import Iterator

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from tensorframes.cli import build, config_dir

BACKBONES, FEATURES = (
    sorted(path.stem for path in (config_dir() / group).glob("*.yaml")) for group in ("backbone", "features")
)

REGIONS = "task.head.initial_selection.sources.region_planes.counts=[[16,40],[16,32]]"  # not those of the features


@pytest.fixture(autouse=True)
def _configs() -> Iterator[None]:
    GlobalHydra.instance().clear()
    with initialize_config_dir(version_base="1.3", config_dir=str(config_dir())):
        yield


def test_the_default_run_trains_the_small_network() -> None:
    default, fast = (compose("train", overrides) for overrides in ([], ["experiment=fast"]))
    assert OmegaConf.to_container(default.model, resolve=True) == OmegaConf.to_container(fast.model, resolve=True)


def test_the_large_network_is_larger() -> None:
    small, large = (
        sum(p.numel() for p in build.component(compose("train", [f"experiment={name}"]).model, "model").parameters())
        for name in ("fast", "best")
    )
    assert small < 0.6 * large


@pytest.mark.parametrize("features", FEATURES)
@pytest.mark.parametrize("backbone", BACKBONES)
def test_any_backbone_takes_any_features_and_the_head_of_the_large_network(backbone: str, features: str) -> None:
    cfg = compose("train", ["experiment=best", f"backbone={backbone}", f"features={features}", REGIONS])
    estimator = build.component(cfg.model, "model")
    assert {"region_planes", "local_planes", "neighbour_planes"} < set(estimator.head.initial_selection.sources)
    assert estimator.needs_profile == cfg.data.samples.profile == features.startswith("planes")
