"""Node features that average noise: moments, multi-scale planes, and the surface-variation profile of the cloud."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from tensorframes.frames import Frames
from tensorframes.layers.geometry import Geometry, Requirements
from tensorframes.layers.mlp import MLP
from tensorframes.layers.multiscale_planes import PlaneSizes, interpolated
from tensorframes.layers.node_features import Embeddings, MomentFeatures
from tensorframes.layers.profile_embedding import ProfileEmbedding
from tensorframes.reps import TensorReps


class PlaneEmbedding(nn.Module):
    """A perceptron of the multi-scale planes around points, in their frames. Zero at initialisation.

    Args:
        sizes: of the planes, centred at level 1. width: of the embedding.
    """

    def __init__(self, sizes: PlaneSizes, width: int) -> None:
        super().__init__()
        self.sizes = sizes
        self.reps = TensorReps(f"{3 * sizes.planes}x0 + {sizes.planes}x2")
        self.net = MLP([self.reps.dim, width, width])
        with torch.no_grad():
            for parameter in self.net.layers[-1].parameters():
                parameter.zero_()

    def forward(self, geometry: Geometry, depth: int, frames: Frames) -> Tensor:
        """(N_depth, width) of the planes around the points of level 1, or of these planes interpolated to level 0."""
        if depth not in (0, 1):
            raise ValueError(f"expected multi-scale planes at level 0 or 1, got level {depth}")
        around = geometry.planes_of(self.sizes)
        planes = around if depth == 1 else interpolated(around, geometry)
        world = torch.cat([planes.shape.flatten(1), planes.planes.flatten(1)], dim=-1)
        out: Tensor = self.net(frames.to_local(world, self.reps))
        return out


class ProfileOfCloud(nn.Module):
    """``ProfileEmbedding`` of each point's cloud, at any level."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.embed = ProfileEmbedding(width)

    def forward(self, geometry: Geometry, depth: int, frames: Frames) -> Tensor:
        """(N_depth, width)."""
        out: Tensor = self.embed(geometry.profile, geometry.levels[depth].batch)
        return out


class PlaneFeatures(MomentFeatures):
    """The moments of each neighbourhood; embeddings of multi-scale planes and of the surface-variation profile.

    The planes average noise that is wider than a neighbourhood of the level. The profile separates noise from relief.

    Args:
        multiscale_planes: for level 1, 2, ... the numbers of its points that make the neighbourhoods whose planes are
            embedded (``planes_around``, ``PlaneEmbedding``); empty: none.
        variation_profile: whether the surface-variation profile of the whole cloud is embedded.

    Raises:
        ValueError: a number is below 1, or ``multiscale_planes`` is no list of lists.
    """

    def __init__(
        self,
        multiscale_planes: Sequence[Sequence[int]] = ((16, 40), (16, 32)),
        variation_profile: bool = True,
    ) -> None:
        super().__init__()
        planes = (PlaneSizes.checked(1, multiscale_planes),) if multiscale_planes else ()
        self.requirements = Requirements(planes=planes, profile=variation_profile)

    def embeddings(self, width: int) -> Embeddings:
        """Embeddings of the planes and the profile, zero at initialisation."""
        parts: dict[str, nn.Module] = {}
        for sizes in self.requirements.planes:
            parts["multiscale_planes"] = PlaneEmbedding(sizes, width)
        if self.requirements.profile:
            parts["variation_profile"] = ProfileOfCloud(width)
        return Embeddings(parts)
