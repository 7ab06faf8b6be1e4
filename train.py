"""Train a normal estimator: ``python train.py [experiment=NAME] [KEY=VALUE ...]``; see configs/train.yaml."""

import sys

from tensorframes.errors import interruptible, loading


def main() -> int:
    with loading():
        from tensorframes.cli import command_line, train
    return command_line(train, "train")


if __name__ == "__main__":
    sys.exit(interruptible(main))
