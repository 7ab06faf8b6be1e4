"""One part in a process of its own: python -m benchmarks.gpu.part NAME FOLDER DEVICE QUICK [SECONDS]

Items in NAME.json in the folder are not measured again, and each item is written as soon as it is measured. A part that
runs out of time or memory, or into an error of the GPU, does not affect the others.
"""

import importlib
import json
import sys
import time
import warnings
from pathlib import Path

import torch

from benchmarks.gpu.kept import Entries, is_done, read
from benchmarks.harness import Settings, machine
from tensorframes.atomic import replace_text


def run(name: str, folder: Path, settings: Settings) -> Entries:
    """Measure what is missing of a part."""
    entries = read(folder / f"{name}.json")
    for item, work in importlib.import_module(f"benchmarks.gpu.parts.{name}").items(settings, folder):
        if item in entries and is_done(entries[item]):
            continue
        begin = time.perf_counter()
        try:
            entry = work()
        except Exception as error:  # whatever happens on a borrowed machine is a result, too
            entry = {"failed": f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"}
        entries[item] = {**entry, "took": round(time.perf_counter() - begin, 1), "machine": machine(settings.device)}
        replace_text(folder / f"{name}.json", json.dumps(entries, indent=1))
        if settings.device.type == "cuda":
            torch.cuda.empty_cache()
    replace_text(folder / f"{name}.json", json.dumps({**entries, "whole": {}}, indent=1))
    return entries


def main(name: str, folder: str, device: str, quick: str, seconds: str = "inf") -> None:
    """Run a part as a program, which has so many seconds."""
    warnings.filterwarnings("ignore", category=UserWarning)
    run(name, Path(folder), Settings(torch.device(device), quick == "True", time.monotonic() + float(seconds)))


if __name__ == "__main__":
    main(*sys.argv[1:])
