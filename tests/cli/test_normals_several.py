"""``tensorframes normals`` with several clouds, into a folder."""

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
