"""Poisson reconstructions from our normals and from Open3D's: a picture, and distances to the true surfaces.

python examples/reconstruction.py docs/images/reconstruction.png

Shapes with known surfaces are sampled with noise. Their normals are estimated by the weights ``fast`` with our
orientation, and by Open3D, which reconstructs the surface from each (Kazhdan, Hoppe: "Screened Poisson Surface
Reconstruction", 2013). Needs the extras ``train`` and ``open3d``.
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import open3d
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image
from scipy.spatial import cKDTree

import tensorframes
from tensorframes.data.synthetic import make_shape
from tensorframes.reports.markdown import markdown_table
from tensorframes.reports.pictures import error_colours, saved
from tensorframes.reports.splats import best_view, draw

SHAPES = {"machine part": 11, "body with limbs": 5}
"""Shapes of the test split of seed SEED, by index."""
SEED, POINTS, TRUE_POINTS = 7, 20_000, 50_000
NOISE = 0.003  # standard deviation, as a share of the bounding box's diagonal
NEIGHBOURS, DEPTH = 30, 7  # of Open3D's estimate; of the octree
PIXELS = 300
LIMIT = 0.01  # distance at the dark end of the colours, as a share of the diagonal


@dataclass(frozen=True)
class Surface:
    """Points of a surface with normals."""

    pos: NDArray[np.float64]  # (N, 3)
    normal: NDArray[np.float64]  # (N, 3)


def scan(index: int) -> tuple[NDArray[np.float64], Surface, float]:
    """Noisy points (POINTS, 3) of a shape, points of its true surface, and the diagonal of its bounding box."""
    shape = make_shape(SEED, "test", index, POINTS + TRUE_POINTS)
    pos, normal = shape.pos.astype(np.float64), np.asarray(shape.normal, dtype=np.float64)
    diagonal = float(np.linalg.norm(np.ptp(pos, axis=0)))
    noise = np.random.default_rng(SEED).normal(scale=NOISE * diagonal, size=(POINTS, 3))
    return pos[:POINTS] + noise, Surface(pos[POINTS:], normal[POINTS:]), diagonal


def ours(points: NDArray[np.float64]) -> NDArray:
    """Our normals and our signs."""
    return tensorframes.orient_normals(points, tensorframes.estimate_normals(points, "fast"), "outward")


def open3ds(points: NDArray[np.float64], signs: bool) -> NDArray:
    """Open3D's normals (PCA), with its signs (a minimum spanning tree), or with ours."""
    cloud = open3d.geometry.PointCloud(open3d.utility.Vector3dVector(points))
    cloud.estimate_normals(open3d.geometry.KDTreeSearchParamKNN(NEIGHBOURS))
    if signs:
        cloud.orient_normals_consistent_tangent_plane(NEIGHBOURS)
        return np.asarray(cloud.normals)
    return tensorframes.orient_normals(points, np.asarray(cloud.normals), "outward")


def reconstructed(points: NDArray[np.float64], normals: NDArray, depth: int = DEPTH) -> Surface:
    """TRUE_POINTS points of Open3D's Poisson reconstruction."""
    cloud = open3d.geometry.PointCloud(open3d.utility.Vector3dVector(points))
    cloud.normals = open3d.utility.Vector3dVector(np.asarray(normals, dtype=float))
    open3d.utility.random.seed(SEED)
    mesh, _ = open3d.geometry.TriangleMesh.create_from_point_cloud_poisson(cloud, depth=depth)
    mesh.compute_vertex_normals()
    sample = mesh.sample_points_uniformly(TRUE_POINTS)
    return Surface(np.asarray(sample.points), np.asarray(sample.normals))


def distances(points: NDArray[np.float64], surface: Surface) -> NDArray[np.float64]:
    """Distance (N,) of each point to a surface.

    It is that to the tangent plane of the nearest sample y, |(x - y) . n|, which the spacing of the samples does not
    blur, and |x - y| where y is farther than three spacings.
    """
    tree = cKDTree(surface.pos)
    spacing = np.median(tree.query(surface.pos[:1000], k=[2])[0])
    far, nearest = tree.query(points)
    along = np.abs(np.einsum("ni,ni->n", points - surface.pos[nearest], surface.normal[nearest]))
    return np.where(far > 3 * spacing, far, along)


def chamfer(found: Surface, true: Surface) -> float:
    """The mean of the mean distances of each surface to the other."""
    return float((distances(found.pos, true).mean() + distances(true.pos, found).mean()) / 2)


def coloured(surface: Surface, true: Surface, diagonal: float) -> NDArray:
    """An image of the surface in colours of the distance to the true one, seen as that is seen at its best."""
    colour = error_colours()(np.clip(distances(surface.pos, true) / diagonal / LIMIT, 0, 1))[:, :3]
    return draw(surface.pos, colour, surface.normal, best_view(true.pos), pixels=PIXELS)


def main(path: Path) -> None:
    """Reconstruct all, print the distances, draw the picture."""
    methods = {
        "ours": ours,
        "Open3D's, our signs": lambda points: open3ds(points, signs=False),
        "Open3D's": lambda points: open3ds(points, signs=True),
    }
    heads = ["the scan, our normals", *(f"from {name}" for name in methods)]
    figure = Figure(figsize=(2.4 * len(heads), 2.2 * len(SHAPES)), layout="constrained", dpi=110)
    axes = figure.subplots(len(SHAPES), len(heads), squeeze=False)
    lines = [["shape", *methods]]
    for row, (name, index) in enumerate(SHAPES.items()):
        points, true, diagonal = scan(index)
        normals = {method: np.asarray(of(points), dtype=float) for method, of in methods.items()}
        found = {method: reconstructed(points, each) for method, each in normals.items()}
        lines.append([name, *(f"{100 * chamfer(surface, true) / diagonal:.3f}" for surface in found.values())])
        print(lines[-1], file=sys.stderr)
        view = best_view(true.pos)
        images = [draw(points, (normals["ours"] + 1) / 2, normals["ours"], view, pixels=PIXELS)]
        images += [coloured(surface, true, diagonal) for surface in found.values()]
        for column, (axis, image) in enumerate(zip(axes[row], images, strict=True)):
            axis.imshow(image)
            axis.set(xticks=[], yticks=[], frame_on=False)
            if row == 0:
                axis.set_title(heads[column], fontsize=9)
        axes[row][0].set_ylabel(name, fontsize=9)
    print(markdown_table(lines))
    print(small(saved(figure, path)))


def small(path: Path) -> Path:
    """The picture with 256 colours: a third of the size."""
    Image.open(path).convert("RGB").quantize(256).save(path, optimize=True)
    return path


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("picture", type=Path, help="the file to write")
    main(parser.parse_args().picture)
