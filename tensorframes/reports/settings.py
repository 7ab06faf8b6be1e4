"""Which settings varied between runs, of all those that their configurations hold."""

from collections.abc import Iterator, Mapping
from typing import Any

ABSENT = "–"
TARGET = "_target_"
OF_EACH_RUN = ("name", "folder", "ckpt_path")
"""Settings that say which run it is, not how it differs."""


class Component(str):
    """The dotted name of a component's class."""


def varied(runs: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
    """The settings whose values are not the same in all runs: key -> values as text, in the order of the runs.

    A component of another class counts as one setting, by its class: what its arguments are called says little then.
    A value that stands in several places, by interpolation, is listed once, under its shortest key.

    Args:
        runs: whole configurations by the runs' names, interpolations resolved.
    """
    flat = [dict(settings(config)) for config in runs.values()]
    keys = list(dict.fromkeys(key for each in flat for key in each))
    values = {key: [text(each[key]) if key in each else ABSENT for each in flat] for key in keys}
    found = {key: shown for key, shown in values.items() if len(set(shown)) > 1 and key not in OF_EACH_RUN}
    exchanged = [key for key in found if any(isinstance(each.get(key), Component) for each in flat)]
    kept = {key: v for key, v in found.items() if not any(key.startswith(f"{parent}.") for parent in exchanged)}
    return once_each({key: v for key, v in kept.items() if not any(of_folder(key, each) for each in flat)})


def settings(node: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Every plain value by its full key; a component's class by the key of the component."""
    if path and TARGET in node:
        yield path, Component(str(node[TARGET]))
    for key, value in node.items():
        full = f"{path}.{key}" if path else str(key)
        if isinstance(value, Mapping) and value:
            yield from settings(value, full)
        elif key != TARGET:
            yield full, value


def of_folder(key: str, flat: Mapping[str, Any]) -> bool:
    """Whether a setting is a path in the run's own folder."""
    folder, value = str(flat.get("folder") or ""), flat.get(key)
    return bool(folder) and isinstance(value, str) and value.startswith(folder)


def once_each(found: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Without settings that have the last part of their key and all values in common with one of a shorter key."""
    seen: dict[tuple[str, ...], str] = {}
    for key in sorted(found, key=lambda key: key.count(".")):
        seen.setdefault((key.rpartition(".")[2], *found[key]), key)
    return {key: values for key, values in found.items() if key in seen.values()}


def text(value: Any) -> str:
    """A value as the command line takes it."""
    if isinstance(value, Component):
        return value.rpartition(".")[2]
    if isinstance(value, list):
        return f"[{','.join(map(text, value))}]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)
