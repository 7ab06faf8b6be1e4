"""Time and peak memory of `tensorframes normals` on large files, each size in a process of its own.

    python benchmarks/bench_large.py [--sizes 1000000,3000000,10000000] [--weights fast] [--kind ply] [--block 250000]

The cloud is a generated torus with noise of half a spacing, float32 in PLY and NPY, integers in LAS. Seconds are those
of the whole command, from the start of the interpreter. Memory is the peak of the process, less both files: at most
6 GiB. The last column is the time per point relative to that of the smallest size: at most 1.15.

`--weights none` replaces the network by one that takes no time: reading, ordering, scale, profile, blocks, margins and
writing remain.
"""

import argparse
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import Tensor

from tensorframes.cli import normals
from tensorframes.data.io import Columns, table_of, write_cloud
from tensorframes.normals import Estimator, Prediction, estimate, predict, pretrained

GIB = 2**30


@dataclass(frozen=True)
class Run:
    """What one size took: points, wall-clock and processor seconds, peak memory and size of both files in bytes."""

    points: int
    seconds: float
    processor: float
    peak: int
    files: int


class Instant(Estimator):
    """An estimator that answers at once, with the directions from the origin."""

    accepts_float64 = True

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def forward(
        self,
        pos: Tensor,
        batch: Tensor | None = None,
        scale: Tensor | None = None,
        rows: Tensor | None = None,
        profile: Tensor | None = None,
    ) -> Prediction:
        """Unit vectors."""
        normal = torch.nn.functional.normalize(pos if rows is None else pos[rows], dim=1).float()
        return Prediction(normal, normal.new_zeros(0, *normal.shape))

    def measured_profile(self, pos: Tensor, scale: float) -> Tensor | None:
        """That of the network `best`, measured as for it."""
        return pretrained("best").measured_profile(pos, scale)


def torus(count: int) -> np.ndarray:
    """(N, 3) float32 points on a torus with noise of half a spacing, a million at a time."""
    rng, points = np.random.default_rng(0), np.empty((count, 3), dtype=np.float32)
    noise = 0.5 * np.sqrt(4 * np.pi**2 * 0.4 / count)
    for rows in np.array_split(np.arange(count), -(-count // 1_000_000)):
        u, v = rng.uniform(0, 2 * np.pi, (2, len(rows)))
        ring = 1 + 0.4 * np.cos(v)
        points[rows] = np.stack([ring * np.cos(u), ring * np.sin(u), 0.4 * np.sin(v)], axis=1)
        points[rows] += rng.normal(size=(len(rows), 3)) * noise
    return points


def measured(count: int, given: argparse.Namespace, folder: Path) -> Run:
    """One size, in a process of its own."""
    source, target = folder / f"source.{given.kind}", folder / f"target.{given.kind}"
    points = torus(count)
    write_cloud(source, Columns(table_of(dict(zip("xyz", points.T, strict=True)))))
    del points
    command = [sys.executable, __file__, "--child", given.weights, str(given.block), str(source), str(target)]
    begin = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{count:,} points: the command failed")
    files = source.stat().st_size + target.stat().st_size
    target.unlink()
    seconds = time.perf_counter() - begin
    return Run(count, seconds, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024, files)


def child(weights: str, block: str, source: str, target: str) -> int:
    """The command, in this process."""
    if weights == "none":
        weights = "fast"
        estimate.normals_and_errors_of = lambda _, *values, **options: predict.normals_and_errors_of(
            Instant().eval(), *values, **options
        )
    return normals.main([source, target, "--weights", weights, "--block", block, "--device", "cpu"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="1000000,3000000,10000000")
    parser.add_argument("--weights", default="fast", help="fast, best, or none: no network")
    parser.add_argument("--kind", default="ply", choices=("ply", "npy", "las"))
    parser.add_argument("--block", type=int, default=250_000)
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        raise SystemExit(child(*given.child))
    print(f"{given.weights}, {given.kind}, blocks of {given.block:,}, {torch.get_num_threads()} threads, cpu")
    print("    points   seconds  processor  us a point  GiB  beyond the files  time a point")
    first = None
    for count in map(int, given.sizes.split(",")):
        with TemporaryDirectory() as folder:
            run = measured(count, given, Path(folder))
        share = run.seconds / run.points
        first = first or share
        print(
            f"{run.points:10,d} {run.seconds:9.1f} {run.processor:10.1f} {1e6 * share:11.1f} {run.peak / GIB:4.2f}"
            f" {(run.peak - run.files) / GIB:17.2f} {share / first:13.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
