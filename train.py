"""Train a normal estimator: ``python train.py [GROUP=NAME ...] [KEY=VALUE ...]`` is ``tensorframes train``."""

import sys

from tensorframes.cli.main import run

if __name__ == "__main__":
    sys.exit(run("train", sys.argv[1:]))
