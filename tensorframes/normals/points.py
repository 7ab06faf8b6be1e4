"""The points of arrays, tensors and clouds of other libraries, and normals of the type of the points.

No library is imported: a cloud is recognised by its attributes.
"""

from __future__ import annotations

from typing import Protocol, TypeAlias, TypeVar, runtime_checkable

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray


@runtime_checkable
class HasPoints(Protocol):
    """A ``PointCloud`` of Open3D."""

    @property
    def points(self) -> ArrayLike:
        """(N, 3)."""
        ...


@runtime_checkable
class HasVertices(Protocol):
    """A ``PointCloud`` or mesh of trimesh, or a mesh of Open3D."""

    @property
    def vertices(self) -> ArrayLike:
        """(N, 3)."""
        ...


@runtime_checkable
class HasPoint(Protocol):
    """A ``PointCloud`` of ``open3d.t``: ``point.positions`` is a tensor of its own, on any device."""

    @property
    def point(self) -> object:
        """Attributes of the points by name."""
        ...


Points: TypeAlias = "ArrayLike | torch.Tensor | HasPoints | HasVertices | HasPoint"
"""(N, 3) points: an array, anything that becomes one, a tensor, or a cloud of Open3D or trimesh."""

Values = TypeVar("Values", NDArray, torch.Tensor)


def as_array(points: Points) -> NDArray:
    """The points as an array (N, 3), those of a tensor as float64."""
    if isinstance(points, torch.Tensor):
        return points.detach().cpu().double().numpy()
    if isinstance(points, HasVertices):
        return np.asarray(points.vertices)
    if isinstance(points, HasPoint):
        return np.asarray(points.point.positions.cpu().numpy())  # type: ignore[attr-defined]
    return np.asarray(points.points if isinstance(points, HasPoints) else points)


def of_type(values: NDArray[np.float32], points: Points) -> NDArray[np.float32] | torch.Tensor:
    """The values as a tensor on the device and, if that is a floating-point one, of the dtype of the points, if these
    are a tensor; otherwise unchanged."""
    if not isinstance(points, torch.Tensor):
        return values
    dtype = points.dtype if points.dtype.is_floating_point else torch.float32
    return torch.from_numpy(values).to(points.device, dtype)
