"""States with the names that weights files of format 1 have."""

from torch import Tensor, nn

from tensorframes.normals.earlier_names import EARLIER_NAMES


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
