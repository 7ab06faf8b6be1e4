"""``tensorframes normals`` with several clouds, into a folder."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tensorframes.data import read_cloud
from tests.cli.commands import run_command


@pytest.fixture(autouse=True)
def _scans(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two clouds, and a file that is none, beside an empty folder."""
    monkeypatch.chdir(tmp_path)
    for seed, name in enumerate(("a.xyz", "b.xyz")):
        np.savetxt(name, np.random.default_rng(seed).normal(size=(60 + seed, 3)))
    Path("bad.xyz").write_text("no points\n")
    Path("normals").mkdir()


def made() -> list[str]:
    return sorted(path.name for path in Path("normals").iterdir())


def test_each_has_its_name_in_the_folder() -> None:
    ended = run_command("normals", "a.xyz", "b.xyz", "--device", "cpu", "normals", "--to", "ply")
    assert (ended.code, ended.err) == (0, "")
    assert [line.partition(" points")[0] for line in ended.out.splitlines()] == [
        "normals/a.ply: normals of 60",
        "normals/b.ply: normals of 61",
    ]
    assert made() == ["a.ply", "b.ply"]
    alone = run_command("normals", "b.xyz", "alone.ply", "--device", "cpu")
    assert alone.code == 0
    assert np.array_equal(read_cloud("normals/b.ply").normal, read_cloud("alone.ply").normal)


def test_one_goes_into_a_folder_too() -> None:
    assert run_command("normals", "a.xyz", "normals", "--quiet").code == 0
    assert made() == ["a.xyz"]


def test_a_mistake_in_one_ends_none_of_the_others() -> None:
    ended = run_command("normals", "a.xyz", "bad.xyz", "b.xyz", "normals")
    assert (ended.code, ended.out.count("\n"), ended.err.count("\n")) == (2, 2, 1)
    assert ended.err.startswith("error: bad.xyz, line 1: expected numbers")
    assert made() == ["a.xyz", "b.xyz"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("a.xyz", "b.xyz", "bad.xyz"), "bad.xyz: expected a folder for 2 clouds, got a file"),
        (("a.xyz", "b.xyz", "none"), "none: expected a folder for 2 clouds, got none"),
        (("a.xyz", "b.xyz", "-"), "standard output: expected one cloud, got 2"),
        (("a.xyz", "-", "normals"), "normals: expected a file to write the standard input to, got a folder"),
        (
            ("a.xyz", "./a.xyz", "normals"),
            "expected sources with different names for the folder normals, got a.xyz and ./a.xyz",
        ),
        (("a.xyz", "b.xyz", "normals", "--report", "r.html"), "expected one source for --report, got 2"),
        (("a.xyz", "none/"), "none/: expected a folder for 1 cloud, got none"),
        (("normals", "a.xyz", "normals"), "normals: expected the file of a cloud, got a folder"),
        (("sub/b.xyz", "b.xyz", "."), "./b.xyz: expected a target that is no other source, got b.xyz"),
        (("a.xyz", "b.xyz", "."), "./a.xyz: is the source; --overwrite replaces it"),
        (("a.xyz", "b.xyz", "normals", "--to", "stl"), "normals/a.stl: "),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_mistakes_are_found_before_the_work(arguments: tuple[str, ...], message: str) -> None:
    ended = run_command("normals", *arguments)
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert ended.err.startswith(f"error: {message}")
    assert made() == []


def test_a_mistake_about_all_is_one_line() -> None:
    for option in (("--weights", "nothing"), ("--device", "cuda:99")):
        ended = run_command("normals", "a.xyz", "b.xyz", "normals", *option)
        assert (ended.code, ended.err.count("\n")) == (2, 1)
        assert option[1] in ended.err
    assert made() == []


def test_an_error_names_its_cloud() -> None:
    np.savetxt("none.xyz", np.full((3, 3), np.nan))
    ended = run_command("normals", "a.xyz", "none.xyz", "normals", "--quiet")
    assert (ended.code, ended.err) == (
        2,
        "error: none.xyz: expected at least one finite point, got 3 points and none finite\n",
    )
    assert made() == ["a.xyz"]


def test_all_are_written_though_no_one_reads_the_lines() -> None:
    command = [sys.executable, "-m", "tensorframes", "normals", "a.xyz", "bad.xyz", "b.xyz", "normals"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    read, write = os.pipe()
    os.close(read)
    ended = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, env=environment)
    os.close(write)
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert made() == ["a.xyz", "b.xyz"]


def test_names_that_begin_with_a_minus() -> None:
    Path("a.xyz").rename("-a.xyz")
    assert run_command("normals", "--quiet", "--", "-a.xyz", "normals").code == 0
    assert made() == ["-a.xyz"]


def test_names_without_a_known_suffix_are_kept() -> None:
    Path("a.xyz").rename("scan.1")
    Path("b.xyz").rename("scan.2")
    assert run_command("normals", "scan.1", "scan.2", "normals", "--from", "xyz", "--to", "ply", "--quiet").code == 0
    assert made() == ["scan.1.ply", "scan.2.ply"]


def test_patterns_that_the_shell_left_are_expanded() -> None:
    for name in ("c[a].xyz", "ca.xyz"):
        np.savetxt(name, np.random.default_rng(5).normal(size=(62 + len(name), 3)))
    assert run_command("normals", "[ab].xyz", "normals", "--device", "cpu", "--quiet").code == 0
    assert made() == ["a.xyz", "b.xyz"]
    assert run_command("normals", "c[a].xyz", "normals", "--device", "cpu", "--quiet").code == 0  # a file's own name
    assert made() == ["a.xyz", "b.xyz", "c[a].xyz"]
    ended = run_command("normals", "*.las", "one.xyz")
    assert (ended.code, ended.err) == (2, "error: *.las: expected a readable file, got: No such file or directory\n")
    ended = run_command("normals", "?.xyz", "one.xyz")
    assert (ended.code, ended.err) == (2, "error: one.xyz: expected a folder for 2 clouds, got none\n")
