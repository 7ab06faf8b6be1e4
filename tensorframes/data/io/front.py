"""Reading and writing of point files in any format; unchanged columns are preserved exactly."""

import io
import logging
from pathlib import Path
from typing import BinaryIO

from tensorframes.atomic import expect_replaceable, is_special, replacing
from tensorframes.data.io.colours import unpack_colours
from tensorframes.data.io.columns import Columns
from tensorframes.data.io.e57 import E57Format
from tensorframes.data.io.files import dataset_of, file_of, one_line, read_bytes
from tensorframes.data.io.format import Format
from tensorframes.data.io.hdf5 import Hdf5Format
from tensorframes.data.io.kitti import KittiFormat
from tensorframes.data.io.las import LasFormat
from tensorframes.data.io.npy import NpyFormat
from tensorframes.data.io.npz import NpzFormat
from tensorframes.data.io.obj import ObjFormat
from tensorframes.data.io.off import OffFormat
from tensorframes.data.io.pcd import PcdFormat
from tensorframes.data.io.ply import PlyFormat
from tensorframes.data.io.ptx import PtxFormat
from tensorframes.data.io.recognise import TEXT, UNMISTAKABLE, UNSIGNED, packed_or_foreign, recognised
from tensorframes.data.io.shape import shape_name
from tensorframes.data.io.stl import StlFormat
from tensorframes.data.io.text import TextFormat
from tensorframes.errors import UserError

CLOUDS: tuple[Format, ...] = (PlyFormat(), PcdFormat(), LasFormat(), NpyFormat(), NpzFormat(), TextFormat())
FORMATS: tuple[Format, ...] = (
    *CLOUDS, ObjFormat(), OffFormat(), StlFormat(), Hdf5Format(), E57Format(), PtxFormat(), KittiFormat()
)  # fmt: skip
SUFFIXES = tuple(suffix for each in FORMATS for suffix in each.suffixes)
TARGETS = tuple(suffix for each in FORMATS if not each.refusal for suffix in each.suffixes)
"""Suffixes of files that are written."""

CLOUD_SUFFIXES = tuple(suffix for each in CLOUDS for suffix in each.suffixes)
"""Suffixes of files that can be nothing but one cloud: no meshes, and no containers of many arrays."""

MESHES = (".ply", ".obj", ".off")
"""Suffixes of files that get the faces of a mesh of another kind."""

ORGANISED = (".pcd", ".npy", ".npz", ".h5", ".hdf5")
"""Suffixes of files that have organised clouds."""


def read_cloud(path: str | Path, suffix: str = "") -> Columns:
    """Reads PLY, PCD, LAS, LAZ, NPY, NPZ, text (.xyz .txt .csv .asc .pts), OBJ, OFF, STL, HDF5, E57, PTX and the
    scans of KITTI and nuScenes.

    Columns are identified by name, whatever their case, unit or order (x, "X [m]", Points:0; nx, NormalX, normal_x). In
    text and arrays without names they are identified by position: `text.positional_names`. A file without a suffix, and
    a pipe, is recognised by its content. What is odd about the file is told in a warning.

    Args:
        path: of the file; `FILE.h5:NAME` for a dataset in an HDF5 file.
        suffix: ".ply", say, of a file whose name does not end with it.

    Raises:
        UserError: the file cannot be read; the error is one line with its name.
    """
    path = Path(path)
    columns = parse_cloud(read_bytes(path), path, suffix)
    for note in columns.notes:
        logging.getLogger(__name__).warning("%s: %s", path, note)
    return columns


