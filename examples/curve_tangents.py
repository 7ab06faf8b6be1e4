"""One set of weights for every dimension: tangents of noisy curves, trained in the plane, tested in 3 to 5 dimensions.

    python examples/curve_tangents.py

Trains on random closed curves in the plane (less than a minute on one core) and prints the errors of the tangents in
degrees, in the plane and in other dimensions, and for comparison those of the neighbours' principal axis (PCA).
"""

import math
import time

import torch
from torch import Tensor

from tensorframes.geometry import knn
from tensorframes.layers import AnyDimensionFit, principal_axes

NEIGHBOURS = 32


def curve(d: int, points: int, noise: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Points (N, d) of a random closed curve and its unit tangents (N, d).

    A Fourier series of four terms with Gaussian coefficients, at random parameters; the noise is Gaussian, its standard
    deviation in units of the mean spacing of the points.
    """
    order = torch.arange(1, 5, dtype=torch.float64)
    cosine, sine = torch.randn(2, 4, d, dtype=torch.float64, generator=generator) / order.view(1, 4, 1) ** 1.5
    t = 2 * math.pi * torch.rand(points, 1, dtype=torch.float64, generator=generator)
    pos = (order * t).cos() @ cosine + (order * t).sin() @ sine
    velocity = (order * (order * t).cos()) @ sine - (order * (order * t).sin()) @ cosine
    spacing = 2 * math.pi * velocity.norm(dim=-1).mean() / points
    moved = pos + noise * spacing * torch.randn(points, d, dtype=torch.float64, generator=generator)
    return (moved / spacing).float(), (velocity / velocity.norm(dim=-1, keepdim=True)).float()


def neighbours(pos: Tensor) -> Tensor:
    """Rows (N, k) of the nearest points, the point itself included."""
    return knn(pos, NEIGHBOURS)


def loss(matrices: Tensor, tangent: Tensor) -> Tensor:
    """Root mean square of the sine of the angle between principal axis and tangent."""
    cosine = (principal_axes(matrices) * tangent).sum(-1)
    return (1 - cosine.square()).mean().clamp_min(1e-6).sqrt()


def train(steps: int = 300, points: int = 256, seed: int = 0) -> AnyDimensionFit:
    """A network trained on curves in the plane, at noise from 0 to 2 spacings."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    network = AnyDimensionFit()
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps)
    for _ in range(steps):
        noise = 2 * float(torch.rand((), generator=generator))
        pos, tangent = curve(2, points, noise, generator)
        error = loss(network(pos, neighbours(pos)), tangent)
        optimizer.zero_grad()
        error.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    return network.eval()


def degrees(axes: Tensor, tangent: Tensor) -> float:
    """Root mean square angle between lines."""
    angle = (axes * tangent).sum(-1).abs().clamp(max=1).acos()
    return math.degrees(float(angle.square().mean().sqrt()))


@torch.no_grad()
def errors(network: AnyDimensionFit, d: int, points: int, noise: float, curves: int = 8) -> tuple[float, float]:
    """RMSE in degrees of the network and of the neighbours' principal axis, means over curves absent from training."""
    generator = torch.Generator().manual_seed(1000 + d)
    results = []
    for _ in range(curves):
        pos, tangent = curve(d, points, noise, generator)
        table = neighbours(pos)
        around = pos[table] - pos[table].mean(1, keepdim=True)
        pca = principal_axes(around.transpose(1, 2) @ around)
        results.append((degrees(principal_axes(network(pos, table)), tangent), degrees(pca, tangent)))
    network_mean, pca_mean = torch.tensor(results).mean(0).tolist()
    return network_mean, pca_mean


def main() -> None:
    """Trains in the plane and measures the errors in each dimension."""
    start = time.perf_counter()
    network = train()
    parameters = sum(parameter.numel() for parameter in network.parameters())
    print(f"{parameters:,} parameters, trained in the plane in {time.perf_counter() - start:.0f} s")
    print("dimension  points  noise  network      PCA   (RMSE, degrees)")
    for d in (2, 3, 4, 5):
        for points in (256, 1024):
            for noise in (0.5, 1.5):
                own, pca = errors(network, d, points, noise)
                print(f"{d:9d}  {points:6d}  {noise:5.1f}  {own:7.2f}  {pca:7.2f}")


if __name__ == "__main__":
    main()
