"""The dataset of generated shapes, reproducible by its seed, generated on first use and cached."""

import hashlib
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

from tensorframes.data.cloud import CATEGORIES
from tensorframes.data.datasets.cache import ensure_cache, generated_folder
from tensorframes.data.datasets.sequence import CachedClouds, Entry
from tensorframes.data.synthetic.categories import CORRUPTIONS, InCategories
from tensorframes.data.synthetic.making import SPLITS, CleanShapes, SampledShapes, made_by
from tensorframes.data.synthetic.sampling import SAMPLINGS, Sampling
from tensorframes.errors import UserError

TRAIN_SHARE = (0.01, 0.6)
"""Range of the number of points of sampled training shapes, as a part of `points`."""

EVAL_SHARE = (0.2, 1.0)
"""The same for validation and test shapes, as a part of `test_points`."""


class Shapes:
    """Training, validation and test shapes; each split is generated on first use.

    Training shapes are clean, since noise and density are part of the training samples. `sampled_shapes` further ones
    are sampled as by sensors and software, with the noise of these. There is a validation and a test cloud of each
    shape in each category: those of the protocol and of CORRUPTIONS are made of the same clean shapes, those of
    `samplings` of other shapes.

    Args:
        root: folder of the cache.
        train_shapes, val_shapes, test_shapes: numbers of shapes; their kinds are those of kind_of.
        points: of each training shape.
        test_points: of each validation and test shape, before thinning.
        seed: of all random numbers.
        categories: of the test shapes.
        val_categories: of the validation shapes.
        workers: processes that generate shapes; a shape of 100,000 points takes one about 2 s.
        cache_dir: folder for the cache; None takes root, or the user's cache where root is read-only.
        sampled_shapes: training shapes with the samplings in turn, each of 1 to 60 % of `points`.
        samplings: samplings by the names of their categories; None: SAMPLINGS. Validation and test shapes have 20 to
            100 % of `test_points`.
    """

    def __init__(
        self,
        root: str | Path,
        train_shapes: int = 32,
        val_shapes: int = 2,
        test_shapes: int = 4,
        points: int = 100_000,
        test_points: int = 50_000,
        seed: int = 0,
        categories: Sequence[str] = CATEGORIES,
        val_categories: Sequence[str] = CATEGORIES,
        workers: int = 2,
        cache_dir: str | Path | None = None,
        sampled_shapes: int = 0,
        samplings: Mapping[str, Sampling] | None = None,
    ) -> None:
        counts = {
            "train_shapes": train_shapes,
            "val_shapes": val_shapes,
            "test_shapes": test_shapes,
            "workers": workers,
            "sampled_shapes": sampled_shapes,
        }
        if negative := [name for name, count in counts.items() if count < 0]:
            raise ValueError(f"expected {negative[0]} >= 0, got {counts[negative[0]]}")
        if min(points, test_points) < 1 or seed < 0:
            raise ValueError(f"expected points >= 1 and a seed >= 0, got {points}, {test_points} and {seed}")
        self.samplings = SAMPLINGS if samplings is None else dict(samplings)
        if sampled_shapes and not self.samplings:
            raise ValueError(f"expected samplings for sampled_shapes={sampled_shapes}, got none")
        if taken := [name for name in self.samplings if name in (*CATEGORIES, *CORRUPTIONS)]:
            raise ValueError(f"expected other names for samplings, got {taken[0]}")
        allowed = (*CATEGORIES, *self.samplings, *CORRUPTIONS)
        if unknown := [name for name in (*categories, *val_categories) if name not in allowed]:
            raise ValueError(f"expected a category of {', '.join(allowed)}, got {unknown[0]!r}")
        self.sampled_shapes = sampled_shapes
        self.root, self.seed, self.workers, self.cache_dir = Path(root), seed, workers, cache_dir
        self.counts = {"train": train_shapes, "val": val_shapes, "test": test_shapes}
        self.points = {"train": points, "val": test_points, "test": test_points}
        self.categories, self.val_categories = tuple(categories), tuple(val_categories)

    @cached_property
    def train(self) -> CachedClouds:
        """Clean shapes, then sampled ones."""
        clean = self._cached(CleanShapes(self.seed, "train", self.counts["train"], self.points["train"]))
        if self.sampled_shapes == 0:
            return clean
        names = list(self.samplings)
        used = [names[index % len(names)] for index in range(self.sampled_shapes)]
        return CachedClouds([*clean.entries, *self._sampled("train", used, TRAIN_SHARE).entries])

    @cached_property
    def val(self) -> "InCategories":
        """Validation shapes in each of their categories, by category."""
        return self._in_categories("val", self.val_categories)

    @cached_property
    def test(self) -> "InCategories":
        """Test shapes in each of their categories, by category."""
        return self._in_categories("test", self.categories)

    def _in_categories(self, split: str, categories: Sequence[str]) -> "InCategories":
        count = self.counts[split]
        clean = self._cached(CleanShapes(self.seed, split, count, self.points[split]))
        sampled = {
            name: self._sampled(split, [name] * count, EVAL_SHARE) for name in categories if name in self.samplings
        }
        return InCategories(clean, categories, (self.seed, SPLITS.index(split)), sampled)

    def _sampled(self, split: str, names: Sequence[str], share: tuple[float, float]) -> CachedClouds:
        least, most = (max(1, round(part * self.points[split])) for part in share)
        return self._cached(SampledShapes(self.seed, split, names, self.samplings, (least, most)))

    def _cached(self, made: "CleanShapes | SampledShapes") -> CachedClouds:
        try:
            self.root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"{self.root}: expected a folder for generated shapes, got: {error.strerror}") from error
        name = f"shapes_{made.split}_{hashlib.sha256(made.mark.encode()).hexdigest()[:12]}.h5"
        folder = generated_folder(self.root, self.cache_dir)
        file = ensure_cache(folder / name, (), lambda: made_by(made, self.workers))
        return CachedClouds(Entry(made.name(index), file, category=made.category(index)) for index in range(len(made)))
