"""On a GPU: neighbours, samples, eigenvectors and normals are those of the CPU; equivariance in float32 and bfloat16,
in which geometry and frames stay exact.

TENSORFRAMES_TEST_DEVICE=cpu runs the same on the CPU, to see that the tests themselves run.
"""

import os
from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor

from benchmarks.harness import torus
from benchmarks.rows.messages import REPS, MyConv
from tensorframes import estimate_normals
from tensorframes.backbones import PointNet2
from tensorframes.frames import Frames, LearnedFrames
from tensorframes.geometry import independent_set, knn, knn_graph
from tensorframes.geometry.eigen import eigh, jacobi
from tensorframes.normals import PRETRAINED, NeighbourPlanes, NormalEstimator, PlaneHead, Select, WeightedFit
from tensorframes.reps import Representation
from tensorframes.testing import random_orthogonal

DEVICE = os.environ.get("TENSORFRAMES_TEST_DEVICE", "cuda")

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(DEVICE == "cuda" and not torch.cuda.is_available(), reason="this machine has no GPU"),
]


def clouds(count: int = 1500) -> dict[str, Tensor]:
    """Clouds (count, 3) on which searches go wrong."""
    random = torch.randn(count, 3, dtype=torch.float64)
    crowded = random.clone()
    crowded[: count // 2] *= 1e-6
    return {
        "random": random,
        "lattice": (2 * random).round(),
        "copies": random[torch.randint(count // 3, (count,))],
        "crowded": crowded,
        "float32": (random + 100).float(),
    }


def degrees(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Angles between unoriented normals."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    return np.degrees(np.arctan2(np.linalg.norm(np.cross(a, b), axis=1), np.abs((a * b).sum(1))))


@pytest.mark.parametrize("method", ["auto", "cells"])
def test_neighbours_are_those_of_brute_force(method: str) -> None:
    batch = torch.tensor([0, 2]).repeat_interleave(750)
    for name, cloud in clouds().items():
        expected = knn(cloud, 16, batch=batch, method="brute")
        found = knn(cloud.to(DEVICE), 16, batch=batch.to(DEVICE), method=method).cpu()
        assert torch.equal(found, expected), name


def test_samples_are_apart_and_cover_the_cloud() -> None:
    for name, cloud in clouds().items():
        found = independent_set(cloud.to(DEVICE), 0.4).cpu()
        distance = torch.cdist(cloud.double(), cloud[found].double())
        assert distance.amin(1).max() <= 0.4 + 1e-6, name
        if name in ("random", "float32"):  # elsewhere points are copies or have equal priorities
            assert distance[found].fill_diagonal_(1.0).min() >= 0.4 - 1e-6, name
            assert torch.equal(found, independent_set(cloud, 0.4))


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 2e-6), (torch.float64, 1e-14)])
def test_eigenvectors_diagonalise(dtype: torch.dtype, tolerance: float) -> None:
    half = torch.randn(40_000, 3, 3, dtype=dtype)
    half[:1000, :, 2] = half[:1000, :, 1]  # of rank two
    half[1000:2000] = half[1000:2000, :1, :1] * torch.eye(3, dtype=dtype)  # equal eigenvalues
    matrices = half @ half.mT
    given = matrices.to(DEVICE)
    values, vectors = (each.cpu() for each in (jacobi(given) if DEVICE == "cpu" else eigh(given)))
    size = matrices.abs().amax((1, 2), keepdim=True)
    assert ((vectors.mT @ vectors - torch.eye(3, dtype=dtype)).abs().max()) < 10 * tolerance
    assert ((vectors * values[:, None] @ vectors.mT - matrices) / size).abs().max() < 10 * tolerance
    assert ((values - torch.linalg.eigvalsh(matrices)) / size[:, 0]).abs().max() < 10 * tolerance


def test_messages_are_those_of_the_cpu() -> None:
    pos = torch.randn(300, 3)
    edge_index, x, layer = knn_graph(pos, 8), torch.randn(300, REPS.dim), MyConv()
    frames = LearnedFrames()(pos, edge_index)
    expected = layer(x, edge_index, frames)
    found = layer.to(DEVICE)(x.to(DEVICE), edge_index.to(DEVICE), Frames(frames.matrices.to(DEVICE))).cpu()
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("bf16", "tolerance"), [(False, 2e-4), (True, 2**-5)])
def test_frames_are_float32_and_features_equivariant_to_rounding(bf16: bool, tolerance: float) -> None:
    finder, layer = LearnedFrames().to(DEVICE), MyConv().to(DEVICE)
    pos, x = torch.randn(400, 3), torch.randn(400, REPS.dim).to(DEVICE)
    edge_index, g = knn_graph(pos, 16).to(DEVICE), random_orthogonal(1, determinant=1)[0]
    found = []
    for cloud in (pos.double(), pos.double() @ g.T):
        given = cloud.float().to(DEVICE)
        with torch.no_grad(), torch.autocast(DEVICE, torch.bfloat16, enabled=bf16):
            frames = finder(given, edge_index)
            found.append((frames.matrices.double().cpu(), layer(x, edge_index, frames).double().cpu()))
        assert frames.matrices.dtype == torch.float32
    (before, features), (after, turned) = found
    sure = (after - before @ g.T).abs().amax((1, 2)) < 1e-3  # float32's: bfloat16's would be a hundred times larger
    assert sure.double().mean() > 0.98
    error = (turned - features)[sure].abs() / features.abs().max()
    assert error.quantile(0.98) < tolerance


