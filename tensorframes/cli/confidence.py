"""Comparison of expected with observed errors of a network."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tensorframes.cli.results import show, shown
from tensorframes.data import Cloud
from tensorframes.errors import UserError
from tensorframes.normals import EstimatorMethod
from tensorframes.progress import track
from tensorframes.reports import confidence_picture, confidence_table
from tensorframes.scoring import Method, angles, confidence_scores, surface_variation
from tensorframes.scoring.method import truth_of

log = logging.getLogger(__name__)


def expect_errors(method: Method) -> EstimatorMethod:
    """The method, whose network must have a model of its error.

    Raises:
        UserError: it has none, or is no network.
    """
    if not isinstance(method, EstimatorMethod) or not method.estimator.predicts_error:
        raise UserError(f"expected weights with a model of their error for confidence=true, got {method.name} without")
    return method


def report_confidence(method: EstimatorMethod, clouds: Sequence[Cloud], folder: Path) -> dict[str, Any]:
    """Compare expected and observed errors at the scored points. Prints a table and draws confidence.png.

    Returns the content of the JSON file, by the name "confidence".
    """
    found = []
    for cloud in track(clouds, f"Expected errors of {method.name}"):
        rows = cloud.eval_index
        estimated = method.with_errors(cloud.pos, rows)
        observed = angles(estimated.normal, truth_of(cloud)[rows])
        variation = surface_variation(cloud.pos, rows)
        found.append((np.degrees(np.asarray(estimated.error, dtype=np.float64)), observed, variation))
    scores = confidence_scores(found)
    show(confidence_table(scores, f"{method.name}, expected and observed errors"))
    confidence_picture(scores, "Expected and observed errors", folder / "confidence.png")
    log.info("%s: confidence.png", shown(folder))
    return {"confidence": scores}
