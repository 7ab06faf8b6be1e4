"""The largest share of correct signs in noise that any method can reach on the closed shapes of bench_orient.py.

    python benchmarks/bench_sign_bound.py [--kinds NAME ...] [--categories NAME ...] [--points 1000] [--seed 25]

Of `points` noisy points of each shape it is the share of correct signs of the directions that are most probable given
the surface, 400,000 points with their normals, and the noise (`tensorframes.scoring.oracle_signs`).
"""

import argparse

import numpy as np

from tensorframes.data.synthetic import make_shape
from tensorframes.data.synthetic.shapes.kinds import KINDS
from tensorframes.data.transforms.corruption import PROTOCOL_NOISE, diagonal
from tensorframes.scoring import oracle_signs

SURFACE = 400_000


def main() -> None:
    kinds = [kind.__name__ for kind in KINDS]
    closed = [name for name in kinds if name != "open_surface"]
    noisy = [name for name, noise in PROTOCOL_NOISE.items() if noise > 0]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kinds", nargs="+", default=closed, choices=closed, metavar="NAME")
    parser.add_argument("--categories", nargs="+", default=noisy, choices=noisy, metavar="NAME")
    parser.add_argument("--points", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=25)
    given = parser.parse_args()
    shares: dict[str, list[float]] = {category: [] for category in given.categories}
    for name in given.kinds:
        shape = make_shape(given.seed, "test", kinds.index(name), SURFACE + given.points)
        scored, surface = np.split(np.random.default_rng(given.seed).permutation(len(shape.pos)), [given.points])
        clean, normal = shape.pos[scored], np.asarray(shape.normal)
        for category, found in shares.items():
            sigma, rng = PROTOCOL_NOISE[category] * diagonal(shape.pos), np.random.default_rng(given.seed)
            seen = clean + rng.normal(size=clean.shape) * sigma
            right = oracle_signs(seen, normal[scored], shape.pos[surface], normal[surface], sigma)
            found.append(float(right.mean()))
        print(f"{name:16s}", "  ".join(f"{category} {found[-1]:.4f}" for category, found in shares.items()), flush=True)
    for category, found in shares.items():
        print(f"{category:20s} mean {np.mean(found):.4f} least {min(found):.4f}")


if __name__ == "__main__":
    main()
