"""The end of a sweep: the table of its runs."""

import logging
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from tensorframes.cli.comparison import main
from tensorframes.cli.processes import process_rank
from tensorframes.cli.runs import METRICS

log = logging.getLogger(__name__)


class CompareRuns(Callback):
    """Prints ``tensorframes compare FOLDER`` when a sweep ends, if it has left two runs with scores or more."""

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Prints the tables."""
        folder = Path(config.hydra.sweep.dir)
        rank = process_rank("train") if "trainer" in config else 0
        if rank == 0 and len(list(folder.glob(f"*/{METRICS}"))) > 1:
            main([str(folder)])
            log.info("%s: these tables with tensorframes compare %s", folder, folder)
