"""Published scores of single clouds, against which a protocol and its data are checked."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

TABLE = "pcpnet_published.csv"


def published_rmse(method: str) -> dict[str, float]:
    """The published RMSE in degrees of a method (its name in tables) on PCPNet's test clouds; empty if there is none.

    The table names its source.
    """
    text = files("tensorframes.scoring").joinpath(TABLE).read_text(encoding="utf-8")
    rows = list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))
    return {row["cloud"]: float(row[method]) for row in rows if method in row}


@dataclass(frozen=True)
class Deviation:
    """How far scores are from the published ones.

    Args:
        differences: measured minus published RMSE in degrees, by cloud.
        published: by cloud.
    """

    differences: dict[str, float]
    published: dict[str, float]

    def __str__(self) -> str:
        """One line: number of clouds, mean difference, mean and largest absolute difference, and where that is."""
        found = self.differences
        worst = max(found, key=lambda name: abs(found[name]))
        size = sum(map(abs, found.values())) / len(found)
        return (
            f"published RMSE of {len(found)} of {len(self.published)} clouds: {sum(found.values()) / len(found):+.3f} "
            f"degrees on average, {size:.3f} in absolute value, at most {found[worst]:+.3f} ({worst}: "
            f"{self.published[worst] + found[worst]:.3f} here, {self.published[worst]:.3f} published)"
        )


def deviation(method: str, per_cloud: Mapping[str, Mapping[str, float]]) -> Deviation | None:
    """The deviation of scores "per_cloud" of ``score`` from those published; None if none of the clouds has any.

    Args:
        method: name of the method in tables. per_cloud: entries with "rmse" by the clouds' names.
    """
    published = published_rmse(method)
    found = {name: entry["rmse"] - published[name] for name, entry in per_cloud.items() if name in published}
    return Deviation(found, published) if found else None
