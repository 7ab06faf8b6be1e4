"""The embedded data set: generated shapes, the same everywhere for the same seed."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np

from tensorframes.clouds.cloud import CATEGORIES, Cloud
from tensorframes.clouds.corruption import PROTOCOL_SUFFIX, Corruption
from tensorframes.clouds.shapes.kinds import KINDS

SPLITS = ("train", "val", "test")
SCORED = 5000


def make_shape(seed: int, split: str, index: int, points: int) -> Cloud:
    """Shape `index` of a split, clean: a function of its arguments alone. Different splits never share random numbers."""
    import torch

    rng = np.random.default_rng((seed, SPLITS.index(split), index, 7))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        kind = KINDS[index % len(KINDS)]
        pos, normal = kind(rng).sample(points, rng)
    finally:
        torch.set_num_threads(threads)
    return Cloud(f"{split}{index:03d}_{kind.__name__}", pos, normal)


class Corrupted(Sequence[Cloud]):
    """Every cloud in each of the categories, SCORED random rows to score in each; corrupted when read.

    Args:
        clean: clean clouds.
        categories: of the protocol, in order.
        seed: (cloud, category) and this decide the corruption.
    """

    def __init__(self, clean: Sequence[Cloud], categories: Sequence[str], seed: int):
        self.clean, self.categories, self.seed = clean, tuple(categories), seed
        self.corruptions = [Corruption.protocol(category) for category in categories]

    def __len__(self) -> int:
        return len(self.clean) * len(self.categories)

    def __getitem__(self, index: int) -> Cloud:
        which, shape = divmod(range(len(self))[index], len(self.clean))
        category = self.categories[which]
        rng = np.random.default_rng((self.seed, shape, CATEGORIES.index(category), 11))
        cloud = self.corruptions[which].apply(self.clean[shape], rng)
        scored = np.sort(rng.choice(len(cloud.pos), min(SCORED, len(cloud.pos)), replace=False))
        return replace(cloud, name=cloud.name + PROTOCOL_SUFFIX[category], scored=scored)


class Made(Sequence[Cloud]):
    """The clean shapes of one split, made when read."""

    def __init__(self, seed: int, split: str, count: int, points: int):
        self.seed, self.split, self.points = seed, split, points
        self.clouds: list[Cloud | None] = [None] * count

    def __len__(self) -> int:
        return len(self.clouds)

    def __getitem__(self, index: int) -> Cloud:
        cloud = self.clouds[index]
        if cloud is None:
            cloud = self.clouds[index] = make_shape(self.seed, self.split, range(len(self))[index], self.points)
        return cloud


class Shapes:
    """Training, validation and test shapes; training shapes are clean.

    Args:
        root: where the cache lies.
        train_shapes, val_shapes, test_shapes: how many of each.
        points: of each training and validation shape.
        test_points: of each clean test shape.
        seed: of everything.
        categories: that test shapes come in.
        val_categories: that validation shapes come in.
    """

    def __init__(
        self,
        root: str | Path,
        train_shapes: int = 32,
        val_shapes: int = 3,
        test_shapes: int = 4,
        points: int = 100_000,
        test_points: int = 100_000,
        seed: int = 0,
        categories: Sequence[str] = CATEGORIES,
        val_categories: Sequence[str] = CATEGORIES,
    ):
        self.root, self.seed = Path(root), seed
        self.counts = {"train": train_shapes, "val": val_shapes, "test": test_shapes}
        self.points = {"train": points, "val": points, "test": test_points}
        self.categories, self.val_categories = tuple(categories), tuple(val_categories)

    @cached_property
    def train(self) -> Sequence[Cloud]:
        return self._clean("train")

    @cached_property
    def val(self) -> Sequence[Cloud]:
        return Corrupted(self._clean("val"), self.val_categories, self.seed)

    @cached_property
    def test(self) -> Sequence[Cloud]:
        return Corrupted(self._clean("test"), self.categories, self.seed)

    def _clean(self, split: str) -> Sequence[Cloud]:
        return Made(self.seed, split, self.counts[split], self.points[split])
