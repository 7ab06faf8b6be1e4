"""``tensorframes normals``, as a user types it: formats, other columns, weights, and mistakes in one line."""

import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from plyfile import PlyData, PlyElement

from tensorframes.data import read_cloud
from tests.cli.commands import run_command
from tests.reports.pages import Page, unpacked

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


def test_a_confidence_is_a_column_or_the_lengths_of_the_normals(tmp_path: Path) -> None:
    depth, centre = np.random.default_rng(1).random((len(sphere()), 1)), sphere().mean(0)
    np.savetxt(tmp_path / "scan.xyz", np.concatenate([sphere(), centre + depth * (sphere() - centre)]))
    for how, name in (("field", "column.ply"), ("length", "lengths.ply"), ("length", "lengths.obj")):
        code, out, err = run(tmp_path / "scan.xyz", tmp_path / name, "--weights", "fast", "--confidence", how)
        assert (code, err) == (0, "")
    column, lengths, obj = (read_cloud(tmp_path / name) for name in ("column.ply", "lengths.ply", "lengths.obj"))
    sure = np.asarray(column.table["confidence"])
    assert sure.dtype == np.float32
    assert ((sure > 0) & (sure <= 1)).all()
    assert np.ptp(sure) > 0.01
    doubtful = 100 * (sure < 1 - np.radians(20)).mean()
    assert 0 < doubtful < 100
    assert f" s, {doubtful:.2g} % uncertain (expected error above 20 degrees)\n" in out
    for given in (lengths, obj):
        assert given.normal is not None
        np.testing.assert_allclose(np.linalg.norm(given.normal, axis=1), sure, rtol=1e-4)


@pytest.mark.parametrize("name", ["Confidence", "CONFIDENCE [%]", "confidence"])
def test_a_confidence_replaces_that_of_the_file(tmp_path: Path, name: str) -> None:
    rows = "".join(f"{x},{y},{z},7\n" for x, y, z in sphere())
    (tmp_path / "scan.csv").write_text(f"x,y,z,{name}\n{rows}")
    code, _, err = run(tmp_path / "scan.csv", tmp_path / "normals.csv", "--confidence")
    assert (code, err) == (0, "")
    found = read_cloud(tmp_path / "normals.csv")
    assert found.names == ("x", "y", "z", name, "nx", "ny", "nz")
    assert ((found.table[name] > 0) & (found.table[name] <= 1)).all()


def test_a_confidence_without_a_place_is_refused_before_it_is_computed(tmp_path: Path) -> None:
    np.savetxt(tmp_path / "scan.xyz", sphere())
    code, out, err = run(tmp_path / "scan.xyz", tmp_path / "normals.obj", "--confidence")
    assert (code, out) == (2, "")
    assert err.strip().endswith("expected a kind of file with room for a confidence, got .obj; --confidence length")
    assert not (tmp_path / "normals.obj").exists()
    (tmp_path / "scan.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\n")
    assert "for a confidence, got this kind of file" in run(tmp_path / "scan.obj", "-", "--confidence")[2]
    code, _, err = run(tmp_path / "scan.xyz", tmp_path / "normals.ply", "--weights", str(STORED), "--confidence")
    assert code == 2
    assert "expected weights with a model of their error" in err


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


@pytest.mark.skipif(os.name != "posix", reason="Ctrl-C is a signal that POSIX's processes send")
@pytest.mark.parametrize("moment", ["libraries load", "it reads"])
def test_ctrl_c_is_one_line_and_changes_nothing(tmp_path: Path, moment: str) -> None:
    np.savetxt(tmp_path / "a.xyz", sphere(60))
    os.mkfifo(tmp_path / "b.xyz")  # the source: the program waits for what comes through it
    before = (tmp_path / "a.xyz").read_bytes()
    told_of = ["-X", "importtime"] if moment == "libraries load" else []
    command = [sys.executable, *told_of, *COMMAND[1:], str(tmp_path / "b.xyz"), str(tmp_path / "a.xyz")]
    command.append("--overwrite")
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=heed_interrupts
    )
    assert process.stderr is not None
    if moment == "libraries load":
        while "torch" not in process.stderr.readline():
            pass
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    else:
        stopper = Thread(target=interrupt, args=(process, tmp_path / "b.xyz"))
        stopper.start()
        out, err = process.communicate(timeout=120)
        stopper.join()
    told = [line for line in err.splitlines() if not line.startswith("import time:")]
    assert (process.returncode, out, len(told)) == (130, "", 1)
    assert told[0].startswith("interrupted")
    assert (tmp_path / "a.xyz").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.xyz", "b.xyz"]


