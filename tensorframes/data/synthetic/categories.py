"""Clouds by category: clean clouds with the corruption of a category, or clouds of its kind of sampling."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import overload

import numpy as np

from tensorframes.data.cloud import CATEGORIES, Cloud
from tensorframes.data.transforms.corruption import (
    PROTOCOL_SUFFIX,
    Corruption,
    CorruptionSampler,
    DecadesDensity,
    Misregistered,
    Outliers,
    Quantised,
    corrupted_cloud,
    diagonal,
)

EVAL_POINTS = 5000
"""Length of a cloud's evaluation index, as in PCPNet's dataset."""

LEAST = 0.4
"""Smallest part of a clean cloud that the protocol's densities keep: 20,000 points of 50,000."""

CORRUPTIONS: Mapping[str, CorruptionSampler] = {
    "quantised": Quantised(),
    "misregistered": Misregistered(),
    "outliers": Outliers(),
    "decades_density": DecadesDensity(),
}
"""Categories beside the protocol's that are made of clean clouds."""


class InCategories(Sequence[Cloud]):
    """Every cloud in each category, corrupted on access, with EVAL_POINTS random labelled rows to score.

    Args:
        clean: clean clouds.
        categories: of the protocol, CORRUPTIONS or `sampled`; cloud c in category k has index len(clean) * k + c.
        seed: determines all random numbers, with the cloud and the category.
        sampled: by category of `samplings`, as many clouds as clean ones.
    """

    def __init__(
        self,
        clean: Sequence[Cloud],
        categories: Sequence[str],
        seed: tuple[int, ...],
        sampled: Mapping[str, Sequence[Cloud]] | None = None,
    ) -> None:
        self.clean, self.categories, self.seed, self.sampled = clean, tuple(categories), seed, sampled or {}

    def __len__(self) -> int:
        return len(self.clean) * len(self.categories)

    @overload
    def __getitem__(self, index: int) -> Cloud: ...

    @overload
    def __getitem__(self, index: slice) -> list[Cloud]: ...

    def __getitem__(self, index: int | slice) -> Cloud | list[Cloud]:
        """One cloud; a slice reads all of its clouds."""
        if isinstance(index, slice):
            return [self[row] for row in range(len(self))[index]]
        column, row = divmod(range(len(self))[index], len(self.clean))
        category = self.categories[column]
        cloud, rng = self._cloud(row, category)
        rows = cloud.eval_index
        return replace(cloud, eval_index=np.sort(rng.choice(rows, min(EVAL_POINTS, len(rows)), replace=False)))

    def _cloud(self, row: int, category: str) -> tuple[Cloud, np.random.Generator]:
        """A cloud in a category, and the generator for its rows to score."""
        if category in CATEGORIES:
            rng = np.random.default_rng((*self.seed, row, CATEGORIES.index(category), 11))
            corruption = Corruption.protocol(category)
            corruption = replace(corruption, density=replace(corruption.density, least=LEAST))
            cloud = corruption.apply(self.clean[row], rng)
            return replace(cloud, name=cloud.name + PROTOCOL_SUFFIX[category]), rng
        rng = np.random.default_rng((*self.seed, row, *category.encode(), 11))
        if category in self.sampled:
            return self.sampled[category][row], rng
        clean = self.clean[row]
        corruption_sample = CORRUPTIONS[category].draw(rng)
        cloud = corrupted_cloud(corruption_sample.corrupt(clean.pos, diagonal(clean.pos), rng), clean, category)
        return replace(cloud, name=f"{clean.name}_{category}"), rng
