"""The cache: whole, fresh, made once, wherever the data lies."""

import logging
import multiprocessing
import os
import resource
import signal
import stat
import time

import h5py
import numpy as np
import pytest

from tensorframes.data.datasets import cache
from tensorframes.data.datasets.cache import cache_folder, ensure_cache, generated_folder, read_cached, read_counts
from tensorframes.data.datasets.cleaning import Counts, clean
from tensorframes.errors import UserError


@pytest.fixture
def source(tmp_path):
    file = tmp_path / "a.xyz"
    file.write_text("1 2 3\n")
    return file


class Build:
    """Gives one cloud of the source's number, and counts its calls."""

    def __init__(self, source):
        self.source, self.calls = source, 0

    def __call__(self):
        self.calls += 1
        pos = np.array([[float(word) for word in self.source.read_text().split()]])
        return [("a/b", clean("a", pos, np.array([[0, 0, 2.0]]), np.array([0]))), ("counts", clean("c", pos))]


def test_arrays_come_back_and_are_made_once(source, tmp_path):
    build, file = Build(source), tmp_path / "cache" / "a.h5"
    for _ in range(2):
        ensure_cache(file, [source], build)
    assert build.calls == 1
    arrays = read_cached(file, "a/b")
    assert sorted(arrays) == ["eval_index", "normal", "pos"]
    np.testing.assert_array_equal(arrays["pos"], [[1, 2, 3]])
    np.testing.assert_array_equal(arrays["normal"], [[0, 0, 1]])
    assert (arrays["pos"].dtype, arrays["eval_index"].dtype) == (np.float32, np.int64)
    assert sorted(read_cached(file, "counts")) == ["pos"]
    assert read_counts(file) == [Counts(rows=1, renormalised=1), Counts(rows=1)]
    assert stat.S_IMODE(file.stat().st_mode) == 0o644


def test_it_is_rebuilt_when_the_source_or_the_version_changes(source, tmp_path, monkeypatch):
    build, file = Build(source), tmp_path / "a.h5"
    ensure_cache(file, [source], build)
    source.write_text("4 5 66\n")
    ensure_cache(file, [source], build)
    np.testing.assert_array_equal(read_cached(file, "a/b")["pos"], [[4, 5, 66]])
    os.utime(source, ns=(0, 12345))
    ensure_cache(file, [source], build)
    monkeypatch.setattr(cache, "FORMAT_VERSION", cache.FORMAT_VERSION + 1)
    ensure_cache(file, [source], build)
    ensure_cache(file, [source, tmp_path], build)
    assert build.calls == 5


def test_a_broken_cache_is_rebuilt(source, tmp_path):
    build, file = Build(source), tmp_path / "a.h5"
    ensure_cache(file, [source], build)
    file.write_bytes(file.read_bytes()[:100])
    ensure_cache(file, [source], build)
    assert build.calls == 2
    assert len(read_counts(file)) == 2


def test_a_build_that_fails_leaves_nothing(source, tmp_path):
    def build():
        yield "a", clean("a", np.zeros((1, 3)))
        raise UserError("b.xyz, line 3: no")

    with pytest.raises(UserError, match="line 3"):
        ensure_cache(tmp_path / "c" / "a.h5", [source], build)
    assert [path.name for path in (tmp_path / "c").iterdir()] in ([".lock"], [])


def _build_and_hang(source, file):
    def build():
        yield "a", clean("a", np.zeros((1, 3)))
        (file.parent / "begun").touch()
        time.sleep(60)

    ensure_cache(file, [source], build)


def test_a_killed_build_is_done_again(source, tmp_path):
    file = tmp_path / "c" / "a.h5"
    process = multiprocessing.get_context("fork").Process(target=_build_and_hang, args=(source, file))
    process.start()
    _wait_for(file.parent / "begun")
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert list(file.parent.glob(".tensorframes-*.part"))
    assert not file.exists()
    build = Build(source)
    ensure_cache(file, [source], build)
    assert build.calls == 1
    assert not list(file.parent.glob(".tensorframes-*.part"))


def _wait_for(path):
    end = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < end, f"{path} never came"
        time.sleep(0.01)


