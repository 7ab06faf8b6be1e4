"""Reading and writing of point files in any format; unchanged columns are preserved exactly."""

import logging
import os
from pathlib import Path

from tensorframes.atomic import is_special, replacing
from tensorframes.data.io.columns import Columns
from tensorframes.data.io.files import one_line, read_bytes
from tensorframes.data.io.format import Format
from tensorframes.data.io.las import LasFormat
from tensorframes.data.io.npy import NpyFormat
from tensorframes.data.io.npz import NpzFormat
from tensorframes.data.io.pcd import PcdFormat
from tensorframes.data.io.ply import PlyFormat
from tensorframes.data.io.text import TextFormat
from tensorframes.errors import UserError

FORMATS: tuple[Format, ...] = (PlyFormat(), PcdFormat(), LasFormat(), NpyFormat(), NpzFormat(), TextFormat())
SUFFIXES = tuple(suffix for each in FORMATS for suffix in each.suffixes)


def read_cloud(path: str | Path) -> Columns:
    """Reads PLY, PCD, LAS, LAZ, NPY, NPZ and text (.xyz .txt .csv .asc .pts) by suffix.

    Columns are identified by name, whatever their case, unit or order (x, "X [m]", Points:0; nx, NormalX, normal_x). In
    text and arrays without names they are identified by position: `text.positional_names`.

    Raises:
        UserError: the file cannot be read; the error is one line with its name.
    """
    path = Path(path)
    content = read_bytes(path)
    found = _format_of(path)
    try:
        columns = found.read(path, content)
    except UserError:
        raise
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # a corrupt file can make libraries fail in any way; lazrs panics
        raise UserError(f"{path}: expected a whole {found.name} file, got: {one_line(error)}") from error
    if not columns.position:
        names = ", ".join(columns.names) or "none"
        raise UserError(f"{path}: expected columns x, y, z, got {names}")
    if len(columns.table) == 0:
        raise UserError(f"{path}: expected points, got none")
    return columns


def write_cloud(path: str | Path, columns: Columns) -> None:
    """Writes the rows in the format of the suffix, whole or not at all (`tensorframes.atomic`).

    Unchanged content of a file of the same format is preserved: header, order, types, text of the numbers. Columns that
    the format cannot represent are left out and named in a warning. A pipe or device without a suffix gets the format
    that the columns came from.

    Raises:
        UserError: the suffix is unknown, or the file can't be written.
    """
    path = Path(path)
    expect_target(path)
    found, suffix = _target_format(path, columns)
    if lost := unkept(path, columns):
        logging.getLogger(__name__).warning("%s", lost_line(path, lost))
    remaining = columns.without(tuple(name for name in columns.names if name in lost))
    try:
        with replacing(path) as file:
            found.write(file, remaining, suffix)
    except OSError as error:
        raise UserError(f"{path}: can't be written: {error.strerror or error}") from error
    except UserError:
        raise
    except Exception as error:  # laspy's have no common class
        raise UserError(f"{path}: can't be written as {found.name}: {one_line(error)}") from error


def unkept(path: str | Path, columns: Columns) -> tuple[str, ...]:
    """Content that a file with this suffix cannot represent: names of columns, and other content of the original file.

    Raises:
        UserError: the suffix is unknown, or the positions cannot be represented.
    """
    found, _ = _target_format(Path(path), columns)
    try:
        names = found.unkept(columns)
    except ValueError as error:
        raise UserError(f"{path}: {error}") from error
    if lost := set(names) & {*columns.position, *columns.normals}:
        kinds = ", ".join(f"{name} ({columns.table.dtype[name]})" for name in columns.names if name in lost)
        raise UserError(f"{path}: {found.name} can't hold {kinds} without loss")
    return (*names, *(() if columns.suffix in found.suffixes else columns.beside))


def lost_line(path: str | Path, lost: tuple[str, ...]) -> str:
    """One line that names what is left out."""
    return f"{path}: {Path(path).suffix or 'this kind of file'} can't keep {', '.join(lost)}: left out"


def expect_target(path: str | Path) -> None:
    """Checks, before a long computation, that a file can be written.

    A read-only folder is refused even if the existing file is writable: it could only be overwritten in place, and
    would be lost if that fails.

    Raises:
        UserError: the suffix is unknown; the folder does not exist; the folder or the file is not writable.
    """
    path = Path(path)
    try:
        if is_special(path):
            return
        target = Path(os.path.realpath(path))
        _format_of(path)
        if path.is_dir():
            raise UserError(f"{path}: expected a file to write, got a folder")
        if not target.parent.is_dir():
            raise UserError(f"{path}: expected a folder {target.parent}, got none")
        if target.exists() and not os.access(target, os.W_OK):
            raise UserError(f"{path}: can't be written: it is read-only")
        if not os.access(target.parent, os.W_OK | os.X_OK):
            raise UserError(f"{path}: can't be written safely: its folder {target.parent} is read-only")
    except (OSError, ValueError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{path}: can't be written: {getattr(error, 'strerror', None) or error}") from error


def _format_of(path: Path) -> Format:
    found = next((each for each in FORMATS if path.suffix.lower() in each.suffixes), None)
    if found is None:
        raise UserError(f"{path}: expected a file of type {', '.join(SUFFIXES)}, got {path.suffix or 'none'}")
    return found


def _target_format(path: Path, columns: Columns) -> tuple[Format, str]:
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES and columns.suffix and is_special(path):
        suffix = columns.suffix
    return _format_of(Path(f"{path}{'' if suffix == path.suffix.lower() else suffix}")), suffix
