"""scripts/estimate_normals.py, as a user types it: formats, other columns, and mistakes in one line."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from plyfile import PlyData, PlyElement

from tensorframes.clouds import read_cloud
from tests.app.commands import SCRIPTS, run_script


def run(*arguments: object) -> tuple[int, str, str]:
    return run_script("estimate_normals", *arguments)


def sphere(count: int = 300) -> np.ndarray:
    pos = np.random.default_rng(0).normal(size=(count, 3))
    return 40 * pos / np.linalg.norm(pos, axis=1, keepdims=True) + [1e5, -3, 7]


def test_a_coloured_ply_keeps_its_columns(tmp_path: Path) -> None:
    pos, red = sphere(), np.arange(300) % 256
    rows = np.empty(300, dtype=[("x", "f8"), ("y", "f8"), ("z", "f8"), ("red", "u1")])
    rows["x"], rows["y"], rows["z"], rows["red"] = *pos.T, red
    PlyData([PlyElement.describe(rows, "vertex")]).write(str(tmp_path / "scan.ply"))
    code, out, err = run(tmp_path / "scan.ply", tmp_path / "normals.ply")
    assert (code, err) == (0, "")
    assert "normals of 300 points" in out
    found = read_cloud(tmp_path / "normals.ply")
    assert (found.table["red"] == red).all()
    assert (found.pos == pos).all()
    assert found.normal is not None
    outward = (pos - [1e5, -3, 7]) / 40
    assert np.median(np.abs((found.normal * outward).sum(1))) > 0.99


def test_an_interpreter_of_its_own_runs_it(tmp_path: Path) -> None:
    np.savetxt(tmp_path / "scan.xyz", sphere())
    command = [sys.executable, SCRIPTS / "estimate_normals.py", "scan.xyz", "normals.xyz", "--weights", "fast"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout, done.stderr) == (0, "normals.xyz: normals of 300 points\n", "")
    assert np.loadtxt(tmp_path / "normals.xyz").shape == (300, 6)


@pytest.mark.parametrize(("source", "target"), [("scan.xyz", "scan.xyz"), ("scan.npy", "normals.xyz")])
def test_text_and_arrays(tmp_path: Path, source: str, target: str) -> None:
    pos = sphere()
    pos[5] = np.nan
    if source.endswith("npy"):
        np.save(tmp_path / source, pos)
    else:
        np.savetxt(tmp_path / source, pos)
    code, out, _ = run(tmp_path / source, tmp_path / target, "--weights", "fast", "--device", "cpu", "--block", "100")
    assert code == 0
    assert "normals of 299 points; 1 have none" in out
    rows = np.loadtxt(tmp_path / target)
    assert rows.shape == (300, 6)
    assert np.allclose(np.linalg.norm(np.delete(rows, 5, 0)[:, 3:], axis=1), 1, atol=1e-4)


def test_mistakes_are_one_line(tmp_path: Path) -> None:
    np.savetxt(tmp_path / "flat.xyz", np.zeros((3, 2)))
    np.savetxt(tmp_path / "scan.xyz", sphere())
    for arguments, message in {
        ("none.ply", "out.ply"): "none.ply",
        (tmp_path / "flat.xyz", tmp_path / "out.xyz"): "expected at least 3 columns",
        (tmp_path / "scan.xyz", tmp_path / "out.doc"): "expected a file of type",
        (tmp_path / "scan.xyz", tmp_path / "out.ply", "--weights", "worst"): "worst",
        (tmp_path / "scan.xyz", tmp_path / "out.ply", "--device", "abacus"): "abacus",
        (tmp_path / "scan.xyz", tmp_path / "out.ply", "--block", "0"): "expected block >= 1 or None, got 0",
        (tmp_path / "scan.xyz",): "the following arguments are required: target",
    }.items():
        code, out, err = run(*arguments)
        assert (code, out) == (2, ""), arguments
        assert message in err
        assert err.startswith("error: ")
        assert err.count("\n") == 1
