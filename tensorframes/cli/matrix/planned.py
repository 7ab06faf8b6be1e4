"""The runs of the matrix: each once, whatever the number of blocks it is in, with the overrides that make it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from omegaconf import DictConfig

from tensorframes.cli.matrix.networks import BLOCKS, NETWORKS, Network
from tensorframes.errors import UserError
from tensorframes.scoring import ROTATIONS

BASELINES = ("pca_18", "pca_112")


@dataclass(frozen=True)
class PlannedRun:
    """One run.

    Args:
        name: of its folder. network: its network. backbone: name of it. seed: of the run.
        clouds: number of training clouds; None: all. blocks: of the matrix that it is in.
        overrides: of ``tensorframes train``.
        rotations: of the test, the main one first.
    """

    name: str
    network: Network
    backbone: str
    seed: int
    clouds: int | None
    blocks: tuple[str, ...]
    rotations: tuple[str, ...]
    overrides: tuple[str, ...] = ()


def planned_runs(cfg: DictConfig, given: Sequence[str] = ()) -> list[PlannedRun]:
    """The runs of the blocks in ``cfg.blocks``, in the order of blocks, seeds and networks.

    A run has the same overrides whichever blocks are chosen: blocks can be made one after the other.

    Args:
        cfg: the configuration of ``tensorframes reproduce``. given: further overrides of all runs.

    Raises:
        UserError: a block or a network is unknown.
    """
    check_known("blocks", cfg.blocks, BLOCKS)
    check_known("scale.networks", cfg.scale.networks or (), NETWORKS)
    found: dict[str, PlannedRun] = {}
    firsts = set()
    for block in sorted(BLOCKS, key=lambda name: name not in cfg.blocks):
        for place, run in enumerate(runs_of(cfg, block)):
            before = found.get(run.name, replace(run, blocks=(), rotations=()))
            most = max(before.rotations, run.rotations, key=len)  # the main one, or all
            found[run.name] = replace(before, blocks=(*before.blocks, block), rotations=most)
            if place == 0:
                firsts.add(run.name)
    runs = [run for run in found.values() if set(run.blocks) & set(cfg.blocks)]
    if not runs:
        raise UserError(f"expected runs in the blocks {', '.join(cfg.blocks) or 'none'}, got none")
    chosen = [replace(run, blocks=tuple(block for block in run.blocks if block in cfg.blocks)) for run in runs]
    return [replace(run, overrides=overrides_of(run, cfg, given, run.name in firsts)) for run in chosen]


def check_known(key: str, names: Sequence[str], known: Mapping[str, object]) -> None:
    """Raises UserError if a name is unknown."""
    if unknown := [name for name in names if name not in known]:
        raise UserError(f"expected {key} of {', '.join(known)}, got {unknown[0]}")


def runs_of(cfg: DictConfig, block: str) -> list[PlannedRun]:
    """The runs of a block, without overrides."""
    names = [name for name in BLOCKS[block] if cfg.scale.networks is None or name in cfg.scale.networks]
    backbones = list(cfg.scale.backbones) if block == "backbones" else list(cfg.scale.backbones)[:1]
    sizes: list[int | None] = list(cfg.scale.sizes) if block == "data" else [None]
    seeds = range(cfg.seed, cfg.seed + cfg.scale.seeds[block])
    return [
        planned_run(cfg, block, NETWORKS[name], backbone, clouds, seed)
        for seed in seeds
        for clouds in sizes
        for backbone in backbones
        for name in names
    ]


def planned_run(
    cfg: DictConfig, block: str, network: Network, backbone: str, clouds: int | None, seed: int
) -> PlannedRun:
    """One run of a block. In the block of rotations, and where a few clouds suffice, all rotations are scored."""
    parts = [backbone, network.name, *([] if clouds is None else [f"clouds{clouds}"]), f"seed{seed}"]
    every = block == "rotations" or (network.exact and clouds is None)
    rotations = tuple(dict.fromkeys((cfg.rotation, *(ROTATIONS if every else ()))))
    return PlannedRun("-".join(parts), network, backbone, seed, clouds, (block,), rotations)


def overrides_of(run: PlannedRun, cfg: DictConfig, given: Sequence[str], first: bool) -> tuple[str, ...]:
    """Overrides of ``tensorframes train``; the first run of each block alone scores the baselines, too.

    Those given come last, and of several of one key the last counts.
    """
    few = [] if not run.network.exact else [f"data.protocol.equal_on={cfg.scale.few_clouds}"]
    group = [f"logger.wandb.group={Path(cfg.folder).name}"] if "wandb" in cfg.logger else []
    size = [] if run.clouds is None else [*cfg.scale.narrow, f"++{cfg.scale.sized_by}={run.clouds}"]
    return merged(
        [
            "data=modelnet40",
            *cfg.scale.overrides,
            f"task={cfg.target.task}",
            *cfg.scale.backbones[run.backbone],
            *run.network.overrides(cfg.target.frames),
            *size,
            *given,
            *group,
            f"data.protocol.rotations=[{','.join(run.rotations)}]",
            *few,
            *([] if first else [f"baselines.{name}=null" for name in BASELINES]),
            f"seed={run.seed}",
            f"name={run.name}",
        ]
    )


def merged(overrides: Sequence[str]) -> tuple[str, ...]:
    """The overrides, of several of one key the last alone; Hydra refuses a group that is chosen twice."""
    last = {override.partition("=")[0].lstrip("+~"): override for override in overrides}
    return tuple(last.values())
