"""The clouds of a command: files, or the standard input and output, which are called `-`."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tensorframes.atomic import is_special
from tensorframes.data.io import (
    encode_cloud,
    expect_kind,
    expect_target,
    parse_cloud,
    read_cloud,
    recognised,
    write_cloud,
)
from tensorframes.errors import UserError, standard_output

if TYPE_CHECKING:
    from tensorframes.data.io import Columns

STANDARD = "-"
INPUT, OUTPUT = "standard input", "standard output"
"""The names of both in messages."""


def suffix_of(kind: str | None) -> str:
    """The suffix of a kind of file: ".ply" of "ply", "PLY" or ".ply"; empty if none is named."""
    return f".{kind.lower().lstrip('.')}" if kind else ""


def read_source(source: str, suffix: str = "") -> "Columns":
    """The points of a file or of standard input, whose format is found from its first bytes if there is no suffix.

    Raises:
        UserError: they can't be read.
    """
    if source != STANDARD:
        return read_cloud(source, suffix)
    content = sys.stdin.buffer.read() if sys.stdin else b""  # None where a shell has closed it
    if not content.strip():
        raise UserError(f"{INPUT}: expected points, got none")
    return parse_cloud(content, INPUT, suffix or recognised(content))


def targets_of(sources: Sequence[str], target: str, suffix: str = "") -> dict[str, str]:
    """The target of each source: the given one, or files of the sources' names in a folder.

    Args:
        sources: names of files, or `-`. target: a file, or an existing folder. suffix: of the files in the folder; by
            default those of the sources.

    Raises:
        UserError: there are several sources, and the target is no folder; a source has no name, or that of another.
    """
    if target == STANDARD or not os.path.isdir(target):
        if target == STANDARD and len(sources) > 1:
            raise UserError(f"{OUTPUT}: expected one cloud, got {len(sources)}")
        if len(sources) > 1:
            what = "a file" if os.path.exists(target) else "none"
            raise UserError(f"{target}: expected a folder for {len(sources)} clouds, got {what}")
        return {sources[0]: target}
    targets: dict[str, str] = {}
    for source in sources:
        if source == STANDARD:
            raise UserError(f"{target}: expected a file to write the {INPUT} to, got a folder")
        made = os.path.join(target, Path(source).with_suffix(suffix).name if suffix else os.path.basename(source))
        if other := next((name for name, one in targets.items() if one == made), None):
            raise UserError(f"expected sources with different names for the folder {target}, got {other} and {source}")
        targets[source] = made
    return targets


def check_target(target: str, source: str, suffix: str = "", overwrite: bool = False) -> None:
    """Checks, before a long computation, that the target can be written.

    Raises:
        UserError: it exists, and is not to be overwritten; or see `expect_target`.
    """
    if target == STANDARD:
        if suffix:
            expect_kind(OUTPUT, suffix)
        return
    expect_target(target, suffix)
    check_new(target, source, overwrite)


def check_new(path: str, source: str, overwrite: bool) -> None:
    """Checks that nothing is replaced unasked.

    Raises:
        UserError: the file exists, and is not to be overwritten.
    """
    if overwrite or is_special(Path(path)) or not os.path.lexists(path):
        return
    both = source != STANDARD and os.path.exists(source) and os.path.exists(path)  # a link may lead nowhere
    same = both and os.path.samefile(source, path)
    raise UserError(f"{path}: {'is the source' if same else 'exists'}; --overwrite replaces it")


def write_target(target: str, columns: "Columns", suffix: str = "") -> None:
    """Writes a file, or to the standard output, there by default in the format that the columns came from.

    Raises:
        UserError: it can't be written.
    """
    if target != STANDARD:
        write_cloud(target, columns, suffix)
        return
    content = encode_cloud(columns, OUTPUT, suffix)
    if sys.stdout is None:
        raise UserError(f"{OUTPUT}: can't be written: it is closed")
    with standard_output() as stream:
        stream.buffer.write(content)


def is_standard_output(target: str) -> bool:
    """Whether a cloud goes to the standard output, where no message may be mixed with it."""
    return target == STANDARD or os.path.realpath(target) == os.path.realpath("/dev/stdout")
