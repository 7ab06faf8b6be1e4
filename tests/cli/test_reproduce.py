"""``tensorframes reproduce``: the matrix, its plan, runs that are made once, continued and shared, and the report."""

import csv
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from tensorframes.cli import config_dir
from tensorframes.cli.matrix import BLOCKS, NETWORKS, PlannedRun, planned_runs, sharded
from tensorframes.cli.matrix.planned import merged
from tensorframes.cli.matrix.runs import claimed, device_of, make, outcome
from tensorframes.errors import UserError
from tests.cli.commands import Ended

App = Callable[..., Ended]
SMOKE = ("scale=smoke", "workers=0", "blocks=[networks,rotations]")
ROOT = Path("outputs/reproduce/smoke_oriented")
RUNS = ("pointnet2-plain_so3-seed0", "pointnet2-learned_tensor-seed0")


@pytest.fixture
def matrix() -> Iterator[Callable[..., list[PlannedRun]]]:
    """The runs of a configuration."""
    GlobalHydra.instance().clear()
    with initialize_config_dir(version_base="1.3", config_dir=str(config_dir())):

        def of(*overrides: str, given: tuple[str, ...] = ()) -> list[PlannedRun]:
            cfg = compose("reproduce", ["folder=matrix", *overrides])
            return planned_runs(OmegaConf.masked_copy(cfg, [key for key in cfg if key != "hydra"]), given)

        yield of


def test_every_network_has_one_name_and_every_block_names_networks() -> None:
    assert [name for name, network in NETWORKS.items() if network.name != name] == []
    assert {name for names in BLOCKS.values() for name in names} == set(NETWORKS)


def test_a_run_of_several_blocks_is_made_once(matrix: Callable[..., list[PlannedRun]]) -> None:
    runs = matrix()
    assert len({run.name for run in runs}) == len(runs)
    count = {block: len([run for run in runs if run.blocks[0] == block]) for block in BLOCKS}
    assert count == {"networks": 18, "frames": 18, "backbones": 6, "tensors": 3, "rotations": 3, "data": 30}
    (shared,) = [run for run in runs if run.name == "pointnet2-learned_tensor-seed0"]
    assert shared.blocks == ("networks", "frames", "backbones", "tensors", "rotations")
    assert shared.rotations == ("so3", "none", "z", "o3")
    (turned,) = [run for run in runs if run.name == "pointnet2-plain_o3-seed0"]
    assert turned.rotations == ("so3",)


def test_networks_differ_in_what_they_are_said_to(matrix: Callable[..., list[PlannedRun]]) -> None:
    runs = {run.name: set(run.overrides) for run in matrix("blocks=[networks,frames]")}
    scalar, tensor = (runs[f"pointnet2-learned_{kind}-seed1"] for kind in ("scalar", "tensor"))
    names = {f"name=pointnet2-learned_{kind}-seed1" for kind in ("scalar", "tensor")}
    assert scalar ^ tensor == {"messages=scalar", "messages=tensor"} | names
    assert {"frames=pca", "frames.group=o", "task=oriented"} <= runs["pointnet2-pca_tensor-seed0"]
    unoriented = {run.name: run.overrides for run in matrix("target=unoriented", "blocks=[frames]")}
    assert "frames.group=o" not in unoriented["pointnet2-pca_tensor-seed0"]
    scored = [run.name for run in matrix() if not any(word.startswith("baselines.") for word in run.overrides)]
    firsts = ["plain-seed0", "plain_so3-seed0", "learned_scalar-seed0", "plain_so3-clouds9-seed0"]
    assert scored == [f"pointnet2-{name}" for name in firsts]


def test_a_run_is_the_same_whichever_blocks_are_chosen(matrix: Callable[..., list[PlannedRun]]) -> None:
    whole = {run.name: run for run in matrix()}
    for block in BLOCKS:
        for run in matrix(f"blocks=[{block}]"):
            assert run.overrides == whole[run.name].overrides
            assert run.blocks == (block,)


def test_what_is_given_holds_for_all_runs_and_counts_last(matrix: Callable[..., list[PlannedRun]]) -> None:
    for run in matrix("logger=wandb", given=("logger=wandb", "trainer.max_steps=7", "data=shapes")):
        assert {"logger=wandb", "logger.wandb.group=matrix", "trainer.max_steps=7", "data=shapes"} <= set(run.overrides)
        assert "data=modelnet40" not in run.overrides
        assert len([word for word in run.overrides if word.startswith("trainer.max_steps")]) == 1
    assert merged(["a=1", "b/c=2", "++a=3"]) == ("++a=3", "b/c=2")


