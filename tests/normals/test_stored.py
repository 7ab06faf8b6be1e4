"""Normals of the shipped weights and of the stored file stay what they are, whatever changes around them."""

from pathlib import Path

import numpy as np
import pytest

from tensorframes.normals import NormalEstimator, load_weights, normals_of, pretrained

STORED = Path(__file__).parent / "stored"
CLOUDS = ("noisy", "grid", "rings")


def estimator(name: str) -> NormalEstimator:
    """In float64: what float32 rounds differs between processors."""
    return (load_weights(STORED / "format1.safetensors") if name == "format1" else pretrained(name)).double()


@pytest.mark.parametrize("weights", ["best", "fast", "format1"])
def test_normals_are_the_stored_ones_within_a_thousandth_of_a_degree(weights: str) -> None:
    """``store.py`` writes the file anew where weights changed on purpose."""
    stored, network = np.load(STORED / "normals.npz"), estimator(weights)
    for cloud in CLOUDS:
        normals, expected = normals_of(network, stored[cloud]), stored[f"{weights}.{cloud}"]
        sine = np.linalg.norm(np.cross(normals.astype("f8"), expected.astype("f8")), axis=1)
        assert np.degrees(sine).max() < 1e-3, cloud
        assert np.abs(np.linalg.norm(expected, axis=1) - 1).max() < 1e-5
