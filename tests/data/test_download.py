"""Downloads that break, servers that lie, sources that are dead."""

import hashlib
import json
import socket
import time

import numpy as np
import pytest

from tensorframes.data import fetch
from tensorframes.data.datasets import download
from tensorframes.errors import UserError

from .server import serving

CONTENT = np.random.default_rng(0).bytes(1_000_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def server():
    with serving(CONTENT) as (address, script):
        yield address, script


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def _leftovers(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_comes_whole_and_is_not_asked_for_twice(server, tmp_path):
    address, script = server
    for _ in range(2):
        file = fetch([f"{address}/a.zip"], tmp_path / "in" / "a.zip", SHA256, len(CONTENT))
    assert file.read_bytes() == CONTENT
    assert _leftovers(tmp_path / "in") == ["a.zip"]
    assert len(script.requests) == 1


def test_a_connection_that_breaks_is_resumed(server, tmp_path):
    address, script = server
    script.breaks = [400_000, 300_000]
    assert fetch([f"{address}/a.zip"], tmp_path / "a.zip", SHA256).read_bytes() == CONTENT
    assert script.requests[0] is None
    starts = [int(asked.removeprefix("bytes=").removesuffix("-")) for asked in script.requests[1:]]
    # What came of the last block before the break is lost.
    assert 300_000 < starts[0] <= 400_000
    assert 550_000 < starts[1] <= 700_000


def test_a_later_run_goes_on(server, tmp_path):
    address, script = server
    script.breaks = [500_000, 0, 0, 0]
    with pytest.raises(UserError, match="connection broke 3 times"):
        fetch([f"{address}/a.zip"], tmp_path / "a.zip")
    have = (tmp_path / "a.zip.part").stat().st_size
    assert 400_000 < have <= 500_000
    before = len(script.requests)
    assert fetch([f"{address}/a.zip"], tmp_path / "a.zip").read_bytes() == CONTENT
    assert script.requests[before:] == [f"bytes={have}-"]
    assert _leftovers(tmp_path) == ["a.zip"]


def test_a_server_that_ignores_ranges_starts_over(server, tmp_path):
    address, script = server
    script.ranges, script.breaks = False, [300_000]
    assert fetch([f"{address}/a.zip"], tmp_path / "a.zip", SHA256).read_bytes() == CONTENT
    assert len(script.requests) == 2


def test_halves_of_two_versions_are_never_joined(server, tmp_path):
    address, script = server
    script.breaks = [500_000, 0, 0, 0]
    with pytest.raises(UserError):
        fetch([f"{address}/a.zip"], tmp_path / "a.zip")
    script.content, script.tag = CONTENT[::-1], '"two"'
    assert fetch([f"{address}/a.zip"], tmp_path / "a.zip").read_bytes() == CONTENT[::-1]


def test_without_a_version_nothing_is_resumed(server, tmp_path):
    address, script = server
    script.tag, script.breaks = None, [500_000]
    assert fetch([f"{address}/a.zip"], tmp_path / "a.zip").read_bytes() == CONTENT
    assert script.requests == [None, None]


def test_a_whole_part_of_a_killed_run_is_taken(server, tmp_path):
    address, script = server
    (tmp_path / "a.zip.part").write_bytes(CONTENT)
    note = {"source": f"{address}/a.zip", "version": script.tag, "size": len(CONTENT)}
    (tmp_path / "a.zip.part.json").write_text(json.dumps(note))
    assert fetch([f"{address}/a.zip"], tmp_path / "a.zip", SHA256).read_bytes() == CONTENT
    assert script.requests == [f"bytes={len(CONTENT)}-"]


def test_the_next_source_is_tried(server, tmp_path):
    address, script = server
    sources = ["http://127.0.0.1:9/a.zip", f"{address}/missing", "nonsense", f"{address}/a.zip"]
    assert fetch(sources, tmp_path / "a.zip").read_bytes() == CONTENT
    assert len(script.requests) == 2


@pytest.mark.parametrize(
    ("sha256", "size", "message"),
    [("0" * 64, None, "SHA-256 .* instead of 0000"), (None, 5, "1000000 bytes instead of 5")],
)
def test_wrong_files_are_refused_and_not_kept(server, tmp_path, sha256, size, message):
    address, _ = server
    with pytest.raises(UserError, match=message):
        fetch([f"{address}/a.zip"], tmp_path / "a.zip", sha256, size)
    assert _leftovers(tmp_path) == []


def test_a_web_page_is_not_the_file(server, tmp_path):
    address, script = server
    script.headers = {"Content-Type": "text/html; charset=utf-8"}
    with pytest.raises(UserError, match="a web page instead of the file"):
        fetch([f"{address}/a.zip"], tmp_path / "a.zip")


def test_all_reasons_are_one_line(server, tmp_path):
    address, _ = server
    with pytest.raises(UserError) as caught:
        fetch(["http://127.0.0.1:9/a.zip", f"{address}/missing"], tmp_path / "a.zip")
    text = str(caught.value)
    assert "http://127.0.0.1:9/a.zip: no connection" in text
    assert f"{address}/missing: 404 Not Found" in text
    assert "\n" not in text
    with pytest.raises(UserError, match="got: none"):
        fetch([], tmp_path / "a.zip")


def test_a_silent_server_costs_seconds(tmp_path, monkeypatch):
    monkeypatch.setattr(download, "READ_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        begun = time.monotonic()
        with pytest.raises(UserError, match="ReadTimeout"):
            fetch([f"http://127.0.0.1:{silent.getsockname()[1]}/a.zip"], tmp_path / "a.zip")
    assert time.monotonic() - begun < 5


def test_a_place_that_cannot_be_written_is_one_line(server, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="can't be written"):
        fetch([f"{server[0]}/a.zip"], tmp_path / "file" / "a.zip")
