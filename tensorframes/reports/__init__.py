"""Reports: tables and pictures of scores, and the files they are kept in."""

from tensorframes.reports.pictures import draw_panels, error_panel, error_picture, pgp_picture, worst_clouds
from tensorframes.reports.results import load_metrics, load_runs, methods_of, write_metrics
from tensorframes.reports.table import compare, to_csv, to_markdown

__all__ = [
    "compare",
    "draw_panels",
    "error_panel",
    "error_picture",
    "load_metrics",
    "load_runs",
    "methods_of",
    "pgp_picture",
    "to_csv",
    "to_markdown",
    "worst_clouds",
    "write_metrics",
]
