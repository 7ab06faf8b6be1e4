"""Messages of libraries that tell a user nothing he can act on, silenced one by one."""

import logging
import os
import sys
import warnings
from netrc import NetrcParseError, netrc

LOGGERS = ("pytorch_lightning", "lightning_fabric", "lightning.pytorch", "lightning.fabric")

MESSAGES = (
    r".*does not have many workers which may be a bottleneck.*",  # the number of workers is a setting here
    r".*Checkpoint directory .* exists and is not empty.*",  # a resumed run continues in its folder
    r".*number of training batches .* is smaller than the logging interval.*",
    r".*resuming from a checkpoint that ended before the epoch ended.*",  # the sampler counts samples itself
    r".*The dirpath has changed from .*",  # a checkpoint moved elsewhere continues in its new folder
    r".*Total length of `.*` across ranks is zero.*",  # a run without validation clouds says so itself
    r".*Found .* module\(s\) in eval mode at the start of training.*",
    r".*isinstance\(treespec, LeafSpec\).*",
    r".*lr_scheduler\.step.*before.*optimizer\.step.*",  # not so: Lightning restores the schedule first
    r".*Precision bf16-mixed is not supported by the model summary.*",
    r".*The `srun` command is available on your system but is not used.*",
    r".*torch\.distributed.*barrier.*device.*",
)


def silence_libraries() -> None:
    """Silence Lightning's tips and the warnings above; everything else stays."""
    for name in LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)
    for message in MESSAGES:
        warnings.filterwarnings("ignore", message=message)


def prepare_wandb() -> None:
    """Weights & Biases writes to the run's folder, and asks for nothing, where no API key is configured."""
    os.environ.setdefault("WANDB_SILENT", "true")
    if "WANDB_MODE" not in os.environ and not _has_wandb_key():
        os.environ["WANDB_MODE"] = "offline"
    import wandb

    wandb.setup()  # now, so that it is silent before the first run starts


def finish_wandb() -> None:
    """End the run, if there is one: the next job of a sweep begins its own."""
    if "wandb" in sys.modules:
        import wandb

        if wandb.run is not None:
            wandb.finish()


def _has_wandb_key() -> bool:
    if os.environ.get("WANDB_API_KEY"):
        return True
    try:
        return any("wandb" in host for host in netrc(os.environ.get("NETRC")).hosts)
    except (OSError, NetrcParseError):
        return False
