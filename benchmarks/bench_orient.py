"""Shares of correct signs of oriented normals on generated closed shapes in PCPNet's six categories, and the time.

    python benchmarks/bench_orient.py [--points 50000] [--kinds NAME ...] [--categories NAME ...]
        [--normals true fast] [--seed 25] [--time 100000] [--files DIR]

Each cloud's normals, the exact ones or those of the weights `fast`, get random signs and are oriented outward. The
signs are compared with those of the exact normals. Beside it Open3D's orient_normals_consistent_tangent_plane, where
it is installed, in the better of its two global signs. `kinds` are those of `data=shapes`, by default all closed ones,
and `terrain`, `stairs`, `hollow_ball` and `cup`. Open surfaces have no outside: their signs count up to a common one.
`--files`: a folder of PCPNet's layout with closed shapes instead of generated ones.
"""

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import overload

import numpy as np

from tensorframes import estimate_normals, orient_normals
from tensorframes.data import PCPNet
from tensorframes.data.cloud import CATEGORIES, Cloud
from tensorframes.data.synthetic import make_shape
from tensorframes.data.synthetic.categories import InCategories
from tensorframes.data.synthetic.making import SPLITS
from tensorframes.data.synthetic.shapes.kinds import KINDS

OPEN = ("open_surface", "terrain", "stairs")

Orient = Callable[[np.ndarray, np.ndarray], np.ndarray]


def terrain(count: int, rng: np.random.Generator) -> Cloud:
    """Smooth hills."""
    x, y = rng.uniform(-3, 3, (2, count))
    z = 0.3 * np.sin(3 * x) * np.cos(2 * y)
    slope = [-0.9 * np.cos(3 * x) * np.cos(2 * y), 0.6 * np.sin(3 * x) * np.sin(2 * y), np.ones(count)]
    normal = np.stack(slope, axis=1)
    return Cloud("terrain", np.stack([x, y, z], axis=1), normal / np.linalg.norm(normal, axis=1, keepdims=True))


def stairs(count: int, rng: np.random.Generator) -> Cloud:
    """Six steps without sides."""
    step, tread = rng.integers(6, size=count), rng.random(count) < 0.6
    along, across = rng.random(count), rng.uniform(0, 3, count)
    y, z = 0.3 * (step + tread * along), 0.2 * (step + np.where(tread, 1, along))
    return Cloud("stairs", np.stack([across, y, z], axis=1), np.where(tread[:, None], [0, 0, 1.0], [0, -1.0, 0]))


def hollow_ball(count: int, rng: np.random.Generator) -> Cloud:
    """With a wall of a tenth of its radius."""
    normal = rng.normal(size=(count, 3))
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    outer = (rng.random(count) < 1 / (1 + 0.9**2))[:, None]
    return Cloud("hollow_ball", np.where(outer, 1, 0.9) * normal, np.where(outer, 1, -1) * normal)


def cup(count: int, rng: np.random.Generator) -> Cloud:
    """A cylinder with a wall and a bottom of a tenth of its radius, open on top."""
    area = np.array([2, 0.9 * 1.9, 1 / 2, 0.9**2 / 2, (1 - 0.9**2) / 2])
    face, along = rng.choice(5, count, p=area / area.sum()), rng.random(count)
    turn = rng.uniform(0, 2 * np.pi, count)
    disc, rim = np.sqrt(along), np.sqrt(0.9**2 + along * (1 - 0.9**2))
    radius = np.choose(face, [1.0, 0.9, disc, 0.9 * disc, rim])
    height = np.choose(face, [2 * along, 0.1 + 1.9 * along, 0.0, 0.1, 2.0])
    out, up = np.choose(face, [1, -1, 0, 0, 0]), np.choose(face, [0, 0, -1, 1, 1])
    x, y = np.cos(turn), np.sin(turn)
    pos, normal = [radius * x, radius * y, height], [out * x, out * y, up]
    return Cloud("cup", np.stack(pos, axis=1), np.stack(normal, axis=1))


SIMPLE = (terrain, stairs, hollow_ball, cup)
NAMES = [kind.__name__ for kind in (*KINDS, *SIMPLE)]


class CleanShapes(Sequence[Cloud]):
    """A clean shape of every kind, made when asked for."""

    def __init__(self, points: int, seed: int) -> None:
        def made(kind: int) -> Cloud:
            if kind < len(KINDS):
                return make_shape(seed, "test", kind, points)
            return SIMPLE[kind - len(KINDS)](points, np.random.default_rng((seed, kind)))

        self.shape = lru_cache(len(NAMES))(made)

    def __len__(self) -> int:
        return len(NAMES)

    @overload
    def __getitem__(self, kind: int) -> Cloud: ...

    @overload
    def __getitem__(self, kind: slice) -> list[Cloud]: ...

    def __getitem__(self, kind: int | slice) -> Cloud | list[Cloud]:
        return [self.shape(each) for each in range(len(self))[kind]] if isinstance(kind, slice) else self.shape(kind)


