"""Writes generated shapes in PCPNet's layout: python scripts/make_shapes.py FOLDER [--points 100000] [--seed 0] ..."""

import sys
from pathlib import Path

from tensorframes.errors import LineParser, UserError, interruptible, loading


def main() -> None:
    with loading():
        from tensorframes.data.synthetic import Shapes, write_pcpnet
    parser = LineParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where the files go; the shapes are cached in it, too")
    for name, default in (("train", 8), ("val", 3), ("test", 4)):
        parser.add_argument(f"--{name}", type=int, default=default, help=f"number of {name} shapes (%(default)s)")
    parser.add_argument("--points", type=int, default=100_000, help="points of each clean shape (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of every draw (%(default)s)")
    given = parser.parse_args()
    try:
        shapes = Shapes(given.folder, given.train, given.val, given.test, given.points, given.points, given.seed)
        given.folder.mkdir(parents=True, exist_ok=True)
    except ValueError as error:
        parser.error(str(error))
    except OSError as error:
        parser.error(f"expected a folder that can be written to, got {given.folder} ({error.strerror})")
    try:
        write_pcpnet(shapes, given.folder)
    except (UserError, OSError) as error:  # the cache's, or a full disk's
        parser.error(str(error))


if __name__ == "__main__":
    sys.exit(interruptible(main))
