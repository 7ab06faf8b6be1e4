"""A logger that writes metrics.csv: one row per step, continued by a resumed run."""

import csv
import io
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers.logger import Logger, rank_zero_experiment
from pytorch_lightning.utilities.rank_zero import rank_zero_only

from tensorframes.atomic import replace_text


class MetricsFile(Logger):
    """Writes each row at once, so that a killed run loses none; columns are added for new metrics.

    A run that continues an earlier one in the same folder keeps the rows before its first step and replaces the others.

    Args:
        path: the file, e.g. outputs/NAME/TIME/metrics.csv.
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__()
        self.path = Path(path)
        self._rows: list[dict[str, Any]] | None = None
        self._columns: list[str] = []

    @property
    def name(self) -> str:
        """Empty: the run's folder has the name."""
        return ""

    @property
    def version(self) -> str:
        """Empty."""
        return ""

    @property
    @rank_zero_experiment
    def experiment(self) -> "MetricsFile":
        """The logger itself."""
        return self

    @rank_zero_only
    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """Does nothing: the configuration has its own file."""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Adds ``metrics`` to the row of ``step``."""
        step = step or 0
        if self._rows is None:
            self._rows = [row for row in read_rows(self.path) if int(row["step"]) < step]
            self._write(self._rows)
        values = {key: value for key, value in metrics.items() if key != "epoch"}
        again = bool(self._rows) and int(self._rows[-1]["step"]) == step
        if again:
            self._rows[-1].update(values)
        else:
            self._rows.append({"step": step, **values})
        if again or not values.keys() <= set(self._columns):
            self._write(self._rows)
        else:
            with self.path.open("a", newline="") as file:
                csv.DictWriter(file, self._columns).writerow(self._rows[-1])

    def _write(self, rows: list[dict[str, Any]]) -> None:
        """Rewrites the file with one column per metric."""
        self._columns = ["step", *sorted({key for row in rows for key in row} - {"step"})]
        self.path.parent.mkdir(parents=True, exist_ok=True)
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, self._columns)
        writer.writeheader()
        writer.writerows(rows)
        replace_text(self.path, text.getvalue())


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a metrics file without empty cells; an empty list if there is no file.

    A last line without an end is left out: it was cut off, as on a full disk.
    """
    if not path.is_file():
        return []
    lines = [line for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]
    return [{key: value for key, value in row.items() if value not in ("", None)} for row in csv.DictReader(lines)]
