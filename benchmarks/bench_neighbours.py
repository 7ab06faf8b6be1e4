"""Times and ratios of the three neighbour searches and of order-free sampling.

    python benchmarks/bench_neighbours.py [--device cuda] [--points 1000 10000 100000] [--k 16]

Only columns of the same run are comparable. Brute force is left out for clouds where it takes minutes.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

from tensorframes.geometry import cloud_scale, independent_set, intrinsic_priority, knn

BRUTE_UP_TO = 10_000
COLUMNS = ("kdtree", "cells", "brute", "priority", "set one by one", "set in rounds")


def clouds(points: int, device: str) -> dict[str, Tensor]:
    """Clouds (points, 3) by name: a sphere, a solid ball, and a sphere with half of its points in a tiny cluster."""
    generator = torch.Generator().manual_seed(0)
    solid = torch.randn(points, 3, generator=generator)
    sphere = torch.nn.functional.normalize(solid, dim=1)
    uneven = sphere.clone()
    uneven[: points // 2] *= 1e-4
    return {"sphere": sphere.to(device), "solid": solid.to(device), "uneven": uneven.to(device)}


def seconds(work: Callable[[], object], repeats: int = 5) -> tuple[float, float]:
    """Median and range of the times of `repeats` runs, after one to warm up."""
    taken = []
    for _ in range(repeats + 1):
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        begin = time.perf_counter()
        work()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        taken.append(time.perf_counter() - begin)
    return statistics.median(taken[1:]), max(taken[1:]) - min(taken[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--points", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--k", type=int, default=16)
    arguments = parser.parse_args()
    print(f"{arguments.device}, {os.cpu_count()} cores, {torch.get_num_threads()} threads, torch {torch.__version__}")
    print(f"k = {arguments.k}, radius = 1.5 scales; median seconds +- spread (ratio to the kd-tree of the same line)")
    print(f"{'cloud':8}{'points':>8}" + "".join(f"{name:>24}" for name in COLUMNS))
    for points in arguments.points:
        for name, pos in clouds(points, arguments.device).items():
            print(f"{name:8}{points:8d}" + row(pos, arguments.k), flush=True)


def row(pos: Tensor, k: int) -> str:
    """The timings of one cloud as one line of the table."""
    scale = cloud_scale(pos)
    priority = intrinsic_priority(pos)
    work: dict[str, Callable[[], object]] = {
        "kdtree": lambda: knn(pos, k, method="kdtree"),
        "cells": lambda: knn(pos, k, method="cells"),
        "brute": lambda: knn(pos, k, method="brute"),
        "priority": lambda: intrinsic_priority(pos),
        "set one by one": lambda: independent_set(pos, 1.5 * scale, priority=priority, method="kdtree"),
        "set in rounds": lambda: independent_set(pos, 1.5 * scale, priority=priority, method="rounds"),
    }
    if len(pos) > BRUTE_UP_TO:
        del work["brute"]
    taken = {name: seconds(job) for name, job in work.items()}
    first = taken["kdtree"][0]
    shown = {name: f"{middle:.4f} +-{spread:.3f} ({middle / first:.2f})" for name, (middle, spread) in taken.items()}
    return "".join(f"{shown.get(name, '-'):>24}" for name in COLUMNS)


if __name__ == "__main__":
    main()