def _build_slowly(source, file, log, start):
    def build():
        with log.open("a") as stream:
            stream.write(f"{os.getpid()}\n")
        time.sleep(0.5)
        return Build(source)()

    start.wait(30)
    ensure_cache(file, [source], build)
    np.testing.assert_array_equal(read_cached(file, "a/b")["pos"], [[1, 2, 3]])


def test_two_processes_at_once_build_it_once(source, tmp_path):
    context = multiprocessing.get_context("fork")
    start, log = context.Barrier(2), tmp_path / "log"
    arguments = (source, tmp_path / "c" / "a.h5", log, start)
    processes = [context.Process(target=_build_slowly, args=arguments) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0]
    assert len(log.read_text().split()) == 1


def test_a_reader_keeps_the_file_it_opened(source, tmp_path):
    file = tmp_path / "a.h5"
    ensure_cache(file, [source], Build(source))
    with h5py.File(file, "r") as store:
        source.write_text("7 8 9.5\n")
        ensure_cache(file, [source], Build(source))
        np.testing.assert_array_equal(store["clouds/a%2Fb/pos"][()], [[1, 2, 3]])
    np.testing.assert_array_equal(read_cached(file, "a/b")["pos"], [[7, 8, 9.5]])


def test_where_it_lies(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    root = tmp_path / "root"
    root.mkdir()
    assert generated_folder(root) == root / ".tensorframes_cache"
    given = cache_folder(root, tmp_path / "given")
    assert given.parent == tmp_path / "given"
    assert generated_folder(root, tmp_path / "given") == given
    assert cache_folder(root).parent == tmp_path / "xdg" / "tensorframes"
    root.chmod(0o555)
    assert generated_folder(root) == cache_folder(root)
    assert cache_folder(root).name == given.name
    other = tmp_path / "deep" / "root"
    other.mkdir(parents=True, mode=0o555)
    assert cache_folder(other).name != given.name
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache_folder(root).parent == tmp_path / "home" / ".cache" / "tensorframes"


def test_a_user_without_a_home_is_told(tmp_path, monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", "~")  # what Path.home() makes of a user that the system does not know
    with pytest.raises(UserError, match=r"expected a home folder for the cache, got none; set data\.cache_dir"):
        cache_folder(tmp_path)
    assert cache_folder(tmp_path, tmp_path / "given").parent == tmp_path / "given"


def test_a_cache_that_cannot_be_written_is_one_line(source, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"cache can't be written.*set data\.cache_dir"):
        ensure_cache(tmp_path / "file" / "a.h5", [source], Build(source))


def test_a_full_disk_is_named_by_its_reason(source, tmp_path, capfd):
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limit[1]))
    try:
        with pytest.raises(
            UserError, match=r"a\.h5: the cache can't be written \(File too large\); set data\.cache_dir"
        ):
            ensure_cache(tmp_path / "a.h5", [source], Build(source))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert {path.name for path in tmp_path.iterdir()} == {".lock", source.name}
    assert capfd.readouterr().err == ""  # of HDF5, which can't close files on a full disk


def test_names_of_cache_files_differ_on_any_disk():
    names = ["bunny_1.00e-02", "a/b", "a_b", "A_b", "a_B", "a%b", "Л", "л", "..", ".", "x" * 100, "x" * 300, "x" * 301]
    files = [cache.file_name(name) for name in names]
    assert files[0] == "bunny_1.00e-02.h5"
    assert len({file.lower() for file in files}) == len(names)
    assert all(file.isascii() and len(file) < 120 and not set(file) & set("/\\%:") for file in files)
    assert not any(file.startswith(".") for file in files)


def test_missing_sources_are_one_line(tmp_path):
    with pytest.raises(UserError, match=r"no\.xyz: expected a readable file"):
        ensure_cache(tmp_path / "a.h5", [tmp_path / "no.xyz"], list)


def test_waiting_is_told(source, tmp_path, caplog):
    context = multiprocessing.get_context("fork")
    file = tmp_path / "c" / "a.h5"
    process = context.Process(target=_hold_lock, args=(file.parent,))
    process.start()
    _wait_for(file.parent / "held")
    with caplog.at_level(logging.INFO):
        ensure_cache(file, [source], Build(source))
    process.join()
    assert "waiting for another process" in caplog.text


def _hold_lock(folder):
    folder.mkdir()
    with cache._locked(folder / "a.h5"):
        (folder / "held").touch()
        time.sleep(1.5)