def test_shards_are_all_runs_once(matrix: Callable[..., list[PlannedRun]]) -> None:
    runs = matrix("blocks=[networks]")
    parts = [sharded(runs, f"{index}/4") for index in range(4)]
    assert sorted(run.name for part in parts for run in part) == sorted(run.name for run in runs)
    for wrong in ("4/4", "1", "a/b"):
        with pytest.raises(UserError, match="expected shard=i/n"):
            sharded(runs, wrong)


def test_workers_share_gpus_and_cores() -> None:
    def gpu(worker: int, **given: str) -> str:
        return device_of(worker, 3, given, 2, 8)["CUDA_VISIBLE_DEVICES"]

    assert [gpu(worker) for worker in range(3)] == ["0", "1", "0"]
    assert [gpu(worker, CUDA_VISIBLE_DEVICES="5,7") for worker in range(3)] == ["5", "7", "5"]
    assert device_of(0, 4, {}, 0, 8)["OMP_NUM_THREADS"] == "2"
    assert device_of(0, 4, {"OMP_NUM_THREADS": "1"}, 0, 8)["OMP_NUM_THREADS"] == "1"
    assert "OMP_NUM_THREADS" not in device_of(0, 1, {}, 0, 8)


def test_a_claimed_run_is_left_to_its_claimant(tmp_path: Path, matrix: Callable[..., list[PlannedRun]]) -> None:
    (run, *_), started = matrix("blocks=[networks]"), []

    def start(words: object, folder: Path, claim: int) -> int:
        started.append(words)
        return 0

    with claimed(tmp_path) as claim:
        assert claim is not None
        assert make(run, tmp_path, start) is None
    assert make(run, tmp_path, start) == 0
    assert len(started) == 1
    assert json.loads((tmp_path / "matrix.json").read_text())["overrides"] == list(run.overrides)


def test_a_run_that_failed_says_why(tmp_path: Path, matrix: Callable[..., list[PlannedRun]]) -> None:
    run = matrix()[0]
    (tmp_path / "config.yaml").touch()
    assert outcome(run, 2, tmp_path).startswith(f"{run.name}: failed with exit code 2; see ")
    (tmp_path / "output.txt").write_text("reading\nerror: expected wandb, got none\n\n")
    assert outcome(run, 2, tmp_path).startswith(
        f"{run.name}: failed with exit code 2: error: expected wandb, got none; see "
    )


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_a_mistake_that_all_runs_share_ends_the_matrix_at_once(app: App, workers: int) -> None:
    given = ("scale=smoke", "blocks=[networks,data]", "scale.seeds.data=1", "scale.networks=[plain_so3]")
    pcpnet = (
        "data=pcpnet",
        "data.root=absent",
        "data.sources=[]",
        "scale.overrides=['features=constant','data/protocol=rotations']",
    )
    code, _, err = app("reproduce", *given, *pcpnet, f"workers={workers}")
    assert (code, err.count("\n")) == (2, 1), err
    assert "absent" in err
    assert err.endswith("; no other run is tried\n")
    begun = [folder.name for folder in (ROOT / "runs").iterdir() if (folder / "matrix.json").is_file()]
    assert len(begun) == max(1, workers)
    assert any(err.startswith(f"error: {name}: ") for name in begun), err
    if workers == 0:
        assert app("reproduce", *SMOKE, "scale.networks=[plain_so3]")[0] == 0  # the mistake mended, in the same folder


def test_a_wrong_number_of_clouds_is_told_before_others_have_begun(
    tmp_path: Path, matrix: Callable[..., list[PlannedRun]]
) -> None:
    run = next(run for run in matrix("blocks=[data]") if run.clouds is not None)
    (tmp_path / run.name).mkdir()
    output = tmp_path / run.name / "output.txt"
    output.write_text("error: expected data.train_clouds to be a number of clouds up to 2, got 9999\n")
    assert outcome(run, 2, tmp_path / run.name).startswith(f"{run.name}: failed with exit code 2: ")
    output.write_text("error: absent: expected PCPNet\n")
    with pytest.raises(UserError, match="no other run is tried"):
        outcome(run, 2, tmp_path / run.name)


def test_a_wrong_number_of_clouds_is_a_mistake_of_one_run(app: App) -> None:
    given = ("blocks=[networks,data]", "scale.seeds.data=1", "scale.networks=[plain_so3]", "scale.sizes=[9999,2]")
    code, out, err = app("reproduce", "scale=smoke", "workers=0", *given)
    assert (code, err.count("\n")) == (2, 1), err
    assert "got 1 that failed: pointnet2-plain_so3-clouds9999-seed0" in err
    assert "failed with exit code 2: error: expected data.train_clouds to be a number of clouds" in out
    assert (ROOT / "runs" / "pointnet2-plain_so3-clouds2-seed0" / "metrics.json").is_file()


