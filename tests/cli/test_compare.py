"""``tensorframes compare``: which runs it finds, which numbers and settings stand where, and what it refuses."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tensorframes.data import Cloud
from tensorframes.reports import write_metrics
from tensorframes.scoring import score, score_rotated
from tests.cli.commands import Ended, run_command

CATEGORIES = {"a": "no_noise", "b": "no_noise", "c": "high_noise"}


class Off:
    """Off by some degrees everywhere."""

    oriented, equivariant = False, False

    def __init__(self, degrees: float, name: str = "network") -> None:
        self.name, self.angle = name, np.radians(degrees)

    def __call__(self, points: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
        return np.tile([np.sin(self.angle), 0, np.cos(self.angle)], (len(points if rows is None else rows), 1))


def clouds() -> list[Cloud]:
    pos, normal = np.random.default_rng(0).normal(size=(20, 3)), np.tile([0, 0, 1.0], (20, 1))
    return [Cloud(name, pos=pos, normal=normal, category=category) for name, category in CATEGORIES.items()]


def left(folder: Path, degrees: float, settings: str = "seed: 0\n", protocol: Any = score) -> Path:
    """A run's folder."""
    metrics = protocol(Off(degrees), clouds())
    metrics["baselines"] = {"PCA": protocol(Off(12, "PCA"), clouds())}
    folder.mkdir(parents=True)
    write_metrics(folder, metrics)
    (folder / "config.yaml").write_text(settings)
    return folder


def lines(ended: Ended) -> list[list[str]]:
    assert (ended.code, ended.err) == (0, ""), ended.err
    return [line.split() for line in ended.out.splitlines()]


def test_a_pattern_that_the_shell_left_is_expanded(tmp_path: Path) -> None:
    for job in (3, 4):
        left(tmp_path / "sweep" / str(job), job)
    assert lines(run_command("compare", tmp_path / "sweep" / "*")) == lines(run_command("compare", tmp_path / "sweep"))


def test_a_sweep_is_taken_as_it_is(tmp_path: Path) -> None:
    for job in (0, 2, 10):
        left(tmp_path / "sweep" / str(job), 3 + job, f"seed: {job}\nmodule: {{seed: {job}}}\nlr: 0.1\n")
    found = lines(run_command("compare", tmp_path / "sweep"))
    assert ["run", "seed"] in found
    assert [line for line in found if len(line) == 2 and line[0].isdigit()] == [["0", "0"], ["2", "2"], ["10", "10"]]
    scores = {line[0]: line[1:4] for line in found if len(line) == 5}
    assert [scores[job] for job in ("0", "2", "10")] == [["3.00"] * 3, ["5.00"] * 3, ["13.00"] * 3]
    (baseline,) = [line for line in found if line[:1] == ["PCA"]]  # scored alike beside all of them
    assert baseline[1:4] == ["12.00"] * 3


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no full device")
@pytest.mark.parametrize("how", ["--markdown", "--clouds"])
def test_an_output_that_is_closed_or_full(tmp_path: Path, repository: Path, how: str) -> None:
    left(tmp_path / "a", 3)
    command = [sys.executable, "-u", "-m", "tensorframes", "compare", str(tmp_path / "a"), how]
    reader, writer = os.pipe()
    os.close(reader)
    with open("/dev/full", "wb") as full:
        for out, code, expected in (
            (writer, 0, ""),
            (full, 2, "error: standard output: can't be written: No space left on device\n"),
        ):
            ended = subprocess.run(command, stdout=out, stderr=subprocess.PIPE, text=True, cwd=repository)
            assert (ended.returncode, ended.stderr) == (code, expected)
    os.close(writer)


def test_the_runs_of_a_sweep_are_named_by_what_differs(tmp_path: Path) -> None:
    for job, frames in enumerate(("pca", "learned")):
        folder = left(tmp_path / "sweep" / str(job), 3 + job, protocol=score_rotated)
        (folder / "command.yaml").write_text(f"overrides: [data=modelnet40, frames={frames}, seed={job}]\n")
    out = run_command("compare", tmp_path / "sweep", "--clouds", "--markdown").out
    assert "\n| frames=pca seed=0 |" in out
    assert "| cloud | frames=pca seed=0 none | frames=learned seed=1 none | PCA none |" in out
    cosines = [f"{np.cos(np.radians(degrees)):.4f}" for degrees in (3, 4, 12)]
    assert f"| b | {' | '.join(cosines)} |" in out
    (tmp_path / "sweep" / "1" / "command.yaml").unlink()
    assert "\n| 0 |" in run_command("compare", tmp_path / "sweep", "--markdown").out


def test_runs_without_scores_are_named(tmp_path: Path) -> None:
    left(tmp_path / "sweep" / "0", 3)
    (tmp_path / "sweep" / "1").mkdir()
    (tmp_path / "sweep" / "1" / "config.yaml").write_text("seed: 1\n")
    ended = run_command("compare", tmp_path / "sweep")
    assert ended.code == 0
    assert ended.err == f"note: left out, without scores (no metrics.json): {tmp_path / 'sweep' / '1'}\n"


