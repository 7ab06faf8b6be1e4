"""The last choice, trained alone on what is kept of whole clouds."""

import multiprocessing
from functools import partial

import pytest
import pytorch_lightning as pl
import torch
from torch_geometric.data import Batch, Data

from tensorframes.backbones import PointNet2
from tensorframes.errors import UserError
from tensorframes.estimator import NormalEstimator, PlaneFitHead
from tensorframes.frames import LearnedFrames
from tensorframes.training import (
    ChoiceTraining,
    CloudDataModule,
    NormalTraining,
    OrientedLoss,
    UnorientedLoss,
    WarmupCosine,
)


def estimator(choice: bool = True) -> NormalEstimator:
    torch.manual_seed(0)
    head = partial(PlaneFitHead, neighbours=[12, 6], robust=True, near=[[12]], choice=4 if choice else 0)
    return NormalEstimator(LearnedFrames(hidden=8), PointNet2(widths=[8, 16], radii=[2.0]), head)


def training(**settings: object) -> ChoiceTraining:
    given = {"rows": 40, "kept": 3, "every": 2, "points": 24, "clouds": 2, "steady": 1.0, **settings}
    return ChoiceTraining(estimator(), UnorientedLoss(), lambda groups: torch.optim.SGD(groups, lr=0.1), None, **given)


def cloud(seed: int, copies: int = 0) -> Batch:
    """Points on a cube, which has facets to choose."""
    draw = torch.Generator().manual_seed(seed)
    pos = torch.rand(300, 3, generator=draw) * 2 - 1
    axis = torch.randint(3, (300,), generator=draw)
    normal = torch.eye(3)[axis]
    pos = torch.where(normal > 0, pos.sign(), pos)
    pos[len(pos) - copies :] = pos[0]
    item = Data(pos=pos, normal=normal, inner=torch.ones(300, dtype=torch.bool), scale=torch.full((1,), 0.15))
    return Batch.from_data_list([item])


class Trainer:
    """As much of a trainer as a step asks for."""

    world_size, global_step = 1, 0
    optimizers = (torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1),)


@pytest.fixture
def stepped(monkeypatch: pytest.MonkeyPatch) -> type[Trainer]:
    trainer = type("Own", (Trainer,), {})
    monkeypatch.setattr(NormalTraining, "trainer", trainer)
    monkeypatch.setattr(NormalTraining, "global_step", property(lambda self: trainer.global_step))
    monkeypatch.setattr(NormalTraining, "log", lambda *_, **__: None)
    return trainer


def step(module: ChoiceTraining, trainer: type[Trainer], number: int) -> torch.Tensor:
    trainer.global_step = number
    batch = cloud(number)
    module.on_train_batch_start(batch, number)
    return module.training_step(batch, number)


def test_what_is_kept_is_what_the_choice_is_given_in_evaluation(stepped: type[Trainer]) -> None:
    """From what is kept the choice answers as the whole network does."""
    module = training(rows=1000, steady=0.0)
    step(module, stepped, 0)
    kept, batch = module.kept[0], cloud(0)
    normal = module.estimator.head.choice.of(kept.found)
    whole = module.estimator(batch.pos, batch.batch, batch.scale).normal
    assert len(normal) == 300
    assert (normal * whole).sum(-1).abs().min() > 1 - 1e-5
    assert torch.equal(kept.normal, batch.normal)


def test_only_the_choice_learns_and_the_rest_stays_in_evaluation_mode(stepped: type[Trainer]) -> None:
    module = training()
    assert module.training
    assert not any(part.training for part in module.estimator.modules())
    loss = step(module, stepped, 0)
    loss.backward()
    touched = {name for name, each in module.estimator.named_parameters() if each.grad is not None}
    assert touched
    assert all(name.startswith("head.choice.") for name in touched)


def test_clouds_are_looked_at_every_few_steps_and_the_oldest_forgotten(stepped: type[Trainer]) -> None:
    module = training()
    counts = []
    for number in range(8):
        step(module, stepped, number)
        counts.append(len(module.kept))
    assert counts == [1, 1, 2, 2, 3, 3, 3, 3]
    last = module.kept[-1].normal
    assert torch.equal(last, cloud(6).normal[torch.isin(torch.arange(300), rows_of(module, stepped, 6))])


def rows_of(module: ChoiceTraining, trainer: type[Trainer], number: int) -> torch.Tensor:
    trainer.global_step = number
    module.on_train_batch_start(cloud(number), number)
    return torch.randperm(300)[: module.rows]


