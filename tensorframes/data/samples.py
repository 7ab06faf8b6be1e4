"""Training patches and validation clouds as datasets of tensors. Patches are functions of (seed, epoch, item)
alone."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import cast

import numpy as np
import torch
from torch.utils.data import Dataset
from torch_geometric.data import Data

from tensorframes.data import keys
from tensorframes.data.cloud import CATEGORIES, Cloud
from tensorframes.data.datasets.shards import ShardedClouds
from tensorframes.data.transforms.augmentation import RandomRotation, turned
from tensorframes.data.transforms.corruption import (
    CorruptedPoints,
    Corruption,
    CorruptionSample,
    CorruptionSampler,
    diagonal,
)
from tensorframes.data.transforms.scales import ScaleTable, distinct_rows, estimated_scale
from tensorframes.errors import UserError
from tensorframes.geometry.profile import sampled_profile

DIRECT_POINTS = 16_384
"""Largest cloud whose scale is measured for each sample; this takes less than 10 ms."""

NOISE_LEVELS = (0.0, 0.0005, 0.00125, 0.0025, 0.0045, 0.0075, 0.0115, 0.016)
"""Noise levels at which the scale of larger clouds is tabulated; between them it is interpolated linearly."""

TABLES = 1
"""Last entry of the seeds of the tables, which separates them from the seeds of samples."""

CACHED_POINTS = 20_000_000
"""Default size of a worker's cache of clouds, in points: about 1.4 GB with their scale tables."""


