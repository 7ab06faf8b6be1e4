import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch_geometric.data import Data

from tensorframes.data import Cloud, ValidationClouds, first_of
from tensorframes.errors import UserError
from tensorframes.training import (
    EMA,
    CloudDataModule,
    CountedBatches,
    MetricsFile,
    WarmupCosine,
    WarmupStableDecay,
    parameter_groups,
)
from tensorframes.training.csv_log import read_rows


def first(batches: CountedBatches, count: int) -> list[list[int]]:
    return [batch for batch, _ in zip(batches, range(count), strict=False)]


def trainer(device: str = "cpu", **state: int) -> SimpleNamespace:
    """What the data module asks a trainer, of a run on a device."""
    strategy = SimpleNamespace(root_device=torch.device(device))
    start = {"global_step": 0, "accumulate_grad_batches": 1, "global_rank": 0, "world_size": 1}
    return SimpleNamespace(strategy=strategy, **(start | state))


@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_global_batches_are_the_same_sets_whatever_the_number_of_ranks(ranks: int) -> None:
    shares = [first(CountedBatches(6, rank=rank, ranks=ranks), 4) for rank in range(ranks)]
    joined = [sorted(number for share in batch for number in share) for batch in zip(*shares, strict=True)]
    assert joined == [list(range(6 * step, 6 * step + 6)) for step in range(4)]


def test_starting_later_continues_the_same_sequence() -> None:
    assert first(CountedBatches(4, start=3), 2) == first(CountedBatches(4), 5)[3:]


def test_a_batch_that_cannot_be_shared_is_refused() -> None:
    with pytest.raises(ValueError, match="multiple of the 2"):
        CountedBatches(5, ranks=2)


def test_a_loader_starts_where_the_trainers_steps_stand() -> None:
    samples = [Data(number=torch.tensor([place]), num_nodes=1) for place in range(20)]
    module = CloudDataModule(samples, [], batch_size=2)
    module.trainer = trainer(global_step=2, accumulate_grad_batches=3)
    assert next(iter(module.train_dataloader())).number.tolist() == [12, 13]


def test_batches_are_pinned_for_a_gpu_that_the_run_uses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    module = CloudDataModule([], [], workers=0)
    assert not module.train_dataloader().pin_memory
    for device in ("cpu", "cuda"):
        module.trainer = trainer(device)
        assert module.train_dataloader().pin_memory == (device == "cuda")


class CountedStep(int):
    """A step that counts how often it is read, as the CPU waits for a number on a GPU."""

    reads = 0

    def __int__(self) -> int:
        self.reads += 1
        return 3


def test_the_step_of_an_average_is_read_once() -> None:
    step, average = CountedStep(), [torch.zeros(1)]
    EMA()._average(average, [torch.ones(1)], step)
    assert average[0].item() == pytest.approx(1 - 4 / 13)
    assert step.reads == 1


def test_a_batch_of_no_sample_is_refused() -> None:
    with pytest.raises(ValueError, match="expected batch_size >= 1 and workers >= 0, got 0 and 1"):
        CloudDataModule([], [], batch_size=0)


def test_unlabelled_points_are_validated_on_but_not_scored() -> None:
    pos, normal = np.random.default_rng(0).normal(size=(30, 3)), np.zeros((30, 3))
    normal[10:, 0] = 1
    whole = ValidationClouds([Cloud("a", pos, normal, eval_index=[3, 12, 9, 20]), Cloud("a", pos, normal)])
    assert [whole[place].num_nodes for place in (0, 1)] == [30, 30]
    assert whole[0].loss_mask.nonzero()[:, 0].tolist() == [12, 20]
    assert whole[1].loss_mask.nonzero()[:, 0].tolist() == list(range(10, 30))
    with pytest.raises(UserError, match="expected rows with normals to validate on, got none for a"):
        _ = ValidationClouds([Cloud("a", pos, normal, eval_index=[0, 1])])[0]


