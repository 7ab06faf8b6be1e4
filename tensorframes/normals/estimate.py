"""``estimate_normals`` and ``normals_and_confidence``: normals of a cloud in one call."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tensorframes.messages import TensorialMessagePassing
from tensorframes.normals.confidence import confidence
from tensorframes.normals.estimator import NormalEstimator
from tensorframes.normals.points import Points, as_array, of_type
from tensorframes.normals.predict import Block, NormalsAndErrors, normals_and_errors_of
from tensorframes.normals.weights import PRETRAINED, chosen_device, load_weights, pretrained, shared
from tensorframes.progress import Progress


@overload
def estimate_normals(  # type: ignore[overload-overlap]  # a tensor may become an array, too
    points: Tensor,
    weights: str | Path | NormalEstimator = "fast",
    device: str | int | torch.device | None = None,
    progress: Progress | None = None,
    block: Block = "auto",
) -> Tensor: ...


@overload
def estimate_normals(
    points: Points,
    weights: str | Path | NormalEstimator = "fast",
    device: str | int | torch.device | None = None,
    progress: Progress | None = None,
    block: Block = "auto",
) -> NDArray[np.float32]: ...


def estimate_normals(
    points: Points,
    weights: str | Path | NormalEstimator = "fast",
    device: str | int | torch.device | None = None,
    progress: Progress | None = None,
    block: Block = "auto",
) -> NDArray[np.float32] | Tensor:
    """Unoriented unit normals of a point cloud, by a trained network.

    The cloud may have any scale, offset and pose: normals of a rotated or reflected cloud are the rotated or reflected
    normals, up to sign, and the order of the points does not matter.

    Args:
        points: (N, 3) numbers in any unit: an array or array-like, a tensor on any device, or a point cloud of Open3D
            or trimesh.
        weights: ``"fast"`` or ``"best"``, which come with the package, or a weights file; or an estimator in
            evaluation mode, which is moved to the device.
        device: where to compute; by default the GPU of the tensor, or else a GPU if there is one.
        progress: called with the number of network layers that have run and their total number, over all blocks.
        block: largest number of points in one pass. Larger clouds are processed in blocks (``normals_of``), so that
            memory is bounded. ``"auto"``: 250,000 on a CPU, as many as fit on a GPU. None: one pass.

    Returns:
        (N, 3) unit vectors: a float32 array, or a tensor on the device and of the dtype of ``points`` (float32 for
        integers). The sign is arbitrary. A row of zeros is "no normal": the point is not finite, very far from all
        others or at a place that many share, or the cloud is a line or a single point.

    Raises:
        ValueError: the points are not (N, 3) numbers, none of them is finite, block < 1, or the estimator is in
            training mode.
        UserError: the weights cannot be read, or the device does not exist.
    """
    return of_type(normals_and_errors(points, weights, device, progress, block).normal, points)


@overload
def normals_and_confidence(  # type: ignore[overload-overlap]  # as above
    points: Tensor,
    weights: str | Path | NormalEstimator = "fast",
    device: str | int | torch.device | None = None,
    progress: Progress | None = None,
    block: Block = "auto",
) -> tuple[Tensor, Tensor]: ...


@overload
def normals_and_confidence(
    points: Points,
    weights: str | Path | NormalEstimator = "fast",
    device: str | int | torch.device | None = None,
    progress: Progress | None = None,
    block: Block = "auto",
) -> tuple[NDArray[np.float32], NDArray[np.float32]]: ...


def normals_and_confidence(
    points: Points,
    weights: str | Path | NormalEstimator = "fast",
    device: str | int | torch.device | None = None,
    progress: Progress | None = None,
    block: Block = "auto",
) -> tuple[NDArray[np.float32] | Tensor, NDArray[np.float32] | Tensor]:
    """Normals (N, 3) as from ``estimate_normals``, and the confidence (N,) in each.

    The confidence is 1 - the expected angle between the normal and the true one, in radians: 1 for an exact normal,
    0.91 where 5 degrees are expected, 0 for a point without a normal, or for one no better than a random axis.
    ``numpy.degrees(1 - confidence)`` is the expected angle in degrees.

    Arguments and types as in ``estimate_normals``.

    Raises:
        ValueError, UserError: as ``estimate_normals``; ValueError also for weights without a model of their error.
    """
    estimated = normals_and_errors(points, weights, device, progress, block)
    if estimated.error is None:
        given = weights if isinstance(weights, str | Path) else "an estimator"
        raise ValueError(f"expected weights with a model of their error for a confidence, got {given} without")
    return of_type(estimated.normal, points), of_type(confidence(estimated.error), points)


def normals_and_errors(
    points: Points,
    weights: str | Path | NormalEstimator,
    device: str | int | torch.device | None,
    progress: Progress | None,
    block: Block,
) -> NormalsAndErrors:
    """Normals and, where the weights have a model of it, expected errors; arguments as in ``estimate_normals``."""
    if device is None and isinstance(points, Tensor) and points.device.type not in ("cpu", "mps"):
        device = points.device
    place = chosen_device(device)
    if isinstance(weights, NormalEstimator):
        estimator = weights.to(place)
    elif weights in PRETRAINED:  # progress is reported by hooks, which concurrent callers must not share
        estimator = shared(str(weights), place) if progress is None else pretrained(str(weights)).to(place)
    else:
        estimator = load_weights(weights).to(place)
    values = as_array(points)
    if progress is None:
        return normals_and_errors_of(estimator, values, block=block)
    with _counting_layers(estimator, progress) as passes:
        return normals_and_errors_of(estimator, values, block=block, progress=passes)


@contextmanager
def _counting_layers(estimator: NormalEstimator, progress: Progress) -> Iterator[Progress]:
    """Reports the layers that have run, of passes at once together; yields the callback that ``normals_of`` reports
    passes to."""
    layers = [module for module in estimator.modules() if isinstance(module, TensorialMessagePassing)]
    each = (2 if estimator.mirrors else 1) * len(layers) + 1  # layers of a pass, and its head
    ran, whole = 0, each
    lock = Lock()  # both readings of a pass run at once, and several passes

    def count(*_: object) -> None:
        nonlocal ran
        with lock:
            ran = min(ran + 1, whole)
            progress(ran, whole)

    def passed(done: int, total: int) -> None:
        nonlocal ran, whole
        with lock:
            ran, whole = max(ran, done * each) if done else 0, total * each
            progress(ran, whole)

    hooks = [layer.register_forward_hook(count) for layer in layers]
    try:
        yield passed
        progress(whole, whole)
    finally:
        for hook in hooks:
            hook.remove()
