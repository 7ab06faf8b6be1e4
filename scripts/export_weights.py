"""Weights to ship, from a checkpoint: python scripts/export_weights.py PATH/best.ckpt FILE.safetensors

With "best" or "fast" in place of a file: tensorframes/weights/NAME.safetensors, where the package looks for them.
"""

import argparse
import sys
from pathlib import Path

from tensorframes.errors import LineParser, UserError, interruptible, loading

TRUSTED = "a package whose classes the checkpoint may name"
HOME = Path(__file__).resolve().parents[1] / "tensorframes" / "weights"


def main() -> None:
    with loading():
        from tensorframes.cli.checkpoint import load_estimator, read_checkpoint
        from tensorframes.cli.folders import find_plugins
        from tensorframes.normals import PRETRAINED, save_weights
        from tensorframes.normals import about as read_about
    parser = LineParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("target", help="a file, or best, or fast")
    parser.add_argument("--experiment", help="what the weights were trained as; by default the name of the run")
    parser.add_argument("--after", type=Path, help="the weights file that training began with (start_from)")
    parser.add_argument("--trusted", action="append", default=[], metavar="PACKAGE", help=TRUSTED)
    given = parser.parse_args()
    find_plugins()
    target = HOME / f"{given.target}.safetensors" if given.target in PRETRAINED else Path(given.target)
    try:
        content = read_checkpoint(given.checkpoint)
        recipe, config = content["tensorframes"]["model"], content["tensorframes"]["config"]
        about = {
            "experiment": given.experiment or config.get("name"),
            "steps": content["global_step"],
            "seed": config.get("seed"),
        }
        if given.after is not None:
            about = {**read_about(given.after), "then": about}
        save_weights(load_estimator(given.checkpoint, given.trusted), recipe, target, about)
    except (UserError, OSError) as error:
        parser.error(str(error))
    print(f"{target}: {target.stat().st_size / 1e6:.2f} MB, {about}")


if __name__ == "__main__":
    sys.exit(interruptible(main))
