"""``tensorframes normals``: a point file in, the same file with normals out."""

import argparse
import sys
import time
from collections.abc import Sequence
from math import radians
from typing import TYPE_CHECKING

from tensorframes.cli.arguments import expanded, join_words, orientation, parser
from tensorframes.errors import UserError, discard_output, flushed, loading, mistake, out_of_memory
from tensorframes.words import counted, percent

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    from tensorframes.data.io import Columns
    from tensorframes.normals import NormalEstimator
    from tensorframes.normals.predict import Block

MEMORY = "expected enough memory, got too little; a smaller --block, or --device cpu, takes less"

SMALLEST_BLOCK = 100
"""Smaller blocks are all margin."""

UNCERTAIN = 20
"""Expected errors, in degrees, above which normals count as uncertain."""

FEW = 300
"""Points below which the networks that come with the package, as planes, are often far off, and expect less
(``benchmarks/bench_few.py``)."""


def main(arguments: Sequence[str]) -> int:
    """Read, estimate, write, for one cloud after the other; returns the exit code."""
    reader = parser()
    given = reader.parse_intermixed_args(reader.checked(join_words(arguments)))
    given.sources = expanded(given.sources)
    try:
        orient, targets = check_arguments(given)
        with loading():  # takes seconds, unlike what is checked before
            from tensorframes.cli.trained import load_network
            from tensorframes.normals import chosen_device
            from tensorframes.reports import expect_page
        if given.report:
            expect_page(given.report)
        chosen_device(given.device)
        network, _ = load_network(given.weights, given.trusted, "--weights")
    except (ValueError, RuntimeError) as error:  # torch raises RuntimeError for devices that do not exist
        reader.error(str(error))
    code = 0
    for source, target in targets.items():
        one = argparse.Namespace(**vars(given) | {"source": source, "target": target})
        code = max(code, process_cloud(one, orient, network))
    return code


def check_arguments(given: argparse.Namespace) -> tuple[tuple[str, "ArrayLike | None"], dict[str, str]]:
    """Check what needs no network; returns the method and viewpoint, and the target of each source.

    Raises:
        ValueError: the arguments are wrong, a single source is missing, or a target or report can't be written.
    """
    with loading():
        from tensorframes.cli.clouds import check_report, check_source, check_target, suffix_of, targets_of
    if given.block is not None and given.block < SMALLEST_BLOCK:
        raise UserError(f"expected --block >= {SMALLEST_BLOCK}, got {given.block}")
    orient, kind = orientation(given.orient), suffix_of(given.target_kind)
    targets = targets_of(given.sources, given.target, kind)
    if given.report and len(targets) > 1:
        raise UserError(f"expected one source for --report, got {len(targets)}")
    for source, target in targets.items():
        check_target(target, source, kind, given.overwrite)
        if given.report:
            check_report(given.report, source, target, given.overwrite)
    if len(targets) == 1:  # of several, the others are computed
        check_source(*targets)
    return orient, targets


def process_cloud(given: argparse.Namespace, orient: tuple[str, "ArrayLike | None"], network: "NormalEstimator") -> int:
    """Write the target of one source, and print its line, or the error; returns the exit code."""
    with loading():
        from tensorframes.cli.clouds import OUTPUT, STANDARD, check_target, is_standard_output, suffix_of
        from tensorframes.normals.missing import missing
    begin = time.perf_counter()
    try:
        if len(given.sources) > 1:  # the clouds before may have written it
            check_target(given.target, given.source, suffix_of(given.target_kind), given.overwrite)
        pos, normals, confidence = write_normals(given, orient, network)
    except (ValueError, RuntimeError, MemoryError) as error:
        text = MEMORY if out_of_memory(error) else " ".join(str(error).split())
        named = len(given.sources) == 1 or given.source in text or given.target in text
        return mistake(text if named else f"{given.source}: {text}")
    if not given.quiet:
        name = OUTPUT if given.target == STANDARD else given.target
        line = summary(missing(pos, normals), normals, confidence, time.perf_counter() - begin)
        if not is_standard_output(given.target):
            try:
                return flushed(f"{name}: {line}\n")
            except BrokenPipeError:  # no one reads on; other clouds are still to be written
                discard_output()
                return 0
        print(f"{name}: {line}", file=sys.stderr)
    return 0


def summary(
    without: "Mapping[str, int]",
    normals: "NDArray[np.float32]",
    confidence: "NDArray[np.float32] | None",
    seconds: float,
) -> str:
    """One line on normals (N, 3), the share of uncertain ones if the confidence (N,) is known, and the points
    ``without`` one, by the reason."""
    without_normal, count = sum(without.values()), len(normals)
    uncertain = ""
    if confidence is not None and count > without_normal:
        share = (confidence[normals.any(1)] < 1 - radians(UNCERTAIN)).mean()
        uncertain = f", {percent(share)} uncertain (expected error above {UNCERTAIN} degrees)"
    reasons = ", ".join(f"{number:,} {reason}" for reason, number in without.items() if number)
    note = f"; {without_normal:,} {'has' if without_normal == 1 else 'have'} none: {reasons}" if without_normal else ""
    if without_normal < count < without_normal + FEW:
        note += f"; fewer than {FEW} points: normals are often wrong"
    return f"normals of {counted(count - without_normal, 'point')} in {seconds:.1f} s{uncertain}{note}"


