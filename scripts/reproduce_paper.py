"""The paper's benchmark of normals: ``python scripts/reproduce_paper.py`` is the same as ``tensorframes reproduce``."""

import sys

from tensorframes.cli.main import run

if __name__ == "__main__":
    sys.exit(run("reproduce", sys.argv[1:]))
