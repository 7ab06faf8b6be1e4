"""The settings that differ between the configurations of runs."""

from collections.abc import Iterator, Mapping
from typing import Any

ABSENT = "–"
TARGET = "_target_"
OF_EACH_RUN = ("name", "folder", "ckpt_path")
"""Settings that identify a run, and are not compared."""
SCORED = "checkpoint"
"""What an evaluation scores; it is compared even if other runs are trainings."""


class Component(str):
    """The dotted name of a component's class."""


def varied(runs: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
    """The settings whose values are not the same in all runs: key -> values as text, in the order of the runs.

    A component that differs in its class is one setting, the class; its arguments are not compared. A value that occurs
    in several places, by interpolation, is listed once, under its shortest key. Parts that only some of the runs have,
    as a training has a backbone and an evaluation has none, are left out.

    Args:
        runs: whole configurations by the runs' names, interpolations resolved.
    """
    flat = [dict(settings(config)) for config in runs.values()]
    parts = {SCORED}.union(set.intersection(*map(set, runs.values()))) if runs else set()
    keys = list(dict.fromkeys(key for each in flat for key in each if key.partition(".")[0] in parts))
    values = {key: [text(each[key]) if key in each else ABSENT for each in flat] for key in keys}
    found = {key: shown for key, shown in values.items() if len(set(shown)) > 1 and key not in OF_EACH_RUN}
    exchanged = [key for key in found if any(isinstance(each.get(key), Component) for each in flat)]
    same = {key: v for key, v in found.items() if not any(key.startswith(f"{parent}.") for parent in exchanged)}
    return once_each({key: v for key, v in same.items() if not any(of_folder(key, each) for each in flat)})


def settings(node: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Every plain value with its full key; the class of a component with the key of the component."""
    if path and TARGET in node:
        yield path, Component(str(node[TARGET]))
    for key, value in node.items():
        full = f"{path}.{key}" if path else str(key)
        if isinstance(value, Mapping) and value:
            yield from settings(value, full)
        elif key != TARGET:
            yield full, value


def of_folder(key: str, flat: Mapping[str, Any]) -> bool:
    """Whether a setting is a path in the folder of its run."""
    folder, value = str(flat.get("folder") or ""), flat.get(key)
    return bool(folder) and isinstance(value, str) and value.startswith(folder)


def once_each(found: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """The settings without those that have the last part of their key and all values in common with a shorter key."""
    shortest: dict[tuple[str, ...], str] = {}
    for key in sorted(found, key=lambda key: key.count(".")):
        shortest.setdefault((key.rpartition(".")[2], *found[key]), key)
    return {key: values for key, values in found.items() if key in shortest.values()}


def text(value: Any) -> str:
    """A value as on the command line."""
    if isinstance(value, Component):
        return value.rpartition(".")[2]
    if isinstance(value, list):
        return f"[{','.join(map(text, value))}]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)
