"""A whole cloud in, normals out."""

from tensorframes.inference.estimate import estimate_normals
from tensorframes.inference.weights import (
    PRETRAINED,
    about,
    built,
    chosen_device,
    load_weights,
    pretrained,
    pretrained_path,
    save_weights,
)
from tensorframes.inference.whole import EstimatorMethod, normals_of

__all__ = [
    "PRETRAINED",
    "EstimatorMethod",
    "about",
    "built",
    "chosen_device",
    "estimate_normals",
    "load_weights",
    "normals_of",
    "pretrained",
    "pretrained_path",
    "save_weights",
]
