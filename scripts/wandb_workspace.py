"""A dashboard of the runs of a group on Weights & Biases: python scripts/wandb_workspace.py ENTITY PROJECT [GROUP]

The saved workspace has bar charts of the test scores by frames, messages and backbone (mean and spread over seeds),
losses and validation errors, the cost of the runs, and the error pictures. It needs the extra wandb and an account.
Without GROUP it shows all runs of the project. --dry-run prints the workspace instead of saving it.
"""

import argparse
import sys
from typing import TYPE_CHECKING

from tensorframes.errors import LineParser, interruptible, needed_for

if TYPE_CHECKING:
    from wandb_workspaces.workspaces import Section, Workspace

SCORES = ("test/cosine_oriented/so3", "test/cosine/so3", "test/rmse")  # of ModelNet40, oriented and not, and of PCPNet
CHOICES = ("frames", "messages", "backbone")
CURVES = ("train/loss", "val/rmse", "train/lr")
COSTS = ("parameters", "cost/seconds_per_step", "cost/peak_memory_bytes")


def main() -> None:
    parser = LineParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("entity", help="a user or a team")
    parser.add_argument("project")
    parser.add_argument("group", nargs="?", help="of the runs of a sweep or a matrix: its folder's name")
    parser.add_argument("--dry-run", action="store_true", help="print it, save nothing")
    given = parser.parse_args()
    with needed_for("scripts/wandb_workspace.py", "wandb"):
        import wandb_workspaces.workspaces  # noqa: F401
    made = workspace(given.entity, given.project, given.group)
    if given.dry_run:
        print(made)
        return
    try:
        made.save()
    except Exception as error:  # the library raises errors of many kinds for a key, a name or a network
        parser.error(f"Weights & Biases: {' '.join(str(error).split())}")
    print(made.url)


def workspace(entity: str, project: str, group: str | None) -> "Workspace":
    """The workspace of the runs of a group, or of all of the project."""
    import wandb_workspaces.workspaces as library

    return library.Workspace(
        entity=entity,
        project=project,
        name=f"normals: {group or project}",
        sections=sections(),
        runset_settings=library.RunsetSettings(
            filters=[library.Metric("Group") == group] if group else [],
            pinned_columns=[*(f"config:choices.{each}" for each in CHOICES), "config:seed", f"summary:{SCORES[0]}"],
        ),
    )


def sections() -> "list[Section]":
    """Scores by each choice, curves, costs and pictures."""
    import wandb_workspaces.reports.v2 as panels
    import wandb_workspaces.workspaces as library

    def bars(metric: str, choice: str) -> panels.BarPlot:
        grouped = panels.BarPlot(title=f"{metric} by {choice}", metrics=[metric], groupby=f"choices.{choice}")
        grouped.groupby_aggfunc, grouped.groupby_rangefunc = "mean", "stddev"
        return grouped

    scores = [bars(metric, choice) for metric in SCORES for choice in CHOICES]
    curves = [panels.LinePlot(title=name, x="Step", y=[name]) for name in CURVES]
    costs = [panels.BarPlot(title=name, metrics=[name]) for name in COSTS]
    against = panels.ScatterPlot(title="score against cost", x=f"s:{COSTS[1]}", y=f"s:{SCORES[0]}")
    pictures = [panels.MediaBrowser(media_keys=["test/errors"])]
    parts = {"Scores": scores, "Training": curves, "Cost": [*costs, against], "Errors": pictures}
    return [library.Section(name=name, panels=list(each), is_open=True) for name, each in parts.items()]


if __name__ == "__main__":
    sys.exit(interruptible(main))
