"""Detection of values that are not finite, and the error that ends such a run."""

import contextlib
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from tensorframes.errors import UserError


class Diverged(UserError):
    """A loss, weight or feature is NaN or infinite: the learning rate is too high, or the data are invalid."""


def all_finite(*values: Tensor) -> bool:
    """Whether all floating-point tensors of these are finite."""
    return all(bool(torch.isfinite(value).all()) for value in values if value.is_floating_point())


def gives_finite_values(network: nn.Module, call: Callable[[], object]) -> bool:
    """Whether all modules of a network return finite tensors during a call, even if the call fails.

    Args:
        network: its modules are observed. call: runs the network; its exceptions are ignored.
    """
    finite: list[bool] = []

    def check(module: nn.Module, arguments: object, returned: object) -> None:
        finite.append(all_finite(*(leaf for leaf in tree_leaves(returned) if isinstance(leaf, Tensor))))

    handles = [module.register_forward_hook(check) for module in network.modules()]
    with torch.no_grad(), contextlib.suppress(Exception):
        call()
    for handle in handles:
        handle.remove()
    return all(finite)
