"""Measures all that needs a GPU: python -m benchmarks.gpu [--minutes 9] [--device cuda] [--out FOLDER] [--quick]

The parts run in order of importance, each in a process of its own, until the time is over. A further call with the
same folder makes the missing measurements. The folder contains gpu.json, gpu.md, profiles and logs.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmarks.gpu.kept import is_whole, read

PARTS = {
    "normals": 90,
    "profile": 70,
    "checks": 90,
    "memory": 40,
    "targets": 180,
    "throughput": 150,
    "training": 420,
    "compiled": 180,
}
"""Parts in the order of their worth, and the most seconds that each may take in one call."""

LEAST = 15  # seconds that are worth starting a part
RESERVE = 5  # seconds to end a part and to write the tables
ROOT = Path(__file__).parents[2]


def measure(folder: Path, device: str, quick: bool, seconds: float) -> None:
    """Run the parts that are not whole yet, as long as there is time."""
    end = time.monotonic() + seconds - RESERVE
    for name, most in PARTS.items():
        left = end - time.monotonic()
        if is_whole(folder / f"{name}.json"):
            print(f"{name}: measured before", flush=True)
        elif left < LEAST:
            print(f"{name}: no time left; call again", flush=True)
        else:
            begin = time.monotonic()
            ended = run_part(name, folder, device, quick, min(most, left))
            print(f"{name}: {ended} after {time.monotonic() - begin:.0f} s", flush=True)
        write(folder)


def run_part(name: str, folder: Path, device: str, quick: bool, limit: float) -> str:
    """Run one part in a process group of its own; returns how it ended."""
    command = [sys.executable, "-m", "benchmarks.gpu.part", name, str(folder), device, str(quick), str(limit)]
    with (folder / f"{name}.log").open("a", encoding="utf-8") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            code = process.wait(limit)
        except subprocess.TimeoutExpired:
            stop(process)
            return "stopped"
    return "done" if code == 0 else f"exit code {code}, see {name}.log"


def stop(process: subprocess.Popen[bytes]) -> None:
    """End the group: gently, and where that takes long by force."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError, subprocess.TimeoutExpired):
            os.killpg(process.pid, number)
            process.wait(4)
    process.wait()


def write(folder: Path) -> None:
    """gpu.json: all entries of all parts; gpu.md: the same as a table."""
    found = {name: read(folder / f"{name}.json") for name in PARTS if (folder / f"{name}.json").is_file()}
    (folder / "gpu.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    (folder / "gpu.md").write_text(markdown(found), encoding="utf-8")


def markdown(found: dict[str, dict[str, dict[str, Any]]]) -> str:
    """A table of all items; rows of targets are lines of their own, with their verdict."""
    machines = {
        json.dumps({**entry["machine"], "load": None}): None for part in found.values() for entry in part.values()
    }
    lines = [", ".join(f"{key} {value}" for key, value in json.loads(text).items() if value) for text in machines]
    lines += ["", "| what | measured |", "| --- | --- |"]
    for entries in found.values():
        for item, entry in entries.items():
            values = {key: value for key, value in entry.items() if key not in ("machine", "took")}
            nested = {key: value for key, value in values.items() if isinstance(value, dict)}
            if nested:
                lines += [f"| {what} | {shown(row)} |" for what, row in nested.items()]
            else:
                lines.append(f"| {item} | {'; '.join(f'{key} {rounded(value)}' for key, value in values.items())} |")
    return "\n".join(lines) + "\n"


def shown(row: dict[str, Any]) -> str:
    """One row of the table of targets."""
    sign = ">=" if row["at_least"] else "<="
    measured = "not measured" if row["measured"] is None else f"{rounded(row['measured'])} {row['unit']}"
    return "; ".join(filter(None, (measured, f"target {sign} {row['target']:g}", row["verdict"], row["note"])))


def rounded(value: Any) -> str:
    """A number with four digits, anything else as it is."""
    if isinstance(value, list):
        return "[" + ", ".join(map(rounded, value)) + "]"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def main() -> None:
    """Parse the arguments, measure, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=9.0, help="time for all of it (%(default)s)")
    parser.add_argument("--device", default="cuda", help="cuda, or cpu for a dry run (%(default)s)")
    parser.add_argument("--out", type=Path, default=Path("build/gpu"), help="folder of the results (%(default)s)")
    parser.add_argument("--quick", action="store_true", help="small sizes: shows that it runs")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    measure(given.out.resolve(), given.device, given.quick, 60 * given.minutes)
    print((given.out / "gpu.md").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
