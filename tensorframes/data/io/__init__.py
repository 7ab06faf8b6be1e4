"""Point files: one format a file, behind one protocol; nothing that is not touched is changed."""

from tensorframes.data.io.columns import Columns, table_of
from tensorframes.data.io.format import Format
from tensorframes.data.io.front import (
    FORMATS,
    SUFFIXES,
    expect_target,
    lost_line,
    read_cloud,
    unkept,
    write_cloud,
)

__all__ = [
    "FORMATS",
    "SUFFIXES",
    "Columns",
    "Format",
    "expect_target",
    "lost_line",
    "read_cloud",
    "table_of",
    "unkept",
    "write_cloud",
]
