"""Misregistered scans: layers displaced against each other."""

from dataclasses import dataclass

import numpy as np

from tensorframes.data.transforms.corruption.corrupted import CorruptedPoints, Noiseless
from tensorframes.data.transforms.ranges import Range


@dataclass(frozen=True)
class Misregistered(Noiseless):
    """Moves random subsets of the points rigidly, all but the first; normals remain those of the clean surface.

    Args:
        layers: number of subsets.
        turn: angle about a random axis through the centre, degrees.
        shift: in a random direction, a fraction of the diagonal of the bounding box.
    """

    layers: Range = (2, 4)
    turn: Range = (0.05, 0.5)
    shift: Range = (0.0004, 0.004)

    def corrupt(self, pos: np.ndarray, length: float, rng: np.random.Generator) -> CorruptedPoints:
        """All points, moved."""
        middle = (pos.min(0).astype(np.float64) + pos.max(0)) / 2
        off = pos - middle
        share = rng.uniform(0.3, 1.0, int(self.layers))
        layer = rng.choice(int(self.layers), len(pos), p=share / share.sum())
        for each in range(1, int(self.layers)):
            rows = layer == each
            axis, direction = (part / np.linalg.norm(part) for part in rng.standard_normal((2, 3)))
            angle, shift = np.radians(self.turn) * rng.uniform(0.5, 1), self.shift * length * rng.uniform(0.5, 1)
            turned = _turned(off[rows], axis, angle)
            off[rows] = turned + shift * direction
        return CorruptedPoints((off + middle).astype(np.float32), np.arange(len(pos)))


def _turned(off: np.ndarray, axis: np.ndarray, angle: float) -> np.ndarray:
    """Rodrigues' formula for (N, 3) vectors."""
    along = (off @ axis)[:, None] * axis
    return along + np.cos(angle) * (off - along) + np.sin(angle) * np.cross(axis, off)