def shapes(kinds: list[str], categories: list[str], points: int, seed: int) -> Iterator[Cloud]:
    """The shapes of these kinds in each category, by category: the test clouds of ``data=shapes`` with 16 of them."""
    made = InCategories(CleanShapes(points, seed), categories, (seed, SPLITS.index("test")))
    rows = [row for row, name in enumerate(NAMES) if name in kinds]
    return (made[len(NAMES) * column + row] for column in range(len(categories)) for row in rows)


def share_right(found: np.ndarray, normal: np.ndarray) -> float:
    """Part of the points whose normal is on the side of the exact one."""
    return float(((found * normal).sum(axis=1) > 0).mean())


def open3d_tree() -> Orient | None:
    """Open3D's minimum spanning tree, if there is Open3D."""
    try:
        import open3d
    except (ImportError, OSError):
        return None

    def orient(points: np.ndarray, normals: np.ndarray) -> np.ndarray:
        cloud = open3d.geometry.PointCloud(open3d.utility.Vector3dVector(points.astype(np.float64)))
        cloud.normals = open3d.utility.Vector3dVector(normals.astype(np.float64))
        cloud.orient_normals_consistent_tangent_plane(15)
        return np.asarray(cloud.normals)

    return orient


def measured(cloud: Cloud, source: str, others: Orient | None) -> list[float]:
    """Shares of right signs and seconds, ours and Open3D's (NaN without it)."""
    exact = np.asarray(cloud.normal)
    normal = exact if source == "true" else estimate_normals(cloud.pos, source)
    normal = normal * np.random.default_rng(0).choice([-1.0, 1.0], (len(normal), 1))
    numbers = []
    for orient in (orient_normals, others):
        begin = time.perf_counter()
        share = np.nan if orient is None else share_right(orient(cloud.pos, normal), exact)
        outward = orient is orient_normals and not any(name in cloud.name for name in OPEN)
        numbers += [share if outward else max(share, 1 - share), time.perf_counter() - begin]
    return numbers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = [kind.__name__ for kind in KINDS if kind.__name__ not in OPEN]
    parser.add_argument("--points", type=int, default=50_000)
    parser.add_argument("--kinds", nargs="+", default=kinds, choices=NAMES, metavar="NAME")
    parser.add_argument("--categories", nargs="+", default=CATEGORIES, choices=CATEGORIES, metavar="NAME")
    parser.add_argument("--normals", nargs="+", default=["true", "fast"], choices=["true", "fast"])
    parser.add_argument("--seed", type=int, default=25)
    parser.add_argument("--time", type=int, default=100_000, help="points of the clouds that are timed; 0: none")
    parser.add_argument("--files", type=Path)
    given = parser.parse_args()
    others = open3d_tree()
    if given.time:
        print_time(given.time, others)
    for source in given.normals:
        table: dict[str, list[list[float]]] = {}
        clouds = (
            shapes(given.kinds, given.categories, given.points, given.seed)
            if given.files is None
            else PCPNet(given.files, test_list="testset_all").test
        )
        for cloud in clouds:
            numbers = measured(cloud, source, others)
            table.setdefault(cloud.category, []).append(numbers)
            print(f"{source:5s} {cloud.name:48s} {numbers[0]:.4f}  Open3D {numbers[2]:.4f}", flush=True)
        for category, rows in table.items():
            share, _, other, _ = np.array(rows).T
            print(
                f"{source:5s} {category:20s} mean {share.mean():.4f} least {share.min():.4f}  "
                f"Open3D mean {other.mean():.4f} least {other.min():.4f}"
            )


def print_time(count: int, others: Orient | None) -> None:
    """Seconds for a torus, and for a cup whose wall is five standard deviations of noise thick: the median of three
    runs after one to warm up."""
    rng = np.random.default_rng(0)
    u, v = rng.uniform(0, 2 * np.pi, (2, count))
    normal = np.stack([np.cos(v) * np.cos(u), np.cos(v) * np.sin(u), np.sin(v)], axis=1)
    torus = Cloud("torus", np.stack([np.cos(u), np.sin(u), 0 * u], axis=1) + 0.4 * normal, normal)
    clean = cup(count, rng)
    noisy = Cloud("cup in noise", clean.pos + 0.02 * rng.normal(size=(count, 3)), clean.normal)
    for cloud in (torus, noisy):
        seconds = [measured(cloud, "true", others)[1::2] for _ in range(4)]
        ours, open3d = np.median(seconds[1:], axis=0)
        print(f"{cloud.name}, {count:,} points: {ours:.2f} s, Open3D {open3d:.2f} s", flush=True)


if __name__ == "__main__":
    main()
