"""Frames that are rotated between layers, by the features."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tensorframes.frames.frames import Frames
from tensorframes.frames.orthonormalise import complete_frames, last_axis
from tensorframes.geometry.checks import check_count
from tensorframes.reps import Representation, full_precision, representation


class FrameRefinement(nn.Module):
    r"""Each point's features rotate its frame, and are transformed to the new one (Lippmann et al., arXiv 2405.15389):

    .. math:: R_i \leftarrow U_i R_i, \qquad f_i \leftarrow \rho(U_i) f_i, \qquad
        U_i = \mathrm{GramSchmidt}(1 + M(f_i)) \in SO(d),

    with M an MLP that is zero at initialisation, so that frames start as they are. Features in a local frame are
    invariant, hence U is, and the new frames rotate with the cloud as the old ones do. Where Gram-Schmidt fails U = 1.

    Args:
        reps: of the features.
        hidden: width of the MLP.
    """

    def __init__(self, reps: Representation | str, hidden: int = 32) -> None:
        reps = representation(reps)
        super().__init__()
        check_count(hidden, "hidden")
        self.reps = reps
        last = nn.Linear(hidden, (reps.d - 1) * reps.d)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.net = nn.Sequential(nn.LayerNorm(reps.dim), nn.Linear(reps.dim, hidden), nn.SiLU(), last)

    def forward(self, x: Tensor, frames: Frames) -> tuple[Tensor, Frames]:
        """The features (N, reps.dim) in the new frames, and these."""
        turn = small_turns(self.net(x).unflatten(-1, (self.reps.d - 1, self.reps.d)))
        return self.reps.transform(x, turn), frames.turned(turn)


@full_precision
def small_turns(change: Tensor) -> Tensor:
    """U (N, d, d), rotations by Gram-Schmidt of 1 + M, from the first rows of M (N, d - 1, d); 1 where that fails."""
    d = change.shape[-1]
    eye = torch.eye(d, dtype=change.dtype, device=change.device)
    axes, picks = complete_frames(eye[:-1] + change, d - 1)
    failed = (picks != torch.arange(d - 1, device=change.device)).any(-1).view(-1, 1, 1)
    axes = torch.where(failed, eye[:-1], axes)
    return torch.cat([axes, last_axis(axes).unsqueeze(1)], dim=1)
