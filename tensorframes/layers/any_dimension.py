"""Layers with one set of weights for every dimension of space: they mix channels, never components."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tensorframes.geometry.checks import check_count
from tensorframes.geometry.edges import edge_lengths
from tensorframes.geometry.eigen import eigh
from tensorframes.layers.mlp import MLP
from tensorframes.reps import full_precision


class EdgeInvariants(nn.Module):
    r"""A perceptron of O(d)-invariants of an edge and of the features at its ends, for every d:

    .. math:: h_{ij} = \mathrm{MLP}\big(\ell_{ij},\; u_{ij}^T T_i u_{ij},\; u_{ij}^T T_j u_{ij},\;
        \langle T_i, T_j \rangle,\; s_i,\; s_j\big),

    :math:`u_{ij}` the direction to neighbour j, :math:`\ell_{ij}` its distance in units of the neighbours' mean
    distance, s scalars and T symmetric matrices.

    Args:
        channels: C, of s and of T. hidden: width of h.
    """

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        check_count(channels, "channels")
        self.net = MLP([1 + 5 * channels, hidden, hidden], last_activation=True)

    def forward(
        self, scalars: Tensor, tensors: Tensor, pos: Tensor, table: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """h (N, k, hidden), u (N, k, d), edges in units of the mean distance (N, k, d), T of the neighbours."""
        edge = pos[table] - pos.unsqueeze(1)
        length = edge_lengths(edge).unsqueeze(-1)
        mean = length.mean(1, keepdim=True)
        u, edge = edge / torch.where(length > 0, length, 1), edge / torch.where(mean > 0, mean, 1)
        theirs = tensors[table]  # (N, k, C, d, d)
        invariants = [
            edge_lengths(edge).unsqueeze(-1),
            torch.einsum("nka,ncab,nkb->nkc", u, tensors, u),
            torch.einsum("nka,nkcab,nkb->nkc", u, theirs, u),
            torch.einsum("ncab,nkcab->nkc", tensors, theirs),
            scalars.unsqueeze(1).expand(-1, table.shape[1], -1),
            scalars[table],
        ]
        return self.net(torch.cat(invariants, dim=-1)), u, edge, theirs


class AnyDimensionConv(nn.Module):
    r"""Messages between scalars s (N, C) and symmetric matrices T (N, C, d, d) with weights independent of d.

    .. math:: T_i' = \nu\Big( A\, T_i + \tfrac{1}{k} \sum_j \big( a(h_{ij})\, u_{ij} u_{ij}^T
        + b(h_{ij})\, B\, T_j \big) \Big), \qquad s_i' = s_i + \mathrm{MLP}\big(\tfrac{1}{k} \sum_j h_{ij}\big),

    with h and u of ``EdgeInvariants``. A and B mix channels; :math:`\nu` divides by the root mean square of the
    channels' norms. All inputs of the perceptrons are invariant, and weights mix channels, never components. So the
    same weights act in any dimension and on any number of points, and the layer is O(d)-equivariant in each (after
    Levin and Diaz 2024, arXiv 2306.06327).

    Args:
        channels: C. hidden: width of the perceptrons.
    """

    def __init__(self, channels: int, hidden: int = 32) -> None:
        super().__init__()
        self.edges = EdgeInvariants(channels, hidden)
        self.weight_layer = nn.Linear(hidden, 2 * channels)
        self.scalar_net = MLP([hidden, hidden, channels])
        self.self_layer, self.neighbour_layer = (nn.Linear(channels, channels, bias=False) for _ in range(2))

    def forward(self, scalars: Tensor, tensors: Tensor, pos: Tensor, table: Tensor) -> tuple[Tensor, Tensor]:
        """s' and T' from s, T, positions (N, d) and neighbours (N, k), the point itself included."""
        h, u, _, theirs = self.edges(scalars, tensors, pos, table)
        edge_weight, sender_weight = self.weight_layer(h).chunk(2, dim=-1)
        new = torch.einsum("nkc,nka,nkb->ncab", edge_weight, u, u)
        new = new + torch.einsum("nkc,nkcab->ncab", sender_weight, mixed(theirs, self.neighbour_layer))
        out = mixed(tensors, self.self_layer) + new / table.shape[1]
        square = out.square().sum((-1, -2)).mean(-1).view(-1, 1, 1, 1)
        return scalars + self.scalar_net(h.mean(1)), out * torch.where(square > 0, square, 1).rsqrt()


class AnyDimensionFit(nn.Module):
    r"""Scatter matrices of the neighbours (N, d, d) with learned weights, after rounds of ``AnyDimensionConv``:

    .. math:: C_i = \frac{\sum_j w_{ij} (r_{ij} - \bar r_i)(r_{ij} - \bar r_i)^T}{\sum_j w_{ij}}, \qquad
        w_{ij} = \sigma\big(g(h_{ij})\big), \quad \bar r_i \text{ the weighted mean},

    with r the edges in units of their mean length. The eigenvector of the largest eigenvalue (``principal_axes``) is
    the tangent of a curve, in any dimension. At initialisation all weights are nearly equal, which is principal
    component analysis.

    Args:
        channels: of scalars and of matrices. layers: ``AnyDimensionConv`` in turn. hidden: width of perceptrons.
    """

    def __init__(self, channels: int = 8, layers: int = 2, hidden: int = 32) -> None:
        super().__init__()
        check_count(layers, "layers")
        self.channels = channels
        self.layers = nn.ModuleList(AnyDimensionConv(channels, hidden) for _ in range(layers))
        self.edges = EdgeInvariants(channels, hidden)
        self.weight_layer = nn.Linear(hidden, 1)

    def forward(self, pos: Tensor, table: Tensor) -> Tensor:
        """C (N, d, d) of positions (N, d) with neighbours (N, k), the point itself included."""
        scalars = pos.new_zeros(len(pos), self.channels)
        tensors = pos.new_zeros(len(pos), self.channels, pos.shape[-1], pos.shape[-1])
        for layer in self.layers:
            scalars, tensors = layer(scalars, tensors, pos, table)
        h, _, edge, _ = self.edges(scalars, tensors, pos, table)
        return scatter(edge, self.weight_layer(h).sigmoid() + 1e-4)


@full_precision
def scatter(edge: Tensor, weight: Tensor) -> Tensor:
    """C (N, d, d) as above, of edges (N, k, d) and weights (N, k, 1)."""
    share = weight / weight.sum(1, keepdim=True)
    centred = edge - (share * edge).sum(1, keepdim=True)
    return (share * centred).transpose(1, 2) @ centred


@full_precision
def principal_axes(matrices: Tensor, gap: float = 1e-4) -> Tensor:
    r"""Unit eigenvectors (N, d), up to sign, of the largest eigenvalues of symmetric matrices (N, d, d).

    The gradient is that of perturbation theory, with differences of at least ``gap`` times the largest eigenvalue:

    .. math:: dv_1 = \sum_k \frac{v_k^T\, dC\, v_1}{\lambda_1 - \lambda_k}\, v_k,

    finite also where the other eigenvalues are equal, as on a straight line.
    """
    values, vectors = eigh(matrices.detach())
    axis, largest = vectors[..., -1:], values[..., -1:]
    difference = (largest - values[..., :-1]).clamp_min(gap * largest.clamp_min(torch.finfo(values.dtype).tiny))
    others = vectors[..., :-1]
    resolvent = (others / difference.unsqueeze(-2)) @ others.transpose(-1, -2)
    residual = (matrices - matrices.detach()) @ axis  # zero, but for its gradient
    return (axis + resolvent @ residual).squeeze(-1)


def mixed(tensors: Tensor, mix: nn.Linear) -> Tensor:
    """Matrices (..., C, d, d) with their channels mixed: (..., C', d, d)."""
    out: Tensor = mix(tensors.movedim(-3, -1)).movedim(-1, -3)
    return out
