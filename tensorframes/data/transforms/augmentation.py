"""Random rotations and reflections of training samples."""

from dataclasses import dataclass

import numpy as np

GROUPS = ("off", "z", "so3", "o3")


@dataclass(frozen=True)
class RandomRotation:
    """Samples g uniformly (Haar measure) from a group that acts on points and normals: x -> g x, n -> g n.

    A normal is a polar vector: it is multiplied by g without a factor det g.

    Args:
        group: off (the identity), z (rotations about the third axis), so3 (rotations),
            o3 (rotations and, with probability 1/2, reflections).
    """

    group: str = "o3"

    def __post_init__(self) -> None:
        if self.group not in GROUPS:
            raise ValueError(f"expected a group of {', '.join(GROUPS)}, got {self.group!r}")

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """A (3, 3) float64 matrix g with g^T g = 1."""
        if self.group == "off":
            return np.eye(3)
        if self.group == "z":
            cos, sin = np.cos(angle := rng.uniform(0, 2 * np.pi)), np.sin(angle)
            return np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
        turn = random_orthogonal(rng)
        return turn * np.sign(np.linalg.det(turn)) if self.group == "so3" else turn


def random_orthogonal(rng: np.random.Generator) -> np.ndarray:
    """A uniform element of O(3), (3, 3) float64: the Q of a Gaussian matrix with the diagonal of R made positive.

    The same as ``frames.fixed.haar``, from NumPy's generator: processes of the loader draw samples, and shapes are
    stored, as functions of its state.

    Source: Mezzadri, *How to generate random matrices from the classical compact groups* (2007), section 5.
    """
    q, r = np.linalg.qr(rng.standard_normal((3, 3)))
    return q * np.sign(np.diag(r))


def turned(rows: np.ndarray, g: np.ndarray) -> np.ndarray:
    """g x for each row x: (N, 3) -> (N, 3), computed in float64 and rounded to the dtype of the rows."""
    return (rows.astype(np.float64) @ g.T).astype(rows.dtype)
