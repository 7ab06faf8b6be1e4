"""Interpolates weights: python scripts/average_weights.py A.safetensors B.safetensors SHARE OUT.safetensors

Both files hold weights of the same network; each parameter becomes (1 - SHARE) a + SHARE b. If b is a fine-tuned on
other data, the interpolated network is more accurate on both kinds of data than the interpolation of the accuracies
(Wortsman et al. 2022, arXiv 2109.01903, section 3).
"""

import argparse
import sys
from pathlib import Path

from tensorframes.errors import LineParser, UserError, interruptible, loading


def main() -> None:
    with loading():
        from tensorframes.normals import about, load_weights, recipe_of, save_weights
    parser = LineParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("a", type=Path)
    parser.add_argument("b", type=Path)
    parser.add_argument("share", type=float)
    parser.add_argument("target", type=Path)
    given = parser.parse_args()
    if not 0 <= given.share <= 1:
        parser.error(f"expected SHARE in [0, 1], got {given.share}")
    try:
        estimator, other = load_weights(given.a), load_weights(given.b).state_dict()
        state = estimator.state_dict()
        if {name: value.shape for name, value in state.items()} != {name: each.shape for name, each in other.items()}:
            raise UserError(f"expected weights of one network, got others in {given.a} and {given.b}")
        estimator.load_state_dict({name: value.lerp(other[name], given.share) for name, value in state.items()})
        metadata = {**about(given.a), "averaged": [given.share, about(given.b)]}
        save_weights(estimator, recipe_of(given.a), given.target, metadata)
    except (UserError, OSError) as error:
        parser.error(str(error))
    print(f"{given.target}: {1 - given.share:g} of {given.a}, {given.share:g} of {given.b}")


if __name__ == "__main__":
    sys.exit(interruptible(main))