def test_runs_without_scores_among_others_are_left_out_in_one_line(tmp_path: Path) -> None:
    mine, sweep = left(tmp_path / "mine", 4), left(tmp_path / "sweep" / "0", 3).parent
    for name in ("killed", "sweep/1", "swept/0"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "config.yaml").write_text("seed: 1\n")
    killed, swept = tmp_path / "killed", tmp_path / "swept"
    ended = run_command("compare", killed, sweep, swept, f"other={killed}", mine, "--markdown")
    names = f"{killed}, {sweep / '1'}, {swept}"
    assert (ended.code, ended.err) == (0, f"note: left out, without scores (no metrics.json): {names}\n")
    scores = {line.split("|")[1].strip() for line in ended.out.splitlines() if line.count("|") > 3}
    assert {"mine", "0"} <= scores
    for given in ((killed,), (killed, swept)):
        ended = run_command("compare", *given)
        names = ", ".join(map(str, given))
        assert (ended.code, ended.out) == (2, "")
        assert ended.err == f"error: expected runs with scores (metrics.json), got none in {names}\n"


def test_runs_are_named_as_short_as_tells_them_apart(tmp_path: Path) -> None:
    one, two = left(tmp_path / "one" / "noon", 1), left(tmp_path / "two" / "noon", 2)
    out = run_command("compare", one, two / "metrics.json", f"mine={left(tmp_path / 'three', 3)}").out
    assert [name for name in ("one/noon", "two/noon", "mine") if f"\n {name} " not in out] == []
    assert "The settings of all runs are the same." in out


def test_runs_in_folders_of_times_are_named_by_what_differs(tmp_path: Path) -> None:
    times = ("2026-11-28_09-15-19-672954", "2026-11-28_09-16-10-007043")
    made = [left(tmp_path / name / time, 3) for name in ("evaluate", "mine") for time in times]
    for folder, checkpoint in zip(made, ("pca", "jet", "fast", "x" * 40), strict=True):
        (folder / "command.yaml").write_text(f"overrides: [data=folder, checkpoint={checkpoint}]\n")
    for runs, names in (
        (made[:2], ("checkpoint=pca", "checkpoint=jet")),
        (made[1:3], ("evaluate", "mine")),
        (made[2:], times),  # too long
        (made[:1], times[:1]),
    ):
        out = run_command("compare", *runs, "--markdown").out
        assert [name for name in names if f"\n| {name} |" not in out] == []
    (made[0] / "command.yaml").unlink()
    assert f"\n| {times[0]} |" in run_command("compare", *made[:2], "--markdown").out


def test_components_of_another_class_are_one_setting(tmp_path: Path) -> None:
    frames = {"pca": "{_target_: a.PCAFrames, group: so}", "learned": "{_target_: a.LearnedFrames, hidden: 32}"}
    for name, node in frames.items():
        left(tmp_path / name, 1, f"name: {name}\nfolder: /x/{name}\nlog: /x/{name}/csv\nframes: {node}\nfit: true\n")
    out = run_command("compare", tmp_path / "pca", tmp_path / "learned", "--markdown").out
    assert out.startswith("| run | frames |\n| --- | --- |\n| pca | PCAFrames |\n| learned | LearnedFrames |\n\n")


def test_earlier_names_of_settings_are_no_difference(tmp_path: Path) -> None:
    for job, name in enumerate(("guess", "initial_selection")):
        head = f"{{_target_: tensorframes.normals.PlaneHead, {name}: {{hidden: {8 + job}}}}}"
        left(tmp_path / name, 1, f"task: {{head: {head}}}\n")
    out = run_command("compare", tmp_path / "guess", tmp_path / "initial_selection", "--markdown").out
    assert out.startswith("| run | task.head.initial_selection.hidden |\n| --- | --- |\n| guess | 8 |\n"), out


def test_parts_that_an_evaluation_lacks_are_not_compared(tmp_path: Path) -> None:
    left(tmp_path / "trained", 1, "seed: 0\nbackbone: {_target_: a.Net, width: 3}\ndata: {root: x}\n")
    left(tmp_path / "scored", 2, "seed: 1\ncheckpoint: pca\ndevice: auto\ndata: {root: x}\n")
    out = run_command("compare", tmp_path / "trained", tmp_path / "scored", "--markdown").out
    table = "| run | seed | checkpoint |\n| --- | --- | --- |\n| trained | 0 | – |\n| scored | 1 | pca |\n\n"
    assert out.startswith(table), out


