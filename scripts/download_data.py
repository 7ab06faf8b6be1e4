"""Download and unpack a data set: ``python scripts/download_data.py data=pcpnet|modelnet40 data.root=DIR``."""

import sys

from tensorframes.errors import interruptible, loading


def main() -> int:
    with loading():
        from tensorframes.cli import command_line, download
    return command_line(download, "download")


if __name__ == "__main__":
    sys.exit(interruptible(main))
