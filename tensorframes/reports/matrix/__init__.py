"""Reports of a matrix of runs: tables, figures, and the paper's claims judged."""

from tensorframes.reports.matrix.claims import Verdict, verdicts
from tensorframes.reports.matrix.pairing import Difference, Spread, paired, slope, spread
from tensorframes.reports.matrix.records import Record, Setup
from tensorframes.reports.matrix.report import write_report

__all__ = [
    "Difference",
    "Record",
    "Setup",
    "Spread",
    "Verdict",
    "paired",
    "slope",
    "spread",
    "verdicts",
    "write_report",
]
