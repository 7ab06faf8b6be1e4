"""States and recipes with the names that weights files of format 1 have."""

from typing import Any

from torch import Tensor, nn

from tensorframes.normals.earlier_names import EARLIER_NAMES, EARLIER_SETTINGS


def earlier_key(key: str, module: nn.Module) -> str:
    """The earlier name of a parameter or buffer of a module."""
    names, part = [], module
    for name in key.split("."):
        tables = [table for kind, table in EARLIER_NAMES.items() if isinstance(part, kind)]
        names.append({now: earlier for table in tables for earlier, now in table.items()}.get(name, name))
        part = getattr(part, name)
    return ".".join(names)


def earlier_state(module: nn.Module) -> dict[str, Tensor]:
    """The state of a module with earlier names."""
    return {earlier_key(key, module): value for key, value in module.state_dict().items()}


def earlier_recipe(node: Any) -> Any:
    """A recipe, or a configuration, with earlier names of settings, in interpolations, too."""
    if isinstance(node, str):
        return node.replace("${task.head.initial_selection.", "${task.head.guess.")
    if not isinstance(node, dict):
        return node
    kind = str(node.get("_target_")).rpartition(".")[2]
    tables = [table for known, table in EARLIER_SETTINGS.items() if known.__name__ == kind]
    earlier = {now: name for table in tables for name, now in table.items()}
    found = {earlier.get(name, name): earlier_recipe(value) for name, value in node.items()}
    for now, name in earlier.items():  # of settings in settings
        part, _, inner = now.rpartition(".")
        if part and inner in found.get(part, {}):
            found[part][name.rpartition(".")[2]] = found[part].pop(inner)
    return found
