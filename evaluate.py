"""Score a checkpoint or a classical method: ``python evaluate.py checkpoint=...`` is ``tensorframes evaluate``."""

import sys

from tensorframes.cli.main import run

if __name__ == "__main__":
    sys.exit(run("evaluate", sys.argv[1:]))