def test_other_methods_ratios_and_clouds(tmp_path: Path) -> None:
    (tmp_path / "others.csv").write_text(
        "cloud,category,first,first_seconds\na,no_noise,8,1\nb,no_noise,8,1\nc,high_noise,20,1\n"
    )
    options = ("--csv", tmp_path / "others.csv", "--clouds", "--markdown")
    out = run_command("compare", f"mine={left(tmp_path / 'mine', 4)}", *options).out
    assert "| first | 8.00 | 20.00 | 14.00 | – |" in out
    assert "| mine | 0.500 | 0.200 | 0.286 | 0.350 |" in out
    assert "| b | 4.00 | 12.00 | 8.00 |" in out


@pytest.mark.parametrize("protocol", [score, score_rotated])
def test_both_protocols_have_a_table_and_a_picture(tmp_path: Path, protocol: Any) -> None:
    left(tmp_path / "runs" / "0", 4, protocol=protocol)
    left(tmp_path / "runs" / "1", 9, protocol=protocol)
    ended = run_command("compare", tmp_path / "runs", "--picture", tmp_path / "new" / "scores.png")
    assert ended.code == 0, ended.err
    assert ended.out.endswith("scores.png\n")
    assert (tmp_path / "new" / "scores.png").stat().st_size > 1000
    assert ("Mean cosine similarity" in ended.out) == (protocol is score_rotated)
    assert "4.00" in ended.out
    assert "9.00" in ended.out


@pytest.mark.parametrize("protocol", [score, score_rotated])
def test_many_runs_of_a_matrix_are_rows_with_their_own_names(tmp_path: Path, protocol: Any) -> None:
    names = [f"pointnet2-learned_tensor-clouds{number}-seed0" for number in range(12)]
    for number, name in enumerate(names):
        folder = left(tmp_path / "runs" / name, number, f"seed: 0\nwidth: {number}\n", protocol=protocol)
        written = f"overrides: [backbone.width={number}, seed=0, name={name}]\n"
        (folder / "command.yaml").write_text(written)
    ended = run_command("compare", tmp_path / "runs", "--markdown", "--picture", tmp_path / "scores.svg")
    assert (ended.code, ended.err) == (0, "")
    assert all(f"| {name} |" in ended.out for name in names)
    assert all(name in comments(tmp_path / "scores.svg") for name in names)


def comments(svg: Path) -> set[str]:
    """The texts of a picture, which matplotlib repeats as comments."""
    return set(re.findall("<!-- (.*?) -->", svg.read_text(encoding="utf-8")))


def test_numbers_are_whole_where_the_terminal_is_narrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Off, "oriented", True)
    ended = run_command("compare", f"{20 * 'long'}={left(tmp_path / 'one', 3, protocol=score_rotated)}")
    assert "…" not in ended.out
    cosines = 2 * 2 * 4  # with and without signs, of the run and its baseline, under four rotations
    assert len(re.findall(r"\b\d\.\d{4}\b", ended.out)) == cosines


def test_mistakes_are_one_line(tmp_path: Path) -> None:
    mine, rotated = left(tmp_path / "mine", 3), left(tmp_path / "rotated", 3, protocol=score_rotated)
    (tmp_path / "less.csv").write_text("cloud,category,first\na,no_noise,8\n")
    (tmp_path / "words.csv").write_text("cloud,first\na,good\n")
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.json").write_text("no metrics")
    (tmp_path / "list.json").write_text("[]")
    (tmp_path / "bare.json").write_text(json.dumps({"per_category": {"no_noise": {}}}))
    broken = left(tmp_path / "broken", 3, "seed: [\n")
    for arguments, message in {
        (): "the following arguments are required: RUN",
        (tmp_path / "empty",): "expected runs with scores (metrics.json), got none in",
        (mine, tmp_path / "none"): f"got {tmp_path / 'none'}, none",
        (tmp_path / "none",): f"got {tmp_path / 'none'}, none",
        (f"mine={tmp_path / 'none'}",): f"got {tmp_path / 'none'}, none",
        (tmp_path / "text.json",): "expected a metrics.json, got",
        (tmp_path / "list.json",): "expected scores in",
        (tmp_path / "bare.json",): "as tensorframes writes it",
        (mine, mine): "expected each run once and each name once, got mine twice",
        (mine, broken): "expected settings in",
        (mine, rotated): "expected scores of one protocol, got both",
        (mine, "--csv", tmp_path / "less.csv"): "expected all methods on the same clouds, got no b for first",
        (mine, "--csv", tmp_path / "words.csv"): "expected a CSV with the columns",
        (mine, "--csv", tmp_path / "none.csv"): "No such file",
        (rotated, "--csv", tmp_path / "less.csv"): "expected scores cloud by cloud",
        (mine, "--picture", mine / "metrics.json" / "a.png"): "expected a file that can be written",
        (mine, "--picture", tmp_path / "a.doc"): "expected a picture of type .png, .pdf, .svg, got",
    }.items():
        code, out, err = run_command("compare", *arguments)
        assert not out or "File exists" in err  # no tables before it, unless the picture fails
        assert code == 2, arguments
        assert err.startswith("error: ")
        assert message in err
        assert err.count("\n") == 1, err
