"""Errors of normals on clouds and meshes in files, which need no true normals.

    python benchmarks/bench_files.py FILE ... [--weights fast best] [--planes 18 40]

Mean and 90th percentile of unoriented angles in degrees, of trained weights and of planes through the nearest points.
The reference is, by column `at`:

- vertices: the sum of the normals of the faces at a vertex of a mesh, weighted by their areas;
- flat: for a cloud, the plane through the 200 nearest points, at those of 12,000 random places where the surface is
  flat. There the surface variation of these points is below 0.004 and among the smallest 30 %, their second variance is
  above 0.15 of the first, this plane and that through 100 points agree within 2 degrees, and 98 % of the points are
  within five times the median distance to it. Planes through fewer of the same points share part of its error, so that
  this favours them.
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from tensorframes.data.io import read_cloud
from tensorframes.data.io.faces import Faces
from tensorframes.normals import normals_and_confidence
from tensorframes.scoring import PCA
from tensorframes.scoring.metrics import angles

PLACES, WIDE, NARROW = 12_000, 200, 100
AGREE = 2.0  # degrees between both planes
THIN, FLATTEST = 0.004, 0.3  # largest surface variation, and share of the places with the smallest
ELONGATED = 0.15  # least ratio of the second to the largest variance: wires and scan lines have less

Reference = tuple[str, NDArray, NDArray]  # its name, rows (M,) of the points, normals (M, 3)


def planes(near: NDArray) -> tuple[NDArray, NDArray]:
    """Eigenvalues (M, 3), ascending, and normals (M, 3) of the covariances of (M, K, 3) points."""
    centred = near - near.mean(1, keepdims=True)
    variances, axes = np.linalg.eigh(np.swapaxes(centred, 1, 2) @ centred / near.shape[1])
    return variances, axes[:, :, 0]


def flat(pos: NDArray) -> Reference:
    """Planes at flat places of a cloud (N, 3) of finite points."""
    first = np.unique(pos, axis=0, return_index=True)[1]
    points = pos[first] - pos[first].mean(0)
    picked = np.random.default_rng(0).permutation(len(points))[:PLACES]
    near = points[cKDTree(points).query(points[picked], min(WIDE, len(points)))[1]]
    variances, normals = planes(near)
    variation = variances[:, 0] / variances.sum(1)
    heights = np.abs(((near - near.mean(1, keepdims=True)) * normals[:, None]).sum(2))
    good = (variation < THIN) & (variation <= np.quantile(variation, FLATTEST))
    good &= variances[:, 1] > ELONGATED * variances[:, 2]
    good &= angles(planes(near[:, :NARROW])[1], normals) < AGREE
    good &= np.quantile(heights, 0.98, axis=1) <= 5 * np.median(heights, axis=1)
    return "flat", first[picked[good]], normals[good]


def vertices(pos: NDArray, faces: Faces) -> Reference:
    """Normals of a mesh at its vertices (N, 3); those of equal coordinates are one vertex."""
    lengths, corners = faces.lengths, faces.corners
    begins = np.cumsum(lengths) - lengths
    fans = [np.stack([begins, begins + k, begins + k + 1], 1)[lengths > k + 1] for k in range(1, lengths.max() - 1)]
    triangles = corners[np.concatenate(fans)]
    vertex = np.unique(pos, axis=0, return_inverse=True)[1].ravel()
    a, b, c = pos[triangles].swapaxes(0, 1)
    area, total = np.cross(b - a, c - a), np.zeros((vertex.max() + 1, 3))
    for corner in triangles.T:
        np.add.at(total, vertex[corner], area)
    length = np.linalg.norm(total, axis=1)
    rows = np.flatnonzero(length[vertex] > 0)
    return "vertices", rows, total[vertex[rows]] / length[vertex[rows], None]


def shown(normals: NDArray, true: NDArray) -> str:
    errors = angles(normals, true)
    return f"{errors.mean():6.2f} /{np.quantile(errors, 0.9):6.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--weights", nargs="*", default=["fast", "best"])
    parser.add_argument("--planes", nargs="*", type=int, default=[18, 40])
    given = parser.parse_args()
    names = [Path(name).stem for name in given.weights] + [f"PCA {k}" for k in given.planes]
    print(f"{'file':24s}{'points':>9s}  {'at':8s}{'places':>7s}" + "".join(f"{name:>16s}" for name in names))
    for path in given.files:
        cloud = read_cloud(path)
        finite = np.isfinite(cloud.pos).all(1)
        pos = cloud.pos[finite]
        mesh = cloud.faces if finite.all() else None
        at, rows, true = flat(pos) if mesh is None or mesh.lengths.max(initial=0) < 3 else vertices(pos, mesh)
        line = f"{path.name[:23]:24s}{len(pos):9d}  {at:8s}{len(rows):7d}"
        if len(rows):
            learned = [normals_and_confidence(pos, weights)[0][rows] for weights in given.weights]
            found = learned + [PCA(k)(pos)[rows] for k in given.planes]
            line += "".join(f"{shown(normals, true):>16s}" for normals in found)
        print(line, flush=True)


if __name__ == "__main__":
    main()
