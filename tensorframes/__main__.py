"""``python -m tensorframes`` is the command ``tensorframes``."""

import sys

from tensorframes.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