class TrainingSamples(Dataset[Data]):
    """`length` samples an epoch; item i of epoch e has the index e * length + i.

    A sample is a patch: a random cloud is rotated, thinned and made noisy as a whole; then the `patch_points` points
    nearest to a random labelled point of it, the centre, are taken. The loss mask marks the labelled points in the part
    `loss_share` of the patch that is nearest to the centre. With `context` the patch is extended to a distance of so
    many scales beyond that part, because noise is averaged over regions that grow with the scale. Indices beyond the
    first epoch are valid: iterating over this object does not end.

    Args:
        clouds: clean clouds with normals at some of their points at least.
        length: samples an epoch.
        patch_points: points of a patch; a smaller cloud is one patch.
        augmentation: random rotation of the samples; None: none.
        corruption: distribution of noise and density; None: clouds as they are.
        seed: of all random numbers.
        loss_share: part of the `patch_points` points that the loss counts, in (0, 1].
        context: distance, in scales of the cloud, that a patch extends beyond the points that the loss counts.
        most_points: upper limit of the points of a patch with context.
        profile: also measure the surface-variation profile of each whole cloud.
        cached_points: size of each worker's cache of clouds, in points.
    """

    def __init__(
        self,
        clouds: Sequence[Cloud],
        length: int,
        patch_points: int = 2048,
        augmentation: RandomRotation | None = None,
        corruption: CorruptionSampler | None = None,
        seed: int = 0,
        loss_share: float = 0.5,
        context: float = 0.0,
        most_points: int = 8192,
        profile: bool = False,
        cached_points: int = CACHED_POINTS,
    ) -> None:
        if len(clouds) == 0 or length < 1:
            raise ValueError(f"expected at least one cloud and one sample, got {len(clouds)} and {length}")
        if patch_points < 1:
            raise ValueError(f"expected patch_points >= 1, got {patch_points}")
        if not 0 < loss_share <= 1:
            raise ValueError(f"expected loss_share in (0, 1], got {loss_share}")
        if not context >= 0:
            raise ValueError(f"expected context >= 0, got {context}")
        if context > 0 and most_points < patch_points:
            raise ValueError(f"expected most_points >= patch_points, got {most_points} and {patch_points}")
        self.clouds, self.length, self.patch_points, self.seed = clouds, length, patch_points, seed
        self.loss_share, self.context, self.most_points, self.profile = loss_share, context, most_points, profile
        self.augmentation = augmentation or RandomRotation("off")
        self.corruption = corruption or Corruption()
        self.cached_points = cached_points
        self.shards = clouds.shards if isinstance(clouds, ShardedClouds) else 1
        self.cache: OrderedDict[int, CachedCloud] = OrderedDict()

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Data:
        epoch, item = divmod(index, self.length)
        rng = np.random.default_rng((self.seed, epoch, item))
        cloud = self._cached(self._drawn(index, rng))
        corruption, g = self.corruption.draw(rng, cloud.sampled), self.augmentation.draw(rng)
        points = cloud.with_label(corruption.corrupt(cloud.pos, cloud.diagonal, rng), rng)
        pos, normal, scale = points.pos, points.gather(cloud.normal), cloud.scale(points, corruption, rng)
        labelled = np.flatnonzero((normal != 0).any(1))
        centre = pos[labelled[rng.integers(len(labelled))]]
        patch, loss_mask = self._patch(pos, centre, scale)
        loss_mask &= (normal[patch] != 0).any(1)
        data = tensors(turned(pos[patch] - centre, g), turned(normal[patch], g), scale, loss_mask, cloud.oriented)
        data[keys.NAME] = cloud.name
        data[keys.NOISE] = torch.tensor([corruption.noise], dtype=torch.float32)
        if self.profile:
            data[keys.PROFILE] = torch.from_numpy(sampled_profile(pos[distinct_rows(pos)], scale, rng)).unsqueeze(0)
        return data

    def _drawn(self, index: int, rng: np.random.Generator) -> int:
        """A random cloud's index; of shards one in shard `index` mod S (`ShardedClouds`)."""
        shard = index % self.shards
        return shard + self.shards * int(rng.integers(len(range(shard, len(self.clouds), self.shards))))

    def _patch(self, pos: np.ndarray, centre: np.ndarray, scale: float) -> tuple[np.ndarray, np.ndarray]:
        """Ascending rows of the patch (M,), and the loss mask (M,), which does not depend on labels here."""
        squared = np.square(pos - centre).sum(1)
        patch = nearest(squared, self.patch_points)
        core = patch[nearest(squared[patch], max(1, round(self.loss_share * len(patch))))]
        if self.context > 0:
            reach = np.sqrt(squared[core].max()) + self.context * scale
            patch = nearest(squared, min(max(len(patch), int((squared <= reach**2).sum())), self.most_points))
        loss_mask = np.zeros(len(patch), dtype=bool)
        loss_mask[np.searchsorted(patch, core)] = True
        return patch, loss_mask

    def _cached(self, index: int) -> "CachedCloud":
        """Cloud `index`, from the cache; the least recently used ones are removed from it."""
        if index not in self.cache:
            self.cache[index] = CachedCloud(cloud_at(self.clouds, index), (self.seed, index))
            while len(self.cache) > 1 and sum(len(each.pos) for each in self.cache.values()) > self.cached_points:
                self.cache.popitem(last=False)
        self.cache.move_to_end(index)
        return self.cache[index]


def cloud_at(clouds: Sequence[Cloud], index: int) -> Cloud:
    """One cloud of a dataset.

    Raises:
        UserError: it is something else.
    """
    cloud = clouds[index]
    if not isinstance(cloud, Cloud):
        raise UserError(f"expected a Cloud as item {index} of {type(clouds).__name__}, got {type(cloud).__name__}")
    return cloud


def nearest(squared: np.ndarray, count: int) -> np.ndarray:
    """Ascending rows of the `count` smallest of (N,) values, of all if there are fewer."""
    return np.arange(len(squared)) if count >= len(squared) else np.sort(np.argpartition(squared, count - 1)[:count])


