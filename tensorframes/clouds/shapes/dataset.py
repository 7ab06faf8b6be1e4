"""The embedded data set: generated shapes, the same for the same seed, made on first use and cached."""

import hashlib
import json
import logging
import multiprocessing
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import overload

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from tensorframes.clouds.cache import cache_folder, ensure_cache
from tensorframes.clouds.cleaning import Cleaned, clean
from tensorframes.clouds.cloud import CATEGORIES, Cloud
from tensorframes.clouds.corruption import PROTOCOL_SUFFIX, Corruption
from tensorframes.clouds.progress import progress
from tensorframes.clouds.sequence import CachedClouds, Entry
from tensorframes.clouds.shapes.kinds import KINDS
from tensorframes.errors import UserError

SPLITS = ("train", "val", "test")
SCORED = 5000

LEAST = 0.4
"""Thinned validation and test clouds keep at least this part of the clean ones: 20,000 points of 50,000."""

GENERATOR_VERSION = 4
"""Raise it whenever the same seed gives other shapes: cached ones are then made anew."""


def kind_of(index: int, count: int) -> int:
    """Row in KINDS of shape `index` of `count`: all kinds in turn; a few shapes are spread evenly over them."""
    return index % len(KINDS) if count >= len(KINDS) else index * len(KINDS) // count


def shape_name(split: str, index: int, count: int = len(KINDS)) -> str:
    """What shape `index` of a split of `count` is called; its kind is the last part."""
    return f"{split}{index:03d}_{KINDS[kind_of(index, count)].__name__}"


def make_shape(seed: int, split: str, index: int, points: int, count: int = len(KINDS)) -> Cloud:
    """Shape `index` of a split of `count`, clean: a function of its arguments. No two splits share random numbers.

    Raises:
        ValueError: the split is unknown, or no surface was drawn in 20 tries.
    """
    if split not in SPLITS:
        raise ValueError(f"expected a split of {', '.join(SPLITS)}, got {split!r}")
    name, draw = shape_name(split, index, count), KINDS[kind_of(index, count)]
    threads = torch.get_num_threads()
    # With several threads the blocks, and so the last bits, depend on their number.
    torch.set_num_threads(1)
    try:
        for attempt in range(20):
            rng = np.random.default_rng((seed, SPLITS.index(split), index, attempt, 7))
            try:
                pos, normal = draw(rng).sample(points, rng)
            except ValueError:
                continue
            order = rng.permutation(points)
            return Cloud(name, pos[order], normal[order])
    finally:
        torch.set_num_threads(threads)
    raise ValueError(f"expected a surface for {name}, got none in 20 tries")


class Shapes:
    """Training, validation and test shapes; each split is made when it is first asked for.

    Training shapes are clean: noise and density are drawn with the samples. Validation and test shapes come in each of
    the categories, thinned first and then made noisy; thinned clouds keep at least LEAST of their points.

    Args:
        root: the cache lies below it.
        train_shapes, val_shapes, test_shapes: how many of each, the kinds as in kind_of.
        points: of each training shape.
        test_points: of each validation and test shape, before it is thinned.
        seed: of everything.
        categories: that test shapes come in.
        val_categories: that validation shapes come in.
        workers: processes that make shapes, about 2 s a shape of 100,000 points and process.
        cache_dir: folder for the cache; None takes root, or the user's cache where root is read-only.
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
        workers: int = 2,
        cache_dir: str | Path | None = None,
    ) -> None:
        counts = {
            "train_shapes": train_shapes,
            "val_shapes": val_shapes,
            "test_shapes": test_shapes,
            "workers": workers,
        }
        if negative := [name for name, count in counts.items() if count < 0]:
            raise ValueError(f"expected {negative[0]} >= 0, got {counts[negative[0]]}")
        if min(points, test_points) < 1 or seed < 0:
            raise ValueError(f"expected points >= 1 and a seed >= 0, got {points}, {test_points} and {seed}")
        for category in (*categories, *val_categories):
            Corruption.protocol(category)
        self.root, self.seed, self.workers, self.cache_dir = Path(root), seed, workers, cache_dir
        self.counts = {"train": train_shapes, "val": val_shapes, "test": test_shapes}
        self.points = {"train": points, "val": test_points, "test": test_points}
        self.categories, self.val_categories = tuple(categories), tuple(val_categories)

    @cached_property
    def train(self) -> CachedClouds:
        """Clean shapes."""
        return self._clean("train")

    @cached_property
    def val(self) -> "InCategories":
        """Validation shapes in each of their categories, by category."""
        return InCategories(self._clean("val"), self.val_categories, (self.seed, SPLITS.index("val")))

    @cached_property
    def test(self) -> "InCategories":
        """Test shapes in each of their categories, by category."""
        return InCategories(self._clean("test"), self.categories, (self.seed, SPLITS.index("test")))

    def _clean(self, split: str) -> CachedClouds:
        made = _Making(self.seed, split, self.counts[split], self.points[split])
        try:
            self.root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"{self.root}: expected a folder for generated shapes, got: {error.strerror}") from error
        mark = json.dumps([GENERATOR_VERSION, self.seed, split, len(made), self.points[split]])
        name = f"shapes_{split}_{hashlib.sha256(mark.encode()).hexdigest()[:12]}.h5"
        file = ensure_cache(cache_folder(self.root, self.cache_dir) / name, (), lambda: made.all(self.workers))
        return CachedClouds(Entry(shape_name(split, index, len(made)), file) for index in range(len(made)))


class InCategories(Sequence[Cloud]):
    """Every cloud in each category, SCORED random rows to score in each; corrupted when read, LEAST of the points left.

    Args:
        clean: clean clouds.
        categories: of the protocol; cloud c in category k is at len(clean) * k + c.
        seed: these numbers, the cloud and the category decide every draw.
    """

    def __init__(self, clean: Sequence[Cloud], categories: Sequence[str], seed: tuple[int, ...]) -> None:
        self.clean, self.categories, self.seed = clean, tuple(categories), seed

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
        rng = np.random.default_rng((*self.seed, row, CATEGORIES.index(category), 11))
        corruption = Corruption.protocol(category)
        corruption = replace(corruption, density=replace(corruption.density, least=LEAST))
        cloud = corruption.apply(self.clean[row], rng)
        scored = np.sort(rng.choice(len(cloud.pos), min(SCORED, len(cloud.pos)), replace=False))
        return replace(cloud, name=cloud.name + PROTOCOL_SUFFIX[category], scored=scored)


class _Making(Dataset):
    """The shapes of a split as a torch data set, so that the loader's processes can make them."""

    def __init__(self, seed: int, split: str, count: int, points: int) -> None:
        self.seed, self.split, self.count, self.points = seed, split, count, points

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        cloud = make_shape(self.seed, self.split, index, self.points, self.count)
        return cloud.pos, cloud.normal

    def all(self, workers: int) -> Iterator[tuple[str, Cleaned]]:
        """Names and arrays in order, made by so many processes."""
        logging.getLogger(__name__).info("making %d shapes (%s) of %d points", self.count, self.split, self.points)
        # A loader's own process may not start others.
        alone = multiprocessing.current_process().daemon or self.count < 2
        loader = DataLoader(self, batch_size=None, shuffle=False, num_workers=0 if alone else min(workers, self.count))
        for index, (pos, normal) in zip(
            progress(range(self.count), f"making shapes ({self.split})"), loader, strict=True
        ):
            name = shape_name(self.split, index, self.count)
            yield name, clean(name, np.asarray(pos), np.asarray(normal))
