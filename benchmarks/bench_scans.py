"""Shares of correct signs of normals oriented outward, on range scans of one position.

    python benchmarks/bench_scans.py [--points 20000] [--seed 9] [--normals true fast] [--files FILE ...]

Scans of generated streets and rooms (`data=shapes_sensors`, with one position each), with a street for each kind of
shape that stands in it: a spinning LiDAR, a depth camera, a terrestrial scanner. The exact normals, which face the
sensor, or those of the weights `fast`, get random signs. Shares are up to a common sign; beside them those of
Open3D's orient_normals_consistent_tangent_plane, where it is installed, and the number of scans whose common sign is
right. `--files` are scans with the sensor at the origin instead, whose correct signs are those towards it.
"""

import argparse

import numpy as np
from bench_orient import Orient, open3d_tree, share_right  # type: ignore[import-not-found]

from tensorframes import estimate_normals, orient_normals
from tensorframes.data.cloud import Cloud
from tensorframes.data.io import read_cloud
from tensorframes.data.synthetic.sampling import DepthImage, Sampling, SpinningLidar, TerrestrialScan
from tensorframes.data.synthetic.shapes.kinds import KINDS

SCANNERS: dict[str, Sampling] = {
    "spinning_lidar": SpinningLidar(alone=0.0),
    "depth_image": DepthImage(views=1, scene=1.0),
    "terrestrial_scan": TerrestrialScan(views=1, scene=1.0),
}


def scan(name: str, index: int, points: int, seed: int) -> Cloud | None:
    """A scan of a street with shapes of a kind; None if too little of it is seen."""
    rng = np.random.default_rng((seed, index, *name.encode()))
    try:
        pos, normal = SCANNERS[name].sample(KINDS[index](rng), points, rng)
    except ValueError:
        return None
    return Cloud(f"{name}_{KINDS[index].__name__}", pos, normal)


def from_origin(file: str) -> Cloud:
    """The normals of `fast` towards the origin, at the points of a file."""
    pos = np.asarray(read_cloud(file).pos, dtype=np.float64)
    pos = pos[np.isfinite(pos).all(1) & (pos != 0).any(1)]
    normal = estimate_normals(pos, "fast")
    return Cloud(file, pos, normal * np.where((normal * pos).sum(1, keepdims=True) > 0, -1.0, 1.0))


def shares(cloud: Cloud, source: str, others: Orient | None) -> tuple[float, float]:
    """Shares of the signs of labelled points that are correct: ours, and Open3D's up to a common sign."""
    exact = np.asarray(cloud.normal)
    labelled = (exact != 0).any(1)
    normal = exact if source == "true" else np.asarray(estimate_normals(cloud.pos, source))
    normal = normal * np.random.default_rng(0).choice([-1.0, 1.0], (len(normal), 1))
    ours = share_right(orient_normals(cloud.pos, normal)[labelled], exact[labelled])
    if others is None:
        return ours, np.nan
    theirs = share_right(others(cloud.pos[labelled], normal[labelled]), exact[labelled])
    return ours, max(theirs, 1 - theirs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=9)
    parser.add_argument("--normals", default="fast", choices=["true", "fast"])
    parser.add_argument("--files", nargs="*")
    given, others = parser.parse_args(), open3d_tree()
    for file in given.files or ():
        ours, theirs = shares(from_origin(file), "true", others)
        print(f"{file}  {ours:.4f}  Open3D, up to a common sign {theirs:.4f}", flush=True)
    for name in SCANNERS if given.files is None else ():
        found = []
        for index, kind in enumerate(KINDS):
            cloud = scan(name, index, given.points, given.seed)
            if cloud is None:
                continue
            found.append(shares(cloud, given.normals, others))
            print(f"{name:17s} {kind.__name__:14s} {found[-1][0]:.4f}  Open3D {found[-1][1]:.4f}", flush=True)
        ours, theirs = np.array(found).T
        either = np.maximum(ours, 1 - ours)
        print(
            f"{name:17s} mean {either.mean():.4f} least {either.min():.4f} common sign {(ours > 0.5).sum()} of "
            f"{len(ours)}  Open3D mean {theirs.mean():.4f} least {theirs.min():.4f}"
        )


if __name__ == "__main__":
    main()
