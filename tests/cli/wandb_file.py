"""What Weights & Biases has of a run, read from the file of an offline run: a LevelDB log of protocol buffers."""

import json
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

START, BLOCK, HEADER = 7, 32768, 7
WHOLE, LAST = 1, 4


class Sent(NamedTuple):
    """Name, group, id and tags of a run, its configuration, and its summary (the last value of each metric)."""

    run: dict[str, Any]
    config: dict[str, Any]
    summary: dict[str, Any]


def sent(folder: Path, patience: float = 20.0) -> Sent:
    """What was sent of the run whose offline files are in a folder; of several the later ones continue the first.

    A process of Weights & Biases writes the files. On a busy machine it is still at it when the run has ended.
    """
    end = time.monotonic() + patience
    while not (found := _written(folder)).run and time.monotonic() < end:
        time.sleep(0.1)
    return found


def _written(folder: Path) -> Sent:
    found = Sent({}, {}, {})
    for file in sorted(folder.glob("offline-run-*/*.wandb")):
        for record in records(file):
            run = record.run
            if record.HasField("run"):
                found.run.update(name=run.display_name, group=run.run_group, id=run.run_id, tags=list(run.tags))
            for each in [*run.config.update, *record.config.update]:
                found.config[name_of(each)] = json.loads(each.value_json)
            for each in [*record.summary.update, *record.history.item]:
                found.summary[name_of(each)] = json.loads(each.value_json)
    return found


def name_of(item: Any) -> str:
    """The key of a value."""
    return item.key or "/".join(item.nested_key)


def records(file: Path) -> Iterator[Any]:
    """The records of a file; each is one piece, or several at the borders of blocks."""
    from wandb.proto import wandb_internal_pb2

    content, place, whole = file.read_bytes(), START, b""
    while place + HEADER <= len(content):
        if BLOCK - place % BLOCK < HEADER:
            place += BLOCK - place % BLOCK
            continue
        _, length, kind = struct.unpack("<IHB", content[place : place + HEADER])
        whole += content[place + HEADER : place + HEADER + length]
        place += HEADER + length
        if kind in (WHOLE, LAST):
            record, whole = wandb_internal_pb2.Record.FromString(whole), b""
            yield record
