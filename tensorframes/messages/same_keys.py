"""Wrappers whose state has the keys of the wrapped module."""

from __future__ import annotations

from collections.abc import MutableMapping
from functools import partial
from typing import Any

from torch import nn


def use_keys_of(module: nn.Module, child: str) -> None:
    """Leave the child's name out of the keys of ``module.state_dict()``, and expect them without it when loading.

    The state of the child alone then loads into the wrapper, and the other way round.

    Args:
        module: without parameters and buffers of its own. child: name of its only child.
    """
    module.register_state_dict_post_hook(partial(_leave_out, child))
    module.register_load_state_dict_pre_hook(partial(_put_in, child))


def _leave_out(child: str, module: nn.Module, state: Any, prefix: str, local_metadata: dict[str, Any]) -> None:
    _rename(state, f"{prefix}{child}.", prefix)
    versions = {f"{name}.": version for name, version in state._metadata.items()}  # by the modules' names
    _rename(versions, f"{prefix}{child}.", prefix)
    state._metadata = type(state._metadata)((name.removesuffix("."), version) for name, version in versions.items())


def _put_in(child: str, module: nn.Module, state: dict[str, Any], prefix: str, *rest: Any) -> None:
    _rename(state, prefix, f"{prefix}{child}.")


def _rename(values: MutableMapping[str, Any], start: str, instead: str) -> None:
    """The keys that begin with ``start`` begin with something else, in the same order."""
    for key in list(values):
        value = values.pop(key)
        values[instead + key.removeprefix(start) if key.startswith(start) else key] = value
