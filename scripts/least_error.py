"""The lower bound of the RMSE in noise for an estimate that knows the surface, given as a dense cloud with normals.

python scripts/least_error.py DENSE.ply ... [--points 100000] [--scored 5000] [--seed 0]

Each file holds many points (say a million), evenly distributed on a surface, with normals. Some form the clean cloud,
to which the noise of each of the protocol's levels is added; the others represent the surface.
"""

import sys
from pathlib import Path

from tensorframes.errors import LineParser, UserError, interruptible, loading

with loading():
    import numpy as np
    from scipy.spatial import cKDTree

    from tensorframes.data import read_cloud
    from tensorframes.data.datasets.cleaning import clean
    from tensorframes.data.transforms.corruption import PROTOCOL_NOISE, diagonal
    from tensorframes.scoring import oracle_lower_bound, rmse

CLOSE = 0.5  # standard deviations; farther apart, points do not stand for the surface between them
SAMPLE = 1000  # points whose distances are looked at


def least(file: Path, points: int, scored: int, seed: int) -> dict[str, float]:
    """RMSE in degrees for each noisy category of the cloud in a file.

    Raises:
        UserError: it can't be read, has no normals, not more than ``points`` points, or points too far apart.
    """
    columns, rng = read_cloud(file), np.random.default_rng(seed)
    if columns.normal is None:
        raise UserError(f"{file}: expected points with normals, got none")
    dense = clean(str(file), columns.pos, columns.normal)
    labelled = (dense.normal != 0).any(axis=1)
    pos, normal = dense.pos[labelled].astype(np.float64), dense.normal[labelled]
    if len(pos) <= points:
        raise UserError(f"{file}: expected more than {points} points with normals, got {len(pos)}")
    order = rng.permutation(len(pos))
    taken, rest = order[:points], order[points:]
    rows, length = taken[:scored], diagonal(pos[taken])
    spacing = float(np.median(cKDTree(pos[rest]).query(pos[rest[:SAMPLE]], 2)[0][:, -1]))
    found = {}
    for category, noise in PROTOCOL_NOISE.items():
        if noise == 0:
            continue
        sigma = noise * length
        if not spacing < CLOSE * sigma:
            raise UserError(
                f"{file}: expected neighbours within {CLOSE * sigma:.3g}, half the noise of {category}, got a median "
                f"of {spacing:.3g}: more points are needed"
            )
        seen = pos[rows] + rng.normal(size=(len(rows), 3)) * sigma
        found[category] = rmse(oracle_lower_bound(seen, normal[rows], pos[rest], normal[rest], sigma, seed=seed))
    return found


def main() -> None:
    parser = LineParser(description=__doc__.split("\n")[0])
    parser.add_argument("files", type=Path, nargs="+", help="dense clouds with normals")
    parser.add_argument("--points", type=int, default=100_000, help="points of the noisy cloud (%(default)s)")
    parser.add_argument("--scored", type=int, default=5_000, help="how many of them are scored (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of every draw (%(default)s)")
    given = parser.parse_args()
    if not 1 <= given.scored <= given.points or given.seed < 0:
        parser.error(
            f"expected 1 <= scored <= points and a seed >= 0, got {given.scored}, {given.points} and {given.seed}"
        )
    every = []
    for file in given.files:
        try:
            every.append(least(file, given.points, given.scored, given.seed))
        except UserError as error:
            parser.error(str(error))
        print(file.stem, *(f"{name} {value:.2f}" for name, value in every[-1].items()), sep="  ", flush=True)
    if len(every) > 1:
        means = {name: float(np.mean([each[name] for each in every])) for name in every[0]}
        print("mean", *(f"{name} {value:.2f}" for name, value in means.items()), sep="  ")


if __name__ == "__main__":
    sys.exit(interruptible(main))
