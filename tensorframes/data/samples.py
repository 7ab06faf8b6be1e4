"""Training samples: patches of corrupted, turned clouds. Every draw is a function of (seed, epoch, item) alone."""

from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
import torch
from torch.utils.data import Dataset
from torch_geometric.data import Data

from tensorframes.data import keys
from tensorframes.data.cloud import CATEGORIES, Cloud
from tensorframes.data.scales import ScaleTable, distinct_rows, sampled_scale
from tensorframes.data.transforms.augmentation import RandomRotation, turned
from tensorframes.data.transforms.corruption import Corrupted, Corruption, DrawnCorruption, DrawsCorruption, diagonal
from tensorframes.errors import UserError
from tensorframes.geometry.profile import sampled_profile

DIRECT_POINTS = 16_384
"""Clouds up to this size have their scale measured anew for each sample; it takes less than 10 ms."""

NOISE_LEVELS = (0.0, 0.0005, 0.00125, 0.0025, 0.0045, 0.0075, 0.0115, 0.016)
"""Noise at which the scale of larger clouds is measured; between these it is interpolated linearly."""

TABLES = 1
"""Ends the seeds of the scales: they are no sample's seeds."""

POINTS_KEPT = 20_000_000
"""Points of clouds that a worker keeps in memory, with their scales, unless told otherwise: about 1.4 GB."""


class TrainingSamples(Dataset):
    """`length` samples an epoch; item i of epoch e has the index e * length + i.

    A sample: a random cloud, turned, thinned and made noisy as a whole, then the `patch_points` points nearest to a
    random labelled one of its points. `inner` marks the labelled points among the part `inner_share` of them that is
    nearest to that point. With `context` the patch goes on, if that is farther, to this many scales of the cloud beyond
    that part, since what noise needs to be averaged over grows with the scale. An index past the first epoch is valid,
    so iterating over this object itself does not end.

    Args:
        clouds: clean clouds with normals, of some of their points at least.
        length: samples an epoch.
        patch_points: points of a patch; clouds that are smaller come whole. None: whole clouds, all their
            labelled points inner.
        augmentation: how samples are turned.
        corruption: what to draw noise and density from; None leaves clouds as they are.
        seed: of every draw.
        inner_share: of the patch's points, without those that the context adds, in (0, 1].
        context: scales beyond the inner points that a patch reaches, if `most_points` allow it.
        most_points: of a patch with context.
        profile: measure each whole cloud's profile, too, for networks that know it.
        points_kept: points of clouds that each worker keeps in memory.
    """

    def __init__(
        self,
        clouds: Sequence[Cloud],
        length: int,
        patch_points: int | None = 2048,
        augmentation: RandomRotation | None = None,
        corruption: DrawsCorruption | None = None,
        seed: int = 0,
        inner_share: float = 0.5,
        context: float = 0.0,
        most_points: int = 8192,
        profile: bool = False,
        points_kept: int = POINTS_KEPT,
    ):
        if len(clouds) == 0 or length < 1:
            raise ValueError(f"expected at least one cloud and one sample, got {len(clouds)} and {length}")
        if patch_points is not None and patch_points < 1:
            raise ValueError(f"expected patch_points >= 1 or null, got {patch_points}")
        if not 0 < inner_share <= 1:
            raise ValueError(f"expected inner_share in (0, 1], got {inner_share}")
        if context < 0:
            raise ValueError(f"expected context >= 0, got {context}")
        if context > 0 and patch_points is not None and most_points < patch_points:
            raise ValueError(f"expected most_points >= patch_points, got {most_points} and {patch_points}")
        self.clouds, self.length, self.patch_points, self.seed = clouds, length, patch_points, seed
        self.context, self.most_points, self.profile, self.points_kept = context, most_points, profile, points_kept
        self.augmentation = augmentation or RandomRotation("off")
        self.corruption = corruption or Corruption()
        self.inner_share = inner_share
        self.prepared: OrderedDict[int, _Prepared] = OrderedDict()

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Data:
        epoch, item = divmod(index, self.length)
        rng = np.random.default_rng((self.seed, epoch, item))
        cloud = self._prepare(int(rng.integers(len(self.clouds))))
        corruption, g = self.corruption.draw(rng, cloud.sampled), self.augmentation.draw(rng)
        made = cloud.with_label(corruption.corrupted(cloud.pos, cloud.diagonal, rng), rng)
        pos, normal, scale = made.pos, made.taken(cloud.normal), cloud.scale(made, corruption, rng)
        choices = np.flatnonzero((normal != 0).any(1))
        centre = pos[choices[rng.integers(len(choices))]]
        near, inner = self._patch(pos, centre, scale)
        inner &= (normal[near] != 0).any(1)
        data = sample(turned(pos[near] - centre, g), turned(normal[near], g), scale, inner, cloud.oriented)
        data[keys.NOISE] = torch.tensor([corruption.noise], dtype=torch.float32)
        if self.profile:
            data[keys.PROFILE] = torch.from_numpy(sampled_profile(pos[distinct_rows(pos)], scale, rng)).unsqueeze(0)
        return data

    def _patch(self, pos: np.ndarray, centre: np.ndarray, scale: float) -> tuple[np.ndarray, np.ndarray]:
        """Rows of the patch, ascending, and which of them are inner, labelled or not."""
        if self.patch_points is None:
            return np.arange(len(pos)), np.ones(len(pos), dtype=bool)
        squared = np.square(pos - centre).sum(1)
        near = nearest(squared, self.patch_points)
        inner = nearest(squared[near], max(1, round(self.inner_share * len(near))))
        if self.context > 0:
            reach = np.sqrt(squared[near[inner]].max()) + self.context * scale
            inner = near[inner]
            near = nearest(squared, min(max(len(near), int((squared <= reach**2).sum())), self.most_points))
            inner = np.searchsorted(near, inner)
        marked = np.zeros(len(near), dtype=bool)
        marked[inner] = True
        return near, marked

    def _prepare(self, index: int) -> "_Prepared":
        if index not in self.prepared:
            self.prepared[index] = _Prepared(self.clouds[index], (self.seed, index))
            while len(self.prepared) > 1 and sum(len(each.pos) for each in self.prepared.values()) > self.points_kept:
                self.prepared.popitem(last=False)
        self.prepared.move_to_end(index)
        return self.prepared[index]


