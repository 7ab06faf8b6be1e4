"""Score a checkpoint or a classical method by a dataset's protocol."""

import logging
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
from tensorframes.data import evenly_spaced
from tensorframes.normals import PRETRAINED, EstimatorMethod, chosen_device
from tensorframes.reports import expect_page, write_evaluation_page, write_metrics
from tensorframes.scoring import Method, deviation, published_rmse
from tensorframes.words import be, counted, every

REPORT = "report.html"

log = logging.getLogger(__name__)


def evaluate(cfg: DictConfig, run: Run) -> dict[str, Any]:
    """Score ``cfg.checkpoint`` on the test clouds of ``cfg.data``; returns the content of metrics.json."""
    silence_libraries()
    check_untrained(run.folder)
    check_added(cfg, run.overrides)
    check_folder(run.overrides)
    plain = {
        "seed": int,
        "name": str,
        "checkpoint": str,
        "device": str,
        "trusted": list[str],
        "confidence": bool,
        "equivariance": bool,
        "report": bool,
        "published": str | None,
    }
    check_plain(cfg, {**plain, "test_clouds": int | None})
    check_seed(cfg.seed)
    check_test_clouds(cfg)
    check_components(cfg, ("data", "data.protocol"))
    check_settings(cfg)
    published = None if cfg.published is None else published_rmse(Path(cfg.published))
    method = chosen_method(cfg)
    sure = expect_errors(method) if cfg.confidence else None
    if cfg.report:
        expect_page(run.folder / REPORT)
    methods = [method, *(beside(cfg, method) if cfg.report else [])]
    protocol = build.protocol(cfg)
    whole = build.data_set(cfg).test
    clouds = evenly_spaced(whole, cfg.test_clouds)
    replace_text(run.folder / "config.yaml", OmegaConf.to_yaml(cfg, resolve=True))
    if len(clouds) < len(whole):
        log.info("%d of the %s %s scored", len(clouds), counted(len(whole), "test cloud"), be(len(clouds)))
    results = score_and_report(methods, clouds, protocol, run.folder)
    if isinstance(method, EstimatorMethod):
        results["parameters"] = build.parameters_of(method.estimator)
        write_metrics(run.folder, results)
    if published is not None:
        found = deviation(published, results.get("per_cloud", {}))
        log.info("%s", found)
        results["published_differences"] = found.differences
        write_metrics(run.folder, results)
    if sure is not None:
        results |= report_confidence(sure, clouds, run.folder)
        write_metrics(run.folder, results)
    if cfg.equivariance:
        results |= report_equivariance(method, clouds, cfg.seed, run.folder)
        write_metrics(run.folder, results)
    if cfg.report:
        write_evaluation_page(run.folder / REPORT, methods, results, clouds, done(cfg, len(whole)))
        log.info("%s: %s", shown(run.folder), REPORT)
    return results


def beside(cfg: DictConfig, method: Method) -> list[Method]:
    """What a report shows the method's errors beside: ``methods.pca``, unless it is the method itself."""
    node = (cfg.get("methods") or {}).get("pca")
    pca: Method | None = None if node is None else build.component(node, "methods.pca")
    return [] if pca is None or pca.name == method.name else [pca]


def done(cfg: DictConfig, clouds: int) -> dict[str, str]:
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
