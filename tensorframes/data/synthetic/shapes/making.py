"""Generated shapes as torch data sets, so that the processes of a loader can make them."""

import json
import logging
import multiprocessing
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from tensorframes.data.cloud import Cloud
from tensorframes.data.datasets.cleaning import Cleaned, clean
from tensorframes.data.synthetic.sampling import Sampling
from tensorframes.data.synthetic.shapes.kinds import KINDS
from tensorframes.progress import track

SPLITS = ("train", "val", "test")

GENERATOR_VERSION = 4
"""Raise it whenever the same seed gives other shapes: cached ones are then made anew."""

SAMPLING_VERSION = 2
"""Raise it whenever a way of sampling gives other points."""

TRIES = 20

ALIKE, NEAR, CHECKED = 0.75, 24, 500
"""Sampled clouds show their surface: the mean cosine of the angle between the normals of CHECKED points and of their
NEAR nearest neighbours is ALIKE or more. Where sheets are as near as points are, there is nothing to be learned."""


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
        for attempt in range(TRIES):
            rng = np.random.default_rng((seed, SPLITS.index(split), index, attempt, 7))
            try:
                pos, normal = draw(rng).sample(points, rng)
            except ValueError:
                continue
            order = rng.permutation(points)
            return Cloud(name, pos[order], normal[order])
    finally:
        torch.set_num_threads(threads)
    raise ValueError(f"expected a surface for {name}, got none in {TRIES} tries")


def make_sampled(seed: int, split: str, index: int, way: tuple[str, Sampling], points: tuple[int, int]) -> Cloud:
    """A shape of a random kind sampled in a way: a function of the arguments.

    Args:
        seed, split, index: as in make_shape.
        way: name of its category, and how it samples.
        points: least and largest number to ask for, drawn evenly in its logarithm.

    Raises:
        ValueError: none of 20 surfaces gave half as many points as the least, dense enough to show it.
    """
    name, sampling = way
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for attempt in range(TRIES):
            rng = np.random.default_rng((seed, SPLITS.index(split), index, attempt, 23, *name.encode()))
            kind = KINDS[int(rng.integers(len(KINDS)))]
            count = round(points[0] * (points[1] / points[0]) ** rng.random())
            try:
                pos, normal = sampling.sample(kind(rng), count, rng)
            except ValueError:
                continue
            if 2 * len(pos) >= points[0] and alike(pos, normal, rng) >= ALIKE:
                return Cloud(f"{split}{index:03d}_{name}", pos, normal, category=name)
    finally:
        torch.set_num_threads(threads)
    raise ValueError(f"expected a surface to sample by {name}, got none in {TRIES} tries")


def alike(pos: np.ndarray, normal: np.ndarray, rng: np.random.Generator) -> float:
    """Mean cosine as at ALIKE, over random labelled points of (N, 3) positions and normals."""
    from scipy.spatial import cKDTree

    labelled = np.flatnonzero((normal != 0).any(1))
    pos, normal = pos[labelled], normal[labelled]
    rows = rng.choice(len(pos), min(CHECKED, len(pos)), replace=False)
    near = cKDTree(pos).query(pos[rows], k=min(NEAR + 1, len(pos)))[1]
    return float(np.einsum("nka,na->nk", normal[near[:, 1:]], normal[rows]).mean())


class CleanShapes(Dataset):
    """The clean shapes of a split: `count` of them, of `points` points each."""

    def __init__(self, seed: int, split: str, count: int, points: int) -> None:
        self.seed, self.split, self.count, self.points = seed, split, count, points
        self.mark = json.dumps([GENERATOR_VERSION, seed, split, count, points])
        self.told = f"{count} shapes ({split}) of {points} points"

    def __len__(self) -> int:
        return self.count

    def name(self, index: int) -> str:
        """Of a shape."""
        return shape_name(self.split, index, self.count)

    def category(self, index: int) -> str:
        """Of a shape."""
        return "no_noise"

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        cloud = make_shape(self.seed, self.split, index, self.points, self.count)
        return cloud.pos, cloud.normal


class SampledShapes(Dataset):
    """Shapes of a split that are sampled.

    Args:
        seed, split: as in make_shape.
        ways: name of the way of each.
        samplings: ways by name.
        points: as in make_sampled.
    """

    def __init__(
        self, seed: int, split: str, ways: Sequence[str], samplings: Mapping[str, Sampling], points: tuple[int, int]
    ) -> None:
        self.seed, self.split, self.ways, self.samplings, self.points = seed, split, ways, samplings, points
        self.told = f"{len(ways)} shapes ({split}), {', '.join(dict.fromkeys(ways))}"
        used = {name: repr(samplings[name]) for name in ways}
        self.mark = json.dumps([GENERATOR_VERSION, SAMPLING_VERSION, seed, split, ways, used, points])

    def __len__(self) -> int:
        return len(self.ways)

    def name(self, index: int) -> str:
        """Of a shape."""
        return f"{self.split}{index:03d}_{self.ways[index]}"

    def category(self, index: int) -> str:
        """Of a shape: its way."""
        return self.ways[index]

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        way = self.ways[index]
        cloud = make_sampled(self.seed, self.split, index, (way, self.samplings[way]), self.points)
        return cloud.pos, cloud.normal


def made_by(shapes: CleanShapes | SampledShapes, workers: int) -> Iterator[tuple[str, Cleaned]]:
    """Names and arrays in order, made by so many processes."""
    logging.getLogger(__name__).info("making %s", shapes.told)
    # A loader's own process may not start others.
    alone = multiprocessing.current_process().daemon or len(shapes) < 2
    loader = DataLoader(shapes, batch_size=None, shuffle=False, num_workers=0 if alone else min(workers, len(shapes)))
    steps = track(range(len(shapes)), f"making {shapes.told}")
    for index, (pos, normal) in zip(steps, loader, strict=True):
        name = shapes.name(index)
        yield name, clean(name, np.asarray(pos), np.asarray(normal))