@torch.no_grad()
def test_mixed_precision_leaves_geometry_and_refined_frames_exact() -> None:
    """Scan lines, whose neighbourhoods are near to lines; a network that rotates its frames between layers."""
    along, line = torch.meshgrid(torch.linspace(0, 4, 40), torch.arange(4.0), indexing="ij")
    across = 3 * line + 0.02 * torch.randn(40, 4)
    pos = torch.stack([along.flatten(), across.flatten(), torch.zeros(160)], dim=1) @ random_orthogonal(1)[0].float()
    pos, batch = pos.to(DEVICE), torch.zeros(160, dtype=torch.long, device=DEVICE)
    backbone = PointNet2(widths=(16, 24, 24), radii=(1.5, 3.0), neighbours=8, refine=True)
    network = NormalEstimator(LearnedFrames(), backbone, small_head).to(DEVICE).eval()
    for refinement in backbone.refinements or ():
        refinement.net[-1].weight.normal_(std=0.3)
    lines = []
    for bf16 in (False, True):
        with torch.autocast(DEVICE, torch.bfloat16, enabled=bf16):
            geometry, plan, _, _ = network.planned(pos, batch, None, None, None)
            frames = network.backbone(geometry, network.find_frames(geometry))[1].matrices
        assert (frames @ frames.mT - torch.eye(3, device=DEVICE)).abs().max() < 1e-5
        lines.append(plan.collinear)
    assert torch.equal(lines[0], lines[1])
    assert not lines[0].all()


def small_head(reps: Representation) -> PlaneHead:
    """Selections among few candidates, and one fit."""
    selection = partial(Select, sources={"neighbours": NeighbourPlanes(5, 6)}, hidden=4, nearest=20)
    return PlaneHead(reps, selection, partial(WeightedFit, neighbours=(12, 4), hidden=8), selection, levels=3)


@pytest.mark.parametrize("weights", PRETRAINED)
def test_normals_are_those_of_the_cpu_and_equivariant(weights: str) -> None:
    cloud, g = torus(900, noise=0.3).pos.astype(np.float64), random_orthogonal(1)[0].numpy()
    here, there, turned = (
        estimate_normals(pos, weights, device)
        for pos, device in ((cloud, "cpu"), (cloud, DEVICE), (cloud @ g.T, DEVICE))
    )
    assert np.quantile(degrees(here, there), 0.95) < 0.05
    assert np.quantile(degrees(there @ g.T, turned), 0.95) < 0.1
