"""The plan of the matrix: its runs, their parameters, the hours and the disk space that they take."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from omegaconf import DictConfig
from rich.table import Table

from tensorframes.cli import build
from tensorframes.cli.matrix.composing import composed_run
from tensorframes.cli.matrix.networks import BLOCKS
from tensorframes.cli.matrix.planned import PlannedRun
from tensorframes.cli.matrix.runs import is_finished, seconds_of
from tensorframes.cli.values import check_all
from tensorframes.errors import UserError

BYTES_A_PARAMETER = 2 * 4 * 4  # two checkpoints of weights, their average and Adam's two moments, in float32
BYTES_A_RUN = 1_000_000  # logs, scores and pictures
CLOUDS = 2468  # of the whole test list


def checked_parameters(runs: Sequence[PlannedRun], folder: Path) -> dict[str, int]:
    """The number of trained parameters of each run by its name; all settings are checked on the way.

    Raises:
        UserError: a setting of a run is wrong; the message names the run.
    """
    built: dict[tuple[str, str, bool], int] = {}
    found = {}
    for run in runs:
        key = (run.backbone, run.network.name, run.clouds is None)
        if key not in built:
            try:
                cfg = composed_run(run.overrides, folder / run.name)
                check_all(cfg, run.overrides)
                built[key] = build.parameter_count(build.training_module(cfg))
            except UserError as error:
                raise UserError(f"{run.name}: {error}") from error
        found[run.name] = built[key]
    return found


def expected_seconds(run: PlannedRun, cfg: DictConfig, steps: int, clouds: int) -> float:
    """Seconds of a run: its start, its steps, and its scores by the measured times of the scale."""
    others = len(run.rotations) - 1
    scored = clouds + others * (min(cfg.scale.few_clouds, clouds) if run.network.exact else clouds)
    times = cfg.scale.seconds
    return float(times.start + times.step * steps + times.cloud * scored)


def hours_left(runs: Sequence[PlannedRun], cfg: DictConfig, folder: Path) -> dict[str, float]:
    """Hours of each run that is not finished, by its name; those of finished ones are the measure where there are."""
    first = composed_run(runs[0].overrides, folder)
    steps, clouds = first.trainer.max_steps, first.test_clouds or CLOUDS
    expected = {run.name: expected_seconds(run, cfg, steps, clouds) for run in runs}
    measured = {run.name: seconds for run in runs if (seconds := seconds_of(folder / run.name))}
    done = [name for name in measured if is_finished(folder / name)]
    factor = sum(measured[name] for name in done) / sum(expected[name] for name in done) if done else 1.0
    return {name: factor * each / 3600 for name, each in expected.items() if not is_finished(folder / name)}


def plan_table(runs: Sequence[PlannedRun], parameters: Mapping[str, int], hours: Mapping[str, float]) -> Table:
    """A row for each block: its networks, runs, parameters and hours; a run of several blocks is in the first."""
    table = Table(title="The matrix", title_justify="left")
    for head in ("block", "networks", "runs", "parameters", "hours left"):
        table.add_column(head, justify="left" if head in ("block", "networks") else "right", overflow="fold")
    for block in BLOCKS:
        own = [run for run in runs if run.blocks[0] == block]
        if not any(block in run.blocks for run in runs):
            continue
        names = list(dict.fromkeys(run.network.name for run in runs if block in run.blocks))
        table.add_row(
            block, ", ".join(names), str(len(own)), span([parameters[run.name] for run in own]), total(own, hours)
        )
    table.add_section()
    table.add_row("all", "", str(len(runs)), span(list(parameters.values())), total(runs, hours))
    return table


def span(counts: Sequence[int]) -> str:
    """The smallest and the largest of some numbers."""
    if not counts:
        return "–"
    return f"{min(counts):,}" if min(counts) == max(counts) else f"{min(counts):,} to {max(counts):,}"


def total(runs: Sequence[PlannedRun], hours: Mapping[str, float]) -> str:
    """The hours of some runs in all."""
    return f"{sum(hours.get(run.name, 0.0) for run in runs):.2f}"


def disk(parameters: Mapping[str, int]) -> str:
    """The disk space of the runs."""
    return f"{sum(BYTES_A_RUN + BYTES_A_PARAMETER * count for count in parameters.values()) / 1e9:.2f} GB"
