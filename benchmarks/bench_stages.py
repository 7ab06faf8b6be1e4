"""Processor seconds of each stage of the normals of one cloud, and what they are of those of another checkout.

    python benchmarks/bench_stages.py [--points 100000] [--repeats 3] [--weights fast] [--against DIR]

A generated torus with noise, one thread, the small network's weights or any other with its head. Processor time does
not count what other programs take, but they displace this one's data from the cache. With ``--against`` both checkouts
take turns, each in a process of its own; the median of the repeats is printed.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch
from bench_estimate import torus
from torch import Tensor

from tensorframes.layers import largest_eigenvector, measured
from tensorframes.normals import NormalEstimator, load_weights, pretrained
from tensorframes.normals.heads import mean_of
from tensorframes.normals.normalise import normalised, usable_points


class Stages(dict[str, float]):
    """Processor seconds by name, from one ``done`` to the next."""

    def __init__(self) -> None:
        super().__init__()
        self.begin = time.process_time()

    def done(self, name: str) -> None:
        self[name] = self.get(name, 0.0) + time.process_time() - self.begin
        self.begin = time.process_time()


@torch.inference_mode()
def stages(network: NormalEstimator, points: np.ndarray) -> Stages:
    """What ``NormalEstimator.forward`` does, stage by stage."""
    took, dtype = Stages(), next(network.parameters()).dtype
    pos = torch.from_numpy(usable_points(points)[0])
    rows, batch = torch.arange(len(pos)), torch.zeros(len(pos), dtype=torch.long)
    took.done("usable points, order")
    neighbours = max(network.backbone.neighbours, network.requirements.neighbours)
    clouds = normalised(pos, batch, dtype, neighbours)
    took.done("neighbours, scale")
    hierarchy = network.backbone.plan(clouds.pos, clouds.batch, clouds.knn_index)
    took.done("hierarchy")
    geometry = measured(hierarchy, network.requirements).to(dtype)
    took.done("planes, edges")
    plan = network.head.plan(geometry, rows)
    took.done("head: plan")
    frames = network.find_frames(geometry)
    took.done("frames")
    readings = []
    for each in (frames, [frame.mirrored() for frame in frames]):
        features, last = network.backbone(geometry, each)
        took.done("backbone, both passes")
        readings.append(network.head.read(features, last, plan))
        took.done("head: embeddings")
    of_head(network, readings, plan, took)
    return took


def of_head(network: NormalEstimator, readings: list[tuple[Tensor, Tensor]], plan: object, took: Stages) -> None:
    """What ``PlaneHead.forward`` does, without its fallback on lines."""
    head, geometry, rows = network.head, plan.geometry, plan.rows
    tensor, embedding = (mean_of(each) for each in zip(*readings, strict=True))
    axis, size = largest_eigenvector(tensor), head._chunk(rows)
    normals, seen = head.guess(geometry, plan.guess, rows, axis.unsqueeze(1), embedding, size)
    took.done("head: guess")
    embedding, estimates = embedding + head.seen(seen), [normals]
    for fit, near in zip(head.fits, plan.fitted, strict=True):
        normals = normals.index_copy(0, near.rows, fit(near, normals, embedding, size))
        estimates.append(normals)
    took.done("head: fits")
    head.final(geometry, plan.final, rows, torch.stack(estimates, dim=1), embedding, size)
    took.done("head: final selection")


def measured_in(folder: Path, arguments: list[str]) -> dict[str, float]:
    """One run in a process of its own, with the package of a checkout."""
    environment = os.environ | {"PYTHONPATH": str(folder)}
    command = [sys.executable, __file__, "--json", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def medians(runs: list[dict[str, float]]) -> dict[str, float]:
    """The median of each stage."""
    return {name: statistics.median(run[name] for run in runs) for name in runs[0]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--weights", default="fast", help="fast, or a weights file")
    parser.add_argument("--against", type=Path, help="another checkout")
    parser.add_argument("--json", action="store_true", help="one run, as JSON")
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.json:
        network = pretrained(given.weights) if given.weights == "fast" else load_weights(given.weights)
        stages(network, torus(2000))
        print(json.dumps(stages(network, torus(given.points))))
        return
    arguments = ["--points", str(given.points), "--weights", given.weights]
    folders = [Path(__file__).resolve().parents[1], *([given.against] if given.against else [])]
    runs = [[measured_in(folder, arguments) for folder in folders] for _ in range(given.repeats)]
    found = [medians([run[place] for run in runs]) for place in range(len(folders))]
    total = sum(found[0].values())
    print(f"{given.points:,} points, {given.weights}, one thread, processor seconds, torch {torch.__version__}")
    for name, own in [*found[0].items(), ("all", total)]:
        other = found[-1].get(name, sum(found[-1].values())) if given.against else None
        ratio = f"   {own / other:5.2f} of {other:6.2f} s" if other else ""
        print(f"{name:24s} {own:6.2f} s  {own / total:6.1%}{ratio}")


if __name__ == "__main__":
    main()
