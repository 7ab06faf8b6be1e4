"""Scored runs by their names on the command line: their metrics and configuration."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tensorframes.errors import UserError, needed_for

LONGEST = 40  # characters of overrides as a name of a run that is given by itself
STARTED = re.compile(r"\d{4}(-\d\d){2}_\d\d(-\d\d){2}(-\d+)?")  # a folder that is named by its time
METRICS, CONFIG, COMMAND = "metrics.json", "config.yaml", "command.yaml"


@dataclass(frozen=True)
class ScoredRun:
    """One run.

    Args:
        name: in tables. metrics: content of metrics.json. settings: the configuration; empty if none lies beside it.
    """

    name: str
    metrics: dict[str, Any]
    settings: dict[str, Any]


def found_runs(arguments: Sequence[str]) -> list[ScoredRun]:
    """The runs with scores of the arguments, in their order: folders, folders of folders, metrics.json, or NAME=any of
    these.

    Raises:
        UserError: an argument is none of these, no run has scores, a file can't be read, or two runs have one name.
    """
    named: list[tuple[str | None, Path]] = []
    for argument in arguments:
        name, path = split_name(argument)
        files = metrics_files(path)
        several = len(files) > 1 or (path.is_dir() and files != [path / METRICS])
        for file in files:
            inner = file.parent.relative_to(path).as_posix() if several else ""
            named.append((name and "/".join(filter(None, (name, inner))), file))
        if files and several and name is None:
            named[-len(files) :] = zip(labels(files), files, strict=True)
    if not named:
        raise UserError(f"expected runs with scores (metrics.json), got none in {', '.join(arguments)}")
    names = [name or short for (name, _), short in zip(named, short_names([file for _, file in named]), strict=True)]
    if twice := [name for name in names if names.count(name) > 1]:
        raise UserError(f"expected each run once and each name once, got {twice[0]} twice")
    return [
        ScoredRun(name, read_metrics(file), read_settings(file.parent / CONFIG) if file.name == METRICS else {})
        for name, (_, file) in zip(names, named, strict=True)
    ]


def split_name(argument: str) -> tuple[str | None, Path]:
    """The name and the path in NAME=PATH; the path may contain '=', too."""
    name, sign, path = argument.partition("=")
    if not sign or Path(argument).exists():
        return None, Path(argument)
    return name, Path(path)


def metrics_files(path: Path) -> list[Path]:
    """The metrics.json of a path; for a folder of runs all of them, in the order of their numbers or names.

    Raises:
        UserError: there is no such path.
    """
    if path.is_file():
        return [path]
    for pattern in (METRICS, f"*/{METRICS}", f"*/*/{METRICS}"):
        if files := sorted(path.glob(pattern), key=in_order):
            return files
    if not path.is_dir():
        raise UserError(f"expected a run's folder, a folder of such or a metrics.json, got {path}, none")
    return []


def without_scores(arguments: Sequence[str]) -> list[Path]:
    """The folders of the arguments without scores, and those of runs in folders that have some: interrupted, failed or
    not tested."""
    paths = [path for _, path in map(split_name, arguments) if path.is_dir() and not (path / METRICS).is_file()]
    empty = {path for path in paths if not metrics_files(path)}
    patterns = (f"*/{CONFIG}", f"*/*/{CONFIG}")
    configs = [file for path in paths if path not in empty for pattern in patterns for file in path.glob(pattern)]
    return sorted(empty | {file.parent for file in configs if not file.with_name(METRICS).is_file()}, key=in_order)


def in_order(path: Path) -> list[tuple[int, str]]:
    """A path's sorting key: 2 before 10."""
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", path.as_posix())]


def short_names(files: Sequence[Path]) -> list[str]:
    """Names of runs: those of their folders, with as many parents as make them unique.

    Of folders that are named by their times, NAME/TIME, the names if they differ, else the overrides in which the runs
    differ, if they are few.
    """
    places = [file.resolve().parent if file.name == METRICS else file.resolve().with_suffix("") for file in files]
    if len(places) > 1 and all(STARTED.fullmatch(place.name) for place in places):
        parents, overrides = [place.parent.name for place in places], [label or "" for label in labels(files)]
        if len(set(parents)) == len(parents):
            return parents
        if all(0 < len(label) <= LONGEST for label in overrides):
            return overrides
    deepest = max(len(place.parts) for place in places)
    for count in range(1, deepest + 1):
        names = ["/".join(place.parts[-count:]) for place in places]
        if len(set(names)) == len(set(places)):
            break
    return names


def labels(files: Sequence[Path]) -> list[str | None]:
    """Names of the runs of a sweep or a matrix: those they were given (``name=NAME``) where each has its own, else
    their overrides that not all of them have.

    None for each if a run has no command.yaml, or if two would have the same name.
    """
    given = [read_settings(file.parent / COMMAND).get("overrides") or [] for file in files]
    own = [next((str(each)[5:] for each in overrides if str(each).startswith("name=")), None) for overrides in given]
    if all(own) and len(set(own)) == len(own):
        return own
    shared = set(given[0]).intersection(*given[1:])
    found = [" ".join(str(override) for override in overrides if override not in shared) for overrides in given]
    return list(found) if all(found) and len(set(found)) == len(found) else [None] * len(files)


def read_metrics(file: Path) -> dict[str, Any]:
    """The content of a metrics.json.

    Raises:
        UserError: it can't be read, or has other content.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"expected a metrics.json, got {file} ({' '.join(str(error).split())})") from error
    if not isinstance(content, dict) or not {"per_category", "per_rotation"} & content.keys():
        raise UserError(f"expected scores in {file}, got something else")
    return content


def read_settings(file: Path) -> dict[str, Any]:
    """A run's configuration; empty if there is none.

    Raises:
        UserError: it is not a YAML file of settings.
    """
    if not file.is_file():
        return {}
    with needed_for("the settings of runs"):
        from omegaconf import OmegaConf

        from tensorframes.normals.earlier_names import with_present_settings
    try:
        content = OmegaConf.to_container(OmegaConf.load(file), resolve=True)
    except Exception as error:  # errors of YAML and OmegaConf have no common class
        raise UserError(f"expected settings in {file}, got {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise UserError(f"expected settings in {file}, got a list")
    return {str(key): value for key, value in with_present_settings(content).items()}
