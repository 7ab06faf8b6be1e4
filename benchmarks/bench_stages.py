"""Processor time of each stage of the normals of one cloud, also relative to another checkout.

    python benchmarks/bench_stages.py [--points 100000] [--repeats 3] [--weights fast] [--against DIR]

A generated torus with noise, one thread, the weights that come with the package or any others. Processor time does
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
from typing import Any

import numpy as np
import torch
from bench_estimate import torus  # type: ignore[import-not-found]

from tensorframes.normals import NormalEstimator, estimator, normals_and_errors_of, predict, pretrained
from tensorframes.normals.weights import PRETRAINED, load_weights


class Stages(dict[str, float]):
    """Processor seconds of functions by name, without those of the functions within them that are timed, too."""

    def __init__(self) -> None:
        super().__init__()
        self.within: list[str] = ["rest"]
        self.begin = time.process_time()

    def change(self) -> None:
        """The time since the last change belongs to the innermost function."""
        now, name = time.process_time(), self.within[-1]
        self[name] = self.get(name, 0.0) + now - self.begin
        self.begin = now

    def time(self, owner: Any, attribute: str, name: str) -> None:
        """From now on the function is timed."""
        function = getattr(owner, attribute)

        def timed(*arguments: Any, **named: Any) -> Any:
            self.change()
            self.within.append(name)
            try:
                return function(*arguments, **named)
            finally:
                self.change()
                self.within.pop()

        setattr(owner, attribute, timed)


def stages(network: NormalEstimator, points: np.ndarray) -> Stages:
    """What the normals of a cloud take, stage by stage."""
    head = network.head
    normals_and_errors_of(network, points[:2000])
    took = Stages()
    for owner, attribute, name in (
        (predict, "usable_points", "usable points, order"),
        (predict, "merged_cloud", "blocks: scale"),
        (network, "measured_profile", "blocks: profile"),
        (predict, "margin_rows", "blocks: margins"),
        (estimator, "normalised", "neighbours, scale"),
        (network.backbone, "plan", "hierarchy"),
        (estimator, "measured", "planes, edges"),
        (head, "plan", "head: plan"),
        (network, "find_frames", "frames"),
        (network.backbone, "forward", "backbone, both passes"),
        (head, "read", "head: embeddings, axis"),
        *((part, "forward", f"head: {name}") for name, part in head.named_children()),
        *((fit, "forward", "head: fits") for fit in getattr(head, "fits", ())),
    ):
        took.time(owner, attribute, name)
    normals_and_errors_of(network, points)
    took.change()
    return took


def measured_in(folder: Path, arguments: list[str]) -> dict[str, float]:
    """One run in a process of its own, with the package of a checkout."""
    environment = os.environ | {"PYTHONPATH": str(folder)}
    command = [sys.executable, __file__, "--json", *arguments]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def medians(runs: list[dict[str, float]]) -> dict[str, float]:
    """The median of each stage."""
    return {name: statistics.median(run[name] for run in runs) for name in runs[0]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--weights", default="fast", help="fast, best, or a weights file")
    parser.add_argument("--against", type=Path, help="another checkout")
    parser.add_argument("--json", action="store_true", help="one run, as JSON")
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.json:
        network = pretrained(given.weights) if given.weights in PRETRAINED else load_weights(given.weights)
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
