"""The folder of a run that ended before it wrote anything."""

import logging
import os
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode

from tensorframes.cli.lock import FILE as LOCK
from tensorframes.cli.lock import is_of_another

LOG = "run.log"


def remove_unused() -> None:
    """Remove the folder of this run, and the empty ones between it and the working directory, if it holds a log alone.

    The jobs of a sweep keep theirs: they show which one failed. One that the user has named stays: it may be older.
    """
    state = HydraConfig.get()
    folder, here = Path(state.runtime.output_dir), Path(state.runtime.cwd)
    named = any(override.lstrip("+").startswith("hydra.run.dir=") for override in state.overrides.hydra)
    if state.mode != RunMode.RUN or named or here not in folder.parents or not is_unused(folder):
        return
    for handler in logging.getLogger().handlers[:]:
        if isinstance(handler, logging.FileHandler):
            logging.getLogger().removeHandler(handler)
            handler.close()
    for name in (LOG, LOCK):
        (folder / name).unlink(missing_ok=True)
    for empty in (folder, *(above for above in folder.parents if here in above.parents)):
        try:
            empty.rmdir()
        except OSError:  # others are in it, or it is a volume
            return


def is_unused(folder: Path) -> bool:
    """Whether a folder holds a log and at most a lock that no other process has or had."""
    names = set(os.listdir(folder))
    return names in ({LOG}, {LOG, LOCK}) and not is_of_another(folder)
