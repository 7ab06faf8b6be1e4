"""A small cloud with features, for tests of whole networks."""

import torch
from torch import Tensor

from tensorframes.geometry import knn_graph
from tensorframes.reps import TensorReps

W = 8
REPS = TensorReps("2x0 + 2x1")  # W numbers


def cloud(count: int = 14, seed: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    pos = torch.randn(count, 3, dtype=torch.float64, generator=generator)
    return pos, torch.randn(count, W, dtype=torch.float64, generator=generator), knn_graph(pos, 5)
