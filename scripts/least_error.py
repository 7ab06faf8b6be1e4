"""How small the error in noise can be at all: the RMSE of who knows the surface, given as a dense cloud with normals.

python scripts/least_error.py DENSE.ply ... [--points 100000] [--scored 5000] [--seed 0]

Each file holds many points (say a million) that fill a surface evenly, with normals. Some are taken as the clean cloud
and moved by the noise of each of the protocol's levels; the others stand for the surface.
"""

from pathlib import Path

import numpy as np

from tensorframes.clouds import read_cloud
from tensorframes.clouds.corruption import PROTOCOL_NOISE, diagonal
from tensorframes.errors import LineParser, UserError
from tensorframes.scoring import least_errors, rmse


def least(file: Path, points: int, scored: int, seed: int) -> dict[str, float]:
    """RMSE in degrees for each noisy category of the cloud in a file.

    Raises:
        UserError: it can't be read, has no normals, or not more than ``points`` points.
    """
    dense, rng = read_cloud(file), np.random.default_rng(seed)
    if dense.normal is None or len(dense.pos) <= points:
        found = f"{len(dense.pos)}" if dense.normal is not None else "none with normals"
        raise UserError(f"{file}: expected more than {points} points with normals, got {found}")
    order = rng.permutation(len(dense.pos))
    clean, rest = order[:points], order[points:]
    rows, length = clean[:scored], diagonal(dense.pos[clean])
    pos, normal = dense.pos.astype(np.float64), dense.normal
    found = {}
    for category, noise in PROTOCOL_NOISE.items():
        if noise > 0:
            seen = pos[rows] + rng.normal(size=(len(rows), 3)) * noise * length
            errors = least_errors(seen, normal[rows], pos[rest], normal[rest], noise * length, seed=seed)
            found[category] = rmse(errors)
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
    main()
