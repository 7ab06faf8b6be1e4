"""A network for ``torch.export``: clouds are prepared eagerly, and the rest is one program from tensors to tensors."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from typing import Any

import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from tensorframes.frames import Frames
from tensorframes.normals.confidence import expected_error
from tensorframes.normals.estimator import NormalEstimator
from tensorframes.normals.plane_fit import PlaneFitHead


class Name(str):
    """The name of a tensor, in its place in a record."""


class ExportableEstimator(nn.Module):
    """Backbone and head of an estimator, for ``torch.export.export``.

    Neighbours, samples, frames and the planes around points depend on the data: an exported program cannot compute
    them. ``prepare`` computes them eagerly, as named tensors; ``forward`` computes normals from these alone. Both
    together equal the estimator in evaluation mode. Points are processed all at once: memory grows with their number.

    Args:
        estimator: it is copied.

    Raises:
        ValueError: the head is a ``PlaneFitHead`` (as that of the weights ``best``), whose fits decide which further
            neighbours are searched.
    """

    def __init__(self, estimator: NormalEstimator) -> None:
        super().__init__()
        if isinstance(estimator.head, PlaneFitHead):
            raise ValueError("expected a network whose head can be exported, as that of fast, got a PlaneFitHead")
        self.estimator = copy.deepcopy(estimator).eval().requires_grad_(False)
        self.record, inputs = named(self._record(strip()))
        self.names = tuple(inputs)
        self.of_points = {name: len(each) > 1 for name, each in inputs.items()}  # others have one row a cloud

    def prepare(self, points: ArrayLike | Tensor) -> dict[str, Tensor]:
        """The inputs of ``forward`` for one cloud of finite points (N, 3): tensors by name, on the network's device.

        Raises:
            ValueError: the points are not (N, 3) finite numbers.
        """
        _, inputs = named(self._record(points))
        if tuple(inputs) != self.names:
            raise ValueError(f"expected a cloud with the tensors of the example, {len(self.names)}, got {len(inputs)}")
        return inputs

    def forward(self, inputs: dict[str, Tensor]) -> tuple[Tensor, ...]:
        """Unit normals (N, 3), as in ``Prediction``, and the expected angles (N,) to the true ones in radians, if the
        network has a model of its error; from ``prepare``'s tensors."""
        record = mapped(self.record, lambda _, name: inputs[name])
        frames = [Frames(matrices) for matrices in record["frames"]]
        prediction = self.estimator.in_frames(record["geometry"], frames, record["plan"])
        prediction = prediction.index_select(record["index"])
        if prediction.error is None:
            return (prediction.normal,)
        return prediction.normal, expected_error(prediction.error)

    def example(self) -> tuple[dict[str, Tensor]]:
        """Arguments of ``forward`` to export it with: those of a small cloud."""
        return (self.prepare(strip()),)

    def dynamic_shapes(self) -> tuple[dict[str, dict[int, Any]]]:
        """The argument ``dynamic_shapes`` of ``torch.export.export``: any number of points, at every level."""
        return ({name: {0: torch.export.Dim.DYNAMIC} if many else {} for name, many in self.of_points.items()},)

    @torch.no_grad()
    def _record(self, points: ArrayLike | Tensor) -> dict[str, Any]:
        """All that ``forward`` reads, with tensors in their places."""
        device = next(self.estimator.parameters()).device
        pos = torch.as_tensor(points).to(device, torch.float64)
        if pos.dim() != 2 or pos.shape[1] != 3 or len(pos) == 0 or not bool(pos.isfinite().all()):
            raise ValueError(f"expected finite points (N, 3), got shape {tuple(pos.shape)}, or some not finite")
        geometry, index = self.estimator.geometry(pos, torch.zeros(len(pos), dtype=torch.long, device=device))
        plan = self.estimator.head.plan(geometry, torch.arange(geometry.points, device=device))
        frames = tuple(each.matrices for each in self.estimator.find_frames(geometry))
        return {"geometry": geometry, "frames": frames, "plan": plan, "index": index}


def strip() -> Tensor:
    """Points (500, 3) of a bent strip, so long that it has several samples at every level."""
    uniform = torch.rand(500, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    x, y = 40 * uniform[:, 0], uniform[:, 1]
    return torch.stack([x, y, (x / 4).sin()], dim=1)


def named(record: Any) -> tuple[Any, dict[str, Tensor]]:
    """A record with the names of its tensors in their places, and the tensors by name; one in several places once."""
    names: dict[int, Name] = {}
    tensors: dict[str, Tensor] = {}

    def name_of(path: str, tensor: Tensor) -> Name:
        if id(tensor) not in names:
            names[id(tensor)] = Name(path)
            tensors[path] = tensor.contiguous()
        return names[id(tensor)]

    return mapped(record, name_of), tensors


def mapped(value: Any, leaf: Callable[[str, Any], Any], path: str = "") -> Any:
    """A record of dataclasses, lists, tuples and dictionaries, with ``leaf(path, each)`` for each tensor or name."""
    if isinstance(value, (Tensor, Name)):
        return leaf(path, value)
    before = f"{path}." if path else ""
    if isinstance(value, dict):
        return {key: mapped(each, leaf, f"{before}{key}") for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(mapped(each, leaf, f"{before}{number}") for number, each in enumerate(value))
    if is_dataclass(value) and not isinstance(value, type):
        names = [each.name for each in fields(value)]
        return replace(value, **{name: mapped(getattr(value, name), leaf, f"{before}{name}") for name in names})
    return value
