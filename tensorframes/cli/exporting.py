"""``tensorframes export``: a trained network as one file, for this package or for programs without it."""

from __future__ import annotations

import argparse
import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
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
    given = reader.parse_args(reader.checked(arguments))
    target = Path(given.target)
    with loading():
        from tensorframes.atomic import expect_replaceable
        from tensorframes.cli.clouds import check_new
    try:
        if (write := WRITERS.get(target.suffix.lower())) is None:
            raise UserError(f"{target}: expected a name ending in {', '.join(WRITERS)}, got {target.suffix or 'none'}")
        expect_replaceable(target)
        check_new(given.target, given.source, given.overwrite)
        with loading():  # takes seconds, unlike what is checked before
            from tensorframes.cli.trained import load_network
            from tensorframes.progress import progress_bar
        estimator, recipe = load_network(given.source, given.trusted, "the source")
        with progress_bar(f"writing {target}"), uncollected():
            write(estimator, recipe, given.source, target)
    except (ValueError, OSError) as error:
        reader.error(str(error))
    return flushed(f"{target}: {target.stat().st_size / 1e6:.2f} MB\n")


def write_weights(estimator: NormalEstimator, recipe: dict[str, Any], source: str, target: Path) -> None:
    """A weights file, with the recipe of the network and what it was trained as."""
    from tensorframes.normals import save_weights

    save_weights(estimator, recipe, target, training_of(source))


def training_of(name: str) -> dict[str, Any]:
    """Metadata of the training of a checkpoint, a weights file or weights of the package; its name if there is none.

    The experiment, steps and seed of a checkpoint come after those of the weights that it began with.
    """
    from tensorframes.cli.checkpoint import read_checkpoint
    from tensorframes.cli.trained import is_checkpoint
    from tensorframes.normals import PRETRAINED, about, pretrained_path

    file = pretrained_path(name) if name in PRETRAINED else Path(name)
    if not file.is_file():
        return {"start_from": name}
    if not is_checkpoint(str(file)):
        return about(file)
    content = read_checkpoint(file)
    config = content["tensorframes"]["config"]
    own = {"experiment": config.get("name"), "steps": content["global_step"], "seed": config.get("seed")}
    begun = config.get("start_from")
    return own if begun is None else following(training_of(begun), own)


def following(before: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata of one training after others: each is the ``then`` of the one before."""
    return {**before, "then": following(before["then"], own) if "then" in before else own}


def write_program(estimator: NormalEstimator, recipe: dict[str, Any], source: str, target: Path) -> None:
    """A program of ``torch.export``."""
    import torch

    from tensorframes.atomic import replacing

    with replacing(target) as file:
        torch.export.save(program(estimator), file)


def write_onnx(estimator: NormalEstimator, recipe: dict[str, Any], source: str, target: Path) -> None:
    """A program in ONNX."""
    import torch

    from tensorframes.atomic import replacing_by_name
    from tensorframes.normals import elementary

    with needed_for("ONNX", "onnx"):
        import onnxscript  # noqa: F401
    exported = elementary(program(estimator))
    with exporting():
        made = torch.onnx.export(exported, dynamo=True, optimize=False, verbose=False)
    if made is None:
        raise RuntimeError("expected a program from torch.onnx.export with dynamo=True, got None")
    with replacing_by_name(target) as part:
        made.save(part)


def program(estimator: NormalEstimator) -> ExportedProgram:
    """The exported network, for clouds of any size.

    Raises:
        ValueError: its head cannot be exported.
        UserError: torch cannot export a part of it.
    """
    import torch

    from tensorframes.normals import ExportableEstimator

    network = ExportableEstimator(estimator)
    example, shapes = network.example(), network.dynamic_shapes()
    with exporting():
        return torch.export.export(network, example, dynamic_shapes=shapes, strict=False)


@contextmanager
def uncollected() -> Iterator[None]:
    """A context without garbage collection: exporters make millions of objects that stay, and it would look at them
    again and again, for a third of the time of tracing."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@contextmanager
def exporting() -> Iterator[None]:
    """A context for exporters, which raise many kinds of errors of their own.

    Raises:
        UserError: in place of any of them.
    """
    try:
        yield
    except Exception as error:
        text = str(error).strip()
        line = text.splitlines()[0] if text else type(error).__name__
        raise UserError(f"expected a network that torch can export, got one that it cannot: {line}") from error


WRITERS: dict[str, Callable[[NormalEstimator, dict[str, Any], str, Path], None]] = {
    ".safetensors": write_weights,
    ".pt2": write_program,
    ".onnx": write_onnx,
}
"""What writes each kind of file."""
