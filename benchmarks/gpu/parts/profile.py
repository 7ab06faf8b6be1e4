"""Where time goes in one forward pass and in one training step: the 30 kernels that take most, as text files.

Also how long the device was busy, how many kernels were launched, and how often the CPU waited for the device.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks.gpu.parts.normals import Items
from benchmarks.harness import Settings, seconds, synchronise, torus
from benchmarks.networks import tori, trainer
from tensorframes import estimate_normals

WAITS = ("cudaStreamSynchronize", "cudaDeviceSynchronize", "cudaEventSynchronize")
LAUNCHES = ("cudaLaunchKernel", "cudaLaunchKernelExC", "cuLaunchKernel", "cuLaunchKernelEx")


def items(settings: Settings, folder: Path) -> Items:
    """The normals of the weights ``best`` (``PlaneFitHead``), and a step of ``experiment=best`` (``PlaneHead``)."""
    yield "forward pass of the weights best", lambda: profiled("forward", forward(settings), settings, folder)
    yield "training step of experiment=best", lambda: profiled("step", training_step(settings), settings, folder)


def forward(settings: Settings) -> Callable[[], object]:
    """100,000 normals of the weights ``best``."""
    cloud = torus(settings.size(100_000, 300), noise=0.5).pos
    return lambda: estimate_normals(cloud, "best", settings.device)


def training_step(settings: Settings) -> Callable[[], object]:
    """``experiment=best`` with a batch of 16 patches, or one."""
    clouds = tori(2, settings.size(100_000, 600))
    return trainer(["experiment=best"], clouds, settings.size(16, 1), settings.device).step


def profiled(name: str, work: Callable[[], object], settings: Settings, folder: Path) -> dict[str, Any]:
    """Seconds without the profiler, what it counted with it, and the file with its table."""
    on_gpu = settings.device.type == "cuda"
    work()
    taken = seconds(work, settings.device)
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]
    with profile(activities=activities, record_shapes=False) as record:
        work()
        synchronise(settings.device)
    events = record.key_averages()
    order = "self_device_time_total" if on_gpu else "self_cpu_time_total"
    file = folder / f"profile_{name}.txt"
    file.write_text(events.table(sort_by=order, row_limit=30, max_name_column_width=90), encoding="utf-8")
    busy = sum(event.self_device_time_total for event in events if event.device_type == torch.autograd.DeviceType.CUDA)
    counts = {event.key: event.count for event in events}
    return {
        "seconds": taken,
        "device_busy_seconds": busy / 1e6,
        "launches": sum(counts.get(key, 0) for key in LAUNCHES),
        "waits": sum(counts.get(key, 0) for key in WAITS),
        "nonzero": counts.get("aten::nonzero", 0),
        "item": counts.get("aten::item", 0),
        "table": file.name,
    }
