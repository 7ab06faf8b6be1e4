"""The final selection among all planes found before, and planes of facets in which neighbours lie exactly."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tensorframes.layers import MultiScalePlanes, jet, sharpened, silu, smallest_eigenvector
from tensorframes.normals.candidates import along, log_sine, rising, spread
from tensorframes.normals.fit import Fit
from tensorframes.normals.plane_votes import (
    NEAREST,
    across,
    checked_tolerances,
    faded,
    inliers,
)
from tensorframes.normals.support import support
from tensorframes.parallel import parallel_map
from tensorframes.reps import full_precision

MOST_INLIERS = 6.0  # counted; more of them say nothing new
LOGIT_SCALE = 5.0  # unit of the logits
JET = 23  # nearest neighbours that a jet is fitted to
SLIGHT = 1e-4  # lengths, in units of the neighbourhood's size, below which they are alike


@dataclass(frozen=True)
class Found:
    """What was found of M points so far."""

    edge: Tensor  # (M, K, 3) to the nearest points, itself not among them
    answers: Tensor  # (M, S, 3) the guess and the fits' normals
    residual: Tensor  # (M, 2) thickness of the last fit, and its mean's height above where it took the point to be
    embedding: Tensor  # (M, T)
    planes: Tensor | None  # (M, Q, 3, 3) near planes
    shape: Tensor | None  # (M, Q, 4) theirs

    def split(self, size: int) -> list[Found]:
        """Parts of at most ``size`` points."""
        starts = range(0, max(len(self.edge), 1), size)
        return [self._part(start, min(size, len(self.edge) - start)) for start in starts]

    def of(self, rows: Tensor) -> Found:
        """What was found of some of the points, rows (R,) of the M."""
        return self._each(lambda value: value.index_select(0, rows))

    def _part(self, start: int, count: int) -> Found:
        return self._each(lambda value: value.narrow(0, start, count))

    def _each(self, change: Callable[[Tensor], Tensor]) -> Found:
        given = (change(value) for value in (self.edge, self.answers, self.residual, self.embedding))
        return Found(*given, *(None if value is None else change(value) for value in (self.planes, self.shape)))


@dataclass(frozen=True)
class Seen:
    """Invariants of the candidates of M points: S answers, a jet, P triangles, Q near planes."""

    normal: Tensor  # (M, 1 + P, 3) of jet and triangles
    sharp: Tensor  # (M, Q, 3, 3) near planes, about n n^T
    count: Tensor  # (M, S + 1 + P, 2 T) inliers, at most MOST_INLIERS
    plain: Tensor  # (M, S + 1, 2 T + S + 2)
    triangle: Tensor  # (M, P, 2 T + S + 8)
    plane: Tensor  # (M, Q, S + 6)
    own: Tensor  # (M, 2 T + 3 + 2 Q)
    validity: Tensor  # (M, S + 1 + P) validity of all but near planes


class LastChoice(nn.Module):
    r"""The principal axis of the mean of candidate normals, weighted by probabilities that a network computes.

    .. math:: N_i = \sum_c p_{ic}\, n_{ic} n_{ic}^T, \qquad
        p_{ic} = u_{ic} e^{z_{ic}} / \textstyle\sum_d u_{id} e^{z_{id}}

    The candidates c are what was found so far, the guess and the fits; a jet, the tangent plane at the point of the
    height field of order two of its 23 nearest neighbours, over the last fit (Cazals and Pouget 2005), for surfaces
    that bend; near planes (``planes_around``) of all sizes, for surfaces that do not, and noise; and the planes through
    the point and two of its nearest neighbours, for facets that hold hardly more points than that.

    A plane through the point and two neighbours holds more points to within a small tolerance only where the surface is
    flat, but for a chance that falls with the tolerance, and then the normal is known exactly. So the inliers of a
    plane through the point, the nearest points that lie in it beside those that define it, are counted at tolerances
    down to the rounding of coordinates,

    .. math:: \nu_t(c) = \sum_j \left(1 + (n_{ic} \cdot r_{ij} / \tau_t l_i)^4\right)^{-1},

    all alike and less with their distance (inliers as in RANSAC, Fischler and Bolles 1981, with all samples drawn).
    :math:`l_i` is the root mean square distance of the 15 nearest neighbours. On a lattice, a scan line or rounded
    coordinates many planes across the surface hold points exactly, too: such a plane meets the surface in a curve.
    Counts, and u, are therefore multiplied by the validity of the support (``Support.validity``): the inliers at the
    second tolerance must spread over the plane, not along a curve, be a good part of the points around, and not be
    rivalled by those of other planes. The scores z are 5 times the sum of
    :math:`a \cdot \min(\nu, 6)`, to begin with 1 for each inlier at the smallest tolerance (near planes have
    none), of a lead of each kind, 1.7 of the last fit, so that two inliers outweigh it, and of what a network
    makes of invariants: the logarithms of the counts, of the angles between the candidate and the answers, of how
    thick the nearest 15 points and all of them are along its normal, of the shapes of triangles and near planes,
    and of the point: its embedding, the residual of the last fit and of the jet, how near
    planes of neighbouring sizes agree, the most inliers that any of its triangles has. u falls to 0 where a
    triangle is slender or its support is not valid.

    Args:
        embedding: width of the points' embedding.
        answers: how many there are, the guess first.
        planes: how many near planes there are.
        nearest: among how many neighbours pairs are taken for planes through the point.
        tolerances: heights that count as in the plane, in units of the neighbourhood's size, ascending.
        slender: squared sines of the angle of two edges between which the plane that they span begins to count.
        facets_only: only planes through three points have inliers. What was found before is off from a facet's plane
            by the rounding of the whole network: who lies in it to within small tolerances would be a matter of that.
        voters: how many nearest points, the point itself among them, are looked at. hidden: width of the network.
    """

    def __init__(
        self,
        embedding: int,
        answers: int,
        planes: int = 0,
        nearest: int = 8,
        tolerances: Sequence[float] = (0.0001, 0.0004, 0.0016, 0.0064),
        slender: tuple[float, float] = (0.001, 0.01),
        facets_only: bool = False,
        voters: int = 32,
        hidden: int = 24,
    ) -> None:
        super().__init__()
        if not 2 <= nearest < voters:
            raise ValueError(f"expected pairs of 2 to {voters - 1} neighbours, got pairs of {nearest}")
        if voters <= JET:
            raise ValueError(f"expected more than {JET} voters, for a jet, got {voters}")
        if min(answers, hidden) < 1 or planes < 0:
            raise ValueError(f"expected answers and hidden >= 1 and planes >= 0, got {answers}, {hidden} and {planes}")
        if len(slender) != 2 or not 0 <= slender[0] < slender[1] <= 1:
            raise ValueError(f"expected two squared sines, ascending, for slender triangles, got {list(slender)}")
        self.nearest, self.tolerances, self.reach = nearest, checked_tolerances(tolerances), voters
        self.slender, self.facets_only = tuple(slender), facets_only
        counts = 2 * len(tolerances)
        self.own = nn.Linear(embedding + counts + 3 + 2 * planes, hidden)
        self.plain = nn.Linear(counts + answers + 2, hidden, bias=False)
        self.triangle = nn.Linear(counts + answers + 8, hidden, bias=False)
        self.plane = nn.Linear(answers + 6, hidden, bias=False)
        self.kind = nn.Parameter(0.3 * torch.randn(answers + 2 + planes, hidden))
        self.score = nn.Sequential(silu(), nn.Linear(hidden, hidden), silu(), nn.Linear(hidden, 1))
        self.worth = nn.Parameter(torch.tensor([1.0] + [0.0] * (counts - 1)))
        # of each answer, of the jet, of triangles, of near planes
        self.lead = nn.Parameter(torch.tensor([0.5] * (answers - 1) + [1.7, 0.5, 0.0] + [0.5] * planes))
        with torch.no_grad():
            for parameter in self.score[-1].parameters():
                parameter.zero_()

    def forward(
        self,
        edge: Tensor,
        answers: Tensor,
        fit: Fit,
        embedding: Tensor,
        near: MultiScalePlanes | None,
        size: int,
    ) -> tuple[Tensor, Tensor]:
        """Unit normals (M, 3), toward the last answer, and how far the candidates are apart (M, 1): the mean squared
        sine of their angles to the normal, on a logarithmic scale. Computed in parts of ``size`` points.

        Args:
            edge: (M, K, 3) to the nearest neighbours, the point itself not among them; taken before positions are
                rounded to the network's precision, which would leave less of how exactly points lie in a plane.
            answers: (S, M, 3), the last of them the fit's. embedding: (M, T).
            near: Q near planes of each of the M points, if there are any.
        """
        if len(edge) == 0:
            return answers[-1], answers[-1][:, :1]
        found = self.found(edge, answers, fit, embedding, near)
        normals, dispersion = zip(*parallel_map(self.of, found.split(size), embedding.device), strict=True)
        return torch.cat(normals), torch.cat(dispersion)

    @staticmethod
    def found(edge: Tensor, answers: Tensor, fit: Fit, embedding: Tensor, near: MultiScalePlanes | None) -> Found:
        """What was found of the points, all that the choice looks at; arguments as above."""
        if fit.thickness is None or fit.centre is None:
            raise ValueError("expected the last answer to be a fit, got a guess")
        residual = torch.stack([fit.thickness, fit.centre.abs()], dim=-1).detach()
        planes, shape = (None, None) if near is None else (near.planes, near.shape)
        return Found(edge, answers.transpose(0, 1), residual, embedding, planes, shape)

    def of(self, found: Found) -> tuple[Tensor, Tensor]:
        """The same of some points."""
        seen, answers = self.seen(found), found.answers.shape[1]
        kinds = [answers + 1, seen.normal.shape[1] - 1]
        which = torch.arange(len(self.kind), device=found.edge.device)
        which = torch.cat([which[: kinds[0]], which[kinds[0] : kinds[0] + 1].expand(kinds[1]), which[kinds[0] + 1 :]])
        parts = [self.plain(seen.plain), self.triangle(seen.triangle), self.plane(seen.plane)]
        hidden = torch.cat(parts, dim=1)
        hidden += self.kind[which]
        hidden += self.own(torch.cat([found.embedding, seen.own], dim=-1)).unsqueeze(1)
        return self.chosen(found.answers, seen, self.score(hidden).squeeze(-1) + self.lead[which])

    @full_precision
    def chosen(self, answers: Tensor, seen: Seen, score: Tensor) -> tuple[Tensor, Tensor]:
        """The axis (M, 3) of all candidates by their scores (M, S + 1 + P + Q), toward the last answer (M, S, 3), and
        how far they are apart (M, 1)."""
        z, exact = score.to(seen.count.dtype), seen.count.shape[1]
        z = LOGIT_SCALE * torch.cat([z[:, :exact] + seen.count @ self.worth, z[:, exact:]], dim=1)
        share = torch.cat([z[:, :exact] + seen.validity.log(), z[:, exact:]], dim=1).softmax(-1)
        normal = torch.cat([answers, seen.normal], dim=1)
        tensor = (normal * share[:, :exact].unsqueeze(-1)).transpose(1, 2) @ normal
        if exact < share.shape[1]:
            tensor = tensor + (share[:, exact:].unsqueeze(1) @ seen.sharp.flatten(2)).view_as(tensor)
        axis, values = smallest_eigenvector(torch.eye(3, dtype=z.dtype, device=z.device) - tensor)
        axis = axis * torch.where((axis * answers[:, -1]).sum(-1, keepdim=True) < 0, -1, 1)
        return axis, log_sine(values[:, :1])

    @full_precision
    @torch.no_grad()
    def seen(self, found: Found) -> Seen:
        """What is known of the candidates; it has no gradient, only their scores and the answers have."""
        answers, before = found.answers.detach(), found.answers.shape[1]
        edge = found.edge
        length = edge.norm(dim=-1)
        unit = length[:, : NEAREST - 1].square().mean(-1, keepdim=True).sqrt()
        unit = torch.where(unit > 0, unit, torch.ones_like(unit))
        edge, length = edge / unit.unsqueeze(-1), length / unit
        bent, rough = jet(edge[:, :JET], answers[:, -1])
        nearest = min(self.nearest, edge.shape[1])
        a, b = torch.triu_indices(nearest, nearest, 1, device=edge.device)
        triangle, sine = across(edge[:, a], edge[:, b])
        normal = torch.cat([bent.unsqueeze(1), triangle], dim=1)
        every = torch.cat([answers, normal], dim=1)
        first = before + 1 if self.facets_only else 0
        count, fade = self.counted(edge, length, every[:, first:]), faded(length)
        count = torch.nn.functional.pad(count, (0, 0, first, 0))
        count[:, before + 1 :, 0::2] -= 2
        count[:, before + 1 :, 1::2] -= (fade[:, a] + fade[:, b]).unsqueeze(-1)
        supported = support(edge, triangle, self.tolerances[min(1, len(self.tolerances) - 1)])
        valid = supported.validity()
        count[:, before + 1 :] *= valid.unsqueeze(-1)
        turned = log_sine(1 - (every @ answers.transpose(1, 2)).square())
        known = torch.cat([count.clamp_min(0).log1p(), turned], dim=-1)
        about = [spread(edge[:, : NEAREST - 1]), spread(edge)]
        thick = [((every @ each) * every).sum(-1) for each in about]
        thin = torch.stack([log_sine(each) for each in thick], dim=-1)
        plain = torch.cat([known, thin], dim=-1)[:, : before + 1]
        known, thin = known[:, before + 1 :], thin[:, before + 1 :]
        form = torch.stack([(sine + SLIGHT).log() / 4 + 1, length[:, b], *supported.features()], dim=-1)
        valid = rising(sine, *self.slender) * valid
        most = (known[..., : count.shape[-1]] * (valid > 0).unsqueeze(-1)).amax(1)
        surface = along(thick[1], smallest_eigenvector(about[1])[1])
        validity = surface * torch.cat([torch.ones_like(every[:, : before + 1, 0]), valid], dim=1)
        lengths = torch.cat([found.residual / unit, rough.unsqueeze(-1)], dim=-1)
        of_point = [most, (lengths + SLIGHT).log() / 6 + 1]
        sharp, plane, of_planes = near_planes(found, answers, about, unit)
        of_point += of_planes
        own = torch.cat(of_point, dim=-1)
        return Seen(
            normal, sharp, count.clamp(0, MOST_INLIERS), plain, torch.cat([known, form, thin], -1), plane, own, validity
        )

    def counted(self, edge: Tensor, length: Tensor, normal: Tensor) -> Tensor:
        """Counts (M, C, 2 T) of points at edges (M, K, 3) of lengths (M, K) in planes (M, C, 3): for each tolerance all
        of them, and less with the distance. The point itself, repeated where a cloud has no more, is none."""
        weights = torch.stack([torch.ones_like(length), faded(length)], dim=1) * (length > 0).unsqueeze(1)
        return torch.cat(inliers(edge, normal, weights, self.tolerances), dim=1).transpose(1, 2).contiguous()


def near_planes(
    found: Found, answers: Tensor, covariances: Sequence[Tensor], unit: Tensor
) -> tuple[Tensor, Tensor, list[Tensor]]:
    """The near planes about n n^T (M, Q, 3, 3), their invariants (M, Q, S + 6), and those of the points, which add up
    to 2 Q columns; Q = 0 where there are none.

    Args:
        answers: (M, S, 3). covariances: (M, 3, 3) of the nearest points and of all. unit: (M, 1) the neighbourhood's
            size.
    """
    if found.planes is None or found.shape is None:
        none = unit.new_zeros(len(unit), 0, answers.shape[1] + 6)
        return unit.new_zeros(len(unit), 0, 3, 3), none, []
    sharp = sharpened(found.planes)
    agreement = ((answers.unsqueeze(1) @ sharp) * answers.unsqueeze(1)).sum(-1)
    thin = torch.stack([log_sine((sharp * each.unsqueeze(1)).sum((-1, -2))) for each in covariances], dim=-1)
    invariants = torch.cat([log_sine(1 - agreement), found.shape, thin], dim=-1)
    flat = sharp.flatten(2)
    between = 1 - (flat[:, 1:] * flat[:, :-1]).sum(-1)
    return sharp, invariants, [log_sine(between), found.shape[..., 3:].flatten(1), unit.log() / 4]
