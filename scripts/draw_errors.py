"""Draws the errors of a network and of PCA on one of the generated test shapes: the picture of the README.

python scripts/draw_errors.py outputs/shapes/TIME/checkpoints/best.ckpt 1 docs/images/errors.png
"""

import sys
from pathlib import Path

from tensorframes.errors import LineParser, UserError, interruptible, loading


def main() -> None:
    with loading():
        from tensorframes.cli.checkpoint import load_estimator
        from tensorframes.cli.folders import find_plugins
        from tensorframes.data import CATEGORIES, Shapes
        from tensorframes.normals import EstimatorMethod
        from tensorframes.reports import error_picture
        from tensorframes.scoring import PCA
    parser = LineParser(description="errors of a network, PCA 18 and PCA 112 on one test shape")
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("shape", type=int, help="which of the test shapes")
    parser.add_argument("picture", type=Path, help="the file to write")
    parser.add_argument("--root", default="data/shapes", help="where the shapes are kept")
    trusted = "a package whose classes the checkpoint may name"
    parser.add_argument("--trusted", action="append", default=[], metavar="PACKAGE", help=trusted)
    arguments = parser.parse_args()
    find_plugins()
    try:
        network = EstimatorMethod(load_estimator(arguments.checkpoint, arguments.trusted))
        clouds = Shapes(arguments.root, test_points=50_000).test
    except (UserError, OSError) as error:
        parser.error(str(error))
    shapes = len(clouds) // len(CATEGORIES)
    if not 0 <= arguments.shape < shapes:
        parser.error(f"expected a shape from 0 to {shapes - 1}, got {arguments.shape}")
    chosen = [clouds[column * shapes + arguments.shape] for column in range(len(CATEGORIES))]
    print(error_picture([network, PCA(18), PCA(112)], chosen, arguments.picture))


if __name__ == "__main__":
    sys.exit(interruptible(main))
