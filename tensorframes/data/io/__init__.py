"""Reading and writing of point files, one format per module; unchanged content is preserved."""

from tensorframes.data.io.columns import Columns, table_of
from tensorframes.data.io.format import Format
from tensorframes.data.io.front import (
    CLOUD_SUFFIXES,
    FORMATS,
    SUFFIXES,
    TARGETS,
    encode_cloud,
    expect_kind,
    expect_target,
    kind_of,
    lost_line,
    parse_cloud,
    read_cloud,
    recognised,
    unkept,
    write_cloud,
)

__all__ = [
    "CLOUD_SUFFIXES",
    "FORMATS",
    "SUFFIXES",
    "TARGETS",
    "Columns",
    "Format",
    "encode_cloud",
    "expect_kind",
    "expect_target",
    "kind_of",
    "lost_line",
    "parse_cloud",
    "read_cloud",
    "recognised",
    "table_of",
    "unkept",
    "write_cloud",
]
