"""The final selection of ``PlaneFitHead`` among estimates, a jet, local planes, and planes of minimal samples."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from tensorframes.layers import MultiScalePlanes, silu, smallest_eigenvector
from tensorframes.normals.candidates import log_sine
from tensorframes.normals.final_candidates import FinalCandidates, FinalInputs, final_candidates
from tensorframes.normals.fit import Fit, fitted_value
from tensorframes.normals.inliers import checked_tolerances
from tensorframes.normals.sources import JET_NEIGHBOURS
from tensorframes.parallel import parallel_map
from tensorframes.reps import full_precision

LOGIT_SCALE = 5.0  # logits are in this unit


class FinalSelection(nn.Module):
    r"""The principal axis of the mean of candidate normals, weighted by probabilities that a network computes.

    .. math:: N_i = \sum_c p_{ic}\, n_{ic} n_{ic}^T, \qquad
        p_{ic} = u_{ic} e^{z_{ic}} / \textstyle\sum_d u_{id} e^{z_{id}}

    The candidates c are

    - the estimates: the initial one and the fits;
    - a jet, the tangent plane at the point of a height field of order two over the last fit (Cazals and Pouget 2005),
      fitted to 23 neighbours, for curved surfaces;
    - local planes of all sizes (``planes_around``), for flat surfaces and noise;
    - the planes of minimal samples, the point and two of its nearest neighbours, for facets of few points.

    **Inliers.** The plane of a minimal sample holds further points to within a small tolerance only where the surface
    is flat, except by chance, with a probability that decreases with the tolerance; its normal is then exact.
    Therefore its inliers, without the two neighbours that define it, are counted at tolerances down to the rounding of
    coordinates,

    .. math:: \nu_t(c) = \sum_j g_{ij} \left(1 + (n_{ic} \cdot r_{ij} / \tau_t l_i)^4\right)^{-1},

    with :math:`g_{ij} = 1` and with :math:`g_{ij} = \exp(-|r_{ij}|^2 / 4 l_i^2)` (inliers as in RANSAC, Fischler and
    Bolles 1981, with all samples drawn). :math:`l_i` is the root mean square distance of the 15 nearest neighbours. On
    lattices, scan lines and rounded coordinates many planes that cross the surface hold points exactly, too. Therefore
    the counts, and u, are multiplied by the validity of the support at the second tolerance (``Support.validity``).

    **Logits.** z is 5 times the sum of a linear function of :math:`\min(\nu, 6)`, a bias of the candidate's kind, and a
    network's output. At initialisation the function is the count at the smallest tolerance, the network's output is 0,
    and the bias of the last fit is 1.7, so that two inliers of another candidate outweigh it. Local planes have no
    inliers. The network's inputs are invariants: of each candidate the logarithms of its counts, its angles to the
    estimates, the variances of the 15 nearest and of all neighbours along it, and the shapes of minimal samples and
    local planes; of the point its embedding, the residuals of the last fit and of the jet, the largest counts of the
    minimal samples, and the agreement of local planes of consecutive sizes.

    **Validity.** u of minimal samples is the validity of the support, and falls to 0 where their triangle is slender. u
    of all candidates except local planes falls to 0 where points spread over another plane (``planarity_prior``).

    Args:
        embedding: width E of the points' embedding.
        estimates: their number S; the initial one is the first.
        planes: number of local planes.
        sample_neighbours: number of nearest neighbours whose pairs define minimal samples.
        tolerances: heights of inliers, in units of the neighbourhood's size, ascending.
        squared_sines: range of squared sines of the angle between the two edges of a minimal sample over which u
            rises from 0 to 1.
        facets_only: whether only minimal samples have inliers. Estimates deviate from the plane of a facet by the
            rounding of the whole network, so that their counts at small tolerances would depend on the rounding.
        points: number of nearest points, the point itself included, among which inliers are counted.
        hidden: width of the network.

    Raises:
        ValueError: a number or a range that is too small, or tolerances that are not ascending or not above 0.
    """

    def __init__(
        self,
        embedding: int,
        estimates: int,
        planes: int = 0,
        sample_neighbours: int = 8,
        tolerances: Sequence[float] = (0.0001, 0.0004, 0.0016, 0.0064),
        squared_sines: tuple[float, float] = (0.001, 0.01),
        facets_only: bool = False,
        points: int = 32,
        hidden: int = 24,
    ) -> None:
        super().__init__()
        if not 2 <= sample_neighbours < points:
            raise ValueError(f"expected pairs of 2 to {points - 1} neighbours, got pairs of {sample_neighbours}")
        if points <= JET_NEIGHBOURS:
            raise ValueError(f"expected more than {JET_NEIGHBOURS} points, for a jet, got {points}")
        if min(estimates, hidden) < 1 or planes < 0:
            numbers = f"{estimates}, {hidden} and {planes}"
            raise ValueError(f"expected estimates and hidden >= 1 and planes >= 0, got {numbers}")
        if len(squared_sines) != 2 or not 0 <= squared_sines[0] < squared_sines[1] <= 1:
            raise ValueError(f"expected two squared_sines in [0, 1], ascending, got {list(squared_sines)}")
        self.tolerances, self.points = checked_tolerances(tolerances), points
        self.sample_neighbours, self.squared_sines = sample_neighbours, tuple(squared_sines)
        self.facets_only = facets_only
        counts = 2 * len(tolerances)
        self.point_layer = nn.Linear(embedding + counts + 3 + 2 * planes, hidden)
        self.estimate_layer = nn.Linear(counts + estimates + 2, hidden, bias=False)  # of the estimates and the jet
        self.sample_layer = nn.Linear(counts + estimates + 8, hidden, bias=False)  # of minimal samples
        self.plane_layer = nn.Linear(estimates + 6, hidden, bias=False)  # of local planes
        # kinds: each estimate, the jet, minimal samples, each local plane
        self.kind_embedding = nn.Parameter(0.3 * torch.randn(estimates + 2 + planes, hidden))
        self.score = nn.Sequential(silu(), nn.Linear(hidden, hidden), silu(), nn.Linear(hidden, 1))
        self.inlier_coefficients = nn.Parameter(torch.tensor([1.0] + [0.0] * (counts - 1)))
        self.kind_bias = nn.Parameter(torch.tensor([0.5] * (estimates - 1) + [1.7, 0.5, 0.0] + [0.5] * planes))
        with torch.no_grad():
            for parameter in self.score[-1].parameters():
                parameter.zero_()

    def forward(
        self,
        edge: Tensor,
        estimates: Tensor,
        fit: Fit,
        embedding: Tensor,
        local_planes: MultiScalePlanes | None,
        size: int,
    ) -> tuple[Tensor, Tensor]:
        """Unit normals (M, 3) with the signs of the last estimate, and the dispersion (M, 1) of p about them: the mean
        squared sine of the angle between candidate and normal, on the logarithmic scale of ``log_sine``.

        Args:
            edge: (M, K, 3) vectors to the nearest neighbours, without the point itself; differences of positions that
                are not yet rounded to the network's precision, so that inliers at small tolerances are exact.
            estimates: (S, M, 3). fit: the last of them. embedding: (M, E). local_planes: Q of each point, or None.
            size: number of points in a chunk.
        """
        if len(edge) == 0:
            return estimates[-1], estimates[-1][:, :1]
        residual = torch.stack([fitted_value(fit.thickness), fitted_value(fit.height).abs()], dim=-1).detach()
        planes, shape = (None, None) if local_planes is None else (local_planes.planes, local_planes.shape)
        inputs = FinalInputs(edge, estimates.transpose(0, 1), residual, embedding, planes, shape)
        normals, dispersion = zip(*parallel_map(self.select, inputs.split(size), embedding.device), strict=True)
        return torch.cat(normals), torch.cat(dispersion)

    def select(self, inputs: FinalInputs) -> tuple[Tensor, Tensor]:
        """The results of ``forward`` for one chunk."""
        candidates = self.candidates(inputs)
        kind = self._kind_index(inputs.estimates.shape[1], candidates.sample_features.shape[1])
        parts = [
            self.estimate_layer(candidates.estimate_features),
            self.sample_layer(candidates.sample_features),
            self.plane_layer(candidates.plane_features),
        ]
        hidden = torch.cat(parts, dim=1)
        hidden += self.kind_embedding[kind]
        hidden += self.point_layer(torch.cat([inputs.embedding, candidates.point_features], dim=-1)).unsqueeze(1)
        return self.mean_axis(inputs.estimates, candidates, self.score(hidden).squeeze(-1) + self.kind_bias[kind])

    def candidates(self, inputs: FinalInputs) -> FinalCandidates:
        """The candidates of one chunk."""
        return final_candidates(inputs, self.sample_neighbours, self.tolerances, self.squared_sines, self.facets_only)

    def _kind_index(self, estimates: int, samples: int) -> Tensor:
        """(C,) the kind of each candidate; all minimal samples share one."""
        kinds = torch.arange(len(self.kind_embedding), device=self.kind_embedding.device)
        jet = estimates + 1
        return torch.cat([kinds[:jet], kinds[jet : jet + 1].expand(samples), kinds[jet + 1 :]])

    @full_precision
    def mean_axis(self, estimates: Tensor, candidates: FinalCandidates, score: Tensor) -> tuple[Tensor, Tensor]:
        """The principal axis of N (M, 3) with the signs of the last estimate (M, S, 3), and the dispersion (M, 1), from
        the scores (M, C) without inliers."""
        score, counted = score.to(candidates.inliers.dtype), candidates.inliers.shape[1]
        of_inliers = candidates.inliers @ self.inlier_coefficients
        logit = LOGIT_SCALE * torch.cat([score[:, :counted] + of_inliers, score[:, counted:]], dim=1)
        logit = torch.cat([logit[:, :counted] + candidates.validity.log(), logit[:, counted:]], dim=1)
        probability = logit.softmax(-1)
        normal = torch.cat([estimates, candidates.normal], dim=1)
        mean = (normal * probability[:, :counted].unsqueeze(-1)).transpose(1, 2) @ normal
        if counted < probability.shape[1]:
            planes = candidates.local_planes
            mean = mean + (probability[:, counted:].unsqueeze(1) @ planes.flatten(2)).view_as(mean)
        identity = torch.eye(3, dtype=mean.dtype, device=mean.device)
        axis, eigenvalues = smallest_eigenvector(identity - mean)
        axis = axis * torch.where((axis * estimates[:, -1]).sum(-1, keepdim=True) < 0, -1, 1)
        return axis, log_sine(eigenvalues[:, :1])
