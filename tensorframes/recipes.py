"""Construction of objects from recipes in files, by one rule of trust.

A recipe is a dictionary: ``_target_`` names a class, the other keys are its arguments, themselves recipes or plain
values. With ``_partial_`` the object is a partial call; ``_args_`` are positional arguments. A file must not be able to
call arbitrary code, so a ``_target_`` must be a class of a trusted package.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pydoc import locate
from typing import Any

from tensorframes.errors import UserError

TRUSTED = ("tensorframes", "torch")
"""Packages whose classes any file may name."""


def built(recipe: Any, trusted: Iterable[str] = ()) -> Any:
    """The object that a recipe describes.

    Args:
        recipe: plain values; classes by ``_target_``.
        trusted: packages whose classes it may name, in addition to TRUSTED.

    Raises:
        UserError: a ``_target_`` is not a class of a trusted package.
    """
    packages = (*TRUSTED, *trusted)
    if isinstance(recipe, list):
        return [built(item, packages) for item in recipe]
    if not isinstance(recipe, Mapping):
        return recipe
    arguments = {key: built(value, packages) for key, value in recipe.items() if not str(key).startswith("_")}
    if "_target_" not in recipe:
        return arguments
    make = trusted_class(str(recipe["_target_"]), packages)
    positional = [built(item, packages) for item in recipe.get("_args_", ())]
    if recipe.get("_partial_"):
        return partial(make, *positional, **arguments)
    return make(*positional, **arguments)


def trusted_class(target: str, packages: Sequence[str], own_functions: bool = False) -> Any:
    """The class of that name, or, with ``own_functions``, a function of this package.

    Both the package that the name begins with and the package that defines the class must be trusted: ``torch.os`` is a
    module of the standard library. Nothing is imported from other packages.

    Raises:
        UserError: there is no such class, or it is of another package.
    """
    first = target.partition(".")[0]
    found = locate(target) if first in packages else None
    home = str(getattr(found, "__module__", "")).partition(".")[0]
    function = own_functions and callable(found) and home == "tensorframes"
    if home in packages and (isinstance(found, type) or function):
        return found
    names = list(dict.fromkeys(packages))
    if first in packages:
        raise UserError(f"expected a class of {', '.join(names)}, got {target}, which is none that can be imported")
    raise UserError(
        f"expected a class of {', '.join(names)}, got {target}; if the file is trustworthy, trust {first}: "
        f"'trusted=[{first}]', or --trusted {first} for tensorframes normals and export"
    )


def check_trusted(recipe: Any, trusted: Iterable[str] = (), own_functions: bool = False) -> None:
    """Check every ``_target_`` in a recipe, without constructing anything.

    Raises:
        UserError: see ``trusted_class``.
    """
    packages = (*TRUSTED, *trusted)
    for target in targets(recipe):
        trusted_class(target, packages, own_functions)


def targets(recipe: Any) -> list[str]:
    """Every ``_target_`` in a recipe, in its order."""
    if isinstance(recipe, Mapping):
        own = [str(recipe["_target_"])] if "_target_" in recipe else []
        return [*own, *(target for value in recipe.values() for target in targets(value))]
    return [target for item in recipe for target in targets(item)] if isinstance(recipe, list) else []
