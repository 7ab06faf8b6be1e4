"""Colours as PCL packs them, and colours without names."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tensorframes.data.io.columns import COLOUR, Columns
from tensorframes.data.io.types import in_range

PACKED = {"rgb": COLOUR, "rgba": (*COLOUR, "alpha")}
"""PCL's names of one number of four bytes, and what these are: in a float32 they stand for no number of their own."""

SHIFTS = {"red": 16, "green": 8, "blue": 0, "alpha": 24}
"""Bits below each byte."""


def are_colours(arrays: Sequence[NDArray]) -> bool:
    """Whether columns are three of whole numbers from 0 to 255, some of them above 1, as no normals or flags are."""
    if len(arrays) != 3 or any(each.ndim > 1 or each.dtype.kind not in "iuf" or not len(each) for each in arrays):
        return False
    values = np.stack(arrays).astype(np.float64)
    return in_range("u1", values) and bool(values.max() > 1)


def unpack_colours(columns: Columns) -> Columns:
    """PCL's ``rgb`` or ``rgba`` as red, green, blue and alpha, a byte each."""
    kinds = columns.table.dtype
    whole = [name for name in PACKED if name in columns.names and kinds[name].shape == () and kinds[name].itemsize == 4]
    if len(whole) != 1:
        return columns
    bits = columns.table[whole[0]].astype(kinds[whole[0]].newbyteorder("=")).view("u4")
    return columns.split(whole[0], {part: (bits >> SHIFTS[part]).astype("u1") for part in PACKED[whole[0]]})


def pack_colours(columns: Columns) -> Columns:
    """Red, green and blue, integers of a byte each or such floating-point numbers, as PCL's ``rgb`` in a float32.

    Others stay as they are.
    """
    if not {*COLOUR} <= {*columns.names} or "rgb" in columns.names:
        return columns
    arrays = [columns.table[name] for name in COLOUR]
    whole = all(each.ndim == 1 and each.dtype.kind in "iu" and in_range("u1", each.astype("f8")) for each in arrays)
    if not (whole or are_colours(arrays)):
        return columns
    bits = sum(each.astype("u4") << SHIFTS[name] for name, each in zip(COLOUR, arrays, strict=True))
    return columns.without(COLOUR[1:]).split(COLOUR[0], {"rgb": np.asarray(bits, dtype="u4").view("f4")})
