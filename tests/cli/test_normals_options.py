"""``tensorframes normals``: confidence, signs and reports."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from tensorframes.data import read_cloud
from tests.cli.test_normals import STORED, run, sphere
from tests.reports.pages import Page, unpacked


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
    expected = "expected the position of the sensor, as in PCD, E57, PTX and KITTI's BIN, got none"
    assert (code, err) == (2, f"error: {tmp_path / 'a.xyz'}: {expected}; --orient viewpoint X,Y,Z\n")


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


def test_a_confidence_may_be_asked_for_before_the_files(tmp_path: Path) -> None:
    np.savetxt(tmp_path / "a.xyz", sphere(60))
    options = ("--weights", "fast", "--quiet")
    assert run("--confidence", tmp_path / "a.xyz", tmp_path / "b.npy", *options) == (0, "", "")
    assert np.load(tmp_path / "b.npy").dtype.names == ("x", "y", "z", "confidence", "nx", "ny", "nz")
    assert run("--confidence", "length", tmp_path / "a.xyz", tmp_path / "c.npy", *options) == (0, "", "")
    assert np.load(tmp_path / "c.npy").dtype.names == ("x", "y", "z", "nx", "ny", "nz")


def test_a_report_on_a_full_disk_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savetxt(tmp_path / "a.xyz", sphere(60))

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("tensorframes.reports.write_normals_page", full)
    code, out, err = run(tmp_path / "a.xyz", tmp_path / "b.npy", "--weights", "fast", "--report", tmp_path / "a.html")
    assert (code, out) == (2, "")
    assert err == f"error: {tmp_path / 'a.html'}: can't be written: No space left on device\n"


def test_memory_that_runs_out_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savetxt(tmp_path / "a.xyz", sphere(60))

    def exhausted(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nSee the documentation")

    monkeypatch.setattr("tensorframes.cli.normals.estimated", exhausted)
    code, out, err = run(tmp_path / "a.xyz", tmp_path / "b.npy", "--weights", "fast")
    assert (code, out) == (2, "")
    assert err == "error: expected enough memory, got too little; a smaller --block, or --device cpu, takes less\n"


def test_a_report_names_the_options_as_they_are_given(tmp_path: Path) -> None:
    np.savetxt(tmp_path / "a.xyz", sphere(60))
    options = ["--from", "xyz", "--to", "npy", "--overwrite", "--quiet", "--orient", "none", "--confidence", "length"]
    trust = ["--trusted", "one", "--trusted", "two"]
    files = [tmp_path / "a.xyz", tmp_path / "b.npy", "--weights", "fast", "--report", tmp_path / "a.html"]
    assert run(*files, *options, *trust) == (0, "", "")
    assert f"\noptions\n{' '.join([*options, *trust])}\n" in Page(tmp_path / "a.html").text.replace("\n\n", "\n")
