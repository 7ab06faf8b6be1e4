"""Score a checkpoint or a classical method by a dataset's protocol."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from tensorframes.atomic import replace_text
from tensorframes.cli import build
from tensorframes.cli.checks import (
    check_added,
    check_components,
    check_folder,
    check_plain,
    check_seed,
    check_settings,
    check_test_clouds,
)
from tensorframes.cli.cli import Run
from tensorframes.cli.confidence import expect_errors, report_confidence
from tensorframes.cli.continuing import check_untrained, trusted_packages
from tensorframes.cli.equivariance import report_equivariance
from tensorframes.cli.quiet import silence_libraries
from tensorframes.cli.results import score_and_report, shown
from tensorframes.cli.trained import load_trained
from tensorframes.data import Cloud, evenly_spaced
from tensorframes.normals import PRETRAINED, EstimatorMethod, chosen_device
from tensorframes.reports import expect_page, write_evaluation_page, write_metrics
from tensorframes.scoring import Method, deviation, published_rmse
from tensorframes.words import be, counted, every

REPORT = "report.html"

log = logging.getLogger(__name__)


def evaluate(cfg: DictConfig, run: Run) -> dict[str, Any]:
    """Score ``cfg.checkpoint`` on the test clouds of ``cfg.data``; returns the content of metrics.json."""
    silence_libraries()
    check_evaluation(cfg, run)
    published = None if cfg.published is None else published_rmse(Path(cfg.published))
    method = chosen_method(cfg)
    if cfg.confidence:
        expect_errors(method)
    if cfg.report:
        expect_page(run.folder / REPORT)
    methods = [method, *(compared_methods(cfg, method) if cfg.report else [])]
    protocol = build.protocol(cfg)
    all_clouds = build.data_set(cfg).test
    clouds = evenly_spaced(all_clouds, cfg.test_clouds)
    replace_text(run.folder / "config.yaml", OmegaConf.to_yaml(cfg, resolve=True))
    if len(clouds) < len(all_clouds):
        log.info("%d of the %s %s scored", len(clouds), counted(len(all_clouds), "test cloud"), be(len(clouds)))
    results = score_and_report(methods, clouds, protocol, run.folder)
    for part in further_results(cfg, run.folder, method, clouds, results, published):
        results |= part
        write_metrics(run.folder, results)
    if cfg.report:
        write_evaluation_page(run.folder / REPORT, methods, results, clouds, description(cfg, len(all_clouds)))
        log.info("%s: %s", shown(run.folder), REPORT)
    return results


def check_evaluation(cfg: DictConfig, run: Run) -> None:
    """Check every setting, before anything is built.

    Raises:
        UserError: a setting is unknown, its type or value is wrong, or the folder is that of a training run.
    """
    check_untrained(run.folder)
    check_added(cfg, run.overrides)
    check_folder(run.overrides)
    plain = {
        "seed": int,
        "name": str,
        "checkpoint": str,
        "device": str,
        "trusted": list[str],
        "test_clouds": int | None,
    }
    check_plain(cfg, {**plain, "confidence": bool, "equivariance": bool, "report": bool, "published": str | None})
    check_seed(cfg.seed)
    check_test_clouds(cfg)
    check_components(cfg, ("data", "data.protocol"))
    check_settings(cfg)


def further_results(
    cfg: DictConfig,
    folder: Path,
    method: Method,
    clouds: Sequence[Cloud],
    scores: Mapping[str, Any],
    published: Mapping[str, float] | None,
) -> Iterator[dict[str, Any]]:
    """What metrics.json has in addition to the scores of the method, one measurement after the other.

    Args:
        cfg: the settings. folder: of the run. method: what is scored. clouds: on which.
        scores: of the method. published: RMSE by cloud, to compare with.
    """
    if isinstance(method, EstimatorMethod):
        yield {"parameters": build.parameters_of(method.estimator)}
    if published is not None:
        difference = deviation(published, scores.get("per_cloud", {}))
        log.info("%s", difference)
        yield {"published_differences": difference.differences}
    if cfg.confidence:
        yield report_confidence(expect_errors(method), clouds, folder)
    if cfg.equivariance:
        yield report_equivariance(method, clouds, cfg.seed, folder)


def compared_methods(cfg: DictConfig, method: Method) -> list[Method]:
    """What a report compares the method's errors with: ``methods.pca``, unless it is the method itself."""
    node = (cfg.get("methods") or {}).get("pca")
    pca: Method | None = None if node is None else build.component(node, "methods.pca")
    return [] if pca is None or pca.name == method.name else [pca]


def description(cfg: DictConfig, clouds: int) -> dict[str, str]:
    """What a report says of the run, as texts by name.

    Args:
        cfg: the settings. clouds: number of test clouds of the dataset.
    """
    kind = str(cfg.data._target_).rpartition(".")[2]
    root = cfg.data.get("root")
    test = (
        every(clouds, "cloud")
        if cfg.test_clouds is None
        else f"{min(cfg.test_clouds, clouds):,} of {counted(clouds, 'cloud')}"
    )
    return {
        "checkpoint": cfg.checkpoint,
        "data": kind if root is None else f"{kind}, {root}",
        "test": test,
        "device": str(chosen_device(cfg.device)),
        "seed": str(cfg.seed),
    }


def chosen_method(cfg: DictConfig) -> Method:
    """The method that ``checkpoint`` names: a classical one, or an estimator in a file.

    Raises:
        UserError: it is neither.
    """
    name, device, methods = cfg.checkpoint, chosen_device(cfg.device), cfg.get("methods") or {}
    if name in methods:
        method: Method = build.component(methods[name], f"methods.{name}")
        return method
    trained = load_trained(name, trusted_packages(cfg), "checkpoint", others=list(methods))
    return EstimatorMethod(trained.estimator, name if name in PRETRAINED else "network", device)
