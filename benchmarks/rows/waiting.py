"""The share of a training step spent waiting for its samples, with the loader's processes beside it."""

import time
from collections.abc import Iterator

from benchmarks.harness import Row, Settings, available_cores, synchronise
from benchmarks.networks import configuration, samples, tori, trainer
from tensorframes.training import CloudDataModule

CORES, WORKERS = 16, 8  # of the target


def measured(settings: Settings) -> Iterator[Row]:
    """``experiment=best`` on clouds of 100,000 points; the steps after the first ones, which start the loader."""
    workers = 0 if settings.quick else max(1, min(WORKERS, available_cores() - 1))
    overrides, clouds = (["experiment=best"], tori(4, settings.size(100_000, 2000)))
    batch_size = settings.size(16 if settings.device.type == "cuda" else 2, 1)
    network = trainer(overrides, clouds, batch_size, settings.device)
    data = CloudDataModule(samples(configuration(overrides), clouds), [], batch_size, workers)
    waited, whole = waiting(network, iter(data.train_dataloader()), settings)
    note = f"{workers} workers on {available_cores()} cores, batch of {batch_size}, {whole:.2f} s a step"
    judged = not settings.quick and available_cores() >= CORES
    if not judged:
        note += f"; the target is for {CORES} cores and {WORKERS} workers"
    yield Row("waiting for data, share of a step", 2.0, "%", 100 * waited / whole, judged=judged, note=note)


def waiting(network, batches, settings: Settings) -> tuple[float, float]:  # type: ignore[no-untyped-def]
    """Seconds a step, on average: waiting, and in all."""
    warm_up, steps = settings.size(3, 1), settings.size(10, 2)
    waited = whole = 0.0
    for step in range(warm_up + steps):
        begin = time.perf_counter()
        batch = next(batches)
        arrived = time.perf_counter()
        network.batch = batch.to(settings.device)
        network.step()
        synchronise(settings.device)
        if step >= warm_up:
            waited, whole = waited + arrived - begin, whole + time.perf_counter() - begin
    return waited / steps, whole / steps
