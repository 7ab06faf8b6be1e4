"""Published scores of single clouds, against which a protocol and its data are checked."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tensorframes.data.io.files import expect_end
from tensorframes.errors import UserError
from tensorframes.words import counted


def published_rmse(path: Path) -> dict[str, float]:
    """Published RMSE in degrees by cloud, from a table in CSV with the columns cloud and rmse; lines after # are notes.

    Raises:
        UserError: there is no such file, or it is no such table.
    """
    try:
        expect_end(path)
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
        found = {row["cloud"]: float(row["rmse"]) for row in csv.DictReader(lines)}
    except UserError:
        raise
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"expected published to be a CSV file, got {path}: {error}") from error
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path}: expected columns cloud,rmse with numbers below rmse, got {lines[0]}") from error
    if not found:
        raise UserError(f"{path}: expected columns cloud,rmse with numbers below rmse, got no row")
    return found


@dataclass(frozen=True)
class Deviation:
    """Differences between measured and published scores.

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
            f"published RMSE of {len(found)} of {counted(len(self.published), 'cloud')}: "
            f"{sum(found.values()) / len(found):+.3f} degrees on average, {size:.3f} in absolute value, at most "
            f"{found[worst]:+.3f} ({worst}: "
            f"{self.published[worst] + found[worst]:.3f} here, {self.published[worst]:.3f} published)"
        )


def deviation(published: Mapping[str, float], per_cloud: Mapping[str, Mapping[str, float]]) -> Deviation:
    """The deviation of scores from published ones.

    Args:
        published: RMSE by cloud. per_cloud: of ``score``: entries with "rmse" by the clouds' names.

    Raises:
        UserError: no cloud has both.
    """
    found = {name: entry["rmse"] - published[name] for name, entry in per_cloud.items() if name in published}
    if not found:
        raise UserError(
            f"expected published scores of the clouds, {next(iter(per_cloud), 'none')}, ..., got none of them"
        )
    return Deviation(found, dict(published))
