"""The matrix of ``tensorframes reproduce``: its networks, its runs, their plan, and how they are made."""

from tensorframes.cli.matrix.networks import BLOCKS, NETWORKS, Network
from tensorframes.cli.matrix.plan import checked_parameters, disk, hours_left, plan_table
from tensorframes.cli.matrix.planned import PlannedRun, planned_runs
from tensorframes.cli.matrix.runs import check_same_matrix, record_of, seconds_of
from tensorframes.cli.matrix.workers import make_all, sharded

__all__ = [
    "BLOCKS",
    "NETWORKS",
    "Network",
    "PlannedRun",
    "check_same_matrix",
    "checked_parameters",
    "disk",
    "hours_left",
    "make_all",
    "plan_table",
    "planned_runs",
    "record_of",
    "seconds_of",
    "sharded",
]
