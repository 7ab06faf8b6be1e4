"""Equivariant vectors of a neighbourhood: what frames are made of, before they are orthonormalised."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from tensorframes.geometry import RadialEncoding, envelope
from tensorframes.geometry.checks import check_count
from tensorframes.geometry.edges import common_degree, edge_lengths
from tensorframes.parallel import parallel_map

CHUNK = 2048  # receivers computed at once: their intermediate values stay in the cache


class EquivariantVectors(nn.Module):
    r"""A few vectors per point, predicted from its edges (Lippmann et al., arXiv 2405.15389, section 4).

    .. math::
        v_i^a = \frac{1}{\sum_j \eta_{ij}} \sum_j \eta_{ij}\, w_a(\dots)\, \hat r_{ij}, \qquad
        \hat r_{ij} = (x_j - x_i) / |x_j - x_i|, \quad \eta_{ij} = \mathrm{env}(|r_{ij}| / c_i),

    with c_i the distance to i's farthest sender, and :math:`w = \tanh \mathrm{MLP}` of invariants: the radial encoding
    of :math:`|r_{ij}|/c_i`, and, with the moments :math:`m_i = \langle\hat r\rangle` and
    :math:`C_i = \langle\hat r \hat r^T\rangle` under the weights eta, :math:`\hat r \cdot m_i`,
    :math:`\hat r^T C_i \hat r` and :math:`|m_i|^2`. Edges of length zero contribute nothing. Every length is relative
    to c_i, so the vectors do not depend on the cloud's scale, and :math:`|v| \le 1`.

    Args:
        count: vectors per point.
        hidden: width of the two-layer network.
        radial: functions of the radial encoding.
    """

    def __init__(self, count: int, hidden: int = 32, radial: int = 8) -> None:
        super().__init__()
        check_count(hidden, "hidden")
        self.count = count
        self.radial = RadialEncoding(radial)
        last = nn.Linear(hidden, count)
        nn.init.normal_(last.weight, std=3 / hidden**0.5)  # axes that differ from the start
        self.weights = nn.Sequential(nn.Linear(radial + 3, hidden), nn.SiLU(inplace=True), last)

    def forward(self, pos: Tensor, edge_index: Tensor, receivers: Tensor | None = None) -> Tensor:
        """Vectors (M, count, d) of the receivers (M, d), by default pos (N, d), from the senders pos along (2, E)."""
        if pos.dtype != (own := self.weights[0].weight.dtype):
            raise ValueError(f"expected positions of {own}, as the parameters are, got {pos.dtype}")
        target = pos if receivers is None else receivers
        index = edge_index[1]
        degree = common_degree(index, len(target))
        if degree is not None:
            chunks = list(zip(edge_index[0].view(-1, degree).split(CHUNK), target.split(CHUNK), strict=True))
            return torch.cat(parallel_map(lambda chunk: self.of_table(pos, *chunk), chunks, pos.device))
        unit, eta, length = edge_units(pos, edge_index, target)
        relative = length / reach_of(length, index, len(target)).index_select(0, index)
        invariants = self._invariants(unit, eta, index, len(target))
        weights = self.weights(torch.cat([self.radial(relative), invariants], dim=-1)).tanh()
        messages = (eta.unsqueeze(-1) * weights).unsqueeze(-1) * unit.unsqueeze(1)  # (E, count, d)
        return sum_rows(messages, index, len(target))

    def of_table(self, pos: Tensor, table: Tensor, target: Tensor) -> Tensor:
        """Vectors (M, count, d) as in ``forward``, for receivers (M, d) with a neighbour table (M, K)."""
        edge = pos.index_select(0, table.flatten()).view(*table.shape, -1) - target.unsqueeze(1)
        length = edge_lengths(edge)
        unit = edge / _safe(length).unsqueeze(-1)
        relative = length / _safe(length.amax(-1, keepdim=True))
        eta = torch.where(length > 0, envelope(relative), torch.zeros_like(length))
        weighted = (eta / _safe(eta.sum(-1, keepdim=True))).unsqueeze(-1) * unit
        mean = weighted.sum(1)
        along = (unit @ mean.unsqueeze(-1)).squeeze(-1)
        spread = ((unit @ (weighted.transpose(1, 2) @ unit)) * unit).sum(-1)
        invariants = torch.stack([along, spread, mean.square().sum(-1, keepdim=True).expand_as(along)], dim=-1)
        weights = self.weights(torch.cat([self.radial(relative), invariants], dim=-1)).tanh()
        out: Tensor = weights.transpose(1, 2) @ weighted
        return out

    @staticmethod
    def _invariants(unit: Tensor, eta: Tensor, index: Tensor, count: int) -> Tensor:
        mean = sum_rows(eta.unsqueeze(-1) * unit, index, count)  # (M, d)
        outer = unit.unsqueeze(-1) * unit.unsqueeze(-2)
        second = sum_rows(eta.view(-1, 1, 1) * outer, index, count)  # (M, d, d)
        along = (unit * mean.index_select(0, index)).sum(-1)
        spread = (outer * second.index_select(0, index)).sum((-2, -1))
        return torch.stack([along, spread, (mean * mean).sum(-1).index_select(0, index)], dim=-1)


def cloud_vectors(pos: Tensor, batch: Tensor, rows: Tensor) -> Tensor:
    r"""Four vectors of the whole cloud at some of its points: the last equivariant rule for a frame.

    .. math:: v^1_i = \sum_j r_{ij}, \quad v^2_i = \sum_j |r_{ij}|^2 r_{ij}, \quad v^3_i = M v^1_i,
        \quad v^4_i = M v^2_i, \quad M = \sum_j (x_j - c)(x_j - c)^T,

    from the cloud's moments, in time linear in N; scaled by the cloud's root mean square radius, so that 1 is large.

    Shapes: pos (N, d), batch (N,), rows (M,); returns (M, 4, d).
    """
    clouds = int(batch.max()) + 1
    size = sum_rows(torch.ones_like(pos[:, 0]), batch, clouds)
    y = pos - (sum_rows(pos, batch, clouds) / size.unsqueeze(-1)).index_select(0, batch)
    radius = (sum_rows((y * y).sum(-1), batch, clouds) / size).sqrt()
    y = y / _safe(radius).index_select(0, batch).unsqueeze(-1)
    square = (y * y).sum(-1, keepdim=True)
    second = sum_rows(y.unsqueeze(-1) * y.unsqueeze(-2), batch, clouds) / size.view(-1, 1, 1)
    third = sum_rows(square * y, batch, clouds) / size.unsqueeze(-1)
    of = batch.index_select(0, rows)
    y, square, second = y.index_select(0, rows), square.index_select(0, rows), second.index_select(0, of)
    trace = second.diagonal(dim1=-2, dim2=-1).sum(-1, keepdim=True)
    turned = (second @ y.unsqueeze(-1)).squeeze(-1)
    v1, v2 = -y, third.index_select(0, of) - 2 * turned - (trace + square) * y
    both = torch.stack([v1, v2], dim=1)
    return torch.cat([both, both @ second], dim=1)


def edge_units(pos: Tensor, edge_index: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Directions (E, d) from receivers to senders, their weights eta (E,) that sum to 1 at each receiver, lengths (E,).

    Edges of length zero have direction and weight zero. pos (N, d) of the senders, target (M, d) of the receivers.
    """
    index = edge_index[1]
    edge = pos.index_select(0, edge_index[0]) - target.index_select(0, index)
    length = edge_lengths(edge)
    unit = edge / _safe(length).unsqueeze(-1)
    relative = length / reach_of(length, index, len(target)).index_select(0, index)
    eta = torch.where(length > 0, envelope(relative), torch.zeros_like(length))
    return unit, eta / _safe(sum_rows(eta, index, len(target))).index_select(0, index), length


def reach_of(length: Tensor, index: Tensor, count: int) -> Tensor:
    """The longest edge at each of ``count`` receivers, 1 where there is none: (count,)."""
    return _safe(length.new_zeros(count).scatter_reduce(0, index, length, "amax"))


def sum_rows(values: Tensor, index: Tensor, count: int) -> Tensor:
    """Sums of the rows with equal index; as a matrix, because that is index_add's fast path on a CPU."""
    rows = values.reshape(len(values), math.prod(values.shape[1:]))
    return rows.new_zeros(count, rows.shape[1]).index_add(0, index, rows).view(count, *values.shape[1:])


def _safe(value: Tensor) -> Tensor:
    return torch.where(value > 0, value, torch.ones_like(value))
