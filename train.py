"""Train a normal estimator: ``python train.py [experiment=NAME] [KEY=VALUE ...]``; see configs/train.yaml."""

import sys

from tensorframes.app import command_line, train

if __name__ == "__main__":
    sys.exit(command_line(train, "train"))