def parse_cloud(content: bytes, path: str | Path, suffix: str = "") -> Columns:
    """As `read_cloud`, of the content of a file, without warnings; `path` is for its suffix and for error messages."""
    path = Path(path)
    found, named = _format_of(path, suffix or _guessed(path, content), "--from")
    known = file_of(path).suffix.lower() == named
    full = path if known else path.with_name(f"{path.name}{named}")
    other = recognised(content)
    if other not in found.suffixes and (other in UNMISTAKABLE or (named == UNSIGNED and other != TEXT)):
        raise UserError(_mistaken(path, content, found, suffix))
    try:
        columns = found.read(full, content)
    except UserError as error:
        reason = _mistaken(path, content, found, suffix) or str(error).replace(str(full), str(path), 1)
        raise UserError(reason) from error
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # a corrupt file can make libraries fail in any way; lazrs panics
        reason = one_line(error)
        message = reason if reason.startswith("expected ") else f"expected a whole {found.name} file, got: {reason}"
        raise UserError(_mistaken(path, content, found, suffix) or f"{path}: {message}") from error
    if not columns.position:
        names = ", ".join(columns.names) or "none"
        raise UserError(f"{path}: expected columns x, y, z, got {names}")
    if len(columns.table) == 0:
        raise UserError(f"{path}: expected points, got none")
    return columns


def write_cloud(path: str | Path, columns: Columns, suffix: str = "") -> None:
    """Writes the rows in the format of the suffix, whole or not at all (`tensorframes.atomic`).

    Unchanged content of a file of the same format is preserved: header, order, types, text of the numbers. Columns that
    the format cannot represent are left out and named in a warning. A pipe or device without a suffix gets the format
    that the columns came from.

    Args:
        path: of the file.
        columns: the rows.
        suffix: ".ply", say, of a file whose name does not end with it.

    Raises:
        UserError: the suffix is unknown, or the file can't be written.
    """
    path = Path(path)
    expect_target(path, suffix)
    remaining = _kept(path, columns, suffix)
    try:
        with replacing(path) as file:
            _write(file, path, remaining, suffix)
    except OSError as error:
        raise UserError(f"{path}: can't be written: {error.strerror or error}") from error


def encode_cloud(columns: Columns, path: str | Path, suffix: str = "") -> bytes:
    """The content of the file that `write_cloud` would write; `path` is for its suffix and for error messages."""
    path, stream = Path(path), io.BytesIO()
    _write(stream, path, _kept(path, columns, suffix), suffix)
    return stream.getvalue()


def unkept(path: str | Path, columns: Columns, suffix: str = "") -> tuple[str, ...]:
    """Content that a file with this suffix cannot represent: names of columns, and other content of the original file.

    Raises:
        UserError: the suffix is unknown, or the positions cannot be represented.
    """
    found, named = _target_format(Path(path), columns, suffix)
    try:
        names = found.unkept(columns)
    except ValueError as error:
        raise UserError(f"{path}: {error}{_remedy(Path(path), found)}") from error
    if lost := set(names) & {*columns.position, *columns.normals}:
        kinds = ", ".join(f"{name} ({columns.table.dtype[name]})" for name in columns.names if name in lost)
        raise UserError(f"{path}: {found.name} can't hold {kinds} without loss")
    if columns.suffix in found.suffixes:
        return names
    faces = columns.mesh.name if columns.mesh and named in MESHES and columns.faces else ""
    shape = (shape_name(columns.grid),) if columns.grid and named not in ORGANISED else ()
    return (*names, *shape, *(name for name in columns.other_content if name != faces))


def lost_line(path: str | Path, lost: tuple[str, ...], suffix: str = "") -> str:
    """One line that names what is left out."""
    return f"{path}: {kind_of(path, suffix)} can't keep {', '.join(lost)}: left out"


def kind_of(path: str | Path, suffix: str = "") -> str:
    """The kind of a file, for messages: the suffix, or that of its name."""
    return suffix or Path(path).suffix or "this kind of file"


def expect_target(path: str | Path, suffix: str = "") -> None:
    """Checks, before a long computation, that a file can be written.

    Raises:
        UserError: the suffix is unknown, or of a format that is only read; or see `expect_replaceable`.
    """
    path = Path(path)
    expect_replaceable(path)
    if suffix or not is_special(path):
        expect_kind(path, suffix)


