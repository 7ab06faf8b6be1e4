"""16 neighbours of 100,000 points, ties and copies resolved, over SciPy's KD-tree alone."""

from collections.abc import Iterator

import torch
from scipy.spatial import cKDTree

from benchmarks.harness import Row, Settings, interleaved, ratio, torus
from tensorframes.geometry import knn

NEIGHBOURS = 16


def measured(settings: Settings) -> Iterator[Row]:
    """Building the tree is counted on both sides; SciPy has as many threads as torch."""
    array = torus(settings.size(100_000, 2000), noise=0.5).pos
    pos = torch.from_numpy(array).to(settings.device)
    threads = torch.get_num_threads()
    works = {
        "knn": lambda: knn(pos, NEIGHBOURS),
        "tree": lambda: cKDTree(array).query(array, NEIGHBOURS, workers=threads),
    }
    taken = interleaved(works, settings.size(7, 2), settings.device)
    note = f"{min(taken['knn']):.3f} and {min(taken['tree']):.3f} s"
    yield ratio("16 neighbours over SciPy's KD-tree", 1.1, taken["knn"], taken["tree"], not settings.quick, note)
