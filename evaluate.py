"""Score a checkpoint or a classical method: ``python evaluate.py checkpoint=PATH|pca|jet|open3d [KEY=VALUE ...]``."""

import sys

from tensorframes.errors import interruptible, loading


def main() -> int:
    with loading():
        from tensorframes.cli import command_line, evaluate
    return command_line(evaluate, "evaluate")


if __name__ == "__main__":
    sys.exit(interruptible(main))
