"""Clouds read in a second from shards, over those from one file for each cloud, in a random order."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks.harness import Row, Settings, interleaved, ratio, torus
from tensorframes.data import Cloud, Folder, Shards, write_shards

POINTS, SHARDS = 1024, 16


def measured(settings: Settings) -> Iterator[Row]:
    """Both with warm caches of the system; the files are the cache of ``data=folder``, not its text."""
    count = settings.size(256, 24)
    with tempfile.TemporaryDirectory() as folder:
        files, sharded = written(Path(folder), count)
        order = np.random.default_rng(0).permutation(count)
        works = {"files": reading(files, order), "shards": reading(sharded, order)}
        taken = interleaved(works, settings.size(5, 2), settings.device)
    note = f"{count / min(taken['shards']):,.0f} and {count / min(taken['files']):,.0f} clouds/s of {POINTS:,} points"
    row = ratio(
        "clouds/s, shards over one file a cloud", 1.0, taken["files"], taken["shards"], not settings.quick, note
    )
    yield Row(row.what, row.target, row.unit, row.measured, row.low, row.high, True, row.judged, row.note)


def written(folder: Path, count: int) -> tuple[Sequence[Cloud], Sequence[Cloud]]:
    """The same clouds in a file each, and in shards."""
    (folder / "files" / "train").mkdir(parents=True)
    for seed in range(count):
        cloud = torus(POINTS, seed)
        np.save(folder / "files" / "train" / f"{seed:06d}.npy", np.concatenate([cloud.pos, cloud.normal], axis=1))
    files = Folder(folder / "files", shares=(1.0, 0.0, 0.0)).train
    write_shards(files, folder / "shards", "train", SHARDS)
    return files, Shards(folder / "shards").train


def reading(clouds: Sequence[Cloud], order: np.ndarray) -> Callable[[], None]:
    """Reads all clouds in this order."""

    def work() -> None:
        for index in order:
            _ = clouds[int(index)]

    return work
