"""Archives that are hostile or broken, and a dataset found wherever it unpacks."""

import shutil
import stat
import zipfile

import pytest

from tensorframes.data import unpack
from tensorframes.data.datasets import locate as locating
from tensorframes.data.datasets.archives import STAGING
from tensorframes.data.datasets.locate import Layout, Origin, locate
from tensorframes.errors import UserError

from .server import serving

LAYOUT = Layout("Test set", "list.txt", lambda folder: (folder / "list.txt").is_file())


def _archive(path, files, **kinds):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            member = zipfile.ZipInfo(name)
            member.external_attr = kinds.get("mode", 0) << 16
            archive.writestr(member, content)
    return path


def _files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_files_come_out_and_again(tmp_path):
    archive = _archive(tmp_path / "a.zip", {"top/list.txt": "a", "top/in/b.xyz": "1 2 3"})
    root = tmp_path / "root"
    (root / "top").mkdir(parents=True)
    (root / "top" / "mine").write_text("kept")
    for _ in range(2):
        unpack(archive, root)
    assert _files(root) == ["top/in/b.xyz", "top/list.txt", "top/mine"]
    assert archive.is_file()


@pytest.mark.parametrize(
    "name", ["../evil", "a/../../evil", "/evil", "..\\evil", "C:\\evil", "C:evil", "\\\\host\\evil", "a/..", "//evil"]
)
def test_nothing_is_written_outside(tmp_path, name):
    archive = _archive(tmp_path / "a.zip", {"good": "1", name: "2"})
    root = tmp_path / "in" / "root"
    with pytest.raises(UserError, match="refused, it holds a member outside the folder"):
        unpack(archive, root)
    assert _files(tmp_path) == ["a.zip"]


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices_are_refused(tmp_path, kind):
    archive = _archive(tmp_path / "a.zip", {"link": "/etc"}, mode=kind | 0o777)
    with pytest.raises(UserError, match="that is no plain file: 'link'"):
        unpack(archive, tmp_path / "root")
    assert not (tmp_path / "root").exists()


def test_a_link_that_was_there_leads_nowhere(tmp_path):
    (tmp_path / "root").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "root" / "top").symlink_to(tmp_path / "outside")
    with pytest.raises(UserError, match="got a link out of it"):
        unpack(_archive(tmp_path / "a.zip", {"top/a": "1"}), tmp_path / "root")
    assert _files(tmp_path / "outside") == []


def test_broken_archives_are_one_line(tmp_path):
    with pytest.raises(UserError, match="got no such file"):
        unpack(tmp_path / "no.zip", tmp_path / "root")
    (tmp_path / "junk.zip").write_bytes(b"junk")
    with pytest.raises(UserError, match="expected a whole ZIP archive"):
        unpack(tmp_path / "junk.zip", tmp_path / "root")
    archive = _archive(tmp_path / "a.zip", {"a": "x" * 100})
    archive.write_bytes(archive.read_bytes().replace(b"x" * 100, b"x" * 99 + b"y"))
    with pytest.raises(UserError, match=r"expected a whole ZIP archive.*CRC"):
        unpack(archive, tmp_path / "root")
    assert _files(tmp_path / "root") == []


def test_too_large_archives_are_refused_first(tmp_path, monkeypatch):
    archive = _archive(tmp_path / "a.zip", {"a": "x" * 100})
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 0, 10))
    with pytest.raises(UserError, match=r"needs 0\.0 GB"):
        unpack(archive, tmp_path / "root")


@pytest.mark.parametrize("inner", ["", "top/"])
def test_the_users_archive_is_found_wherever_it_unpacks(tmp_path, inner):
    archive = _archive(tmp_path / "a.zip", {f"{inner}list.txt": "a", "__MACOSX/list.txt": "no"})
    root = tmp_path / "root"
    assert locate(root, LAYOUT, Origin(archive, ())) == root / inner
    archive.unlink()
    assert locate(root, LAYOUT, Origin(archive, ())) == root / inner


def test_the_wrong_archive_leaves_nothing(tmp_path):
    archive = _archive(tmp_path / "a.zip", {"other.txt": "a"})
    with pytest.raises(UserError, match="expected the dataset's files in the archive"):
        locate(tmp_path / "root", LAYOUT, Origin(archive, ()))
    assert _files(tmp_path / "root") in ([], [".download.lock"])


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (UserError("no network"), "no network"),
        (FileNotFoundError(2, "No such file"), r"root: expected .*, which another process could not obtain"),
    ],
)
def test_a_folder_that_another_process_removes_hides_no_failure(tmp_path, monkeypatch, error, message):
    def failing(root, layout, origin):
        shutil.rmtree(root)
        raise error

    monkeypatch.setattr(locating, "_obtain", failing)
    with pytest.raises(UserError, match=message):
        locate(tmp_path / "new" / "root", LAYOUT, Origin(None, ()))
    assert not (tmp_path / "new").exists()


def test_a_killed_unpacking_is_repeated(tmp_path, monkeypatch):
    archive = _archive(tmp_path / "a.zip", {"list.txt": "a", "z.xyz": "1 2 3"})
    root = tmp_path / "root"
    root.mkdir()
    (root / "list.txt").write_text("half")
    (root / STAGING).mkdir()
    assert locate(root, LAYOUT, Origin(archive, ())) == root
    assert (root / "list.txt").read_text() == "a"
    assert (root / "z.xyz").is_file()
    assert not (root / STAGING).exists()


def test_it_is_downloaded_once_and_the_archive_goes(tmp_path):
    content = _archive(tmp_path / "a.zip", {"top/list.txt": "a"}).read_bytes()
    with serving(content) as (address, script):
        for _ in range(2):
            assert locate(tmp_path / "root", LAYOUT, Origin(None, (f"{address}/a.zip",))) == tmp_path / "root" / "top"
        assert len(script.requests) == 1
    assert "a.zip" not in _files(tmp_path / "root")


def test_a_broken_download_is_not_kept(tmp_path):
    with serving(b"junk") as (address, _), pytest.raises(UserError, match="expected a whole ZIP archive"):
        locate(tmp_path / "root", LAYOUT, Origin(None, (f"{address}/a.zip",)))
    assert "a.zip" not in _files(tmp_path / "root")


def test_without_a_network_one_line_says_what_to_do(tmp_path):
    with pytest.raises(UserError) as caught:
        locate(tmp_path / "root", LAYOUT, Origin(None, ("http://127.0.0.1:9/a.zip",)))
    text = str(caught.value)
    for part in ("http://127.0.0.1:9/a.zip", "list.txt", "data.root", "data.archive", "data.sources"):
        assert part in text
    assert "\n" not in text


def test_a_folder_of_other_things_is_not_downloaded_into(tmp_path):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(UserError, match=r"expected Test set \(list.txt\), got thesis.tex"):
        locate(tmp_path, LAYOUT, Origin(None, ("http://127.0.0.1:9/a.zip",)))
    with pytest.raises(UserError, match="expected a folder, got a file"):
        locate(tmp_path / "thesis.tex", LAYOUT, Origin(None, ()))
