"""Errors of normals of small clouds, by number of points.

    python benchmarks/bench_few.py [--points 50 100 200 400 800 1600 3200] [--seeds 3 4]

Clouds of each number of points are drawn evenly from generated shapes of all kinds, without noise, those of the split
`test`. The first columns are RMSE of unoriented normals over the points of a cloud, those of `best`, of `fast` and of
planes through the nearest points; the last ones are observed and expected mean errors of the two networks. All are
degrees and means over the clouds.
"""

import argparse

import numpy as np

from tensorframes.data.cloud import Cloud
from tensorframes.data.synthetic import make_shape
from tensorframes.data.synthetic.shapes.kinds import KINDS
from tensorframes.normals import normals_and_confidence
from tensorframes.scoring import PCA
from tensorframes.scoring.metrics import angles

WEIGHTS, PLANES = ("best", "fast"), (6, 10, 18)
ERRORS = ("mean", "expected")


def row(cloud: Cloud) -> list[float]:
    """The columns for one cloud."""
    points, true = np.asarray(cloud.pos), np.asarray(cloud.normal)
    learned = [normals_and_confidence(points, weights) for weights in WEIGHTS]
    errors = [angles(normals, true) for normals, _ in learned]
    planes = [angles(PCA(k)(points), true) for k in PLANES]
    means = [(error.mean(), np.degrees(1 - sure).mean()) for error, (_, sure) in zip(errors, learned, strict=True)]
    return [float(np.sqrt((error**2).mean())) for error in errors + planes] + [value for two in means for value in two]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, nargs="+", default=[50, 100, 200, 400, 800, 1600, 3200])
    parser.add_argument("--seeds", type=int, nargs="+", default=[3, 4])
    given = parser.parse_args()
    names = [*WEIGHTS, *(f"PCA {k}" for k in PLANES), *(f"{name} {error}" for name in WEIGHTS for error in ERRORS)]
    print("points" + "".join(f"{name:>15s}" for name in names))
    for count in given.points:
        rows = [row(make_shape(seed, "test", index, count)) for seed in given.seeds for index in range(len(KINDS))]
        print(f"{count:6d}" + "".join(f"{value:15.2f}" for value in np.mean(rows, axis=0)), flush=True)


if __name__ == "__main__":
    main()