def test_the_second_look_sees_other_digits_of_the_same_points(stepped: type[Trainer]) -> None:
    module = training()
    step(module, stepped, 0)
    kept = module.kept[0]
    off = (kept.found.edge - kept.again.edge).abs().max()
    assert 0 < off < 1e-4


def test_a_trainer_leaves_the_rest_in_evaluation_mode_and_ends_its_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    module, modes = training(every=2, steady=0.0), []
    module.schedule = WarmupCosine()
    look = ChoiceTraining._look
    monkeypatch.setattr(
        ChoiceTraining, "_look", lambda self, batch: modes.append(self.estimator.training) or look(self, batch)
    )
    before = {name: value.clone() for name, value in module.estimator.state_dict().items()}
    data = CloudDataModule([cloud(seed).to_data_list()[0] for seed in range(20)], [], 1, workers=1, repeat=2)
    quiet = dict.fromkeys(["logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"], False)
    processes = set(multiprocessing.active_children())
    trainer = pl.Trainer(accelerator="cpu", max_steps=4, limit_val_batches=0, **quiet)
    trainer.fit(module, data)
    assert modes == [False, False]
    assert len(module.kept) == 0
    assert set(multiprocessing.active_children()) <= processes
    changed = {name for name, value in module.estimator.state_dict().items() if not torch.equal(value, before[name])}
    assert changed
    assert all(name.startswith("head.choice.") for name in changed)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_copies_of_points_do_not_mix_up_what_is_kept(stepped: type[Trainer], seed: int) -> None:
    module = training(rows=40, steady=0.0)
    copied, whole = cloud(seed, copies=5), cloud(seed, copies=5)
    module.on_train_batch_start(copied, 0)
    module._look(copied)
    kept = module.kept[0]
    assert len(kept.normal) == 40
    assert torch.equal(whole.pos, copied.pos)
    near = kept.found.edge[:, :4].flatten(1) * 0.15
    apart = torch.cdist(whole.pos[:295], whole.pos[:295], compute_mode="donot_use_mm_for_euclid_dist")
    edges = apart.topk(5, largest=False).indices[:, 1:]
    known = (whole.pos[edges] - whole.pos[:295].unsqueeze(1)).flatten(1)
    place = torch.cdist(near, known, compute_mode="donot_use_mm_for_euclid_dist").min(1)
    assert place.values.max() < 1e-3
    assert torch.equal(kept.normal, whole.normal[place.indices])


def test_border_points_are_not_kept(stepped: type[Trainer]) -> None:
    module, patch = training(rows=300, steady=0.0), cloud(0)
    patch.inner = torch.arange(300) < 25
    module._look(patch)
    assert torch.equal(module.kept[0].normal, patch.normal[:25])


def test_nothing_kept_is_told(stepped: type[Trainer], monkeypatch: pytest.MonkeyPatch) -> None:
    module = training()
    monkeypatch.setattr(ChoiceTraining, "_look", lambda *_: None)
    with pytest.raises(UserError, match="expected clouds whose points are not mostly copies of each other, got none"):
        step(module, stepped, 0)


def test_gradients_of_several_batches_are_not_added(stepped: type[Trainer]) -> None:
    module = training()
    stepped.accumulate_grad_batches = 2
    with pytest.raises(UserError, match=r"expected trainer.accumulate_grad_batches=1 .*, got 2"):
        module.on_fit_start()


def test_an_oriented_loss_is_refused() -> None:
    with pytest.raises(ValueError, match="expected an unoriented loss for a choice among planes, got an oriented one"):
        ChoiceTraining(estimator(), OrientedLoss(), lambda groups: None, None)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"only": ["head"]}, r"expected only=\['head.choice'\], what is trained here, got \['head'\]"),
        ({"every": 0}, "expected rows, kept, every and clouds >= 1 and points >= clouds, got 40, 3, 0, 2 and 24"),
        ({"points": 1}, "expected rows, kept, every and clouds >= 1 and points >= clouds, got 40, 3, 2, 2 and 1"),
    ],
)
def test_wrong_settings_are_told(settings: dict, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        training(**settings)


def test_an_estimator_without_a_choice_is_told() -> None:
    with pytest.raises(ValueError, match=r"expected parts of the estimator to train, .* got head.choice"):
        ChoiceTraining(estimator(choice=False), UnorientedLoss(), lambda groups: None, None)
