"""Score a checkpoint or a classical method: ``python evaluate.py checkpoint=PATH|pca|jet|open3d [KEY=VALUE ...]``."""

import sys

from tensorframes.app import command_line, evaluate

if __name__ == "__main__":
    sys.exit(command_line(evaluate, "evaluate"))