def nearest(squared: np.ndarray, count: int) -> np.ndarray:
    """Ascending rows of the `count` smallest of (N,) values, or of all."""
    return np.arange(len(squared)) if count >= len(squared) else np.sort(np.argpartition(squared, count - 1)[:count])


class _Prepared:
    """A clean cloud with what its samples share; `seed` makes its scales a function of (seed, cloud) alone."""

    def __init__(self, cloud: Cloud, seed: tuple[int, int]):
        if cloud.normal is None or not cloud.labelled.any():
            raise UserError(f"expected normals to train on, got none for {cloud.name}")
        self.pos, self.normal, self.oriented, self.seed = cloud.pos, cloud.normal, cloud.oriented, seed
        self.sampled = cloud.category not in CATEGORIES
        self.labelled = cloud.labelled
        self.diagonal = diagonal(cloud.pos)
        self.tables: dict[int, ScaleTable] = {}

    def with_label(self, made: Corrupted, rng: np.random.Generator) -> Corrupted:
        """The same, with a random labelled point of the clean cloud added where no point has a label."""
        if self.labelled[made.rows[made.rows >= 0]].any():
            return made
        row = rng.choice(np.flatnonzero(self.labelled), 1)
        return Corrupted(np.concatenate([made.pos, self.pos[row]]), np.concatenate([made.rows, row]))

    def scale(self, made: Corrupted, corruption: DrawnCorruption, rng: np.random.Generator) -> float:
        """Scale of the whole cloud that the corruption made."""
        noise = corruption.noise
        # The tables know noise and thinning alone.
        tabled = isinstance(corruption, Corruption) and noise <= NOISE_LEVELS[-1]
        if len(self.pos) <= DIRECT_POINTS or not tabled:
            return sampled_scale(made.pos, rng)
        kept = np.zeros(len(self.pos), dtype=bool)
        kept[made.rows] = True
        upper = int(np.searchsorted(NOISE_LEVELS, noise))
        levels = [upper] if noise == NOISE_LEVELS[upper] else [upper - 1, upper]
        scales = [self._table(level).scale(kept) for level in levels]
        return float(np.interp(noise, [NOISE_LEVELS[level] for level in levels], scales))

    def _table(self, level: int) -> ScaleTable:
        if level not in self.tables:
            rng = np.random.default_rng((*self.seed, level, TABLES))
            noisy = Corruption(NOISE_LEVELS[level]).moved(self.pos, self.diagonal, rng)
            self.tables[level] = ScaleTable(noisy, rng)
        return self.tables[level]


class WholeClouds(Dataset):
    """Whole clouds as they are, for validation; all labelled points are inner, and the scale is exact.

    Args:
        clouds: clouds with normals, of some of their points at least.
    """

    def __init__(self, clouds: Sequence[Cloud]):
        self.clouds = clouds

    def __len__(self) -> int:
        return len(self.clouds)

    def __getitem__(self, index: int) -> Data:
        cloud = self.clouds[index]
        if cloud.normal is None or not cloud.labelled.any():
            raise UserError(f"expected normals to validate on, got none for {cloud.name}")
        scale = sampled_scale(cloud.pos, np.random.default_rng(0), sample=len(cloud.pos))
        pos = cloud.pos - cloud.pos.mean(0, dtype=np.float64).astype(np.float32)
        return sample(pos, cloud.normal, scale, cloud.labelled, cloud.oriented)


def sample(pos: np.ndarray, normal: np.ndarray, scale: float, inner: np.ndarray, oriented: bool) -> Data:
    """The tensors of `keys` for one cloud."""
    return Data(
        **{
            keys.POS: torch.from_numpy(np.ascontiguousarray(pos, dtype=np.float32)),
            keys.NORMAL: torch.from_numpy(np.ascontiguousarray(normal, dtype=np.float32)),
            keys.SCALE: torch.tensor([scale], dtype=torch.float32),
            keys.INNER: torch.from_numpy(inner),
            keys.ORIENTED: torch.tensor([oriented]),
        }
    )
