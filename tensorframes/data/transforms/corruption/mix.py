"""Random mixtures of corruptions for training."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from tensorframes.data.cloud import CATEGORIES
from tensorframes.data.transforms.corruption.corrupted import CorruptionSample, CorruptionSampler
from tensorframes.data.transforms.corruption.protocol import Corruption, Density


@dataclass(frozen=True)
class CorruptionMix:
    """Samples a category by weight, then its level around the protocol's.

    Noise is uniform in the range of its category. Densities vary in smallest share, direction, number of layers and,
    with probability 1/2, in axis. Uniform thinning varies the spacing independently of the noise.

    Args:
        weights: category -> weight >= 0, not all zero; categories without a weight do not occur.
        least_share: with probability 1/2 a cloud is thinned uniformly to a share from [least_share, 1].
        density_noise: share of the clouds of uneven density that are noisy, at most at the low level.
        rounded: share of all clouds whose coordinates are rounded, to a fraction of the diagonal from ROUNDING.
        others: further corruptions, by their names in `weights` and `sampled_weights`.
        sampled_weights: as `weights`, for clouds that have the noise of their sensor already. Of the protocol's
            categories only no_noise is allowed.
        sampled_thinned: share of those no_noise clouds that are thinned uniformly.
    """

    weights: Mapping[str, float] = field(default_factory=lambda: dict.fromkeys(CATEGORIES, 1.0))
    least_share: float = 0.4
    density_noise: float = 0.3
    rounded: float = 0.0
    others: Mapping[str, CorruptionSampler] = field(default_factory=dict)
    sampled_weights: Mapping[str, float] = field(default_factory=lambda: {"no_noise": 1.0})
    sampled_thinned: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.rounded <= 1:
            raise ValueError(f"expected a share of the clouds to round, in [0, 1], got {self.rounded}")
        if not (0 < self.least_share <= 1 and 0 <= self.density_noise <= 1):
            given = f"{self.least_share} and {self.density_noise}"
            raise ValueError(f"expected least_share in (0, 1] and density_noise in [0, 1], got {given}")
        for weights, allowed in ((self.weights, CATEGORIES), (self.sampled_weights, CATEGORIES[:1])):
            names = (*allowed, *self.others)
            if unknown := set(weights) - set(names):
                raise ValueError(f"expected categories of {', '.join(names)}, got {', '.join(sorted(unknown))}")
            if not (all(weight >= 0 for weight in weights.values()) and sum(weights.values()) > 0):
                raise ValueError(f"expected weights >= 0 with a positive sum, got {dict(weights)}")
        if not 0 <= self.sampled_thinned <= 1:
            raise ValueError(f"expected a share of the clouds to thin, in [0, 1], got {self.sampled_thinned}")

    def draw(self, rng: np.random.Generator, sampled: bool = False) -> CorruptionSample:
        """One corruption, of a clean cloud or, with `sampled`, of a cloud that has the noise of its sensor already."""
        category = self._category(self.sampled_weights if sampled else self.weights, rng)
        if category in self.others:
            return self.others[category].draw(rng, sampled)
        if sampled:
            share = rng.uniform(self.least_share, 1) if rng.random() < self.sampled_thinned else 1.0
            corruption = Corruption(0.0, Density(low=share, high=share))
        else:
            corruption = self._of_category(category, rng)
        if self.rounded == 0 or rng.random() >= self.rounded:
            return corruption
        return replace(corruption, rounding=float(np.exp(rng.uniform(*np.log(ROUNDING)))))

    def _category(self, weights: Mapping[str, float], rng: np.random.Generator) -> str:
        names = (*CATEGORIES, *self.others)
        weight = np.array([weights.get(name, 0.0) for name in names], dtype=float)
        return names[int(rng.choice(len(names), p=weight / weight.sum()))]

    def _of_category(self, category: str, rng: np.random.Generator) -> Corruption:
        if category.startswith("vardensity"):
            noise = rng.uniform(0, NOISE_RANGE["low_noise"][1]) if rng.random() < self.density_noise else 0.0
            return Corruption(noise, self._uneven(category.removeprefix("vardensity_"), rng), category)
        share = rng.uniform(self.least_share, 1) if rng.random() < 0.5 else 1.0
        return Corruption(rng.uniform(*NOISE_RANGE[category]), Density(low=share, high=share), category)

    def _uneven(self, pattern: str, rng: np.random.Generator) -> Density:
        direction = rng.standard_normal(3)
        axis = tuple((direction / np.linalg.norm(direction)).tolist()) if rng.random() < 0.5 else None
        low, layers, reverse = rng.uniform(0.04, 0.3), int(rng.integers(4, 17)), bool(rng.random() < 0.5)
        return Density(pattern, low, 1.0, layers, reverse, axis)


NOISE_RANGE = {
    "no_noise": (0.0, 0.0),
    "low_noise": (0.0003, 0.0025),
    "med_noise": (0.0025, 0.009),
    "high_noise": (0.009, 0.014),
}
"""Ranges of sigma in a mix: around the protocol's levels, without gaps between them."""

ROUNDING = (3e-8, 3e-6)
"""Range of the rounding step in a mix, a fraction of the diagonal, sampled uniformly in the logarithm: from about
float32's to a little more than that of files with six digits, such as PCPNet's."""
