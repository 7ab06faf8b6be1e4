"""Agreement with numbers computed elsewhere, on a real mesh sampled as the yardstick's clouds were."""

import csv
import importlib.util

import numpy as np
import pytest

from tensorframes.data import Cloud
from tensorframes.scoring import PCA, Jet, score

NAME = "anchor_dense100k"


@pytest.fixture(scope="module")
def trial_cloud(shared_data) -> Cloud:
    """The clean cloud of one mesh, as the tool beside the data writes it."""
    pytest.importorskip("trimesh", reason="sampling a mesh needs trimesh")
    spec = importlib.util.spec_from_file_location("make_trial", shared_data.parent / "tools" / "make_trial.py")
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    pos, normal = tool.sample(shared_data / "meshes" / "anchor_dense.off")
    rows = np.sort(tool.seeded(NAME + "pidx").choice(len(pos), 5000, replace=False))
    return Cloud(NAME, pos=pos, normal=normal, scored=rows)


@pytest.mark.parametrize(("column", "method"), [("pca_18", PCA(18)), ("pca_112", PCA(112)), ("jet_112", Jet(112))])
def test_classical_methods_agree_with_the_yardstick(column, method, trial_cloud, shared_data):
    with (shared_data / "yardstick.csv").open() as file:
        expected = {row["cloud"]: float(row[column]) for row in csv.DictReader(file)}[NAME]
    assert score(method, [trial_cloud])["average"]["rmse"] == pytest.approx(expected, abs=0.006)  # it has two decimals