def test_biases_and_norms_do_not_decay() -> None:
    module = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.LayerNorm(4))
    decaying, others = parameter_groups(module)
    assert [parameter.shape for parameter in decaying["params"]] == [(4, 3)]
    assert len(others["params"]) == 3
    assert others["weight_decay"] == 0


def test_schedule_rises_then_falls_to_its_floor() -> None:
    schedule = WarmupCosine(warmup=0.1, floor=0.05)
    factors = [schedule.factor(step, 100) for step in range(101)]
    assert factors[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    assert factors[10:] == sorted(factors[10:], reverse=True)
    assert factors[55] == pytest.approx((1 + 0.05) / 2)
    assert factors[100] == pytest.approx(0.05)


def test_a_stable_schedule_does_not_know_its_end_until_it_falls() -> None:
    schedule = WarmupStableDecay(warmup=4, decay=0.25, floor=0.1)
    factors = [schedule.factor(step, 40) for step in range(41)]
    assert factors[:31] == pytest.approx([0.25, 0.5, 0.75] + [1.0] * 28)
    assert factors[:31] == [schedule.factor(step, 400) for step in range(31)]
    assert factors[35] == pytest.approx((1 + 0.1) / 2)
    assert factors[40] == pytest.approx(0.1)
    for wrong in ({"warmup": -1}, {"decay": 0.0}, {"floor": 2.0}):
        with pytest.raises(ValueError, match="expected warmup >= 0"):
            WarmupStableDecay(**wrong)


def test_short_averages_forget_their_first_weights() -> None:
    average = [torch.zeros(1)]
    for step in range(1, 200):
        EMA(decay=0.999)._average(average, [torch.ones(1)], step)
    assert average[0].item() > 0.99


def test_metrics_file_joins_a_steps_rows_and_adds_columns(tmp_path: Path) -> None:
    log = MetricsFile(tmp_path / "metrics.csv")
    for step in range(3):
        log.log_metrics({"train/loss": float(step), "epoch": 0}, step)
    log.log_metrics({"val/rmse": 9.5}, 2)
    assert read_rows(log.path)[1:] == [
        {"step": "1", "train/loss": "1.0"},
        {"step": "2", "train/loss": "2.0", "val/rmse": "9.5"},
    ]


def test_metrics_file_replaces_the_rows_a_continued_run_repeats(tmp_path: Path) -> None:
    for steps in (range(5), range(3, 7)):
        log = MetricsFile(tmp_path / "metrics.csv")
        for step in steps:
            log.log_metrics({"train/loss": float(len(steps))}, step)
    rows = read_rows(tmp_path / "metrics.csv")
    assert [int(row["step"]) for row in rows] == list(range(7))
    assert [row["train/loss"] for row in rows] == ["5.0"] * 3 + ["4.0"] * 4


def test_validation_clouds_are_counted_over_all_processes() -> None:
    module = CloudDataModule([], first_of(list("abcdefg"), 5))  # type: ignore[arg-type]
    shares = []
    for rank in (0, 1):
        module.trainer = trainer(global_rank=rank, world_size=2)
        shares.append(list(module.val_dataloader().batch_sampler.sampler))
    assert shares == [[0, 2, 4], [1, 3, 0]]


@pytest.mark.parametrize("how", ["fork", "spawn"])
def test_a_loader_that_still_exists_does_not_keep_python_from_ending(how: str, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(f"""
import multiprocessing
import numpy as np
from tensorframes.data import Cloud, TrainingSamples
from tensorframes.training import CloudDataModule

if __name__ == "__main__":
    multiprocessing.set_start_method({how!r})
    cloud = Cloud("a", np.random.default_rng(0).normal(size=(100, 3)), np.tile([0.0, 0.0, 1.0], (100, 1)))
    batches = iter(CloudDataModule(TrainingSamples([cloud], 10), [cloud]).train_dataloader())
    next(batches)
    print("end")
""")
    ended = subprocess.run([sys.executable, program], capture_output=True, text=True, timeout=240, check=False)
    assert (ended.returncode, ended.stdout.strip(), ended.stderr) == (0, "end", "")
