"""Clouds in categories: each corrupted as a category says, or sampled in its way."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import overload

import numpy as np

from tensorframes.data.cloud import CATEGORIES, Cloud
from tensorframes.data.transforms.corruption import (
    PROTOCOL_SUFFIX,
    Corruption,
    DecadesDensity,
    DrawsCorruption,
    Misregistered,
    Outliers,
    Quantised,
    applied,
    diagonal,
)

SCORED = 5000

LEAST = 0.4
"""Clouds thinned as the protocol does it keep at least this part of the clean ones: 20,000 points of 50,000."""

CORRUPTIONS: Mapping[str, DrawsCorruption] = {
    "quantised": Quantised(),
    "misregistered": Misregistered(),
    "outliers": Outliers(),
    "decades_density": DecadesDensity(),
}
"""Categories beside the protocol's that are made of clean clouds."""


class InCategories(Sequence[Cloud]):
    """Every cloud in each category, SCORED random labelled rows to score in each; corrupted when read.

    Args:
        clean: clean clouds.
        categories: of the protocol, CORRUPTIONS or `sampled`; cloud c in category k is at len(clean) * k + c.
        seed: these numbers, the cloud and the category decide every draw.
        sampled: clouds sampled in some way, as many as clean ones, by category.
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
        """The cloud at a place; a slice reads them all."""
        if isinstance(index, slice):
            return [self[row] for row in range(len(self))[index]]
        column, row = divmod(range(len(self))[index], len(self.clean))
        category = self.categories[column]
        cloud, rng = self._cloud(row, category)
        rows = cloud.scored_rows
        scored = np.sort(rng.choice(rows, min(SCORED, len(rows)), replace=False))
        return replace(cloud, scored=scored)

    def _cloud(self, row: int, category: str) -> tuple[Cloud, np.random.Generator]:
        """A cloud in a category, and what draws the rows to score."""
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
        drawn = CORRUPTIONS[category].draw(rng)
        cloud = applied(drawn.corrupted(clean.pos, diagonal(clean.pos), rng), clean, category)
        return replace(cloud, name=f"{clean.name}_{category}"), rng
