"""A typed program that uses the public functions passes mypy's strict checks."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pages import REPOSITORY

PROGRAM = """\
from typing import assert_type

import numpy as np
import torch
from numpy.typing import NDArray

from tensorframes import estimate_normals, normals_and_confidence, orient_normals

array, tensor = np.zeros((5, 3)), torch.zeros(5, 3)
assert_type(estimate_normals(array), NDArray[np.float32])
assert_type(estimate_normals(tensor), torch.Tensor)
assert_type(normals_and_confidence(array), tuple[NDArray[np.float32], NDArray[np.float32]])
assert_type(normals_and_confidence(tensor), tuple[torch.Tensor, torch.Tensor])
assert_type(orient_normals(array, tensor), torch.Tensor)
oriented: NDArray[np.float32] = orient_normals(array, [[0.0, 0.0, 1.0]] * 5, "viewpoint", viewpoint=(0, 0, 2))


class Rows:  # as Open3D's, whose types do not say that it becomes an array
    pass


class Cloud:
    points: Rows


class Mesh:
    vertices: Rows


class Elsewhere:
    def cpu(self) -> "Elsewhere":
        return self

    def numpy(self) -> NDArray[np.float64]:
        return np.zeros((5, 3))


class Tensors:
    point: dict[str, Elsewhere]


assert_type(estimate_normals(Cloud()), NDArray[np.float32])
assert_type(estimate_normals(Mesh()), NDArray[np.float32])
assert_type(estimate_normals(Elsewhere()), NDArray[np.float32])
assert_type(estimate_normals(Tensors()), NDArray[np.float32])
orient_normals(Cloud(), Elsewhere())
"""


@pytest.mark.slow
def test_a_typed_program_passes(tmp_path: Path) -> None:
    if importlib.util.find_spec("mypy") is None:
        pytest.skip("there is no mypy")
    (tmp_path / "program.py").write_text(PROGRAM)
    options = ["--strict", "--follow-imports=silent", "--config-file=", f"--cache-dir={tmp_path / 'cache'}"]
    ended = subprocess.run(
        [sys.executable, "-m", "mypy", *options, "program.py"],
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
