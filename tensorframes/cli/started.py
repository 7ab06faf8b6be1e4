"""command.yaml: what a run was started with, its overrides and the choice of each group, kept when it is continued."""

import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from tensorframes.atomic import replace_text
from tensorframes.cli.cli import Run

FILE = "command.yaml"


@dataclass(frozen=True)
class Started:
    """The start of a run.

    Args:
        id: of the run, random. name: of the run; in a sweep its overrides. group: the sweep that it is of.
        overrides: of the command line. choices: of each group.
    """

    id: str
    name: str
    group: str | None = None
    overrides: list[str] = field(default_factory=list)
    choices: dict[str, str | None] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """Write command.yaml."""
        replace_text(folder / FILE, OmegaConf.to_yaml(OmegaConf.create(asdict(self))))


def started_with(cfg: DictConfig, run: Run) -> Started:
    """The start of this run; that of the run it continues, if that has one."""
    if cfg.ckpt_path is not None and (found := read_started(run.folder)) is not None:
        return found
    state = HydraConfig.get()
    swept = state.mode == RunMode.MULTIRUN
    choices = {str(key): value for key, value in state.runtime.choices.items() if not str(key).startswith("hydra/")}
    return Started(
        id=secrets.token_hex(4),
        name=(state.job.override_dirname or cfg.name) if swept else cfg.name,
        group=Path(state.sweep.dir).name if swept else None,
        overrides=list(run.overrides),
        choices=choices,
    )


def read_started(folder: Path) -> Started | None:
    """What command.yaml in the folder of a run says; None if there is none, or if it is something else."""
    file = folder / FILE
    if not file.is_file():
        return None
    try:
        content = OmegaConf.to_container(OmegaConf.load(file))
        return Started(**content)  # type: ignore[arg-type]
    except Exception:  # errors of YAML and OmegaConf have no common class
        return None
