"""Reports of scores: tables, pictures and files."""

from tensorframes.reports.confidence import confidence_picture, confidence_table
from tensorframes.reports.curves import expect_picture, pgp_picture, rotation_picture, score_picture
from tensorframes.reports.equivariance import equivariance_table, lie_picture, lie_table
from tensorframes.reports.evaluation_page import write_evaluation_page
from tensorframes.reports.normals_page import write_normals_page
from tensorframes.reports.page import expect_page
from tensorframes.reports.pictures import draw_panels, error_panel, error_picture, worst_clouds
from tensorframes.reports.results import methods_of, write_metrics
from tensorframes.reports.table import compare

__all__ = [
    "compare",
    "confidence_picture",
    "confidence_table",
    "draw_panels",
    "equivariance_table",
    "error_panel",
    "error_picture",
    "expect_page",
    "expect_picture",
    "lie_picture",
    "lie_table",
    "methods_of",
    "pgp_picture",
    "rotation_picture",
    "score_picture",
    "worst_clouds",
    "write_evaluation_page",
    "write_metrics",
    "write_normals_page",
]
