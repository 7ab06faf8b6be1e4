"""Heads: from features in local frames to normals in the world's frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

from tensorframes.frames import Frames
from tensorframes.layers import MLP, Geometry, Requirements, planes_of_levels, smallest_eigenvector
from tensorframes.normals.prediction import Prediction
from tensorframes.reps import Representation, TensorReps, representation

PlanT = TypeVar("PlanT")
ReadingT = TypeVar("ReadingT")


class Head(nn.Module, Generic[PlanT, ReadingT]):
    """Maps features (N, reps.dim) in local frames to unit normals of some rows (M,).

    SO(3) frames take two passes, with all R_i and with all S R_i. ``read`` maps the features of each pass to tensors in
    the world's frame; ``forward`` computes normals from all readings, and is equivariant if it is symmetric in them.

    Attributes:
        predicts_error: whether its predictions have the parameters of an error model.
        requirements: the quantities that the head requires of the geometry beside the hierarchy.
        concurrent_points: points of blocks that are processed at once on a CPU (``Estimator.concurrent_points``).
    """

    predicts_error: bool = False
    requirements: Requirements = Requirements()
    concurrent_points: int = 250_000

    def plan(self, geometry: Geometry, rows: Tensor) -> PlanT:
        """The quantities that depend on the geometry alone, computed once for all passes. rows: (M,) ascending."""
        raise NotImplementedError

    def read(self, x: Tensor, frames: Frames, plan: PlanT) -> ReadingT:
        """The features (N, reps.dim) of one pass as tensors in the world's frame."""
        raise NotImplementedError

    def forward(self, readings: Sequence[ReadingT], plan: PlanT) -> Prediction:
        """The normals, and the estimates before them, the initial one first, from one or two readings."""
        raise NotImplementedError


class VectorHead(Head[Tensor, Tensor]):
    r"""The normal as a vector: :math:`n_i = R_i^T v_i / |v_i|`, v = MLP(f) (arXiv 2405.15389, section 3).

    On a line or a single point the vector follows the world's axes: finite, reproducible, not equivariant.

    Args:
        reps: of the features.
    """

    def __init__(self, reps: Representation | str) -> None:
        reps = representation(reps)
        super().__init__()
        self.net = MLP([reps.dim, reps.dim, reps.d], norm="layer")
        self.vector = TensorReps("1x1", d=reps.d)

    def plan(self, geometry: Geometry, rows: Tensor) -> Tensor:
        """The requested rows (M,)."""
        return rows

    def read(self, x: Tensor, frames: Frames, plan: Tensor) -> Tensor:
        """Unit vectors (M, 3)."""
        local = self.net(x.index_select(0, plan))
        return unit(frames.index_select(plan).to_world(local, self.vector))

    def forward(self, readings: Sequence[Tensor], plan: Tensor) -> Prediction:
        """Normals (M, 3): the vectors, or the mean axis of two; no iterates (0, M, 3)."""
        normal = readings[0] if len(readings) == 1 else mean_axis(*readings)
        return Prediction(normal, normal.new_zeros(0, *normal.shape))


class AxisHead(Head[tuple[Tensor, Tensor], Tensor]):
    r"""The normal up to sign as the principal axis of a tensor: the eigenvector of the largest eigenvalue of

    .. math:: \sum_l a_{il}\, P_{il} + R_i^T\, (A_i + A_i^T)\, R_i, \qquad (a, A) = \mathrm{MLP}(f),

    with a a softmax over the levels l and :math:`P_{il}` the planes of the neighbourhoods at level l
    (``planes_of_levels``). A vector has a sign, and vectors of neighbours that disagree about it cancel; a symmetric
    tensor has none.

    Args:
        reps: of the features.
        levels: number of levels whose planes are mixed.
    """

    def __init__(self, reps: Representation | str, levels: int) -> None:
        reps = representation(reps)
        super().__init__()
        self.levels = levels
        self.net = MLP([reps.dim, reps.dim, reps.d**2 + levels], norm="layer")
        self.tensor = TensorReps("1x2", d=reps.d)
        with torch.no_grad():  # starts close to the planes
            for parameter in self.net.layers[-1].parameters():
                parameter.mul_(0.1)

    def plan(self, geometry: Geometry, rows: Tensor) -> tuple[Tensor, Tensor]:
        """The requested rows (M,), and their planes (M, levels, d, d)."""
        return rows, planes_of_levels(geometry, self.levels).index_select(0, rows)

    def read(self, x: Tensor, frames: Frames, plan: tuple[Tensor, Tensor]) -> Tensor:
        """The symmetric tensors (M, d, d)."""
        rows, planes = plan
        out = self.net(x.index_select(0, rows))
        share, local = out[:, : planes.shape[1]].softmax(-1), out[:, self.levels :]
        start = (share.view(*share.shape, 1, 1) * planes).sum(1)
        world = frames.index_select(rows).to_world(local, self.tensor).view_as(start)
        return start + world + world.transpose(-1, -2)

    def forward(self, readings: Sequence[Tensor], plan: tuple[Tensor, Tensor]) -> Prediction:
        """Normals (M, 3) of the mean of the tensors; no iterates (0, M, 3)."""
        symmetric = mean_of(readings)
        size = symmetric.detach().square().sum((-1, -2)).sqrt().view(-1, 1, 1)  # at least the largest eigenvalue
        eye = torch.eye(self.tensor.d, dtype=symmetric.dtype, device=symmetric.device)
        normal, _ = smallest_eigenvector(size * eye - symmetric)
        return Prediction(normal, normal.new_zeros(0, *normal.shape))


def mean_of(readings: Sequence[Tensor]) -> Tensor:
    """The mean of one or two tensors."""
    return readings[0] if len(readings) == 1 else (readings[0] + readings[1]) / 2


def mean_axis(a: Tensor, b: Tensor) -> Tensor:
    """The mean axis of two unit vectors up to sign: the longer of a + b and a - b, normalised, (..., 3).

    It is the eigenvector of the largest eigenvalue of a a^T + b b^T. Zeros stay zeros.
    """
    toward = torch.where((a * b).sum(-1, keepdim=True) < 0, -1, 1)
    return unit(a + toward * b)


def unit(v: Tensor) -> Tensor:
    """v / |v| along the last dimension; zero stays zero."""
    square = (v * v).sum(-1, keepdim=True)
    return v * (square + (square == 0)).rsqrt()
