"""``tensorframes normals``: options before the files, and a report that can't be written."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.cli.test_normals import run, sphere
from tests.reports.pages import Page


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
