"""Download of a file from the first available source, continuing interrupted attempts."""

import hashlib
import json
import logging
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tensorframes.errors import UserError
from tensorframes.progress import progress_bar

if TYPE_CHECKING:
    from requests import Response

log = logging.getLogger(__name__)

CONNECT_SECONDS = 5.0
READ_SECONDS = 20.0
BREAKS_WITHOUT_PROGRESS = 2
BLOCK = 1 << 16


class _SourceError(Exception):
    """The reason why a source failed, in a few words."""


@dataclass(frozen=True)
class _Partial:
    """The partial file, and the size and checksum of the whole one, if known."""

    part: Path
    size: int | None
    sha256: str | None

    @property
    def note(self) -> Path:
        """The file with the origin of the partial one: address, the server's version, and the whole size."""
        return self.part.with_name(self.part.name + ".json")

    def received(self) -> int:
        return self.part.stat().st_size if self.part.is_file() else 0

    def remove(self) -> None:
        self.part.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)


def fetch(sources: Sequence[str], destination: Path, sha256: str | None = None, size: int | None = None) -> Path:
    """Downloads a file with progress, trying the sources in order.

    Bytes are collected in DESTINATION.part. An interrupted download, of this or an earlier run, is continued if the
    same source still has the same version of the file (Range and If-Range, RFC 9110), otherwise restarted. A source
    that does not answer takes at most CONNECT_SECONDS.

    Args:
        sources: addresses, http:// or https://.
        destination: the file; if it exists, only its size and checksum are checked.
        sha256: checksum in hexadecimal, if known.
        size: in bytes, if known.

    Raises:
        UserError: no source has the file (one line with the reason for each), or it cannot be written.
    """
    destination = Path(destination)
    partial = _Partial(destination.with_name(destination.name + ".part"), size, sha256)
    reasons = []
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        if destination.is_file() and _mismatch(destination, partial) is None:
            return destination
        for source in sources:
            try:
                _fetch_from(source, partial)
            except _SourceError as error:
                reasons.append(f"{source}: {error}")
                continue
            os.replace(partial.part, destination)
            partial.remove()
            return destination
    except OSError as error:
        raise UserError(f"{destination}: can't be written ({error.strerror or error})") from error
    raise UserError(f"{destination.name}: expected one of the sources to answer, got: {'; '.join(reasons) or 'none'}")


def _fetch_from(source: str, partial: _Partial) -> None:
    """Leaves the whole, checked file at wanted.part."""
    breaks = 0
    while breaks <= BREAKS_WITHOUT_PROGRESS:
        before = partial.received()
        reason = _attempt(source, partial)
        if reason is None:
            break
        grew = partial.received() > before
        breaks = 0 if grew else breaks + 1
        if not grew:
            time.sleep(0.2 * breaks)
    else:
        raise _SourceError(f"the connection broke {breaks} times at {partial.received()} bytes ({reason})")
    if mismatch := _mismatch(partial.part, partial):
        partial.remove()
        raise _SourceError(mismatch)


def _attempt(source: str, partial: _Partial) -> str | None:
    """One request; returns None if the file is complete, else how it was interrupted."""
    import requests

    received = partial.received()
    note = _read_note(partial)
    # Without the server's version the two parts may be of different files.
    resume = received > 0 and note.get("source") == source and bool(note.get("version"))
    headers = {"Accept-Encoding": "identity", "User-Agent": "tensorframes"}
    if resume:
        headers |= {"Range": f"bytes={received}-", "If-Range": str(note["version"])}
    try:
        with requests.get(source, headers=headers, stream=True, timeout=(CONNECT_SECONDS, READ_SECONDS)) as response:
            if resume and response.status_code == 416:
                if received == note.get("size"):
                    return None
                partial.remove()
                return "the server has no such range"
            _check_answer(response)
            resumed = response.status_code == 206
            if resumed and not response.headers.get("Content-Range", "").startswith(f"bytes {received}-"):
                partial.remove()
                return "the server sent another range"
            return _receive(source, response, partial, received if resumed else 0)
    except requests.exceptions.ConnectTimeout:
        raise _SourceError(f"no answer within {CONNECT_SECONDS:g} s") from None
    except (requests.exceptions.ChunkedEncodingError, requests.exceptions.Timeout) as error:
        return type(error).__name__
    except requests.exceptions.ConnectionError as error:
        # The same class is raised for unreachable servers and for interrupted bodies.
        if partial.received() > 0:
            return type(error).__name__
        raise _SourceError("no connection") from None
    except requests.exceptions.RequestException as error:
        raise _SourceError(f"{type(error).__name__}: {error}".replace("\n", " ")) from None


def _check_answer(response: "Response") -> None:
    if response.status_code not in (200, 206):
        raise _SourceError(f"{response.status_code} {response.reason}")
    if "text/html" in response.headers.get("Content-Type", ""):
        raise _SourceError("a web page instead of the file")


def _receive(source: str, response: "Response", partial: _Partial, start: int) -> str | None:
    length = response.headers.get("Content-Length")
    whole = start + int(length) if length and length.isdigit() else None
    if partial.size is not None and whole not in (None, partial.size):
        raise _SourceError(f"{whole} bytes instead of {partial.size}")
    strong = response.headers.get("ETag", "W/")
    version = response.headers.get("Last-Modified") if strong.startswith("W/") else strong
    begun = f" from byte {start:,}" if start else ""
    log.info("downloading %s (%s bytes)%s", partial.part.stem, f"{whole:,}" if whole else "?", begun)
    partial.note.write_text(json.dumps({"source": source, "version": version, "size": whole}))
    with (
        partial.part.open("r+b" if start else "wb") as part,
        progress_bar(partial.part.stem, byte_counts=True) as progress,
    ):
        part.seek(start)
        for block in response.iter_content(BLOCK):
            part.write(block)
            progress(part.tell(), whole or 0)
    received = partial.received()
    return None if whole in (None, received) else f"{received} of {whole} bytes came"


def _mismatch(file: Path, partial: _Partial) -> str | None:
    """The error of the file's size or checksum, or None."""
    size = file.stat().st_size
    if partial.size not in (None, size):
        return f"{size} bytes instead of {partial.size}"
    if partial.sha256 is None:
        return None
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return None if digest == partial.sha256.lower() else f"SHA-256 {digest} instead of {partial.sha256}"


def _read_note(partial: _Partial) -> dict[str, str | int | None]:
    try:
        note = json.loads(partial.note.read_text())
    except (OSError, ValueError):
        return {}
    return note if isinstance(note, dict) else {}
