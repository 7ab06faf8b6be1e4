"""Noise and uneven density: the six categories of the protocol.

PCPNet's files state the noise (Gaussian, sigma a fraction of the bounding box's diagonal) but not how points were
thinned. Here each point remains with a probability, its *share*, that depends on its position t in [0, 1] along the
longest principal axis of the cloud: a ramp (gradient) or alternating layers (striped).
"""

from dataclasses import dataclass, field

import numpy as np

from tensorframes.data.cloud import CATEGORIES, Cloud
from tensorframes.data.transforms.corruption.corrupted import CorruptedPoints, corrupted_cloud, diagonal, rounded

PROTOCOL_NOISE = {"no_noise": 0.0, "low_noise": 0.00125, "med_noise": 0.006, "high_noise": 0.012}
"""Standard deviation as a fraction of the diagonal of the clean cloud's bounding box."""

PROTOCOL_SUFFIX = {
    "no_noise": "",
    "low_noise": "_noise_white_1.00e-02",
    "med_noise": "_noise_white_5.00e-02",
    "high_noise": "_noise_white_1.00e-01",
    "vardensity_striped": "_ddist_minmax_layers",
    "vardensity_gradient": "_ddist_minmax",
}
"""Suffix of the shape's name in the files of each category."""

MIN_SHARE = 0.2
"""Default of ``Density.least``."""


def longest_axis(pos: np.ndarray) -> np.ndarray:
    """Unit first principal axis (3,) float64; its component of largest magnitude is positive."""
    centred = pos.astype(np.float64) - pos.mean(0, dtype=np.float64)
    axis = np.linalg.eigh(np.einsum("na,nb->ab", centred, centred))[1][:, -1]
    return axis * np.sign(axis[np.abs(axis).argmax()])


@dataclass(frozen=True)
class Density:
    """The share of points that remain, along an axis.

    Args:
        pattern: uniform (`high` everywhere), gradient (low + (high - low) t) or striped (layers of equal width, low and
            high in turn).
        low: smallest share, in (0, 1].
        high: largest share, in [low, 1].
        layers: number of stripes.
        reverse: reverses the direction of t.
        axis: (3,) direction; None takes the longest principal axis.
        least: smallest fraction of the cloud's points that remain, in [0, 1]; all shares are scaled up if necessary.
    """

    pattern: str = "uniform"
    low: float = 1.0
    high: float = 1.0
    layers: int = 8
    reverse: bool = False
    axis: tuple[float, float, float] | None = None
    least: float = MIN_SHARE

    def __post_init__(self) -> None:
        if self.pattern not in ("uniform", "gradient", "striped"):
            raise ValueError(f"expected a pattern of uniform, gradient, striped, got {self.pattern!r}")
        if not 0 < self.low <= self.high <= 1:
            raise ValueError(f"expected shares 0 < low <= high <= 1, got low={self.low}, high={self.high}")
        if not 0 <= self.least <= 1:
            raise ValueError(f"expected a least part in [0, 1], got {self.least}")

    def share(self, pos: np.ndarray) -> np.ndarray:
        """(N,) float64, the probability that each of (N, 3) points remains."""
        if self.pattern == "uniform":
            return np.full(len(pos), self.high)
        axis = longest_axis(pos) if self.axis is None else np.asarray(self.axis)
        t = pos.astype(np.float64) @ axis
        t = (t - t.min()) / max(np.ptp(t), np.finfo(float).tiny)
        t = 1 - t if self.reverse else t
        if self.pattern == "gradient":
            return self.low + (self.high - self.low) * t
        return np.where((t * self.layers).astype(np.int64) % 2 == 0, self.high, self.low)

    def sample_rows(self, pos: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Ascending rows of the points that remain, at least the fraction `least` and at least one."""
        if self.pattern == "uniform" and self.high == 1:
            return np.arange(len(pos))
        chance = rng.random(len(pos)) / self.share(pos)
        least = max(1, int(np.ceil(self.least * len(pos))))
        if (chance < 1).sum() >= least:
            return np.flatnonzero(chance < 1)
        return np.sort(np.argpartition(chance, least - 1)[:least])


STRIPED = Density("striped", low=0.1, high=1.0, layers=8)
GRADIENT = Density("gradient", low=0.05, high=1.0)


@dataclass(frozen=True)
class Corruption:
    """Thins a cloud, adds noise, x' = x + sigma * diagonal * e with e ~ N(0, 1) in each coordinate, and rounds.

    Args:
        noise: sigma, a fraction of the diagonal of the whole clean cloud.
        density: the share of points that remain.
        category: the protocol's name of the corruption.
        rounding: coordinates are rounded to multiples of this fraction of the diagonal, as in files with few digits;
            0: to float32 only.
    """

    noise: float = 0.0
    density: Density = field(default_factory=Density)
    category: str = "no_noise"
    rounding: float = 0.0

    def __post_init__(self) -> None:
        if not self.noise >= 0:
            raise ValueError(f"expected noise >= 0, got {self.noise}")
        if not self.rounding >= 0:
            raise ValueError(f"expected rounding >= 0, got {self.rounding}")

    @classmethod
    def protocol(cls, category: str) -> "Corruption":
        """The corruption of one of the six categories."""
        if category not in CATEGORIES:
            raise ValueError(f"expected a category of {', '.join(CATEGORIES)}, got {category!r}")
        density = {"vardensity_striped": STRIPED, "vardensity_gradient": GRADIENT}.get(category, Density())
        return cls(PROTOCOL_NOISE.get(category, 0.0), density, category)

    def draw(self, rng: np.random.Generator, sampled: bool = False) -> "Corruption":
        """This corruption; none for clouds that have the noise of their sensor already."""
        return Corruption() if sampled else self

    def corrupt(self, pos: np.ndarray, length: float, rng: np.random.Generator) -> CorruptedPoints:
        """Clean positions (N, 3) thinned, with noise and rounded; `length` is the diagonal of their bounding box."""
        rows = self.density.sample_rows(pos, rng)
        return CorruptedPoints(self.with_noise(pos[rows], length, rng), rows)

    def with_noise(self, pos: np.ndarray, length: float, rng: np.random.Generator) -> np.ndarray:
        """Positions (N, 3) with noise and rounded; `length` is the diagonal of the whole clean cloud."""
        if self.noise > 0:
            pos = pos + np.float32(self.noise * length) * rng.standard_normal(pos.shape, dtype=np.float32)
        step = self.rounding * length
        return rounded(pos.astype(np.float64), step).astype(np.float32) if step > 0 else pos

    def apply(self, cloud: Cloud, rng: np.random.Generator) -> Cloud:
        """The corrupted cloud, with the clean positions as `clean_pos`; if it is thinned, all labelled rows are
        scored."""
        return corrupted_cloud(self.corrupt(cloud.pos, diagonal(cloud.pos), rng), cloud, self.category)
