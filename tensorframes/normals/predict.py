"""Normals of a whole cloud: in one pass, or block by block."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tensorframes.geometry.distances import one_cloud
from tensorframes.normals.blocks import blocks, margin_rows
from tensorframes.normals.confidence import expected_error
from tensorframes.normals.degenerate import cloud_normals
from tensorframes.normals.interface import Estimator
from tensorframes.normals.normalise import merged_cloud, usable_points
from tensorframes.normals.points import number_rows, plain
from tensorframes.parallel import parallel_map
from tensorframes.progress import Progress

BLOCK = 250_000
"""Points of a block on a CPU."""

MOST, LEAST = 1_000_000, 10_000
"""Largest and smallest block on a GPU, in points."""

BYTES = 32_000
"""Memory that a pass on a GPU is given for each point of a block, with those of its margin; ``best`` took 23,000."""

Block = int | Literal["auto"] | None
"""Points of a block: so many, as many as the device is made for, or all points of the cloud."""

REACH = 24.0
"""Width of the margin of points around a block that are included in its pass, in spacings of points."""

MARGIN = 20_000
"""Largest number of points of that margin; for larger blocks the number of points of the block."""


NONE = np.array([0, 0, 0, np.nan], dtype=np.float32)
"""No normal, and an error that is not known."""


@dataclass(frozen=True)
class NormalsAndErrors:
    """Normals of M points, and their expected errors.

    Attributes:
        normal: (M, 3) unit vectors; a row of zeros is "no normal".
        error: (M,) expected angles to the true normals, radians; 1 without a normal. None: the network has no error
            model.
    """

    normal: NDArray[np.float32]
    error: NDArray[np.float32] | None


def normals_of(
    estimator: Estimator,
    points: NDArray,
    rows: NDArray | None = None,
    block: Block = "auto",
    progress: Progress | None = None,
) -> NDArray[np.float32]:
    """Normals (N, 3) or (M, 3) of a cloud; ``normals_and_errors_of`` without expected errors."""
    return normals_and_errors_of(estimator, points, rows, block, progress).normal


def normals_and_errors_of(
    estimator: Estimator,
    points: NDArray,
    rows: NDArray | None = None,
    block: Block = "auto",
    progress: Progress | None = None,
) -> NormalsAndErrors:
    """Normals of a cloud of any scale and offset, and their expected errors if the network has a model of these.

    A cloud of more than a block's points is processed in blocks, each with the points within REACH spacings around it,
    so that memory is bounded. Blocks follow the shape of the cloud, not its pose or the order of its points (but see
    ``blocks``). Near the border of a block normals differ from those of one pass; those of a network that reads the
    whole cloud at once (PointNet, DGCNN) differ everywhere.

    Args:
        estimator: in evaluation mode, on any device.
        points: (N, 3), any real dtype. Centred in float64; then rounded to the estimator's dtype, unless it
            ``accepts_float64``. Rows that are not finite, far off or at a crowded place (`normals.missing.left_out`)
            are left out and have no normal.
        rows: (M,) indices in 0..N-1 of the points whose normals are returned, or an (N,) mask of M of them; by default
            all.
        block: points of a block; ``"auto"``: 250,000 on a CPU, on a GPU as many as fit into half of its free memory,
            and half as many if memory runs out; None: one pass of the whole cloud.
        progress: called first and after each pass, with the number of finished passes and their total number.

    Raises:
        ValueError: points are not (N, 3) numbers, or none is finite; rows are neither indices nor a mask; block is not
            one of the values above; the estimator is in training mode.
    """
    if estimator.training:
        raise ValueError("expected an estimator in evaluation mode, got one in training mode; call its method eval")
    block = _checked(block)
    points = number_rows(plain(points), "points")
    wanted = np.arange(len(points)) if rows is None else _row_numbers(rows, len(points))
    pos, place = usable_points(points)
    index = place[wanted]
    values = np.tile(NONE, (len(wanted), 1))
    if (index >= 0).any():
        values[index >= 0] = _in_memory(estimator, pos, index[index >= 0], block, progress)
    without = (values[:, :3] == 0).all(1)
    errors = values[index >= 0, 3]
    known = estimator.predicts_error or (len(errors) > 0 and not np.isnan(errors).any())
    error = np.where(without, 1, values[:, 3]) if known else None
    return NormalsAndErrors(np.ascontiguousarray(values[:, :3]), error)


def _in_memory(
    estimator: Estimator, pos: NDArray, rows: NDArray, block: Block, progress: Progress | None
) -> NDArray[np.float32]:
    """Normals and expected errors (M, 4) of rows (M,) of centred points (N, 3), in as many passes as needed."""
    if block != "auto":
        return _in_passes(estimator, pos, rows, block or len(pos), progress)
    device = next(estimator.parameters()).device
    size = min(block_on_gpu(free_memory(device)) if device.type == "cuda" else BLOCK, len(pos))
    while True:
        try:
            return _in_passes(estimator, pos, rows, size, progress)
        except torch.OutOfMemoryError:
            if size <= LEAST:
                raise
        torch.cuda.empty_cache()
        size //= 2


def free_memory(device: torch.device) -> int:
    """Bytes of a GPU that this process can have: what no program uses, and what PyTorch keeps for it."""
    kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return torch.cuda.mem_get_info(device)[0] + kept


def block_on_gpu(free: int) -> int:
    """Points of a block that a GPU with so many free bytes processes in half of them."""
    return min(max(free // 2 // BYTES, LEAST), MOST)


def _in_passes(
    estimator: Estimator, pos: NDArray, rows: NDArray, block: int, progress: Progress | None
) -> NDArray[np.float32]:
    """The same in one pass, or in blocks of so many points."""
    if len(pos) > block:
        return _by_blocks(estimator, pos, rows, block, progress)
    if progress is not None:
        progress(0, 1)
    values = _pass(estimator, pos, rows)
    if progress is not None:
        progress(1, 1)
    return values


def _pass(
    estimator: Estimator, pos: NDArray, rows: NDArray, scale: float | None = None, profile: Tensor | None = None
) -> NDArray[np.float32]:
    """Normals and expected errors (M, 4) of rows (M,) of centred points (N, 3) in one pass.

    ``scale`` and ``profile`` are those of the cloud they belong to.
    """
    parameter = next(estimator.parameters())
    index = torch.from_numpy(rows).to(parameter.device)
    with torch.inference_mode():
        positions = torch.from_numpy(pos).to(parameter.device if estimator.accepts_float64 else parameter)
        length = None if scale is None else positions.new_tensor([scale])
        prediction = estimator(positions, scale=length, rows=index, profile=profile)
        normal, parameters = prediction.normal, prediction.error
        error = normal[:, 0] * torch.nan if parameters is None else expected_error(parameters)
        values: NDArray[np.float32] = torch.column_stack([normal, error]).detach().float().cpu().numpy()
    return values


def _by_blocks(
    estimator: Estimator,
    pos: NDArray,
    rows: NDArray,
    block: int,
    progress: Progress | None,
) -> NDArray[np.float32]:
    """Normals and expected errors (M, 4) of rows (M,) of centred points (N, 3), block by block."""
    cloud = merged_cloud(pos)
    points, requested = cloud.pos.numpy(), cloud.index.numpy()[rows]
    mask = np.zeros(len(points), dtype=bool)
    mask[requested] = True
    profile = estimator.measured_profile(cloud.pos, cloud.scale)
    values = np.tile(NONE, (len(points), 1))
    parts = [part for part in blocks(points, block) if mask[part].any()]
    device, most = next(estimator.parameters()).device, max(estimator.concurrent_points // block, 1)
    finished, lock = 0, Lock()

    def report(more: int) -> None:
        nonlocal finished
        with lock:
            finished += more
            if progress is not None:
                progress(finished, len(parts))

    def of_block(part: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        margin = margin_rows(points, part, cloud.scale, REACH, max(block, MARGIN))
        inputs, outputs = np.sort(np.concatenate([part, margin])), part[mask[part]]
        centred = points[inputs] - points[part].mean(0)  # rounding grows with the distance from the origin
        of_outputs = _pass(estimator, centred, np.searchsorted(inputs, outputs), cloud.scale, profile)
        report(1)
        return outputs, of_outputs

    report(0)
    for first in range(0, len(parts), most):
        with torch.inference_mode():  # a parallel map has threads outside training only
            for outputs, of_outputs in parallel_map(of_block, parts[first : first + most], device):
                values[outputs] = of_outputs
    # A point whose whole block lies on a line takes the plane of the cloud, as in one pass.
    missing = mask & ~values[:, :3].any(1)
    if missing.any():
        values[missing, :3] = cloud_normals(*one_cloud(points), 1)[0].numpy()
    return values[requested]


def _checked(block: Block) -> Block:
    """A block as it may be given: a number of points may be of any type, as 1e5."""
    if block is None or (isinstance(block, str) and block == "auto"):
        return block
    number = isinstance(block, int | float | np.number) and not isinstance(block, bool)
    if not (number and block >= 1 and float(block).is_integer()):
        raise ValueError(f'expected block >= 1, a whole number, "auto" or None, got {block!r}')
    return int(block)


def _row_numbers(rows: NDArray, count: int) -> NDArray[np.int64]:
    """Row numbers (M,), from row numbers (M,) or a mask (count,)."""
    given = np.asarray(rows)
    if given.dtype.kind == "b" and given.shape == (count,):
        return np.flatnonzero(given)
    if given.ndim != 1 or (given.dtype.kind not in "iu" and len(given)):
        raise ValueError(f"expected rows (M,) of integers or a mask ({count},), got {given.dtype} {given.shape}")
    if len(given) and not 0 <= given.min() <= given.max() < count:
        raise ValueError(f"expected rows in 0..{count - 1}, got {given.min()}..{given.max()}")
    return given.astype(np.int64)


class EstimatorMethod:
    """An estimator as a ``scoring.Method``: points in, normals out.

    Args:
        estimator: put into evaluation mode.
        name: in tables.
        device: of the estimator.
    """

    def __init__(self, estimator: Estimator, name: str = "network", device: torch.device | str = "cpu") -> None:
        self.estimator = estimator.to(device).eval()
        self.name = name

    @property
    def oriented(self) -> bool:
        """Whether the signs of the normals carry information."""
        return self.estimator.oriented

    @property
    def equivariant(self) -> bool:
        """Whether the normals are exactly O(3)-equivariant."""
        return self.estimator.equivariant

    def __call__(self, points: NDArray, rows: NDArray | None = None) -> NDArray[np.float32]:
        """Normals (N, 3) of the points (N, 3), or (M, 3) of the rows (M,)."""
        return normals_of(self.estimator, points, rows)

    def with_errors(self, points: NDArray, rows: NDArray | None = None) -> NormalsAndErrors:
        """The same with expected errors."""
        return normals_and_errors_of(self.estimator, points, rows)