def heed_interrupts() -> None:
    """A job that a shell runs in the background, as tests may be, ignores Ctrl-C, and so would what it starts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def interrupt(process: subprocess.Popen, pipe: Path) -> None:
    """Ctrl-C as soon as the program reads from the pipe, which stays open until it has ended."""
    with pipe.open("wb"):
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)


@pytest.mark.skipif(os.name != "posix", reason="limits are POSIX's")
def test_a_full_disk_is_one_line_and_changes_nothing(tmp_path: Path) -> None:
    np.savetxt(tmp_path / "a.xyz", sphere())
    before = (tmp_path / "a.xyz").read_bytes()
    command = [*COMMAND, *[str(tmp_path / "a.xyz")] * 2, "--overwrite", "--weights", "fast"]
    done = subprocess.run(["bash", "-c", f"ulimit -f 4; exec {shlex.join(command)}"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"error: {tmp_path / 'a.xyz'}: can't be written: File too large\n"
    assert (tmp_path / "a.xyz").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a.xyz"]


@pytest.mark.parametrize(
    ("orient", "toward"),
    [(("outward",), 1), (("viewpoint", "1e5,-3,7"), -1), (("viewpoint", "-9e9,0,0"), None), (("up",), None)],
)
def test_signs(tmp_path: Path, orient: tuple[str, ...], toward: int | None) -> None:
    pos = sphere()
    np.savetxt(tmp_path / "a.xyz", pos)
    code, _, err = run("--orient", *orient, tmp_path / "a.xyz", tmp_path / "b.npy", "--weights", "fast")
    assert (code, err) == (0, "")
    normal = np.load(tmp_path / "b.npy")[:, 3:]
    if toward is None:
        assert (normal[:, 2] >= 0 if orient == ("up",) else normal[:, 0] <= 1e-3).all()
    else:
        assert ((normal * (pos - [1e5, -3, 7])).sum(1) * toward > 0).all()


@pytest.mark.parametrize(
    "place", [(1e5, -3.0, 7.0), (1.9e5, -3.0, 7.0), (0, 0, 0)], ids=["inside", "outside", "default"]
)
def test_signs_toward_the_sensor_of_a_pcd(tmp_path: Path, place: tuple[float, ...]) -> None:
    pos = sphere()
    head = "VERSION .7\nFIELDS x y z\nSIZE 8 8 8\nTYPE F F F\nCOUNT 1 1 1\nWIDTH 300\nHEIGHT 1\n"
    view = " ".join(map(str, place))
    rows = "\n".join(" ".join(map(repr, row)) for row in pos.tolist())
    (tmp_path / "a.pcd").write_text(f"{head}VIEWPOINT {view} 1 0 0 0\nPOINTS 300\nDATA ascii\n{rows}\n")
    code, _, err = run("--orient", "sensor", tmp_path / "a.pcd", tmp_path / "b.npy")
    note = f"note: {tmp_path / 'a.pcd'}: the sensor is at the origin, the default of PCD files\n"
    assert (code, err) == (0, "" if any(place) else note)
    assert ((np.load(tmp_path / "b.npy")[:, 3:] * (place - pos)).sum(1) > 0).all()


def test_a_file_that_does_not_say_where_the_sensor_was(tmp_path: Path) -> None:
    np.savetxt(tmp_path / "a.xyz", sphere())
    code, _, err = run("--orient", "sensor", tmp_path / "a.xyz", tmp_path / "b.npy")
    expected = "expected the position of the sensor, as in PCD, E57 and KITTI's BIN, got none; --orient viewpoint X,Y,Z"
    assert (code, err) == (2, f"error: {tmp_path / 'a.xyz'}: {expected}\n")


def test_a_report_to_look_at(tmp_path: Path) -> None:
    pos = sphere()
    pos[5] = np.nan
    np.save(tmp_path / "a.npy", pos)
    report = tmp_path / "a.html"
    code, _, err = run(
        tmp_path / "a.npy", tmp_path / "b.npy", "--weights", "fast", "--orient", "up", "--report", report
    )
    assert (code, err) == (0, "")
    page = Page(report)
    assert len(unpacked(page.drawings["cloud"]["clouds"][0]["pos"][0])) == 299
    for said in ("a.npy", "--orient up", "fast", "1 not finite", "all 299 points"):
        assert said in page.text


def test_mistakes_are_one_line(tmp_path: Path) -> None:
    np.savetxt(tmp_path / "flat.xyz", np.zeros((3, 2)))
    np.savetxt(tmp_path / "scan.xyz", sphere())
    (tmp_path / "link.xyz").symlink_to("scan.xyz")
    (tmp_path / "nowhere.xyz").symlink_to("none.xyz")
    (tmp_path / "page.html").touch()
    for arguments, message in {
        ("none.ply", "out.ply"): "none.ply",
        (tmp_path / "flat.xyz", tmp_path / "out.xyz"): "expected at least 3 columns",
        (tmp_path / "scan.xyz", tmp_path / "out.doc"): "expected a file of type",
        ("none.ply", tmp_path / "none" / "out.ply"): f"expected a folder {tmp_path / 'none'}, got none",
        (tmp_path / "scan.xyz", tmp_path / "out.ply", "--weights", "worst"): "worst",
        (tmp_path / "scan.xyz", tmp_path / "out.ply", "--device", "abacus"): "abacus",
        (tmp_path / "scan.xyz", tmp_path / "out.ply", "--block", "99"): "expected --block >= 100, got 99",
        (tmp_path / "scan.xyz", tmp_path / "out.ply", "--orient", "inward"): "expected --orient none, viewpoint X,Y,Z",
        (tmp_path / "scan.xyz", tmp_path / "out.ply", "--orient", "viewpoint", "1,2"): "got 'viewpoint 1,2'",
        (tmp_path / "scan.xyz", tmp_path / "out.ply", "--orient", "viewpoint"): "got 'viewpoint'",
        (tmp_path / "scan.xyz", tmp_path / "out.stl"): "an STL file has no place for normals of points; choose .ply",
        (tmp_path / "scan.xyz", tmp_path / "out.ply", "--to", "stl"): "an STL file has no place",
        (tmp_path / "scan.xyz", "-", "--to", "doc"): "standard output: expected a file of type",
        (tmp_path / "scan.xyz", tmp_path / "out.h5:cloud"): "expected a file to write, got its dataset cloud",
        (tmp_path / "scan.xyz", tmp_path / "scan.xyz"): "scan.xyz: is the source; --overwrite replaces it",
        (tmp_path / "scan.xyz", tmp_path / "flat.xyz"): "flat.xyz: exists; --overwrite replaces it",
        (tmp_path / "scan.xyz", tmp_path / "nowhere.xyz"): "nowhere.xyz: exists; --overwrite replaces it",
        (tmp_path / "scan.xyz", tmp_path / "link.xyz"): "link.xyz: is the source; --overwrite replaces it",
        (
            tmp_path / "scan.xyz",
            tmp_path / "out.ply",
            "--report",
            "a.pdf",
        ): "expected a report of type .html, got a.pdf",
        (
            tmp_path / "scan.xyz",
            tmp_path / "out.ply",
            "--report",
            tmp_path / "page.html",
        ): "page.html: exists; --overwrite replaces it",
        (
            tmp_path / "scan.xyz",
            tmp_path / "new.html",
            "--to",
            "ply",
            "--report",
            f"{tmp_path}/./new.html",
        ): "new.html: expected another file for the report, got the target",
        (
            tmp_path / "page.html",
            tmp_path / "out.ply",
            *("--from", "xyz", "--overwrite", "--report", tmp_path / "page.html"),
        ): "page.html: expected another file for the report, got the source",
        (tmp_path / "scan.xyz",): "the following arguments are required: target",
    }.items():
        code, out, err = run(*arguments)
        assert (code, out) == (2, ""), arguments
        assert message in err
        assert err.startswith("error: ")
        assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("normals", "none.ply", "out.ply"), "none.ply: expected a readable file, got: No such file or directory"),
        (("normals", "a.xyz", "b.xyz"), "b.xyz: exists; --overwrite replaces it"),
        (("normals", "a.xyz", "out.doc"), "out.doc: expected a file of type"),
        (("normals", "a.xyz", "out.ply", "--block", "9"), "expected --block >= 100, got 9"),
        (("normals", "a.xyz", "out.ply", "--orient", "in"), "expected --orient none, viewpoint"),
        (("normals", "a.xyz", "out.ply", "--report", "b.xyz"), "b.xyz: exists; --overwrite replaces it"),
        (("export", "fast", "b.doc"), "b.doc: expected a name ending in"),
        (("export", "fast", "b.pt2"), "b.pt2: exists; --overwrite replaces it"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_mistakes_that_need_no_torch_are_told_without_it(
    tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    for name in ("a.xyz", "b.xyz", "b.pt2"):
        (tmp_path / name).write_text("0 0 0\n")
    code = "import sys; sys.modules['torch'] = None; from tensorframes.cli.main import main; sys.exit(main())"
    ended = subprocess.run([sys.executable, "-c", code, *arguments], cwd=tmp_path, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (2, "", 1), ended.stderr
    assert ended.stderr.startswith(f"error: {message}")


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
