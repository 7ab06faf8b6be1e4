"""Seconds for the normals of one cloud: the shipped networks, and PCA and jets for comparison, in one run.

    python benchmarks/bench_estimate.py [FILE] [--points 100000] [--repeats 3] [--device cpu]

Without a file: a generated torus with noise. Each method computes the normals of all points. The time of a network is
from the array of points to the array of normals. Memory is the peak of the process, with torch loaded.
"""

import argparse
import resource
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch

from tensorframes import estimate_normals
from tensorframes.data import read_cloud
from tensorframes.normals import PRETRAINED
from tensorframes.scoring import PCA, Jet


def torus(count: int) -> np.ndarray:
    """Points on a torus with noise of half a spacing."""
    rng = np.random.default_rng(0)
    u, v = rng.uniform(0, 2 * np.pi, (2, count))
    ring = 1 + 0.4 * np.cos(v)
    clean = np.stack([ring * np.cos(u), ring * np.sin(u), 0.4 * np.sin(v)], axis=1)
    return clean + rng.normal(size=(count, 3)) * 0.5 * np.sqrt(4 * np.pi**2 * 0.4 / count)


def seconds(work: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Median and range of the times of `repeats` runs, after one to warm up."""
    taken = []
    for _ in range(repeats + 1):
        begin = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begin)
    return statistics.median(taken[1:]), max(taken[1:]) - min(taken[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("--points", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    given = parser.parse_args()
    points = read_cloud(given.file).pos if given.file else torus(given.points)
    methods: dict[str, Callable[[], object]] = {
        name: partial(estimate_normals, points, name, given.device) for name in PRETRAINED
    }
    methods |= {"PCA 18": lambda: PCA(18)(points), "PCA 112": lambda: PCA(112)(points)}
    methods |= {"jet 112": lambda: Jet(112)(points)}
    print(f"{len(points):,} points, {torch.get_num_threads()} threads, {given.device}")
    base = None
    for name, work in methods.items():
        median, spread = seconds(work, given.repeats)
        base = base or median
        print(f"{name:8s} {median:7.2f} s  (spread {spread:.2f})  {median / base:5.2f} of {next(iter(methods))}")
        if name == PRETRAINED[-1]:
            print(f"         {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:7.2f} GiB at most so far")


if __name__ == "__main__":
    main()
