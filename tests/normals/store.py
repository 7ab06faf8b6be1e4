"""The stored normals that ``test_stored.py`` compares with: run ``python tests/normals/store.py`` to write them anew.

Only for weights whose values changed on purpose; a change of code leaves the stored normals as they are.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tensorframes.normals import NormalEstimator, load_weights, normals_of, pretrained

STORED = Path(__file__).parent / "stored"
FILE = STORED / "normals.npz"
WEIGHTS = ("best", "fast", "format1")


def clouds() -> dict[str, NDArray[np.float64]]:
    """A random noisy surface, a regular grid, and rings of a tube, about 300 points each."""
    rng = np.random.default_rng(0)
    u, v = rng.uniform(-1, 1, (2, 300))
    noisy = np.stack([u, v, 0.4 * np.sin(3 * u) * v], axis=1) + 0.02 * rng.normal(size=(300, 3))
    x, y = (each.ravel() for each in np.meshgrid(np.arange(18.0), 1.07 * np.arange(17.0), indexing="ij"))
    grid = np.stack([x, y, 2 * np.abs(0.31 * x - 2.2) + 0.01 * y**2], axis=1)
    along, turn = (each.ravel() for each in np.meshgrid(np.arange(6.0), np.arange(50) * 2 * np.pi / 50, indexing="ij"))
    turn = turn + 0.03 * along
    radius = 1.5 + 0.2 * np.cos(along) + 0.1 * np.cos(3 * turn)
    rings = np.stack([radius * np.cos(turn), radius * np.sin(turn), 1.1 * along], axis=1)
    return {"noisy": noisy, "grid": grid, "rings": rings}


def estimator(name: str) -> NormalEstimator:
    """The network of shipped or stored weights, in float64: what float32 rounds differs between processors."""
    given = pretrained(name) if name != "format1" else load_weights(STORED / "format1.safetensors")
    return given.double()


def main() -> None:
    """Write clouds and normals."""
    points = clouds()
    normals = {
        f"{weights}.{name}": normals_of(estimator(weights), pos) for weights in WEIGHTS for name, pos in points.items()
    }
    np.savez_compressed(FILE, **points, **normals)


if __name__ == "__main__":
    main()
