"""Networks as the configuration builds them, their training batches, and one training step."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, open_dict
from torch_geometric.data import Batch

from benchmarks.harness import torus
from tensorframes.cli import build, config_dir
from tensorframes.data import Cloud, TrainingSamples
from tensorframes.training import NormalTraining, parameter_groups
from tensorframes.training.data import collate

PLAIN = ("frames=identity", "messages=scalar")
TENSOR = ("frames=learned", "messages=tensor")


def configuration(overrides: Sequence[str]) -> DictConfig:
    """The configuration of ``tensorframes train OVERRIDES``."""
    GlobalHydra.instance().clear()
    with initialize_config_dir(version_base="1.3", config_dir=str(config_dir())):
        cfg = compose("train", list(overrides))
    with open_dict(cfg):
        cfg.folder, cfg.name = ".", "bench"
    return cfg


def samples(cfg: DictConfig, clouds: Sequence[Cloud]) -> TrainingSamples:
    """The training samples of these clouds."""
    made: TrainingSamples = build.component(cfg.data.samples, "data.samples", clouds=clouds)
    return made


def tori(count: int, points: int) -> list[Cloud]:
    """Clouds without noise, which training samples add."""
    return [torus(points, seed) for seed in range(count)]


@dataclass
class Trainer:
    """A network in training, without Lightning, and one batch.

    Args:
        module: with the loss and the optimiser. batch: on the module's device.
        bf16: products in bfloat16 (autocast), as in ``trainer.precision=bf16-mixed``.
    """

    module: NormalTraining
    batch: Batch
    bf16: bool = False

    def __post_init__(self) -> None:
        self.optimizer = self.module.optimizer(parameter_groups(self.module.estimator))

    @property
    def labelled(self) -> int:
        """Points of the batch that count in the loss."""
        return int(self.batch.loss_mask.sum())

    def step(self) -> torch.Tensor:
        """Forward, backward, and the optimiser's step; returns the loss."""
        self.optimizer.zero_grad()
        with torch.autocast(self.batch.pos.device.type, torch.bfloat16, enabled=self.bf16):
            loss = self.module.loss_of(self.batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.module.parameters(), 1.0)
        self.optimizer.step()
        return loss.detach()


def trainer(
    overrides: Sequence[str], clouds: Sequence[Cloud], batch_size: int, device: torch.device, bf16: bool = False
) -> Trainer:
    """A network with its first batch of samples of these clouds."""
    cfg = configuration(overrides)
    torch.manual_seed(0)
    module = build.training_module(cfg).to(device).train()
    drawn = samples(cfg, clouds)
    batch = collate([drawn[item] for item in range(batch_size)]).to(device)
    return Trainer(module, batch, bf16)
