"""Reports: tables and pictures of scores, and the files they are kept in."""

from tensorframes.reports.results import load_metrics, load_runs, methods_of, write_metrics
from tensorframes.reports.table import compare, to_csv, to_markdown

__all__ = ["compare", "load_metrics", "load_runs", "methods_of", "to_csv", "to_markdown", "write_metrics"]
