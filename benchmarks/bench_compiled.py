"""Processor seconds of the head's selections and fit, eager and compiled by inductor, and the seconds of compiling.

    python benchmarks/bench_compiled.py [--points 100000]

A generated torus with noise, the weights `fast`, one thread. A C++ compiler is needed.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from bench_estimate import torus  # type: ignore[import-not-found]

from tensorframes.normals import NormalEstimator, normals_and_errors_of, pretrained
from tensorframes.normals.candidates import scaled_neighbourhoods


def arguments(network: NormalEstimator, points: np.ndarray) -> dict[str, tuple[Any, ...]]:
    """What the parts of the head are called with, by name."""
    found: dict[str, tuple[Any, ...]] = {}
    head: Any = network.head
    selections = {name: getattr(head, name) for name in ("initial_selection", "final_selection")}
    parts = {**selections, "fit": head.fits[0]}
    hooks = [
        part.register_forward_pre_hook(lambda _, given, name=name: found.update({name: given}))
        for name, part in parts.items()
    ]
    normals_and_errors_of(network, points)
    for hook in hooks:
        hook.remove()
    return found


def works(network: NormalEstimator, points: np.ndarray) -> dict[str, tuple[Callable[..., Any], Sequence[Any]]]:
    """A function of a chunk of points, and the chunks, of each part of the head."""
    found: dict[str, tuple[Callable[..., Any], Sequence[Any]]] = {}
    head: Any = network.head
    for name, given in arguments(network, points).items():
        if name == "fit":
            neighbourhood, estimates, embedding, size = given
            part = head.fits[0]
            senders = part.sender_layer(embedding)
            found[name] = (part.fit, [(each, estimates, embedding, senders) for each in neighbourhood.split(size)])
            continue
        geometry, plans, *each, size = given
        found[name] = (
            selection(getattr(head, name), geometry, plans),
            list(zip(*(values.split(size) for values in each), strict=True)),
        )
    return found


def selection(select: Any, geometry: Any, plans: list[Any]) -> Callable[..., Any]:
    """A selection as a function of rows, estimates and embedding."""
    sources = list(zip(select.sources.values(), plans, strict=True))

    def selected(rows: torch.Tensor, estimates: torch.Tensor, embedding: torch.Tensor) -> Any:
        neighbourhood = scaled_neighbourhoods(geometry, rows, estimates, select.nearest)
        candidates = [source.candidates(plan, neighbourhood) for source, plan in sources]
        return select.select(neighbourhood, candidates, embedding)

    return selected


def seconds(work: Callable[..., Any], chunks: Sequence[Any]) -> float:
    begin = time.process_time()
    for chunk in chunks:
        work(*chunk)
    return time.process_time() - begin


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=100_000)
    given = parser.parse_args()
    torch.set_num_threads(1)
    network, points = pretrained("fast"), torus(given.points)
    normals_and_errors_of(network, points[:2000])
    begin = time.process_time()
    normals_and_errors_of(network, points)
    print(f"{'all':17s} {time.process_time() - begin:5.2f} s eager")
    for name, (work, chunks) in works(network, points).items():
        compiled, begin = torch.compile(work, dynamic=True), time.perf_counter()
        for chunk in (chunks[0], chunks[-1]):  # the last is smaller
            compiled(*chunk)
        took = time.perf_counter() - begin
        print(f"{name:17s} {seconds(work, chunks):5.2f} s eager {seconds(compiled, chunks):5.2f} s compiled", end=" ")
        print(f"({took:.0f} s to compile)")


if __name__ == "__main__":
    main()