class CachedCloud:
    """A clean cloud and the scale tables that its samples share, functions of `seed` alone."""

    def __init__(self, cloud: Cloud, seed: tuple[int, int]) -> None:
        if cloud.normal is None or not cloud.labelled.any():
            raise UserError(f"expected normals to train on, got none for {cloud.name}")
        self.name, self.seed = cloud.name, seed
        self.pos, self.normal, self.oriented = cloud.pos, cloud.normal, cloud.oriented
        self.sampled = cloud.category not in CATEGORIES
        self.labelled = cloud.labelled
        self.diagonal = diagonal(cloud.pos)
        self.tables: dict[int, ScaleTable] = {}

    def with_label(self, points: CorruptedPoints, rng: np.random.Generator) -> CorruptedPoints:
        """The points; a random labelled point of the clean cloud is added if none of them is labelled."""
        if self.labelled[points.rows[points.rows >= 0]].any():
            return points
        row = rng.choice(np.flatnonzero(self.labelled), 1)
        return CorruptedPoints(np.concatenate([points.pos, self.pos[row]]), np.concatenate([points.rows, row]))

    def scale(self, points: CorruptedPoints, corruption: CorruptionSample, rng: np.random.Generator) -> float:
        """Scale of the whole corrupted cloud: tabulated for noise and thinning of large clouds, else measured."""
        noise = corruption.noise
        tabulated = isinstance(corruption, Corruption) and noise <= NOISE_LEVELS[-1]
        if len(self.pos) <= DIRECT_POINTS or not tabulated:
            return estimated_scale(points.pos, rng)
        mask = np.zeros(len(self.pos), dtype=bool)
        mask[points.rows] = True
        upper = int(np.searchsorted(NOISE_LEVELS, noise))
        levels = [upper] if noise == NOISE_LEVELS[upper] else [upper - 1, upper]
        scales = [self._table(level).scale(mask) for level in levels]
        return float(np.interp(noise, [NOISE_LEVELS[level] for level in levels], scales))

    def _table(self, level: int) -> ScaleTable:
        if level not in self.tables:
            rng = np.random.default_rng((*self.seed, level, TABLES))
            noisy = Corruption(NOISE_LEVELS[level]).with_noise(self.pos, self.diagonal, rng)
            self.tables[level] = ScaleTable(noisy, rng)
        return self.tables[level]


class ValidationClouds(Dataset[Data]):
    """Whole clouds as they are, centred, with exact scales, their category and their index.

    The loss mask marks the rows that the protocol scores (``Cloud.eval_index``).

    Args:
        clouds: each with normals.

    Raises:
        UserError: on access, if a cloud has no row to score.
    """

    def __init__(self, clouds: Sequence[Cloud]) -> None:
        self.clouds = clouds

    def __len__(self) -> int:
        return len(self.clouds)

    def cloud(self, index: int) -> Cloud:
        """A cloud as the dataset has it.

        Raises:
            UserError: it is something else, has values that are not finite, or no row to score.
        """
        cloud = cloud_at(self.clouds, index)
        if cloud.normal is None or len(cloud.eval_index) == 0:
            raise UserError(f"expected rows with normals to validate on, got none for {cloud.name}")
        return cloud

    def __getitem__(self, index: int) -> Data:
        cloud = self.cloud(index)
        normal = cast(np.ndarray, cloud.normal)
        scale = estimated_scale(cloud.pos, np.random.default_rng(0), sample=len(cloud.pos))
        pos = cloud.pos - cloud.pos.mean(0, dtype=np.float64).astype(np.float32)
        loss_mask = np.zeros(len(pos), dtype=bool)
        loss_mask[cloud.eval_index] = True
        data = tensors(pos, normal, scale, loss_mask, cloud.oriented)
        data[keys.NAME], data[keys.CATEGORY], data[keys.PLACE] = cloud.name, cloud.category, index
        return data


def tensors(pos: np.ndarray, normal: np.ndarray, scale: float, loss_mask: np.ndarray, oriented: bool) -> Data:
    """The tensors of `keys` for one cloud or patch."""
    return Data(
        **{
            keys.POS: torch.from_numpy(np.ascontiguousarray(pos, dtype=np.float32)),
            keys.NORMAL: torch.from_numpy(np.ascontiguousarray(normal, dtype=np.float32)),
            keys.SCALE: torch.tensor([scale], dtype=torch.float32),
            keys.LOSS_MASK: torch.from_numpy(loss_mask),
            keys.ORIENTED: torch.tensor([oriented]),
        }
    )
