"""Normals in one line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from tensorframes.messages import TensorialMessagePassing
from tensorframes.normals.estimator import NormalEstimator
from tensorframes.normals.predict import BLOCK, normals_of
from tensorframes.normals.weights import PRETRAINED, chosen_device, load_weights, pretrained


def estimate_normals(
    points: ArrayLike,
    weights: str | Path = "best",
    device: str | torch.device | None = None,
    progress: Callable[[float], None] | None = None,
    block: int | None = BLOCK,
) -> NDArray[np.float32]:
    """Unoriented unit normals of a point cloud, by a trained network.

    The cloud may have any scale, offset and pose: normals of a turned or reflected cloud are the turned or reflected
    normals, up to their signs, and the order of the points does not matter.

    Args:
        points: (N, 3) numbers, an array or anything that becomes one.
        weights: ``"best"`` or ``"fast"``, which come with the package, or a weights file.
        device: where to compute; by default a GPU if there is one.
        progress: called with the share of the work that is done, from 0 to 1.
        block: clouds of more points are processed in blocks of at most so many (``normals_of``), so that memory is
            bounded; None: in one pass.

    Returns:
        (N, 3) float32 unit vectors. The sign is arbitrary. A row of zeros is "no normal": the point is not finite or
        very far from all others, or the cloud is a line or a single point.

    Raises:
        ValueError: the points are not (N, 3) finite numbers, or there are no such weights (``UserError``); block < 1.
    """
    estimator = pretrained(str(weights)) if weights in PRETRAINED else load_weights(weights)
    estimator = estimator.to(chosen_device(device))
    values = points.detach().cpu().double().numpy() if isinstance(points, torch.Tensor) else np.asarray(points)
    if progress is None:
        return normals_of(estimator, values, block=block)
    with _reporting(estimator, progress) as passes:
        return normals_of(estimator, values, block=block, progress=passes)


@contextmanager
def _reporting(estimator: NormalEstimator, progress: Callable[[float], None]) -> Iterator[Callable[[int, int], None]]:
    """Reports the share of message passing layers that have run. Yields the function to call when a pass begins."""
    layers = [module for module in estimator.modules() if isinstance(module, TensorialMessagePassing)]
    total, ran, passes = (2 if estimator.mirrors else 1) * len(layers) + 1, [0], [0, 1]
    lock = Lock()  # both readings of a pass run at once

    def count(*_: object) -> None:
        with lock:
            ran[0] += 1
            progress((passes[0] + min(1.0, ran[0] / total)) / passes[1])

    def begun(done: int, all_of_them: int) -> None:
        ran[0], passes[:] = 0, [done, all_of_them]

    hooks = [layer.register_forward_hook(count) for layer in layers]
    progress(0.0)
    try:
        yield begun
        progress(1.0)
    finally:
        for hook in hooks:
            hook.remove()
