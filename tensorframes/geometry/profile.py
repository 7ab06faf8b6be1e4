"""The surface-variation profile of a cloud: its variation at each scale, which separates noise, relief and edges."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tensorframes.geometry.eigen import eigvalsh
from tensorframes.geometry.neighbours import knn

SIZES = (16, 32, 64, 128, 256, 512, 1024)
"""Points of the nested neighbourhoods."""

PROFILE_SIZE = 2 * len(SIZES)
"""Entries of a profile."""

LEAST = 1e-6  # added to variances, in squared units of the scale
UNIT = 4.0  # of logarithms of variances: a profile's entries are about 1
SPACING = 8  # the neighbour whose squared distance measures the area a point stands for
WIDEST = 6.0  # largest such distance, in scales
TIE = 1e-9  # relative difference of distances that are equal up to rounding
CHUNK = {"cpu": 64}  # rows whose sums are computed at once: these stay in the cache
LARGEST_CHUNK = 512  # on other devices: bounds memory
QUERIES = 8192  # rows whose neighbours are found at once: the search tree of the whole cloud is built for each time
SAMPLE = 256  # rows of a training cloud


@torch.no_grad()
def variation_profile(pos: Tensor, rows: Tensor, weigh: bool = False) -> Tensor:
    r"""The profile of one cloud, (PROFILE_SIZE,) in the type of pos: mean and standard deviation over its rows of

    .. math:: t_{ik} = 1 + \tfrac14 \log(\lambda_{ik} + 10^{-6})

    for each k of SIZES, :math:`\lambda_{ik}` the smallest eigenvalue of the covariance of the k points nearest to i, or
    of all points where the cloud has fewer. For noise of standard deviation s it is about :math:`s^2` at every size.
    For a curved or rough surface it grows with the size, and edges make it vary from place to place. A single
    neighbourhood cannot separate these cases; the whole cloud can. The smallest eigenvalue at several sizes, divided by
    the sum of the eigenvalues, is the surface variation of Pauly, Keiser and Gross (2003, *Multi-scale feature
    extraction on point-sampled surfaces*). Where a neighbourhood ends among points at equal distances, each of these
    enters with the same weight.

    Args:
        pos: (N, 3) points in units of the cloud's scale. rows: (M,) where it is measured, M >= 1.
        weigh: weight each row by the area it stands for. For rows drawn at random; evenly spaced ones need no weights.
    """
    points = pos.double()
    variance, area = zip(*(part for chunk in rows.split(QUERIES) for part in _variances(points, chunk)), strict=True)
    values = 1 + (torch.cat(variance) + LEAST).log() / UNIT
    weight = torch.cat(area) if weigh else torch.ones_like(values[:, 0])
    weight = torch.where(weight.sum() > 0, weight, torch.ones_like(weight)).unsqueeze(-1)
    mean = (weight * values).sum(0) / weight.sum()
    spread = ((weight * (values - mean).square()).sum(0) / weight.sum()).sqrt()
    return torch.cat([mean, spread]).to(pos.dtype)


def _variances(points: Tensor, rows: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """The smallest variances and areas of the rows (M,), chunk by chunk."""
    table = knn(points, min(SIZES[-1], len(points)), query=points[rows])
    count = CHUNK.get(rows.device.type, LARGEST_CHUNK)
    for chunk, near in zip(rows.split(count), table.split(count), strict=True):
        yield _smallest_variances(points, chunk, near)


def _smallest_variances(points: Tensor, rows: Tensor, table: Tensor) -> tuple[Tensor, Tensor]:
    """Smallest variances (M, S) of the neighbourhoods of some rows (M,), and the area (M,) that each row stands for.

    Args:
        points: (N, 3). rows: (M,). table: (M, K) their nearest points, nearest first.
    """
    most = table.shape[1]
    edge = points[table] - points[rows].unsqueeze(1)
    length = edge.norm(dim=-1)
    moments = torch.cat([edge, (edge.unsqueeze(-1) * edge.unsqueeze(-2)).flatten(2)], dim=-1)
    sizes = torch.tensor([min(size, most) for size in SIZES], device=points.device)
    mean, square = (_sums(moments, length, sizes) / sizes.view(-1, 1)).split([3, 9], dim=-1)
    covariance = square.unflatten(-1, (3, 3)) - mean.unsqueeze(-1) * mean.unsqueeze(-2)
    spacing = length[:, min(SPACING, most - 1)].clamp(max=WIDEST)
    return eigvalsh(covariance)[..., 0].clamp_min(0), spacing.square()


def _sums(values: Tensor, length: Tensor, sizes: Tensor) -> Tensor:
    """Sums (M, S, C) of the first ``sizes`` of each row's values (M, K, C), in order of length (M, K). Values whose
    length equals that of the last one enter with equal weights."""
    total = torch.nn.functional.pad(values.cumsum(1), (0, 0, 1, 0))
    last = length[:, sizes - 1]
    before = torch.searchsorted(length, last * (1 - TIE))
    after = torch.searchsorted(length, last * (1 + TIE), right=True)

    def up_to(count: Tensor) -> Tensor:
        return total.gather(1, count.unsqueeze(-1).expand(-1, -1, values.shape[-1]))

    part = ((sizes - before) / (after - before)).unsqueeze(-1)
    return up_to(before) + part * (up_to(after) - up_to(before))


def variation_profiles(pos: Tensor, batch: Tensor, rows: Tensor) -> Tensor:
    """(B, PROFILE_SIZE) the profile of each cloud, zeros for a cloud without points.

    Args:
        pos: (N, 3). batch: (N,) ascending. rows: (M,) evenly spaced points of all clouds.
    """
    profiles = []
    for cloud in range(int(batch.max()) + 1):
        own, start = rows[batch.index_select(0, rows) == cloud], int((batch < cloud).sum())
        profiles.append(
            variation_profile(pos[batch == cloud], own - start) if len(own) else pos.new_zeros(PROFILE_SIZE)
        )
    return torch.stack(profiles)


def sampled_profile(pos: NDArray, scale: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """(PROFILE_SIZE,) of a cloud (N, 3) at random rows, an estimate of ``variation_profile`` at evenly spaced ones."""
    rows = torch.from_numpy(rng.choice(len(pos), min(SAMPLE, len(pos)), replace=False))
    points = torch.from_numpy(np.ascontiguousarray(pos, dtype=np.float64)) / scale
    profile: NDArray[np.float32] = variation_profile(points, rows, weigh=True).float().numpy()
    return profile
