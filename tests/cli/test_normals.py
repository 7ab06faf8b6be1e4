"""``tensorframes normals``, as a user types it: formats, other columns, and what its line says."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from plyfile import PlyData, PlyElement

from tensorframes.data import read_cloud
from tests.cli.commands import run_command

STORED = Path(__file__).parents[1] / "normals" / "stored" / "format1.safetensors"


FEW = "; fewer than 300 points: normals are often wrong"


DOUBT = r", (\d|\.)+ % uncertain \(expected error above 20 degrees\)"


COMMAND = (sys.executable, "-m", "tensorframes", "normals")


def run(*arguments: object) -> tuple[int, str, str]:
    return run_command("normals", *arguments)


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
    command = [*COMMAND, "scan.xyz", "normals.xyz", "--weights", "fast"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(rf"normals\.xyz: normals of 300 points in \d+\.\d s{DOUBT}\n", done.stdout)
    assert np.loadtxt(tmp_path / "normals.xyz").shape == (300, 6)


@pytest.mark.parametrize(("source", "target"), [("scan.xyz", "scan.xyz"), ("scan.npy", "normals.xyz")])
def test_text_and_arrays(tmp_path: Path, source: str, target: str) -> None:
    pos = sphere()
    pos[5] = np.nan
    if source.endswith("npy"):
        np.save(tmp_path / source, pos)
    else:
        np.savetxt(tmp_path / source, pos)
    options = ("--weights", "fast", "--device", "cpu", "--block", "100", "--overwrite")
    code, out, _ = run(tmp_path / source, tmp_path / target, *options)
    assert code == 0
    assert re.search(rf"normals of 299 points in .* s{DOUBT}; 1 has none: 1 not finite{FEW}\n", out)
    rows = np.loadtxt(tmp_path / target)
    assert rows.shape == (300, 6)
    assert np.allclose(np.linalg.norm(np.delete(rows, 5, 0)[:, 3:], axis=1), 1, atol=1e-4)


def test_what_the_target_can_not_keep_is_named_and_the_rest_written(tmp_path: Path) -> None:
    vertex = np.empty(60, dtype=[("x", "f4"), ("y", "f4"), ("z", "f4"), ("view", object)])
    vertex["x"], vertex["y"], vertex["z"] = sphere(60).T
    for row in range(60):
        vertex["view"][row] = np.arange(1 + row % 3)
    face = np.array([([0, 1, 2],)], dtype=[("vertex_indices", "i4", (3,))])
    PlyData([PlyElement.describe(vertex, "vertex"), PlyElement.describe(face, "face")]).write(str(tmp_path / "a.ply"))
    code, _, err = run(tmp_path / "a.ply", tmp_path / "b.xyz", "--weights", "fast", "--device", "cpu")
    assert (code, err) == (0, f"note: {tmp_path / 'b.xyz'}: .xyz can't keep view, element face: left out\n")
    assert np.loadtxt(tmp_path / "b.xyz").shape == (60, 6)


def test_coordinates_of_any_magnitude(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", (sphere() - [1e5, -3, 7]) * 1e298)
    code, out, err = run(tmp_path / "a.npy", tmp_path / "b.npy", "--weights", "fast", "--device", "cpu")
    assert (code, err) == (0, "")
    assert "normals of 300 points" in out
    rows = np.load(tmp_path / "b.npy")
    assert np.median(np.abs((rows[:, 3:] * rows[:, :3] / 4e299).sum(1))) > 0.99


def test_quiet_says_nothing_and_overwrite_replaces_the_source(tmp_path: Path) -> None:
    np.savetxt(tmp_path / "a.xyz", sphere(60))
    options = ("--quiet", "--overwrite", "--weights", "fast")
    assert run(tmp_path / "a.xyz", tmp_path / "a.xyz", *options) == (0, "", "")
    assert np.loadtxt(tmp_path / "a.xyz").shape == (60, 6)
    code, out, err = run(tmp_path / "none.xyz", tmp_path / "b.xyz", "--quiet")
    assert (code, out, err.count("\n")) == (2, "", 1)


def test_the_line_says_why_points_have_no_normal(tmp_path: Path) -> None:
    pos = sphere(60)
    pos[3], pos[7] = np.inf, 1e15
    np.save(tmp_path / "a.npy", pos)
    _, out, _ = run(tmp_path / "a.npy", tmp_path / "b.npy", "--weights", "fast")
    assert re.search(
        rf"normals of 58 points in .* s{DOUBT}; 2 have none: 1 not finite, 1 far from all others{FEW}\n", out
    )
    np.save(tmp_path / "a.npy", np.linspace(0, 1, 30)[:, None] * [1.0, 2.0, 3.0])
    _, out, _ = run(tmp_path / "a.npy", tmp_path / "c.npy", "--weights", "fast")
    assert re.search(r"normals of 0 points in \d+\.\d s; 30 have none: 30 on a line\n", out)
    np.save(tmp_path / "a.npy", np.concatenate([np.zeros((60, 3)), sphere(60)]))
    _, out, _ = run(tmp_path / "a.npy", tmp_path / "d.npy", "--weights", "fast")
    reason = "60 have none: 60 at a place that many points share, as missing returns do"
    assert re.search(rf"normals of 60 points in .* s{DOUBT}; {reason}{FEW}\n", out)


@pytest.mark.parametrize("data", ["ascii", "binary"])
def test_an_organised_depth_image_keeps_its_shape(tmp_path: Path, data: str) -> None:
    pos = sphere(60).astype("<f4")
    pos[::7] = np.nan
    head = "VERSION 0.7\nFIELDS x y z\nSIZE 4 4 4\nTYPE F F F\nCOUNT 1 1 1\nWIDTH 12\nHEIGHT 5\n"
    rows = pos.tobytes() if data == "binary" else "\n".join(" ".join(map(repr, row)) for row in pos.tolist()).encode()
    (tmp_path / "a.pcd").write_bytes(f"{head}VIEWPOINT 0 0 0 1 0 0 0\nPOINTS 60\nDATA {data}\n".encode() + rows)
    code, out, err = run(tmp_path / "a.pcd", tmp_path / "b.pcd", "--weights", "fast")
    assert (code, err) == (0, "")
    assert "normals of 51 points" in out
    assert b"\nWIDTH 12\nHEIGHT 5\n" in (tmp_path / "b.pcd").read_bytes()
    found = read_cloud(tmp_path / "b.pcd")
    np.testing.assert_array_equal(found.pos, pos)
    assert found.normal is not None
    assert not found.normal[::7].any()


def test_a_mesh_without_faces_gives_no_warning(tmp_path: Path) -> None:
    head = "ply\nformat ascii 1.0\nelement vertex 60\nproperty float x\nproperty float y\nproperty float z\n"
    rows = "\n".join(" ".join(map(str, row)) for row in sphere(60).tolist())
    text = f"{head}element face 0\nproperty list uchar int vertex_indices\nend_header\n{rows}\n"
    (tmp_path / "a.ply").write_text(text)
    code, _, err = run(tmp_path / "a.ply", tmp_path / "b.ply", "--weights", "fast")
    assert (code, err) == (0, "")
    assert "element face 0\nproperty list uchar int vertex_indices\n" in (tmp_path / "b.ply").read_text()


def test_more_than_the_header_declares_is_told(tmp_path: Path) -> None:
    head = (
        "ply\nformat ascii 1.0\nelement vertex 30\nproperty float x\nproperty float y\nproperty float z\nend_header\n"
    )
    (tmp_path / "a.ply").write_text(head + "".join(f"{x} {y} {z}\n" for x, y, z in sphere(40)))
    code, _, err = run(tmp_path / "a.ply", tmp_path / "b.xyz", "--weights", "fast")
    assert code == 0
    assert err == f"note: {tmp_path / 'a.ply'}: 10 more lines than the header declares, ignored\n"
    assert run(tmp_path / "a.ply", tmp_path / "c.xyz", "--weights", "fast", "--quiet") == (0, "", "")
