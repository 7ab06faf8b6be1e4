"""The random numbers inside the network: of which batch, step and process they are a function."""

from types import SimpleNamespace

import pytest
import torch
from torch_geometric.data import Batch, Data

from tensorframes.frames import RandomGlobalFrames
from tensorframes.normals import Estimator
from tensorframes.training import NormalTraining, UnorientedLoss


def draws(monkeypatch: pytest.MonkeyPatch, steps: list[int], rank: int = 0, seed: int = 0) -> list[float]:
    """A random number inside the network for each batch of a run, of which ``steps`` has the step."""
    module, numbers = NormalTraining(Estimator(), UnorientedLoss(), lambda groups: None, None, seed), []
    batch = Batch.from_data_list([Data(pos=torch.zeros(1, 3))])
    for number, step in enumerate(steps):
        trainer = SimpleNamespace(global_step=step, global_rank=rank)
        monkeypatch.setattr(NormalTraining, "trainer", trainer)
        monkeypatch.setattr(NormalTraining, "global_step", step)
        monkeypatch.setattr(NormalTraining, "global_rank", rank)
        module.on_train_batch_start(batch, number)
        numbers.append(torch.rand(()).item())
    return numbers


def test_batches_of_a_step_draw_other_numbers_and_ranks_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = [0, 0, 0, 1, 1, 1, 2]  # three batches are accumulated
    numbers = draws(monkeypatch, steps)
    assert len(set(numbers)) == len(numbers)
    assert draws(monkeypatch, steps, rank=1) == numbers  # they choose the same pass of SO(3) frames


def test_a_continued_run_draws_the_same_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = draws(monkeypatch, [0, 0, 1, 1, 2, 2], rank=1)
    assert draws(monkeypatch, [1, 1, 2, 2], rank=1) == whole[2:]
    assert draws(monkeypatch, [0, 0], rank=1, seed=1) != whole[:2]


def test_one_process_without_accumulation_has_seeds_of_the_step_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(hash((3, 5)) % 2**63)
    assert [torch.rand(()).item()] == draws(monkeypatch, [5], seed=3)


def test_clouds_of_two_processes_have_different_random_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    frames, pos = RandomGlobalFrames().train(), torch.zeros(4, 3)
    made = []
    for rank in (0, 1):
        draws(monkeypatch, [0], rank)
        monkeypatch.setattr("torch.distributed.is_initialized", lambda: True)
        monkeypatch.setattr("torch.distributed.get_rank", lambda rank=rank: rank)
        made.append(frames(pos, torch.zeros(2, 0, dtype=torch.long)).matrices[0])
    assert not torch.allclose(*made)
