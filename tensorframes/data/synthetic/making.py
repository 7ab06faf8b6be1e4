"""Generation of shapes, as torch datasets for loaders with several processes."""

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
from tensorframes.errors import UserError
from tensorframes.parallel import start_method
from tensorframes.progress import track
from tensorframes.words import counted

SPLITS = ("train", "val", "test")

GENERATOR_VERSION = 4
"""Increased whenever a seed gives other shapes, so that cached shapes are generated again."""

SAMPLING_VERSION = 2
"""Increased whenever a sampling gives other points."""

TRIES = 20

ALIKE, NEAR, CHECKED = 0.75, 24, 500
"""Least mean cosine of the angle between the normals of CHECKED points and of their NEAR nearest neighbours in a
sampled cloud. Where sheets are as close as points, normals cannot be learned."""


def kind_of(index: int, count: int) -> int:
    """Index into KINDS of shape `index` of `count`: all kinds in turn, evenly spaced ones if there are fewer shapes."""
    return index % len(KINDS) if count >= len(KINDS) else index * len(KINDS) // count


def shape_name(split: str, index: int, count: int = len(KINDS)) -> str:
    """Name of shape `index` of a split of `count`; its kind is the last part."""
    return f"{split}{index:03d}_{KINDS[kind_of(index, count)].__name__}"


def make_shape(seed: int, split: str, index: int, points: int, count: int = len(KINDS)) -> Cloud:
    """Clean shape `index` of a split of `count`, a function of its arguments. Splits share no random numbers.

    Raises:
        ValueError: the split is unknown, or 20 attempts give no surface.
    """
    if split not in SPLITS:
        raise ValueError(f"expected a split of {', '.join(SPLITS)}, got {split!r}")
    name, draw = shape_name(split, index, count), KINDS[kind_of(index, count)]
    threads = torch.get_num_threads()
    # With several threads the last bits would depend on their number.
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


def make_sampled(seed: int, split: str, index: int, named: tuple[str, Sampling], points: tuple[int, int]) -> Cloud:
    """A shape of a random kind with a sampling, a function of its arguments.

    Args:
        seed, split, index: as in make_shape.
        named: name of the category, and the sampling.
        points: range of the number of points, sampled uniformly in the logarithm.

    Raises:
        UserError: none of 20 surfaces gives half of the least number of points, dense enough.
    """
    name, sampling = named
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
    requested = f"{points[0]} to {points[1]} points"
    raise UserError(
        f"expected a surface to sample by {name} in {requested}, got none in {TRIES} tries: ask for more points"
    )


def alike(pos: np.ndarray, normal: np.ndarray, rng: np.random.Generator) -> float:
    """Mean cosine as in ALIKE, over random labelled points of positions and normals (N, 3)."""
    from scipy.spatial import cKDTree

    labelled = np.flatnonzero((normal != 0).any(1))
    if len(labelled) < 2:
        return 0.0
    pos, normal = pos[labelled], normal[labelled]
    rows = rng.choice(len(pos), min(CHECKED, len(pos)), replace=False)
    near = cKDTree(pos).query(pos[rows], k=min(NEAR + 1, len(pos)))[1]
    return float(np.einsum("nka,na->nk", normal[near[:, 1:]], normal[rows]).mean())


class CleanShapes(Dataset):
    """The clean shapes of a split: `count` shapes of `points` points each."""

    def __init__(self, seed: int, split: str, count: int, points: int) -> None:
        self.seed, self.split, self.count, self.points = seed, split, count, points
        self.mark = json.dumps([GENERATOR_VERSION, seed, split, count, points])
        self.description = f"{counted(count, 'shape')} ({split}) of {counted(points, 'point')}"

    def __len__(self) -> int:
        return self.count

    def name(self, index: int) -> str:
        """The name of a shape."""
        return shape_name(self.split, index, self.count)

    def category(self, index: int) -> str:
        """The category of a shape."""
        return "no_noise"

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        cloud = make_shape(self.seed, self.split, index, self.points, self.count)
        return cloud.pos, np.asarray(cloud.normal)


class SampledShapes(Dataset):
    """The shapes of a split with samplings.

    Args:
        seed, split: as in make_shape.
        names: name of the sampling of each shape.
        samplings: samplings by name.
        points: as in make_sampled.
    """

    def __init__(
        self, seed: int, split: str, names: Sequence[str], samplings: Mapping[str, Sampling], points: tuple[int, int]
    ) -> None:
        self.seed, self.split, self.names, self.samplings, self.points = seed, split, names, samplings, points
        self.description = f"{counted(len(names), 'shape')} ({split}), {', '.join(dict.fromkeys(names))}"
        used = {name: repr(samplings[name]) for name in names}
        self.mark = json.dumps([GENERATOR_VERSION, SAMPLING_VERSION, seed, split, names, used, points])

    def __len__(self) -> int:
        return len(self.names)

    def name(self, index: int) -> str:
        """The name of a shape."""
        return f"{self.split}{index:03d}_{self.names[index]}"

    def category(self, index: int) -> str:
        """The category of a shape, which is the name of its sampling."""
        return self.names[index]

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        name = self.names[index]
        cloud = make_sampled(self.seed, self.split, index, (name, self.samplings[name]), self.points)
        return cloud.pos, np.asarray(cloud.normal)


def made_by(shapes: CleanShapes | SampledShapes, workers: int) -> Iterator[tuple[str, Cleaned]]:
    """Names and arrays of the shapes in order, generated by `workers` processes."""
    logging.getLogger(__name__).info("making %s", shapes.description)
    # The processes of a loader cannot start others.
    alone = multiprocessing.current_process().daemon or len(shapes) < 2
    count = 0 if alone else min(workers, len(shapes))
    how = start_method(count)
    loader = DataLoader(shapes, batch_size=None, shuffle=False, num_workers=count, multiprocessing_context=how)
    steps = track(range(len(shapes)), f"making {shapes.description}")
    for index, (pos, normal) in zip(steps, loader, strict=True):
        name = shapes.name(index)
        yield name, clean(name, np.asarray(pos), np.asarray(normal))
