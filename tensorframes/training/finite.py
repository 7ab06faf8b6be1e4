"""Training whose numbers are no longer finite: how it is found out, and the error that ends the run."""

import contextlib
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from tensorframes.errors import UserError


class Diverged(UserError):
    """A loss, a weight or a feature is NaN or infinite: the learning rate is too high, or the data are not sound."""


def all_finite(*values: Tensor) -> bool:
    """Whether no floating-point tensor of these holds NaN or infinity."""
    return all(bool(torch.isfinite(value).all()) for value in values if value.is_floating_point())


def gives_finite_values(network: nn.Module, call: Callable[[], object]) -> bool:
    """Whether all modules of a network return finite tensors during a call, also if it fails.

    Args:
        network: whose modules are watched. call: uses the network; what it raises is of no interest.
    """
    found: list[bool] = []

    def look(module: nn.Module, given: object, returned: object) -> None:
        found.append(all_finite(*(leaf for leaf in tree_leaves(returned) if isinstance(leaf, Tensor))))

    handles = [module.register_forward_hook(look) for module in network.modules()]
    with torch.no_grad(), contextlib.suppress(Exception):
        call()
    for handle in handles:
        handle.remove()
    return all(found)
