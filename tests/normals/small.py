"""A small network with all its parts, and the clouds that its tests look at."""

from functools import partial

import torch

from tensorframes.backbones import PointNet2
from tensorframes.frames import LearnedFrames
from tensorframes.layers import PlaneFeatures
from tensorframes.normals import (
    Jet,
    LocalPlanes,
    NeighbourPlanes,
    NormalEstimator,
    PlaneFitHead,
    PlaneHead,
    RegionPlanes,
    Select,
    WeightedFit,
)
from tensorframes.reps import Representation


def plane_head(reps: Representation, **changes: object) -> PlaneHead:
    """A small head with every source of candidates."""
    local, width = LocalPlanes(((6, 12), (4, 8), (3,))), {"hidden": 4, "nearest": 20, "tolerances": (0.003, 0.05)}
    initial = {
        "regions": RegionPlanes(((4, 8), (3,))),
        "local": local,
        "neighbours": NeighbourPlanes(5, 6),
    }
    final = {"local": local, "jet": Jet()}
    parts = {
        "initial_selection": partial(Select, sources=initial, **width),
        "fit": partial(WeightedFit, neighbours=(12, 4, 4), hidden=8),
        "final_selection": partial(Select, sources=final, **width),
        "fits": 2,
        "levels": 3,
        "embedding": 4,
    }
    return PlaneHead(reps, **{**parts, **changes})


def estimator(group: str = "so", head: object = None, oriented: bool = False, refine: bool = False) -> NormalEstimator:
    """A small network whose parameters are random, also where training begins with zeros."""
    torch.manual_seed(6)
    backbone = PointNet2(
        features=PlaneFeatures((), variation_profile=head is None),
        widths=(16, 24, 24),
        radii=(1.5, 3.0),
        neighbours=8,
        refine=refine,
    )
    network = NormalEstimator(LearnedFrames(group), backbone, head or plane_head, oriented).double().eval()
    with torch.no_grad():
        for parameter in network.parameters():
            if (parameter == 0).all():
                parameter.normal_(std=0.3)
    return network


def old_head(reps: Representation) -> PlaneFitHead:
    """The head of the shipped weights, with all its parts."""
    neighbours = {"candidate_neighbours": (5, 3), "sample_neighbours": 4}
    small = {"sizes": (4, 10), "tolerances": (0.003, 0.012, 0.05, 0.2), **neighbours}
    planes = {"multiscale_planes": ((4, 8), (3,)), "local_planes": ((6, 12), (4, 8), (3,))}
    sizes = {"neighbours": (12, 4, 4), "fits": 2, "hidden": 8, "embedding": 4}
    return PlaneFitHead(reps, **sizes, **small, **planes, final_selection={"sample_neighbours": 5})


def surface(count: int = 150) -> torch.Tensor:
    """A bent, generic patch."""
    generator = torch.Generator().manual_seed(5)
    uv = 4 * torch.rand(count, 2, generator=generator, dtype=torch.float64)
    return torch.cat([uv, (uv[:, :1].sin() * uv[:, 1:]) + 0.3 * uv[:, 1:] ** 2], dim=1)


def scan_lines() -> torch.Tensor:
    """Four scan lines of 40 points on a plane; the nearest points lie within 3 % of a line of it."""
    along, line = torch.meshgrid(torch.linspace(0, 4, 40), torch.arange(4.0), indexing="ij")
    across = 3 * line + 0.02 * torch.randn(40, 4, generator=torch.Generator().manual_seed(3))
    return torch.stack([along.flatten(), across.flatten(), torch.zeros(160)], dim=1).double()


def volume() -> torch.Tensor:
    """Points that fill a ball."""
    return 2 * torch.randn(150, 3, generator=torch.Generator().manual_seed(8))


def axes_agree(a: torch.Tensor, b: torch.Tensor, tolerance: float = 1e-9) -> bool:
    return bool(((a.unsqueeze(-1) * a.unsqueeze(-2)) - (b.unsqueeze(-1) * b.unsqueeze(-2))).abs().max() < tolerance)


def roof(count: int = 400) -> tuple[torch.Tensor, torch.Tensor]:
    """Two planes that meet at 100 degrees, and their normals."""
    generator = torch.Generator().manual_seed(2)
    u, v = (20 * torch.rand(2, count, generator=generator, dtype=torch.float64)).unbind()
    angle = torch.deg2rad(torch.tensor(50.0, dtype=torch.float64))
    side = torch.where(torch.arange(count) % 2 == 0, 1.0, -1.0).double()
    pos = torch.stack([side * u * angle.sin(), v, -u * angle.cos()], dim=1)
    normal = torch.stack([side * angle.cos(), torch.zeros(count).double(), angle.sin().expand(count)], dim=1)
    return pos, normal


def error(normal: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Angles in degrees between axes (N, 3)."""
    return torch.rad2deg((normal * target).sum(-1).abs().clamp(max=1).acos())