def test_a_dry_run_prints_the_plan_and_makes_nothing(app: App) -> None:
    code, out, err = app("reproduce", "scale=smoke", "dry_run=true")
    assert (code, err) == (0, "")
    assert "2 runs, 2 of them to make" in out
    assert not (ROOT / "runs").exists()


@pytest.mark.parametrize(("root", "there"), [("nowhere", False), (".", True)])
def test_a_plan_tells_whether_the_data_are_there(app: App, root: str, there: bool) -> None:
    given = ("scale=smoke", "scale.overrides=['features=constant']", f"data.root={root}")
    ended = app("reproduce", *given, "dry_run=true")
    assert ended.code == 0, ended.err
    assert (f"{root} does not exist: the first run downloads the data" in ended.out) is not there
    assert not Path("nowhere").exists()


def test_the_matrix_is_made_reported_and_continued(app: App) -> None:
    assert app("reproduce", *SMOKE)[0] == 0
    with (ROOT / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["run"] for row in rows] == list(RUNS)
    report = (ROOT / "report.md").read_text()
    assert "2 of 2 runs" in report
    assert "PCA 18" in report
    assert "one seed, which decides nothing" in report
    kept, ended = (ROOT / "runs" / name for name in RUNS)
    scores, when = (ended / "metrics.json").read_text(), (kept / "metrics.json").stat().st_mtime_ns

    (ended / "metrics.json").unlink()  # ended before its test
    assert app("reproduce", *SMOKE)[0] == 0
    assert (kept / "metrics.json").stat().st_mtime_ns == when
    found, expected = json.loads((ended / "metrics.json").read_text()), json.loads(scores)
    assert found["per_rotation"]["so3"]["cosine_oriented"] == expected["per_rotation"]["so3"]["cosine_oriented"]

    shutil.rmtree(ROOT / "figures")
    code, _, err = app("reproduce", *SMOKE, "optimizer.lr=0.5")
    assert code == 2
    assert "expected the runs in outputs/reproduce/smoke_oriented/runs to be of this matrix" in err
    assert not (ROOT / "figures").exists()


def steps_of(folder: Path) -> list[list[str]]:
    with (folder / "metrics.csv").open() as file:
        return [[row["step"], row["train/loss"]] for row in csv.DictReader(file) if row["train/loss"]]


def test_a_killed_run_goes_on_from_its_last_checkpoint(app: App) -> None:
    copied = "+callbacks.ending={_target_:standin.Copied,folder:'${folder}',steps:[3]}"
    given = (*SMOKE, "scale.networks=[plain_so3]", "trainer.max_steps=4", "baselines.pca_112=null", copied)
    folder = ROOT / "runs" / RUNS[0]
    assert app("reproduce", *given)[0] == 0
    whole = steps_of(folder)
    shutil.rmtree(folder)
    shutil.move("left_after_3", folder)  # what a process that is killed after step 3 leaves
    assert not (folder / "metrics.json").exists()
    when = (folder / "command.yaml").read_text()
    assert app("reproduce", *given)[0] == 0
    assert steps_of(folder) == whole
    assert len(whole) == 4
    assert (folder / "command.yaml").read_text() == when
    assert (folder / "metrics.json").is_file()


@pytest.mark.parametrize(
    ("override", "message"),
    {
        "frames=pca": "expected settings of all runs, got frames=pca, which is not one",
        "blocks=[network]": "expected blocks of networks, frames, backbones, tensors, rotations, data, got network",
        "blocks=[data]": "expected runs in the blocks data, got none",
        "workers=-1": "expected workers >= 0, got -1",
        "scale.seeds.networks=1.5": "expected scale.seeds.networks to be a whole number, got 1.5",
        "scale.seeds.networks=-1": "expected scale.seeds.networks >= 0, got -1",
        "scale.seeds=3": "expected scale.seeds to be a mapping, got 3",
        "scale.sizes=9": "expected scale.sizes to be a list, got 9",
        "~scale.seconds.step": "expected scale.seconds.step to be a number, got none: it was deleted",
        "shard=2/2": "expected shard=i/n with 0 <= i < n, got 2/2",
        "data=folder": "expected data with the setting train_shapes, which scale=smoke sets, got data=folder",
        "optimizer.lr=fast": "pointnet2-plain_so3-seed0: expected optimizer.lr to be",
    }.items(),
)
def test_mistakes_are_one_line(app: App, override: str, message: str) -> None:
    code, _, err = app("reproduce", *SMOKE, override)
    assert (code, err.count("\n")) == (2, 1)
    assert message in err
