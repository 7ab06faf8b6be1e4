"""Throughput of two processes on two cores (``trainer=ddp trainer.devices=2``) over one process on one core.

Each run is a process of its own: ``python -m benchmarks.rows.processes DEVICES STEPS`` prints its seconds per step.
The batch is the same, so the quotient of the seconds is that of the throughputs. Always on the CPU.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytorch_lightning as pl

from benchmarks.harness import Row, Settings, available_cores
from benchmarks.networks import configuration, samples, tori
from tensorframes.cli import build
from tensorframes.training import CloudDataModule, Cost

BATCH_SIZE = 4
WHAT = "two processes on two cores over one on one, throughput"


def measured(settings: Settings) -> Iterator[Row]:
    """One, two, one: the range is over the two quotients."""
    if available_cores() < 2:
        yield Row(WHAT, 1.7, "x", at_least=True, note="needs two cores")
        return
    if settings.quick:
        yield Row(WHAT, 1.7, "x", at_least=True, note="left out of --quick")
        return
    first, two, last = (seconds_per_step(devices, 25) for devices in (1, 2, 1))
    low, high = sorted((first / two, last / two))
    note = f"{(first + last) / 2:.2f} and {two:.2f} s a step"
    yield Row(WHAT, 1.7, "x", (low + high) / 2, low, high, at_least=True, note=note)


def seconds_per_step(devices: int, steps: int) -> float:
    """The median over the steps of a run with one thread a process."""
    command = [sys.executable, "-m", "benchmarks.rows.processes", str(devices), str(steps)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    root = Path(__file__).parents[2]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode:
        raise RuntimeError(f"expected a run of {devices} processes, got: {done.stderr.strip().splitlines()[-1:]}")
    return float(done.stdout.split()[-1])


def main(devices: int, steps: int) -> None:
    """Train the default network and print the seconds per step."""
    cfg, cost = configuration([]), Cost()
    data = CloudDataModule(samples(cfg, tori(2, 5000)), [], BATCH_SIZE, workers=0)
    trainer = pl.Trainer(
        accelerator="cpu",
        devices=devices,
        strategy="ddp" if devices > 1 else "auto",
        max_steps=steps,
        limit_val_batches=0,
        use_distributed_sampler=False,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[cost],
    )
    trainer.fit(build.training_module(cfg), data)
    if trainer.global_rank == 0:
        print(cost.seconds_per_step)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
