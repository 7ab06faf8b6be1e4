"""How thick a cloud is at each scale: a few numbers that tell noise, relief and edges of the whole of it apart."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tensorframes.geometry.eigen import eigvalsh
from tensorframes.geometry.neighbours import knn

SIZES = (16, 32, 64, 128, 256, 512, 1024)
"""Nearest points of the neighbourhoods, nested."""

PROFILE = 2 * len(SIZES)
"""How many numbers a profile has."""

LEAST = 1e-6  # variance that counts as none, in squared units of the scale
UNIT = 4.0  # of logarithms of variances, so that a profile's numbers are about 1
SPACING = 8  # the neighbour whose distance tells what area a point stands for
WIDEST = 6.0  # scales; no point stands for more than that far around it
TIE = 1e-9  # relative difference of distances that are equal up to rounding
ROWS = 512  # looked at together
SAMPLE = 256  # rows of a training cloud


@torch.no_grad()
def thickness_profile(pos: Tensor, rows: Tensor, weigh: bool = False) -> Tensor:
    r"""The profile of one cloud, (PROFILE,) in the type of pos: mean and standard deviation over its rows of

    .. math:: t_{ik} = 1 + \tfrac14 \log(\lambda_{ik} + 10^{-6})

    for each k of SIZES, :math:`\lambda_{ik}` the smallest eigenvalue of the covariance of the k points nearest to i, of
    all of them where the cloud has fewer. With noise of standard deviation s it is about :math:`s^2` at every size; of
    a curved or rough surface it grows with the size, and edges make it differ from place to place. One point cannot
    tell these apart by its own neighbourhood; the whole cloud can. (The share of the smallest eigenvalue, at several
    sizes, is known as surface variation: Pauly, Keiser, Gross 2003, *Multi-scale feature extraction on point-sampled
    surfaces*.) Of points at equal distances all have the same part in a neighbourhood that ends among them.

    Args:
        pos: (N, 3) points in units of the cloud's scale. rows: (M,) where it is measured, M >= 1.
        weigh: by the area that each row stands for, for rows drawn at random; not for rows that are evenly spaced.
    """
    points = pos.double()
    thickness, area = zip(*(_thickness(points, part) for part in rows.split(ROWS)), strict=True)
    found = 1 + (torch.cat(thickness) + LEAST).log() / UNIT
    weight = torch.cat(area) if weigh else torch.ones_like(found[:, 0])
    weight = torch.where(weight.sum() > 0, weight, torch.ones_like(weight)).unsqueeze(-1)
    mean = (weight * found).sum(0) / weight.sum()
    spread = ((weight * (found - mean).square()).sum(0) / weight.sum()).sqrt()
    return torch.cat([mean, spread]).to(pos.dtype)


def _thickness(points: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Smallest variances (M, S) of the neighbourhoods of some rows (M,), and the area (M,) that each row stands for."""
    most = min(SIZES[-1], len(points))
    table = knn(points, most, query=points[rows])
    edge = points[table] - points[rows].unsqueeze(1)
    length = edge.norm(dim=-1)
    moments = torch.cat([edge, (edge.unsqueeze(-1) * edge.unsqueeze(-2)).flatten(2)], dim=-1)
    sizes = torch.tensor([min(size, most) for size in SIZES], device=points.device)
    mean, square = (_sums(moments, length, sizes) / sizes.view(-1, 1)).split([3, 9], dim=-1)
    covariance = square.unflatten(-1, (3, 3)) - mean.unsqueeze(-1) * mean.unsqueeze(-2)
    spacing = length[:, min(SPACING, most - 1)].clamp(max=WIDEST)
    return eigvalsh(covariance)[..., 0].clamp_min(0), spacing.square()


def _sums(values: Tensor, length: Tensor, sizes: Tensor) -> Tensor:
    """Sums (M, S, C) of the first so many of each row's values (M, K, C), in order of length (M, K); those whose length
    is that of the last one all count in part."""
    total = torch.nn.functional.pad(values.cumsum(1), (0, 0, 1, 0))
    last = length[:, sizes - 1]
    before = torch.searchsorted(length, last * (1 - TIE))
    after = torch.searchsorted(length, last * (1 + TIE), right=True)

    def up_to(count: Tensor) -> Tensor:
        return total.gather(1, count.unsqueeze(-1).expand(-1, -1, values.shape[-1]))

    part = ((sizes - before) / (after - before)).unsqueeze(-1)
    return up_to(before) + part * (up_to(after) - up_to(before))


def profiles(pos: Tensor, batch: Tensor, rows: Tensor) -> Tensor:
    """(B, PROFILE) of each cloud, zeros of one without points: points (N, 3), batch (N,) ascending, evenly spaced rows
    (M,) of all clouds."""
    found = []
    for cloud in range(int(batch.max()) + 1):
        own, start = rows[batch.index_select(0, rows) == cloud], int((batch < cloud).sum())
        there = len(own) > 0
        found.append(thickness_profile(pos[batch == cloud], own - start) if there else pos.new_zeros(PROFILE))
    return torch.stack(found)


def sampled_profile(pos: NDArray, scale: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """(PROFILE,) of a cloud (N, 3) at random rows: about ``thickness_profile`` at evenly spaced ones."""
    rows = torch.from_numpy(rng.choice(len(pos), min(SAMPLE, len(pos)), replace=False))
    points = torch.from_numpy(np.ascontiguousarray(pos, dtype=np.float64)) / scale
    found: NDArray[np.float32] = thickness_profile(points, rows, weigh=True).float().numpy()
    return found
