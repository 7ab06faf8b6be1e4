"""Messages of libraries on which a user cannot act; they are silenced one by one."""

import logging
import warnings

LOGGERS = ("pytorch_lightning", "lightning_fabric", "lightning.pytorch", "lightning.fabric")

MESSAGES = (
    r".*does not have many workers which may be a bottleneck.*",  # the number of workers is a setting here
    r".*This DataLoader will create .* worker processes.*",  # where a process may use few of the machine's cores
    r".*Checkpoint directory .* exists and is not empty.*",  # a resumed run continues in its folder
    r".*number of training batches .* is smaller than the logging interval.*",
    r".*resuming from a checkpoint that ended before the epoch ended.*",  # the sampler counts samples itself
    r".*The dirpath has changed from .*",  # a checkpoint moved elsewhere continues in its new folder
    r".*Total length of `.*` across ranks is zero.*",  # a run without validation clouds reports this itself
    r".*Found .* module\(s\) in eval mode at the start of training.*",
    r".*isinstance\(treespec, LeafSpec\).*",
    r".*lr_scheduler\.step.*before.*optimizer\.step.*",  # false alarm: Lightning restores the schedule first
    r".*AMP with fp16 is not supported on CPU.*",  # refused by its name
    r".*Precision bf16-mixed is not supported by the model summary.*",
    r".*The `srun` command is available on your system but is not used.*",
    r".*torch\.distributed.*barrier.*device.*",
    r".*when using `ckpt_path`, callbacks used to create the checkpoint need to be provided.*",  # chosen without them
    r".*can be accelerated via the 'torch-scatter' package.*",
)


def silence_libraries() -> None:
    """Silence Lightning's tips, matplotlib's messages on its folder, ONNX export's on operators of other packages, the
    warnings above, and the messages of logging if its file can't be written."""
    logging.raiseExceptions = False
    for name in ("matplotlib", "torch.onnx._internal.exporter._registration"):
        logging.getLogger(name).setLevel(logging.ERROR)
    for name in LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)
    for message in MESSAGES:
        warnings.filterwarnings("ignore", message=message)
