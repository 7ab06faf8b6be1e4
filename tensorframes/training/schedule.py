"""Parameter groups of the optimiser, and learning rate schedules."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR


def parameter_groups(module: torch.nn.Module) -> list[dict[str, object]]:
    """Two groups: matrices, with weight decay, and parameters of fewer dimensions (biases, norms, gains), without."""
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    return [
        {"params": [parameter for parameter in trained if parameter.ndim >= 2]},
        {"params": [parameter for parameter in trained if parameter.ndim < 2], "weight_decay": 0.0},
    ]


def set_as_configured(optimizer: Optimizer, scheduler: LambdaLR, configured: Sequence[Mapping[str, object]]) -> None:
    """Give the groups of an optimiser their configured settings, in place of those that a checkpoint held.

    Args:
        optimizer: with the state of a checkpoint. scheduler: of its learning rate, with that state.
        configured: settings of each group; ``lr`` is the highest learning rate.
    """
    for group, settings in zip(optimizer.param_groups, configured, strict=True):
        group.update({"lr": group["initial_lr"], **settings})
        group["initial_lr"] = group["lr"]
    scheduler.base_lrs = [group["lr"] for group in optimizer.param_groups]
    for group, factor in zip(optimizer.param_groups, scheduler.lr_lambdas, strict=True):
        group["lr"] = group["initial_lr"] * factor(scheduler.last_epoch)


OptimizerFactory = Callable[[Iterable[dict[str, object]]], Optimizer]
Schedule = Callable[[Optimizer, int], LambdaLR]  # of an optimiser and its number of steps


class WarmupCosine:
    """Linear warm-up, then half a cosine (Loshchilov and Hutter 2017, eq. 5, one cycle).

    factor(s) = min(1, (s + 1) / w) for s < w, and floor + (1 - floor) (1 + cos(pi (s - w) / (S - w))) / 2 afterwards,
    where S is the number of steps and w = warmup * S.

    Args:
        warmup: share of the steps. floor: the factor after the last step.
    """

    def __init__(self, warmup: float = 0.05, floor: float = 0.01) -> None:
        if not (0 <= warmup < 1 and 0 <= floor <= 1):
            raise ValueError(f"expected warmup in [0, 1) and floor in [0, 1], got {warmup} and {floor}")
        self.warmup, self.floor = warmup, floor

    def factor(self, step: int, steps: int) -> float:
        """The learning rate at ``step`` of ``steps``, a fraction of the highest."""
        rise = self.warmup * steps
        if step < rise:
            return min(1.0, (step + 1) / rise)
        fall = min(1.0, (step - rise) / max(1.0, steps - rise))
        return self.floor + (1 - self.floor) * (1 + math.cos(math.pi * fall)) / 2

    def __call__(self, optimizer: Optimizer, steps: int) -> LambdaLR:
        """The scheduler of ``optimizer`` over ``steps`` steps."""
        return LambdaLR(optimizer, lambda step: self.factor(step, steps))


class WarmupStableDecay:
    """Linear warm-up, a constant rate, then linear decay (Hu et al. 2024, *MiniCPM*, section 4).

    factor(s) = (s + 1) / warmup for s < warmup, 1 up to S - d, and 1 - (1 - floor) (s - S + d) / d afterwards (the
    smaller of the two where they overlap), where S is the number of steps and d = decay * S. Before the decay the rate
    does not depend on S: a run that is extended from a checkpoint before it equals a run of that length.

    Args:
        warmup: steps. decay: share of the steps. floor: the factor after the last step.
    """

    def __init__(self, warmup: int = 100, decay: float = 0.25, floor: float = 0.01) -> None:
        if warmup < 0 or not (0 < decay <= 1 and 0 <= floor <= 1):
            given = f"{warmup}, {decay} and {floor}"
            raise ValueError(f"expected warmup >= 0, decay in (0, 1] and floor in [0, 1], got {given}")
        self.warmup, self.decay, self.floor = warmup, decay, floor

    def factor(self, step: int, steps: int) -> float:
        """The learning rate at ``step`` of ``steps``, a fraction of the highest."""
        rise = min(1.0, (step + 1) / max(1, self.warmup))
        length = self.decay * steps
        return min(rise, 1 - (1 - self.floor) * min(1.0, max(0.0, step - steps + length) / length))

    def __call__(self, optimizer: Optimizer, steps: int) -> LambdaLR:
        """The scheduler of ``optimizer`` over ``steps`` steps."""
        return LambdaLR(optimizer, lambda step: self.factor(step, steps))
