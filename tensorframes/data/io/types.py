"""Number types that represent given values exactly."""

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

SMALL = ("i1", "u1", "i2", "u2", "i4", "u4", "f4", "f8")
"""Types of all formats."""

PREFERRED = ("u1", "i4", "u4", "i8", "u8", "f4", "f8")
"""The order in which other types are tried if one is not available; bytes are for booleans only."""


def exact_type(values: NDArray, types: Collection[str] = SMALL) -> np.dtype | None:
    """The type of an array if it is one of `types`, else one of them that represents all its numbers exactly, or None.

    Args:
        values: of any type and shape; what is not a number (text, time, complex, object) has no such type.
        types: as NumPy spells them; floating-point numbers are never turned into integers.
    """
    own = values.dtype.newbyteorder("=")
    if own.kind not in "biuf":
        return None
    if own.str[1:] in types:
        return own
    tried = PREFERRED[0 if own.kind == "b" else 1 :]
    allowed = [np.dtype(name) for name in tried if name in types and (own.kind != "f" or name[0] == "f")]
    return next((kind for kind in allowed if _holds(kind, values)), None)


def _holds(kind: np.dtype, values: NDArray) -> bool:
    rounded = kind.kind == "f" and values.dtype.kind in "iu" and values.dtype.itemsize == 8
    if values.size == 0 or (np.can_cast(values.dtype, kind) and not rounded):  # NumPy calls rounding 64 bits safe
        return True
    if kind.kind in "iu":
        bounds = np.iinfo(kind)
        return int(values.min()) >= bounds.min and int(values.max()) <= bounds.max
    with np.errstate(all="ignore"):
        there = values.astype(kind)
        if values.dtype.kind == "f":
            return bool(np.array_equal(there.astype(values.dtype), values, equal_nan=True))
        # Whole numbers are compared as such: beside a float64 they would be rounded before the comparison.
        return bool((np.abs(there) < 2.0**63).all() and np.array_equal(there.astype(values.dtype), values))


def in_range(kind: str, values: NDArray[np.float64]) -> bool:
    """Whether numbers are integers within the range of an integer type."""
    bounds = np.iinfo(kind)
    return bool(((values >= bounds.min) & (values <= bounds.max) & (values == np.floor(values))).all())
