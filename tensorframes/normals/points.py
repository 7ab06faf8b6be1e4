"""The points of arrays, tensors and clouds of other libraries, and normals of the type of the points.

No library is imported: a cloud is recognised by its attributes.
"""

from __future__ import annotations

from numbers import Real
from typing import Any, Protocol, TypeAlias, TypeVar, runtime_checkable

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray


@runtime_checkable
class HasPoints(Protocol):
    """A ``PointCloud`` of Open3D."""

    @property
    def points(self) -> object:
        """(N, 3), of a type of its own that becomes an array."""
        ...


@runtime_checkable
class HasVertices(Protocol):
    """A ``PointCloud`` or mesh of trimesh, or a mesh of Open3D."""

    @property
    def vertices(self) -> object:
        """(N, 3), of a type of its own that becomes an array."""
        ...


@runtime_checkable
class HasPoint(Protocol):
    """A ``PointCloud`` of ``open3d.t``: ``point.positions`` is a tensor of its own, on any device."""

    @property
    def point(self) -> object:
        """Attributes of the points by name."""
        ...


@runtime_checkable
class HasXyz(Protocol):
    """A LAS file of laspy."""

    @property
    def xyz(self) -> object:
        """(N, 3) scaled coordinates."""
        ...


@runtime_checkable
class OnDevice(Protocol):
    """A tensor of Open3D."""

    def cpu(self) -> Any:
        """The same on the CPU."""
        ...

    def numpy(self) -> NDArray:
        """The same as an array."""
        ...


Points: TypeAlias = "ArrayLike | torch.Tensor | HasPoints | HasVertices | HasPoint | HasXyz | OnDevice"
"""(N, 3) points: an array, anything that becomes one, a tensor, or a cloud of Open3D, trimesh or laspy; or rows (N,)
with fields x, y and z, as of plyfile."""

MISSING = ("NoneType", "NAType")
"""Types of what stands for a missing number: None, and ``pandas.NA``."""

Values = TypeVar("Values", NDArray, torch.Tensor)


def as_array(points: Points) -> NDArray:
    """The points as an array (N, 3), see ``plain``."""
    if isinstance(points, torch.Tensor):
        return plain(points)
    if isinstance(points, HasVertices):
        return plain(points.vertices)
    if isinstance(points, HasPoint):
        return plain(_positions(points.point))
    if isinstance(points, HasXyz):
        return plain(points.xyz)
    return _coordinates(plain(points.points if isinstance(points, HasPoints) else points))


def _coordinates(array: NDArray) -> NDArray:
    """The coordinates (N, 3) in rows (N,) of fields that include x, y and z, or X, Y and Z; other arrays unchanged."""
    names = {name.lower(): name for name in array.dtype.names or ()} if array.ndim == 1 else {}
    found = [names[axis] for axis in "xyz" if axis in names]
    if len(found) < 3 or any(array.dtype[name].kind not in "fiu" for name in found):
        return array
    return np.stack([array[name].astype(np.float64) for name in found], axis=1)


def _positions(attributes: Any) -> Any:
    """Those of a cloud of ``open3d.t``; a new one has none."""
    try:
        return attributes.positions.cpu()
    except KeyError:
        return np.empty((0, 3))


def plain(values: Any) -> NDArray:
    """Values as an array: real numbers of a tensor as float64, entries that are masked or missing as NaN.

    Raises:
        ValueError: the values make no array.
    """
    if isinstance(values, torch.Tensor):
        if values.layout != torch.strided or values.is_nested or values.is_meta or values.is_quantized:
            kind = "a nested tensor" if values.is_nested else f"{values.layout} of {values.dtype} on {values.device}"
            raise ValueError(f"expected a dense tensor of numbers, got {kind}")
        return (values.double() if values.dtype.is_floating_point else values).numpy(force=True)
    if isinstance(values, OnDevice):
        values = values.cpu().numpy()
    if isinstance(values, np.ma.MaskedArray) and values.dtype.kind in "fiu":
        return np.asarray(np.ma.filled(values.astype(np.float64), np.nan))
    try:
        array = np.asarray(values)
    except (ValueError, TypeError) as error:
        raise ValueError(f"expected an array, got {type(values).__name__} that makes none: {error}") from error
    return _numbers(array) if array.dtype.kind == "O" and array.ndim else array


def _numbers(objects: NDArray) -> NDArray:
    """Objects as float64 if all are real numbers or missing, as in pandas' nullable columns; otherwise unchanged."""
    kinds = np.frompyfunc(type, 1, 1)(objects)
    absent = {kind for kind in set(kinds.flat) if kind.__name__ in MISSING}
    if not all(issubclass(kind, Real) and kind is not bool for kind in set(kinds.flat) - absent):
        return objects
    return np.where(np.isin(kinds, list(absent)), np.nan, objects).astype(np.float64)


def number_rows(array: NDArray, name: str) -> NDArray:
    """The array (N, 3) of real numbers.

    Raises:
        ValueError: it is none.
    """
    if array.ndim == 2 and array.shape[1] == 3 and array.dtype.kind in "fiu":
        return array
    raise ValueError(f"expected {name} (N, 3) of numbers, got {shape_of(array)}")


def shape_of(array: NDArray) -> str:
    """What an array is, for messages: its shape and dtype, or the type of a single value."""
    return f"shape {array.shape} of {array.dtype}" if array.ndim else type(array.item()).__name__


def of_type(values: NDArray[np.float32], points: Points) -> NDArray[np.float32] | torch.Tensor:
    """The values as a tensor on the device and, if that is a floating-point one, of the dtype of the points, if these
    are a tensor; otherwise unchanged."""
    if not isinstance(points, torch.Tensor):
        return values
    dtype = points.dtype if points.dtype.is_floating_point else torch.float32
    return torch.from_numpy(values).to(points.device, dtype)
