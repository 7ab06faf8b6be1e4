"""Download and unpack a data set: ``python scripts/download_data.py data=pcpnet|modelnet40 data.root=DIR``."""

import sys

from tensorframes.app import command_line, download

if __name__ == "__main__":
    sys.exit(command_line(download, "download"))
