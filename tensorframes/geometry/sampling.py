"""Fewer points, chosen by distances alone: whatever turns, mirrors or reorders a cloud, the same points survive."""

import torch
from torch import Tensor

from tensorframes.geometry.checks import check_batch, check_points
from tensorframes.geometry.neighbours import radius_graph
from tensorframes.geometry.scale import cloud_scale, distinct_distances

ROUNDS = 32


@torch.no_grad()
def intrinsic_priority(pos: Tensor, batch: Tensor | None = None, scale: Tensor | None = None, k: int = 8) -> Tensor:
    """A pseudo-random number in [-1, 1] for every point, (N,) float64, that depends on distances alone."""
    check_points(pos)
    batch = check_batch(batch, pos)
    lengths = cloud_scale(pos, batch) if scale is None else scale
    distance = distinct_distances(pos, k, batch) / lengths.double()[batch][:, None]
    weight = torch.sqrt(torch.arange(2, k + 2, dtype=torch.float64, device=pos.device))
    return torch.sin(10.0 * (distance * weight).sum(1))


@torch.no_grad()
def independent_set(
    pos: Tensor, radius: Tensor | float, batch: Tensor | None = None, priority: Tensor | None = None
) -> Tensor:
    """Rows (S,), ascending, of a maximal independent set of the radius graph; points with equal priority both survive."""
    batch = check_batch(batch, pos)
    if priority is None:
        priority = intrinsic_priority(pos, batch)
    sender, receiver = radius_graph(pos, radius, batch)
    state = torch.zeros(len(pos), dtype=torch.long, device=pos.device)
    for _ in range(ROUNDS):
        open_edge = (state[sender] == 0) & (state[receiver] == 0)
        sender, receiver = sender[open_edge], receiver[open_edge]
        beaten = torch.zeros_like(state, dtype=torch.bool)
        beaten[receiver[priority[sender] > priority[receiver]]] = True
        won = (state == 0) & ~beaten
        state[won] = 1
        lost = receiver[won[sender]]
        state[lost[~won[lost]]] = -1
        if not bool((state == 0).any()):
            break
    return (state >= 0).nonzero().squeeze(1)