def expect_kind(path: str | Path, suffix: str = "") -> None:
    """Checks that files with this suffix are written.

    Raises:
        UserError: the suffix is unknown, or of a format that is only read; or the path names a dataset.
    """
    path = Path(path)
    found = _format_of(path, suffix)[0]
    if found.refusal:
        raise UserError(f"{path}: {found.refusal}{_remedy(path, found)}")
    if dataset := dataset_of(path):
        raise UserError(f"{path}: expected a file to write, got its dataset {dataset}")


def _kept(path: Path, columns: Columns, suffix: str) -> Columns:
    """The columns without those that the format cannot represent, which a warning names; another kind of file has no
    packed colours."""
    if columns.suffix not in _target_format(path, columns, suffix)[0].suffixes:
        columns = unpack_colours(columns)
    if lost := unkept(path, columns, suffix):
        logging.getLogger(__name__).warning("%s", lost_line(path, lost, suffix))
    return columns.without(tuple(name for name in columns.names if name in lost))


def _write(file: BinaryIO, path: Path, columns: Columns, suffix: str) -> None:
    found, named = _target_format(path, columns, suffix)
    try:
        found.write(file, columns, named)
    except (OSError, UserError):
        raise
    except Exception as error:  # laspy's have no common class
        raise UserError(f"{path}: can't be written as {found.name}: {one_line(error)}") from error


def _guessed(path: Path, content: bytes) -> str:
    """The suffix by its content of a file without one and of a pipe; empty if its name tells it.

    Raises:
        UserError: the content is packed, or is no points.
    """
    named = file_of(path).suffix.lower()
    if named in SUFFIXES:
        return ""
    if what := packed_or_foreign(content):
        raise UserError(f"{path}: expected a file of points, got {what}")
    return "" if named and not is_special(path) else recognised(content)


def _mistaken(path: Path, content: bytes, found: Format, suffix: str) -> str:
    """The line on a file that can't be read in a format because it is of another one; empty if it is none, or that is
    not known."""
    whole = content.startswith(b"PK") and ".npz" in found.suffixes  # both are zip archives
    what, other = "" if whole else packed_or_foreign(content), recognised(content)
    guess = not suffix and file_of(path).suffix.lower() not in SUFFIXES
    if other not in (TEXT, *found.suffixes):
        name = next(each.name for each in FORMATS if other in each.suffixes)
        what = f"{_article(name)} {name} file: {'' if suffix else 'rename it, or '}--from {other[1:]}"
    elif guess and not what and b"\0" in content:
        what = "a binary file of an unknown format: --from KIND tells it"
    return what and f"{path}: expected {_article(found.name)} {found.name} file, got {what}"


def _article(name: str) -> str:
    return "an" if name[0] in "EHNOS" else "a"


def _remedy(path: Path, found: Format) -> str:
    """What helps where files of a format are not written, and the name of the target does not tell the format."""
    return " (--to ply)" if found.refusal and path.suffix.lower() not in found.suffixes else ""


def _format_of(path: Path, suffix: str = "", option: str = "--to") -> tuple[Format, str]:
    """The format of a file, and its suffix in lower case: by the given suffix, or else by that of its name.

    Raises:
        UserError: there is none; ``option`` is the one that would tell it.
    """
    named = (suffix or file_of(path).suffix).lower()
    found = next((each for each in FORMATS if named in each.suffixes), None)
    if found is None:
        types = f"{', '.join(SUFFIXES)}{'' if suffix else f', or {option} KIND'}"
        raise UserError(f"{path}: expected a file of type {types}, got {named or 'none'}")
    return found, named


def _target_format(path: Path, columns: Columns, suffix: str = "") -> tuple[Format, str]:
    anywhere = path.suffix.lower() not in SUFFIXES and (is_special(path) or not path.suffix)
    if not suffix and columns.suffix and anywhere:
        suffix = columns.suffix
    return _format_of(path, suffix)
