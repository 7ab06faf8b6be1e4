"""Wall-clock and processor time of one training step and of one training sample of a configuration.

    python benchmarks/bench_step.py experiment=modelnet40_tensor --batch 4 [--points 1024] [--repeats 3] [--device cpu]

The clouds are tori of --points points. Processor time counts the work of one core, whatever else the machine
does; on a GPU only wall-clock time is meaningful.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.harness import machine, synchronise
from benchmarks.networks import configuration, samples, tori, trainer


def both(work: Callable[[], object], repeats: int, device: torch.device) -> tuple[float, float]:
    """Medians of the seconds of the clock and of the processor, after one run to warm up."""
    taken = []
    for _ in range(repeats + 1):
        begin = time.perf_counter(), time.process_time()
        work()
        synchronise(device)
        taken.append((time.perf_counter() - begin[0], time.process_time() - begin[1]))
    clock, processor = zip(*taken[1:], strict=True)
    return statistics.median(clock), statistics.median(processor)


def main() -> None:
    """Measure one configuration and print three lines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("overrides", nargs="*", help="of tensorframes train")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--points", type=int, default=1024)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    given = parser.parse_args()
    device, clouds = torch.device(given.device), tori(2, given.points)
    network = trainer(given.overrides, clouds, given.batch, device)
    drawn = samples(configuration(given.overrides), clouds)
    numbers = iter(range(10**6))
    clock, processor = both(network.step, given.repeats, device)
    sample = both(lambda: [drawn[next(numbers)] for _ in range(given.batch)], 3 * given.repeats, torch.device("cpu"))
    count = sum(parameter.numel() for parameter in network.module.parameters())
    print(", ".join(f"{key} {value}" for key, value in machine(device).items()))
    labelled = network.labelled / given.batch
    print(f"{' '.join(given.overrides)}: {count:,} parameters, {labelled:.0f} labelled points a sample")
    rate = network.labelled / (clock if device.type == "cuda" else processor)
    print(f"step: {clock:.3f} s of the clock, {processor:.3f} of the processor; {rate:,.0f} labelled points a second")
    print(f"sample: {sample[0] / given.batch:.4f} s of the clock, {sample[1] / given.batch:.4f} of the processor")


if __name__ == "__main__":
    main()
