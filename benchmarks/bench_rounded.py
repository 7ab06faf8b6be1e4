"""Errors of normals on surfaces whose heights are rounded to coarse steps, as in depth from triangulation.

    python benchmarks/bench_rounded.py [--steps 0.1 0.2 0.5 1 2 4]

110 x 110 points of a wavy, tilted surface, whose heights are rounded to multiples of a step, in spacings of the points.
Columns: mean errors of unoriented normals in degrees, of `best` and `fast` with their expected errors, and of planes
through the nearest points.
"""

import argparse

import numpy as np

from tensorframes.normals import normals_and_confidence
from tensorframes.scoring import PCA
from tensorframes.scoring.metrics import angles

WEIGHTS, PLANES, WIDTH = ("best", "fast"), (18, 40, 112), 110


def wavy() -> tuple[np.ndarray, np.ndarray]:
    """Points (N, 3), one spacing apart, and their normals."""
    x, y = (axis.ravel() for axis in np.meshgrid(np.arange(WIDTH, dtype=float), np.arange(WIDTH, dtype=float)))
    z = 0.45 * x + 0.2 * y + 6 * np.sin(x / 25) * np.cos(y / 30)
    slope_x = 0.45 + 6 / 25 * np.cos(x / 25) * np.cos(y / 30)
    slope_y = 0.2 - 6 / 30 * np.sin(x / 25) * np.sin(y / 30)
    normal = np.stack([-slope_x, -slope_y, np.ones_like(x)], axis=1)
    return np.stack([x, y, z], axis=1), normal / np.linalg.norm(normal, axis=1, keepdims=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=float, nargs="+", default=[0.1, 0.2, 0.5, 1, 2, 4])
    given, (exact, true) = parser.parse_args(), wavy()
    names = [name for weights in WEIGHTS for name in (weights, "expected")] + [f"PCA {k}" for k in PLANES]
    print("  step" + "".join(f"{name:>10s}" for name in names))
    for step in given.steps:
        points = exact.copy()
        points[:, 2] = np.round(exact[:, 2] / step) * step
        learned = [normals_and_confidence(points, weights) for weights in WEIGHTS]
        values = [value for normals, sure in learned for value in (angles(normals, true), np.degrees(1 - sure))]
        values += [angles(PCA(k)(points), true) for k in PLANES]
        print(f"{step:6g}" + "".join(f"{value.mean():10.2f}" for value in values), flush=True)


if __name__ == "__main__":
    main()
