"""The clouds of a command: files, or the standard input and output, which are called `-`."""

import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tensorframes.atomic import is_special
from tensorframes.data.io import (
    SUFFIXES,
    encode_cloud,
    expect_kind,
    expect_target,
    parse_cloud,
    write_cloud,
)
from tensorframes.data.io.files import expect_end, expect_readable, file_of, read_bytes
from tensorframes.errors import UserError, standard_output
from tensorframes.words import counted

if TYPE_CHECKING:
    from tensorframes.data.io import Columns

STANDARD = "-"
INPUT, OUTPUT = "standard input", "standard output"
"""The names of both in messages."""


def suffix_of(kind: str | None) -> str:
    """The suffix of a kind of file: ".ply" of "ply", "PLY" or ".ply"; empty if none is named."""
    return f".{kind.lower().lstrip('.')}" if kind else ""


def read_source(source: str, suffix: str = "") -> "Columns":
    """The points of a file or of standard input; without a suffix in the name its content tells the format.

    Raises:
        UserError: they can't be read.
    """
    if source != STANDARD:
        return parse_cloud(read_bytes(Path(source)), source, suffix)
    check_source(source)
    content = sys.stdin.buffer.read() if sys.stdin else b""  # None where a shell has closed it
    if not content.strip():
        raise UserError(f"{INPUT}: expected points, got none")
    return parse_cloud(content, INPUT, suffix)


def targets_of(sources: Sequence[str], target: str, suffix: str = "") -> dict[str, str]:
    """The target of each source: the given one, or files of the sources' names in a folder.

    Args:
        sources: names of files, or `-`. target: a file, or an existing folder. suffix: of the files in the folder; by
            default those of the sources.

    Raises:
        UserError: there are several sources, and the target is no folder; a source is a folder, or would be written to
            the file that another one is or is written to.
    """
    if folder := next((source for source in sources if source != STANDARD and os.path.isdir(source)), None):
        raise UserError(f"{folder}: expected the file of a cloud, got a folder")
    if target == STANDARD or not os.path.isdir(target):
        if target == STANDARD and len(sources) > 1:
            raise UserError(f"{OUTPUT}: expected one cloud, got {len(sources)}")
        if len(sources) > 1 or target.endswith(os.sep):
            what = "a file" if os.path.exists(target) else "none"
            raise UserError(f"{target}: expected a folder for {counted(len(sources), 'cloud')}, got {what}")
        return {sources[0]: target}
    places = {place_of(source): source for source in sources}
    targets: dict[str, str] = {}
    taken: dict[str, str] = {}
    for source in sources:
        made = os.path.join(target, name_in_folder(source, target, suffix))
        place = place_of(made)
        if place in taken:
            both = f"{taken[place]} and {source}"
            raise UserError(f"expected sources with different names for the folder {target}, got {both}")
        if places.get(place, source) != source:
            raise UserError(f"{made}: expected a target that is no other source, got {places[place]}")
        targets[source], taken[place] = made, source
    return targets


def name_in_folder(source: str, folder: str, suffix: str) -> str:
    """The name of a source's target in a folder; with the suffix, if there is one, in place of that of its format.

    Raises:
        UserError: the source has no name.
    """
    name = file_of(Path(source)).name
    if source == STANDARD or not name:
        what = INPUT if source == STANDARD else "cloud without a name"
        raise UserError(f"{folder}: expected a file to write the {what} to, got a folder")
    known = Path(name).suffix.lower() in SUFFIXES
    return f"{Path(name).stem if known else name}{suffix}" if suffix else name


def place_of(path: str) -> str:
    """The file that a name leads to, for comparison."""
    return os.path.normcase(os.path.realpath(path))


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


def check_source(source: str) -> None:
    """Checks, before a long computation, that the source is there, and has an end.

    Raises:
        UserError: it is not, or it is a device.
    """
    if source != STANDARD:
        expect_readable(Path(source))
        return
    with contextlib.suppress(OSError, AttributeError):  # without a file, or closed
        expect_end(sys.stdin.fileno(), INPUT)


def check_report(path: str, source: str, target: str, overwrite: bool) -> None:
    """Checks, before a long computation, that a report replaces nothing unasked.

    Raises:
        UserError: it would replace the source or the target; or it exists, and is not to be overwritten.
    """
    for name, cloud in {"target": target, "source": source}.items():
        if place_of(path) == place_of(cloud):
            raise UserError(f"{path}: expected another file for the report, got the {name}")
    check_new(path, source, overwrite)


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
