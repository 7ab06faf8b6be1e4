"""``tensorframes export``: a trained network as one file, for this package or for programs without it."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tensorframes.errors import LineParser, UserError, flushed, loading, needed_for

if TYPE_CHECKING:
    from torch.export import ExportedProgram

    from tensorframes.normals import NormalEstimator

DESCRIPTION = """\
Exports a trained network: tensorframes export outputs/RUN/TIME/checkpoints/best.ckpt FILE

FILE ends in .safetensors (weights with the network's configuration, for tensorframes normals --weights FILE), .pt2 (a
program of torch.export) or .onnx. A .pt2 or .onnx program computes normals from inputs that are prepared in Python; the
network of best can be exported to .safetensors only.
"""


def parser() -> LineParser:
    """The command's arguments."""
    reader = LineParser(
        prog="tensorframes export", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    reader.add_argument("source", help="a checkpoint, a weights file, fast or best")
    reader.add_argument("target", help="the file to write: .safetensors, .pt2 or .onnx")
    reader.add_argument("--overwrite", action="store_true", help="replace an existing target")
    reader.add_argument(
        "--trusted",
        action="append",
        default=[],
        metavar="PACKAGE",
        help="a package whose classes the checkpoint may use",
    )
    return reader


def main(arguments: Sequence[str]) -> int:
    """Read, convert, write; returns the exit code."""
    reader = parser()
    given = reader.parse_args(arguments)
    target = Path(given.target)
    with loading():
        from tensorframes.atomic import expect_replaceable
        from tensorframes.cli.clouds import check_new
        from tensorframes.cli.normals import chosen_weights
        from tensorframes.normals import NormalEstimator, pretrained
        from tensorframes.progress import progress_bar
    try:
        if (write := WRITERS.get(target.suffix.lower())) is None:
            raise UserError(f"{target}: expected a name ending in {', '.join(WRITERS)}, got {target.suffix or 'none'}")
        expect_replaceable(target)
        check_new(given.target, given.source, given.overwrite)
        chosen = chosen_weights(given.source, given.trusted)
        estimator = chosen if isinstance(chosen, NormalEstimator) else pretrained(chosen)
        with progress_bar(f"writing {target}"):
            write(estimator, given.source, target)
    except (ValueError, OSError) as error:
        reader.error(str(error))
    return flushed(f"{target}: {target.stat().st_size / 1e6:.2f} MB\n")


def write_weights(estimator: NormalEstimator, source: str, target: Path) -> None:
    """A weights file, with the recipe of the network and what it was trained as."""
    from tensorframes.cli.checkpoint import read_checkpoint
    from tensorframes.normals import PRETRAINED, about, save_weights
    from tensorframes.normals.weights import pretrained_path, recipe_of

    if source.endswith(".ckpt"):
        saved = read_checkpoint(source)
        recipe, training = (
            saved["tensorframes"]["model"],
            history(saved["tensorframes"]["config"], saved["global_step"]),
        )
    else:
        file = pretrained_path(source) if source in PRETRAINED else Path(source)
        recipe, training = recipe_of(file), about(file)
    save_weights(estimator, recipe, target, training)


def history(config: Mapping[str, Any], steps: int) -> dict[str, Any]:
    """Metadata of a training: its experiment, steps and seed, after those of the weights that it began with."""
    from tensorframes.normals import PRETRAINED, about
    from tensorframes.normals.weights import SUFFIX, pretrained_path

    own = {"experiment": config.get("name"), "steps": steps, "seed": config.get("seed")}
    if (begun := config.get("start_from")) is None:
        return own
    file = pretrained_path(begun) if begun in PRETRAINED else Path(begun)
    before = about(file) if file.suffix == SUFFIX and file.is_file() else {"start_from": begun}
    return {**before, "then": own}


def write_program(estimator: NormalEstimator, source: str, target: Path) -> None:
    """A program of ``torch.export``."""
    import torch

    from tensorframes.atomic import replacing

    with replacing(target) as file:
        torch.export.save(program(estimator), file)


def write_onnx(estimator: NormalEstimator, source: str, target: Path) -> None:
    """A program in ONNX."""
    import torch

    from tensorframes.atomic import replacing_by_name
    from tensorframes.normals import elementary

    with needed_for("ONNX", "onnx"):
        import onnxscript  # noqa: F401
    made = torch.onnx.export(elementary(program(estimator)), dynamo=True, optimize=False, verbose=False)
    assert made is not None  # it is a program where dynamo is true
    with replacing_by_name(target) as part:
        made.save(part)


def program(estimator: NormalEstimator) -> ExportedProgram:
    """The exported network, for clouds of any size.

    Raises:
        ValueError: its head cannot be exported.
    """
    import torch

    from tensorframes.normals import ExportableEstimator

    network = ExportableEstimator(estimator)
    return torch.export.export(network, network.example(), dynamic_shapes=network.dynamic_shapes(), strict=False)


WRITERS: dict[str, Callable[[NormalEstimator, str, Path], None]] = {
    ".safetensors": write_weights,
    ".pt2": write_program,
    ".onnx": write_onnx,
}
"""What writes each kind of file."""
