"""Writes generated shapes in PCPNet's layout: python scripts/make_shapes.py FOLDER [--points 100000] [--seed 0] ..."""

import argparse
from pathlib import Path

from tensorframes.clouds.shapes import Shapes, write_pcpnet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where the files go; the shapes are cached in it, too")
    for name, default in (("train", 8), ("val", 3), ("test", 4)):
        parser.add_argument(f"--{name}", type=int, default=default, help=f"number of {name} shapes (%(default)s)")
    parser.add_argument("--points", type=int, default=100_000, help="points of each clean shape (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of every draw (%(default)s)")
    given = parser.parse_args()
    shapes = Shapes(given.folder, given.train, given.val, given.test, given.points, given.points, given.seed)
    write_pcpnet(shapes, given.folder)


if __name__ == "__main__":
    main()
