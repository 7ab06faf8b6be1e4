"""Weights & Biases: setup without prompts, and its errors in one line."""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from netrc import NetrcParseError, netrc
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, open_dict
from pytorch_lightning.loggers import Logger, WandbLogger

from tensorframes.cli.started import Started
from tensorframes.errors import UserError, needed_for

MODES = ("online", "offline", "shared", "disabled", "dryrun", "run")
SECONDS = "30"
"""Seconds that the server may take to respond when a run begins; WANDB_INIT_TIMEOUT overrides it."""

TAGGED = {
    **{group: group for group in ("frames", "messages", "features", "backbone")},
    "trained": "data/augmentation",
}
"""Names of tags, and the groups whose choices they show."""


def prepare_wandb() -> None:
    """Set up Weights & Biases; without an API key it is offline, and writes to the run's folder.

    Raises:
        UserError: WANDB_MODE, or another of its environment variables, is invalid.
    """
    os.environ.setdefault("WANDB_SILENT", "true")
    os.environ.setdefault("WANDB_INIT_TIMEOUT", SECONDS)
    mode = os.environ.get("WANDB_MODE", "").strip()
    if mode and mode not in MODES:
        raise UserError(f"expected WANDB_MODE to be one of {', '.join(MODES)}, got {mode}")
    if not mode:
        os.environ.pop("WANDB_MODE", None)  # empty means unset
        if not _has_wandb_key():
            os.environ["WANDB_MODE"] = "offline"
    with needed_for("logger=wandb", "wandb"):
        import wandb
    with wandb_errors_in_one_line():
        wandb.setup()  # here, so that the settings hold before the first run


def tracked(cfg: DictConfig, started: Started) -> DictConfig:
    """The configuration with the name, group, tags and id of the run in its Weights & Biases loggers.

    What the configuration sets itself stays, tags beside those of the run. A continued run has the id of the first.
    """
    cfg = cfg.copy()
    for node in (cfg.get("logger") or {}).values():
        if node is None or "WandbLogger" not in node.get("_target_", ""):
            continue
        with open_dict(node):
            if node.get("name") in (None, cfg.name):
                node.name = started.name
            node.group = node.get("group") or started.group
            node.tags = list(dict.fromkeys([*(node.get("tags") or []), *tags_of(started, cfg.seed)]))
            node.id = node.get("id") or started.id
    return cfg


def tags_of(started: Started, seed: int) -> list[str]:
    """Tags of a run: its frames, messages, features, backbone, training rotation and seed."""
    shown = {name: started.choices.get(group) for name, group in TAGGED.items()}
    return [*(f"{name}={choice}" for name, choice in shown.items() if choice is not None), f"seed={seed}"]


def of_wandb(loggers: Sequence[Logger]) -> list[WandbLogger]:
    """The loggers that are Weights & Biases'."""
    return [logger for logger in loggers if isinstance(logger, WandbLogger)]


def send_start(loggers: Sequence[Logger], started: Started, parameters: int) -> None:
    """Send the choice of each group, beside the settings, and the number of trained parameters."""
    for logger in of_wandb(loggers):
        logger.experiment.config.update({"choices": started.choices}, allow_val_change=True)
        logger.experiment.summary["parameters"] = parameters


def send_results(loggers: Sequence[Logger], scores: Mapping[str, Mapping[str, float]], picture: Path) -> None:
    """Send scores as summary values, and the picture of errors.

    Args:
        loggers: of the run. scores: by method, the run's own first, then by their names in loggers.
        picture: a file.
    """
    for logger in of_wandb(loggers):
        import wandb

        own, *others = scores
        logger.experiment.summary.update(dict(scores[own]))
        for other in others:
            logger.experiment.summary.update(
                {f"baselines/{other}/{key}": value for key, value in scores[other].items()}
            )
        if picture.is_file():
            logger.experiment.log({"test/errors": wandb.Image(str(picture))})


@contextmanager
def wandb_errors_in_one_line() -> Iterator[None]:
    """A context in which errors of Weights & Biases (settings, key, unreachable server) become a ``UserError``."""
    try:
        yield
    except Exception as error:
        library = type(error).__module__.partition(".")[0]
        if library == "pydantic_core":
            raise UserError(f"Weights & Biases: {_of_setting(error)}") from error
        if library != "wandb":
            raise
        reason = " ".join(str(error).split()).rstrip(".")
        offline = type(error).__name__ in ("CommError", "AuthenticationError") or "API key" in reason
        hint = "; WANDB_MODE=offline needs neither a key nor a network" if offline else ""
        raise UserError(f"Weights & Biases: {reason}{hint}") from error


def finish_wandb() -> None:
    """End the Weights & Biases run, if any; the next job of a sweep starts its own."""
    if sys.modules.get("wandb") is not None:
        import wandb

        if wandb.run is not None:
            wandb.finish()


def _of_setting(error: Any) -> str:
    """The first setting that pydantic rejects, and the reason, without the link to its documentation."""
    first = error.errors()[0]
    return f"{first['msg']}, got {'.'.join(map(str, first['loc']))}={first['input']!r}"


def _has_wandb_key() -> bool:
    if os.environ.get("WANDB_API_KEY"):
        return True
    try:
        return any("wandb" in host for host in netrc(os.environ.get("NETRC")).hosts)
    except (OSError, NetrcParseError):
        return False
