"""Published scores of PCPNet's clouds: all 108 are there, and differences from them are told."""

import numpy as np
import pytest

from tensorframes.data import CATEGORIES
from tensorframes.data.datasets.pcpnet import category_of
from tensorframes.scoring import PCA, RobustPCA, deviation, published_rmse

AVERAGES = {PCA(112).name: 16.26, RobustPCA().name: 14.36}


@pytest.mark.parametrize("method", AVERAGES)
def test_the_table_has_the_published_average(method):
    found = published_rmse(method)
    categories = [category_of(name) for name in found]
    means = [
        np.mean([found[name] for name, its in zip(found, categories, strict=True) if its == each])
        for each in CATEGORIES
    ]
    assert len(found) == 108
    assert np.mean(means) == pytest.approx(AVERAGES[method], abs=0.01)


def test_differences_are_told_with_the_largest():
    there = {"sphere100k": {"rmse": 0.915}, "galera100k": {"rmse": 16.671}, "mine": {"rmse": 1.0}}
    found = deviation("PCA 112", there)
    assert found.differences == pytest.approx({"sphere100k": 0.1, "galera100k": -0.2})
    assert str(found) == (
        "published RMSE of 2 of 108 clouds: -0.050 degrees on average, 0.150 in absolute value, at most -0.200 "
        "(galera100k: 16.671 here, 16.871 published)"
    )


def test_methods_and_clouds_without_published_scores_have_no_deviation():
    assert deviation("PCA 18", {"sphere100k": {"rmse": 1.0}}) is None
    assert deviation("PCA 112", {"mine": {"rmse": 1.0}}) is None
