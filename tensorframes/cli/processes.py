"""The processes of a run: who has started them, how many they are, and which of them this one is."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from tensorframes.errors import UserError

SEVERAL = ("train",)
"""Commands whose runs can have several processes; with the others each process makes a run of its own."""

INTERACTIVE = ("bash", "interactive")
"""Names of SLURM jobs in which Lightning starts processes itself."""

BATCH = "a SLURM job without srun"
RANKS = ("RANK", "LOCAL_RANK", "WORLD_SIZE")


@dataclass(frozen=True)
class Started:
    """What the environment says of the processes of a run.

    Args:
        by: the launcher: torchrun, srun, or a SLURM job without srun; empty: Lightning starts what a run needs.
        count: of the processes. rank: of this one among them.
    """

    by: str = ""
    count: int = 1
    rank: int = 0


def started(environment: Mapping[str, str]) -> Started:
    """The processes of a run, with the launcher that Lightning takes them to be of.

    A rank counts together with the number of processes, which its launcher sets, too. A rank alone is left over from
    another program.
    """
    size, tasks = _number(environment, "WORLD_SIZE", 1), _number(environment, "SLURM_STEP_NUM_TASKS", 1)
    ranks = Started("torchrun", size, _number(environment, "RANK", _number(environment, "LOCAL_RANK", 0)))
    slurm = "SLURM_NTASKS" in environment and environment.get("SLURM_JOB_NAME") not in INTERACTIVE
    if "TORCHELASTIC_RUN_ID" in environment:
        found = ranks
    elif tasks > 1 or (slurm and "SLURM_STEP_NUM_TASKS" in environment):
        found = Started("srun", tasks, _number(environment, "SLURM_PROCID", 0))
    elif slurm:
        found = Started(BATCH, size)
    else:
        found = ranks if size > 1 else Started()
    return found if found.count > 1 else Started(found.by)


def process_rank(command: str) -> int:
    """The rank of this process among those of a run of a command (``train``, ``evaluate``, ...)."""
    return started(os.environ).rank if command in SEVERAL else 0


def check_processes(devices: int, nodes: int, environment: Mapping[str, str]) -> None:
    """Check that a run has one process for each device, or that Lightning starts them.

    Otherwise each process would train alone, or wait for others that never come.

    Args:
        devices: of the run on each node. nodes: their number. environment: variables of this process.

    Raises:
        UserError: there are more or fewer, or they would not find each other.
    """
    found, wanted = started(environment), devices * nodes
    job = environment.get("SLURM_JOB_NAME")
    if found.by == "srun" and found.count > 1 and job in INTERACTIVE:
        raise UserError(f"expected srun in a job of another name, got {job}: start with SLURM_JOB_NAME=train srun")
    if found.by == "torchrun" and found.count > 1 and "LOCAL_RANK" not in environment:
        raise UserError(f"expected LOCAL_RANK beside WORLD_SIZE={found.count}, got none: start with torchrun")
    if not found.by and nodes > 1:
        raise UserError(f"expected torchrun or srun to start the processes of {nodes} nodes, got neither")
    if found.by and (found.count != wanted or (found.by == BATCH and wanted > 1)):
        command = {"torchrun": f"torchrun --nproc-per-node={devices} --nnodes={nodes}"}.get(
            found.by, f"srun --ntasks-per-node={devices} --nodes={nodes}"
        )
        raise UserError(
            f"expected a process for each device, trainer.devices x trainer.num_nodes = {devices} x {nodes}, got "
            f"{found.count} of {found.by}: start with {command}, or trainer=ddp and other trainer.devices"
        )


@contextmanager
def launchers_in_one_line(environment: Mapping[str, str]) -> Iterator[None]:
    """A context in which errors from Lightning's about the variables of a launcher say how to start the run."""
    try:
        yield
    except UserError as found:
        error = found.__cause__
        tasks = environment.get("SLURM_NTASKS")
        if isinstance(error, KeyError) and str(error.args[0]).startswith(("SLURM_", *RANKS)):
            launcher = "torchrun" if error.args[0] in RANKS else "srun"
            raise UserError(f"expected {error.args[0]} in the environment, got none: start with {launcher}") from error
        if "--ntasks" in str(error):
            raise UserError(
                f"expected srun --ntasks-per-node=NUMBER, got --ntasks={tasks}; for one process: --ntasks=1"
            ) from error
        raise


@contextmanager
def without_leftovers() -> Iterator[None]:
    """A context without ranks that no launcher has set: Lightning would wait for the other processes."""
    before = {} if started(os.environ).by else {name: os.environ.pop(name) for name in RANKS if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(before)


def _number(environment: Mapping[str, str], name: str, default: int) -> int:
    value = environment.get(name, "")
    return int(value) if value.isdigit() else default