def write_normals(
    given: argparse.Namespace, orient: tuple[str, "ArrayLike | None"], network: "NormalEstimator"
) -> tuple["NDArray[np.float64]", "NDArray[np.float32]", "NDArray[np.float32] | None"]:
    """Write the target, with a progress bar on a terminal; returns the points and normals (N, 3), and the confidence
    (N,) if it is known.

    Args:
        given: the arguments. orient: method and viewpoint, see ``orientation``. network: what estimates.
    """
    with loading():
        import numpy as np

        from tensorframes.cli.clouds import OUTPUT, STANDARD, read_source, suffix_of, write_target
        from tensorframes.cli.reporting import report_run
        from tensorframes.data.io import kind_of, lost_line, unkept
        from tensorframes.normals import orient_normals
        from tensorframes.progress import progress_bar
    shown, to = not given.quiet, suffix_of(given.target_kind)
    name = OUTPUT if given.target == STANDARD else given.target
    with progress_bar(f"reading {given.source}", shown=shown):
        cloud = read_source(given.source, suffix_of(given.source_kind))
    for note in cloud.notes if shown else ():
        print(f"note: {given.source}: {note}", file=sys.stderr)
    if orient[0] == "sensor":
        if cloud.sensor is None:
            expected = "expected the position of the sensor, as in PCD, E57, PTX and KITTI's BIN, got none"
            raise UserError(f"{given.source}: {expected}; --orient viewpoint X,Y,Z")
        if cloud.suffix == ".pcd" and not cloud.sensor.any() and shown:
            print(f"note: {given.source}: the sensor is at the origin, the default of PCD files", file=sys.stderr)
        orient = ("viewpoint", cloud.sensor)
    if given.confidence == "field":
        field = confidence_field(cloud)
        cloud = cloud.with_columns({field: np.zeros(len(cloud.pos), np.float32)})  # has its place from here on
    lost = unkept(name, cloud, to)
    if given.confidence == "field" and field in lost:
        expected = f"expected a kind of file with room for a confidence, got {kind_of(name, to)}"
        raise UserError(f"{name}: {expected}; --confidence length")
    if lost and shown:
        print(f"note: {lost_line(name, lost, to)}", file=sys.stderr)
    pos, start = cloud.pos, time.perf_counter()
    normals, confidence = estimated(given, pos, network)
    if orient[0] != "none":
        with progress_bar("orienting", shown=shown):
            normals = orient_normals(pos, normals, *orient)
    result = with_normals(cloud.without(lost), normals, confidence, given.confidence)
    with progress_bar(f"writing {name}", shown=shown):
        write_target(given.target, result, to)
    report_run(given, pos, normals, confidence, start)
    return pos, normals, confidence


def estimated(
    given: argparse.Namespace, pos: "NDArray[np.float64]", network: "NormalEstimator"
) -> tuple["NDArray[np.float32]", "NDArray[np.float32] | None"]:
    """Normals (N, 3) of the points, and the confidence in them (N,) where the weights have a model of their error."""
    from tensorframes.normals import normals_and_confidence
    from tensorframes.normals.confidence import confidence
    from tensorframes.normals.estimate import normals_and_errors
    from tensorframes.progress import progress_bar

    block: Block = given.block or "auto"
    with progress_bar(counted(len(pos), "point"), points=len(pos), shown=not given.quiet) as progress:
        if given.confidence is not None:
            return normals_and_confidence(pos, network, given.device, progress, block)
        values = normals_and_errors(pos, network, given.device, progress, block)
        return values.normal, None if values.error is None else confidence(values.error)


def with_normals(
    cloud: "Columns", normals: "NDArray[np.float32]", confidence: "NDArray[np.float32] | None", how: str | None
) -> "Columns":
    """The cloud with the normals, and, if it is asked for, with the confidence as a column or as their lengths."""
    if confidence is None or how is None:
        return cloud.with_normals(normals)
    if how == "length":
        return cloud.with_normals(normals * confidence[:, None])
    return cloud.with_normals(normals).with_columns({confidence_field(cloud): confidence})


def confidence_field(cloud: "Columns") -> str:
    """The name of the column of the confidence: that of the file, whatever its case and unit, or a new one."""
    from tensorframes.data.io.axes import key_of

    return next((name for name in cloud.names if key_of(name) == "confidence"), "confidence")
