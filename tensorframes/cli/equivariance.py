"""Equivariance errors of a method: under finite rotations and reflections, and for networks the Lie derivative."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tensorframes.cli.results import show, shown
from tensorframes.data import Cloud
from tensorframes.data.samples import nearest
from tensorframes.normals import EstimatorMethod
from tensorframes.progress import track
from tensorframes.reports import equivariance_table, lie_picture, lie_table
from tensorframes.reports.equivariance import STORED
from tensorframes.scoring import Method, equivariance_error, lie_derivative

ELEMENTS = 4
"""Number of random rotations and reflections of each cloud."""

PATCH = 2048
"""Number of points around a random point of each cloud at which the Lie derivative is measured."""

log = logging.getLogger(__name__)


def report_equivariance(method: Method, clouds: Sequence[Cloud], seed: int, folder: Path) -> dict[str, Any]:
    """Measure the equivariance errors of a method, with coordinates stored in float32 and in float64.

    Prints tables and, for a network, draws lie_derivative.png. Returns the content of the JSON file.
    """
    results: dict[str, Any] = {name: {} for name in STORED}
    for cloud in track(clouds, f"Equivariance of {method.name}"):
        for name, stored in STORED.items():
            error = equivariance_error(method, cloud, ELEMENTS, seed=seed, stored=np.dtype(stored).type)
            results[name][cloud.name] = error.as_dict()
    for name, stored in STORED.items():
        show(equivariance_table(results[name], f"{method.name}, turned, then stored in {stored}"))
    if isinstance(method, EstimatorMethod):
        results["lie_derivative"] = local = local_errors(method.estimator, clouds, seed)
        show(lie_table(local))
        lie_picture(local, "Where equivariance is lost", folder / "lie_derivative.png")
        log.info("%s: lie_derivative.png", shown(folder))
    return results


def local_errors(estimator: torch.nn.Module, clouds: Sequence[Cloud], seed: int) -> dict[str, dict[str, float]]:
    """The Lie derivative by mode (``frozen``, ``anew``) and layer: root mean squares over patches of the clouds."""
    rng = np.random.default_rng(seed)
    squares: dict[str, dict[str, list[float]]] = {"frozen": {}, "anew": {}}
    for cloud in track(clouds, "Lie derivative"):
        pos = patch(cloud.pos, rng).to(next(estimator.parameters()).device)
        for mode, places in squares.items():
            found = lie_derivative(estimator, pos, frozen=mode == "frozen")
            if found is not None:
                for place, error in {"normal": found.normal, **found.layers}.items():
                    places.setdefault(place, []).append(error**2)
    by_mode = {mode: {place: float(np.sqrt(np.mean(v))) for place, v in each.items()} for mode, each in squares.items()}
    return {mode: places for mode, places in by_mode.items() if places}


def patch(pos: np.ndarray, rng: np.random.Generator) -> Tensor:
    """The PATCH points of a cloud nearest to a random one, float64."""
    exact = pos.astype(np.float64)
    return torch.from_numpy(exact[nearest(np.square(exact - exact[rng.integers(len(exact))]).sum(1), PATCH)])
