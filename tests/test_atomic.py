"""Files are the old ones or the new ones, whole, whatever happens to their writer."""

import os
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tensorframes.atomic import PREFIX, replace_text, replacing, replacing_by_name

pytestmark = pytest.mark.skipif(os.name != "posix", reason="links, pipes and permission bits are POSIX's")

WRITER = """
import sys, time
from tensorframes.atomic import replacing
number = 0
while True:
    number += 1
    with replacing(sys.argv[1]) as file:
        for _ in range(40):
            file.write(bytes([number % 256]) * 5000)
            file.flush()
    print(number, flush=True)
"""


def start(code: str, *arguments: object) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def leftovers(folder: Path) -> list[Path]:
    return list(folder.glob(f"{PREFIX}*"))


def test_a_new_file_has_the_permissions_of_any_and_an_old_one_keeps_its_own(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        replace_text(tmp_path / "new", "a")
        (tmp_path / "old").write_text("b")
        (tmp_path / "old").chmod(0o604)
        replace_text(tmp_path / "old", "c")
    finally:
        os.umask(before)
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("new", "old")]
    assert modes == [0o640, 0o604]
    assert (tmp_path / "old").read_text() == "c"


def test_what_may_be_private_is_never_open_to_others(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    (tmp_path / "a").chmod(0o600)
    with replacing(tmp_path / "a"):
        assert [stat.S_IMODE(part.stat().st_mode) for part in leftovers(tmp_path)] == [0o600]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_the_old_file_stays_if_the_block_raises(tmp_path: Path, error: type[BaseException]) -> None:
    (tmp_path / "a").write_text("old")

    def broken() -> None:
        with replacing(tmp_path / "a") as file:
            file.write(b"new")
            raise error

    with pytest.raises(error):
        broken()
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_text() == "old"


def test_links_stay_links_and_lead_to_the_new_file(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "file").write_text("old")
    (tmp_path / "middle").symlink_to("far/file")
    (tmp_path / "link").symlink_to("middle")
    (tmp_path / "dangling").symlink_to("far/none")
    replace_text(tmp_path / "link", "new")
    replace_text(tmp_path / "dangling", "made")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "far" / "file").read_text() == "new"
    assert (tmp_path / "far" / "none").read_text() == "made"
    assert leftovers(tmp_path) + leftovers(tmp_path / "far") == []


def test_folders_and_missing_folders_are_errors(tmp_path: Path) -> None:
    for path, error in ((tmp_path, IsADirectoryError), (tmp_path / "none" / "a", FileNotFoundError)):
        with pytest.raises(error), replacing(path):
            pass


def test_pipes_and_devices_are_written_to(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    found: list[bytes] = []
    reader = threading.Thread(target=lambda: found.append((tmp_path / "pipe").read_bytes()))
    reader.start()
    replace_text(tmp_path / "pipe", "through")
    reader.join(timeout=10)
    assert found == [b"through"]
    replace_text("/dev/null", "away")
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


def test_libraries_that_open_files_themselves(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    with replacing_by_name(tmp_path / "a") as part:
        part.write_text("new")
        assert (tmp_path / "a").read_text() == "old"
    assert (tmp_path / "a").read_text() == "new"
    assert leftovers(tmp_path) == []


def test_killed_writers_leave_whole_files_and_one_leftover_at_most(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(bytes(200_000))
    for delay in (0.0, 0.001, 0.003, 0.006, 0.01):
        writer = start(WRITER, file)
        assert writer.stdout is not None
        writer.stdout.readline()  # it has begun
        time.sleep(delay)
        writer.send_signal(signal.SIGKILL)
        writer.communicate()
        content = file.read_bytes()
        assert (len(content), len(set(content))) == (200_000, 1)
        assert len(leftovers(tmp_path)) <= 1
    (tmp_path / f"{PREFIX}dead.part").write_bytes(b"left by a writer that was killed")
    replace_text(file, "again")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_writers_at_the_same_time_do_not_take_each_others_files(tmp_path: Path) -> None:
    with replacing(tmp_path / "a") as first:
        first.write(b"first")
        with replacing(tmp_path / "a") as second:
            second.write(b"second")
        assert (tmp_path / "a").read_bytes() == b"second"
    assert (tmp_path / "a").read_bytes() == b"first"
    assert leftovers(tmp_path) == []


def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "from tensorframes.atomic import replacing\n"
        "with replacing(sys.argv[1]) as file:\n    file.write(bytes(200_000))\n"
    )
    writer = start(code, tmp_path / "a")
    assert b"File too large" in writer.communicate()[1]
    assert writer.returncode == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_text() == "old"
