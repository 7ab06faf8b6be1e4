"""Reading and writing of point files, one format per module; unchanged content is preserved."""

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
