"""``tensorframes normals``: options before the files, and a report that can't be written."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from tests.cli.test_normals import run, sphere


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
