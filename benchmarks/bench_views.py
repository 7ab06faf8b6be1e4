"""Shares of correct signs of oriented normals on single views of shapes, as of a range scanner at a distance.

    python benchmarks/bench_views.py [--noise 0 0.003] [--seeds 11 12] [--normals true]

Of 300,000 points of a generated closed shape within the unit sphere the nearest in each of 220 x 220 pixels is kept,
seen from a random direction three radii away, with noise along the ray in radii. Parts hide others, and the surface
ends where it turns away. The exact normals, or those of the weights `fast`, get random signs. Shares are up to a common
sign; beside them those of Open3D's orient_normals_consistent_tangent_plane, where it is installed.
"""

import argparse

import numpy as np
from bench_orient import OPEN, measured, open3d_tree  # type: ignore[import-not-found]

from tensorframes.data.cloud import Cloud
from tensorframes.data.synthetic import make_shape
from tensorframes.data.synthetic.shapes.kinds import KINDS

POINTS, PIXELS, DISTANCE = 300_000, 220, 3.0


def one_view(cloud: Cloud, noise: float, rng: np.random.Generator) -> Cloud:
    """The points of a shape that are seen from one random place, and its normals toward this place."""
    pos, normal = np.asarray(cloud.pos, dtype=np.float64), np.asarray(cloud.normal, dtype=np.float64)
    pos = pos - pos.mean(axis=0)
    pos /= np.linalg.norm(pos, axis=1).max()
    axes = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    eye = DISTANCE * axes[2]
    right, up, depth = axes @ (pos - eye).T * [[1], [1], [-1]]
    pixel = np.floor(PIXELS * (np.stack([right, up]) / depth * np.sqrt(DISTANCE**2 - 1) + 1) / 2).astype(int)
    order = np.lexsort((depth, pixel[1], pixel[0]))
    seen = order[np.r_[True, (np.diff(pixel[:, order]) != 0).any(axis=0)]]
    seen = seen[(normal[seen] * (eye - pos[seen])).sum(axis=1) > 0]  # not through gaps between the points before
    ray = pos[seen] - eye
    ray /= np.linalg.norm(ray, axis=1, keepdims=True)
    name = OPEN[0]  # its signs count up to a common one
    return Cloud(name, pos[seen] + noise * rng.normal(size=(len(seen), 1)) * ray, normal[seen])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--noise", type=float, nargs="+", default=[0.0, 0.003])
    parser.add_argument("--seeds", type=int, nargs="+", default=[11, 12])
    parser.add_argument("--normals", nargs="+", default=["true"], choices=["true", "fast"])
    given, others = parser.parse_args(), open3d_tree()
    for source in given.normals:
        for noise in given.noise:
            shares = []
            for seed in given.seeds:
                for index, kind in enumerate(KINDS):
                    if kind.__name__ in OPEN:
                        continue
                    shape = make_shape(seed, "test", index, POINTS)
                    cloud = one_view(shape, noise, np.random.default_rng((seed, index)))
                    numbers = measured(cloud, source, others)
                    shares.append(numbers[::2])
                    print(
                        f"{source:5s} {noise:5g} {kind.__name__:14s} {numbers[0]:.4f}  Open3D {numbers[2]:.4f}",
                        flush=True,
                    )
            ours, other = np.array(shares).T
            print(
                f"{source:5s} {noise:5g} mean {ours.mean():.4f} least {ours.min():.4f}  "
                f"Open3D mean {other.mean():.4f} least {other.min():.4f}"
            )


if __name__ == "__main__":
    main()
