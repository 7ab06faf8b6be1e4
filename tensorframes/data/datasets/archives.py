"""Unpacking of archives that may be corrupt or malicious: nothing is written outside the folder or left incomplete."""

import os
import shutil
import stat
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from zipfile import BadZipFile, ZipFile, ZipInfo

from tensorframes.errors import UserError

STAGING = ".unpacking"


def unpack(archive: Path, root: Path, holds: Callable[[Path], bool] | None = None) -> None:
    """Unpacks a ZIP archive into a folder.

    Files are unpacked in ROOT/.unpacking and moved into place once complete; if that folder exists, an earlier attempt
    was killed, and a further call repeats it. Files of the same names are replaced.

    Args:
        archive: the file, which is not removed.
        root: the folder, created if necessary.
        holds: whether a folder has the expected content; None accepts any archive.

    Raises:
        UserError: it is no ZIP archive, a member is outside root, no plain file, corrupt or encrypted, the disk has not
            enough space, or the content is not the expected one.
    """
    if not archive.is_file():
        raise UserError(f"{archive}: expected a ZIP archive, got no such file")
    staging = root / STAGING
    try:
        with ZipFile(archive) as opened:
            members = [member for member in opened.infolist() if not member.is_dir()]
            for member in members:
                _check_member(archive, member)
            shutil.rmtree(staging, ignore_errors=True)
            staging.mkdir(parents=True)
            _check_room(archive, root, members)
            for member in members:
                opened.extract(member, staging)
        if holds is not None and not holds(staging):
            shutil.rmtree(staging)
            raise UserError(f"{archive}: expected the dataset's files in the archive, got others")
        _move(staging, root)
        shutil.rmtree(staging)
    except (BadZipFile, RuntimeError, NotImplementedError, EOFError, zlib.error) as error:
        shutil.rmtree(staging, ignore_errors=True)
        raise UserError(f"{archive}: expected a whole ZIP archive, got: {error}") from error
    except OSError as error:
        raise UserError(f"{archive}: can't be unpacked into {root} ({error.strerror or error})") from error


def _check_member(archive: Path, member: ZipInfo) -> None:
    name = member.filename.replace("\\", "/")
    path = PurePosixPath(name)
    outside = path.is_absolute() or ".." in path.parts or ":" in name.split("/")[0]
    kind = stat.S_IFMT(member.external_attr >> 16)
    if outside or kind not in (0, stat.S_IFREG):
        what = "outside the folder" if outside else "that is no plain file"
        raise UserError(f"{archive}: refused, it holds a member {what}: {member.filename!r}")


def _check_room(archive: Path, root: Path, members: list[ZipInfo]) -> None:
    needed = sum(member.file_size for member in members)
    free = shutil.disk_usage(root).free
    if needed > free:
        raise UserError(f"{archive}: needs {needed / 1e9:.1f} GB in {root}, where {free / 1e9:.1f} GB are free")


def _move(staging: Path, root: Path) -> None:
    inside = root.resolve()
    for folder, _, files in os.walk(staging):
        target = root / Path(folder).relative_to(staging)
        # An existing link in root may lead out of it.
        if not target.resolve().is_relative_to(inside):
            raise UserError(f"{target}: expected a folder within {root}, got a link out of it")
        target.mkdir(parents=True, exist_ok=True)
        for file in files:
            os.replace(Path(folder) / file, target / file)
