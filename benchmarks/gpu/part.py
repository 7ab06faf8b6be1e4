"""One part in a process of its own: python -m benchmarks.gpu.part NAME FOLDER DEVICE QUICK

What is in NAME.json in the folder is not measured again; each item is written as soon as it is there. So a part that
runs out of time, of memory or into an error of the GPU costs the others nothing.
"""

import importlib
import json
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from benchmarks.harness import Settings, machine
from tensorframes.atomic import replace_text

Entries = dict[str, dict[str, Any]]


def run(name: str, folder: Path, settings: Settings) -> Entries:
    """Measure what is missing of a part."""
    entries = read(folder / f"{name}.json")
    for item, work in importlib.import_module(f"benchmarks.gpu.parts.{name}").items(settings, folder):
        if item in entries and "failed" not in entries[item]:
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


def read(file: Path) -> Entries:
    """What was measured before, without the mark of a whole part."""
    return {item: entry for item, entry in content(file).items() if item != "whole"}


def is_whole(file: Path) -> bool:
    """Whether every item of a part was measured, and none failed."""
    found = content(file)
    return "whole" in found and not any("failed" in entry for entry in found.values())


def content(file: Path) -> Iterator[Any] | Any:
    """The file's entries; none if it is not there."""
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}


def main(name: str, folder: str, device: str, quick: str) -> None:
    """Run a part as a program."""
    warnings.filterwarnings("ignore", category=UserWarning)
    run(name, Path(folder), Settings(torch.device(device), quick == "True"))


if __name__ == "__main__":
    main(*sys.argv[1:])
