"""The claims of the paper, tested with the runs of a matrix."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tensorframes.reports.matrix.pairing import Difference, paired, slope
from tensorframes.reports.matrix.records import Key, Record, Setup, by_key, scores_of
from tensorframes.words import counted

CONFIRMED, REFUTED, UNDECIDED, NOT_RUN = "confirmed", "refuted", "undecided", "not run"
ERRORS = 2.0  # standard errors that decide, if the bootstrap interval excludes zero, too
SAME = 1e-3  # largest change of a cloud's mean cosine that counts as none

COMPARED = (
    ("Learned frames with tensor messages beat no frames with SO(3) augmentation", "learned_tensor", "plain_so3"),
    ("Learned frames with tensor messages beat no frames with O(3) augmentation", "learned_tensor", "plain_o3"),
    ("Tensor messages beat scalar messages in learned frames", "learned_tensor", "learned_scalar"),
    ("Frames refined between layers beat frames that stay", "refined", "learned_tensor"),
    ("Random frames with tensor messages beat learned ones with scalar messages", "random_tensor", "learned_scalar"),
    ("Learned frames beat PCA frames, tensor messages in both", "learned_tensor", "pca_tensor"),
    ("Learned frames beat nearest-neighbour frames, tensor messages in both", "learned_tensor", "nearest_tensor"),
    ("Tensor messages beat scalar messages in PCA frames", "pca_tensor", "pca_scalar"),
    ("Tensor messages beat scalar messages in nearest-neighbour frames", "nearest_tensor", "nearest_scalar"),
    ("Tensor messages beat scalar messages in random frames", "random_tensor", "random_scalar"),
    ("Vectors beside scalars beat scalars alone, at equal width", "to_order_1", "learned_scalar"),
    ("Vectors beside scalars beat vectors alone, at equal width", "to_order_1", "vectors"),
    ("Matrices beside vectors and scalars beat these alone, at equal width", "learned_tensor", "to_order_1"),
    ("Tensors of order 3 beside the others beat these alone, at equal width", "to_order_3", "learned_tensor"),
)
"""Claims about the first backbone: text, the better network, the worse one."""

OF_OTHERS = (
    ("Tensor messages beat scalar messages with {}", "learned_tensor", "learned_scalar"),
    (
        "Learned frames with tensor messages beat no frames with SO(3) augmentation with {}",
        "learned_tensor",
        "plain_so3",
    ),
)
"""Claims about each further backbone."""


@dataclass(frozen=True)
class Verdict:
    """A claim and what the runs say about it.

    Args:
        text: of the claim. outcome: confirmed, refuted, undecided or not run. found: the numbers, in words.
        cost: of the better network, as ratios to the other.
    """

    text: str
    outcome: str
    found: str = ""
    cost: str = ""


def verdicts(records: Sequence[Record], setup: Setup) -> list[Verdict]:
    """All claims, judged."""
    runs, main = by_key(records), records[0].backbone
    others = list(dict.fromkeys(each.backbone for each in records if each.backbone != main))
    found = [compared(text, (main, better, None), (main, worse, None), runs, setup) for text, better, worse in COMPARED]
    for backbone in others:
        for text, better, worse in OF_OTHERS:
            keys = (backbone, better, None), (backbone, worse, None)
            found.append(compared(text.format(backbone), *keys, runs, setup))
    return [
        *found,
        same_under_rotations(records, setup),
        loses_without_augmentation(runs, main, setup),
        *of_data(runs, setup),
    ]


def compared(text: str, better: Key, worse: Key, runs: Mapping[Key, Sequence[Record]], setup: Setup) -> Verdict:
    """The verdict on a claim that one network has a higher score than another."""
    first, second = runs.get(better), runs.get(worse)
    if not first or not second:
        return Verdict(text, NOT_RUN)
    found = paired(*(scores_of(each, setup.rotation, setup.score) for each in (first, second)))
    if found is None:
        return Verdict(text, UNDECIDED, "no two clouds that both were scored on")
    return Verdict(text, outcome(found), described(found), cost(first, second))


def outcome(found: Difference) -> str:
    """Confirmed or refuted beyond ERRORS standard errors and the bootstrap interval; one seed decides nothing."""
    if found.seeds < 2 or abs(found.errors) < ERRORS or found.low <= 0 <= found.high:
        return UNDECIDED
    return CONFIRMED if found.mean > 0 else REFUTED


def described(found: Difference) -> str:
    """A difference in words."""
    seeds = "one seed, which decides nothing" if found.seeds == 1 else f"{found.seeds} seeds"
    return (
        f"{found.mean:+.4f}, {found.errors:+.1f} standard errors, 95 % in [{found.low:+.4f}, {found.high:+.4f}] "
        f"({seeds}, {counted(found.clouds, 'cloud')})"
    )


def cost(first: Sequence[Record], second: Sequence[Record]) -> str:
    """Parameters, seconds of a step and memory of the first network as ratios to the second."""
    names = {"parameters": "parameters", "seconds_per_step": "time", "memory": "memory"}
    shown = []
    for key, name in names.items():
        values = [[value for each in runs if (value := each.cost(key)) is not None] for runs in (first, second)]
        if all(values) and np.mean(values[1]) > 0:
            shown.append(f"{name} × {np.mean(values[0]) / np.mean(values[1]):.2f}")
    return ", ".join(shown)


def same_under_rotations(records: Sequence[Record], setup: Setup) -> Verdict:
    """The verdict on exact equivariance: no cloud's score changes by more than SAME under any test rotation."""
    text = "Networks in learned, PCA and nearest-neighbour frames score the same under all test rotations"
    changes = [change for each in records if each.exact and (change := largest_change(each, setup)) is not None]
    if not changes:
        return Verdict(text, NOT_RUN)
    judged, runs = CONFIRMED if max(changes) <= SAME else REFUTED, counted(len(changes), "run")
    return Verdict(text, judged, f"the mean cosine of a cloud changes by at most {max(changes):.1e} ({runs})")


def largest_change(record: Record, setup: Setup) -> float | None:
    """The largest change of a cloud's score from the main rotation to others; None if only one was scored."""
    if shown := record.metrics.get("equal_rotations"):
        return float(shown["largest_difference"][setup.score])
    main = record.scores(setup.rotation, setup.score)
    others = [name for name in record.metrics["per_rotation"] if name != setup.rotation]
    changes = [abs(score - main[cloud]) for name in others for cloud, score in record.scores(name, setup.score).items()]
    return max(changes, default=None)


def loses_without_augmentation(runs: Mapping[Key, Sequence[Record]], main: str, setup: Setup) -> Verdict:
    """The verdict on the loss of a network without frames and augmentation when the test clouds are turned."""
    text = "Without frames and augmentation the score falls when test clouds are turned"
    plain = runs.get((main, "plain", None), ())
    found = paired(*(scores_of(plain, rotation, setup.score) for rotation in ("none", "so3")))
    return Verdict(text, NOT_RUN) if found is None else Verdict(text, outcome(found), described(found))


def of_data(runs: Mapping[Key, Sequence[Record]], setup: Setup) -> list[Verdict]:
    """The verdicts on the number of training clouds: at the fewest, at the most, and the slope."""
    sizes = sorted({clouds for *_, clouds in runs if clouds is not None})
    backbone = next(iter(runs))[0]
    text = "With {} learned frames with tensor messages beat SO(3) augmentation"
    found = [
        compared(
            text.format(counted(size, "training cloud")),
            (backbone, "learned_tensor", size),
            (backbone, "plain_so3", size),
            runs,
            setup,
        )
        for size in dict.fromkeys((sizes[0], sizes[-1]) if sizes else ())
    ]
    return [*found, steeper(*(slopes(runs, backbone, name, setup) for name in ("learned_tensor", "plain_so3")))]


def slopes(runs: Mapping[Key, Sequence[Record]], backbone: str, network: str, setup: Setup) -> dict[int, float]:
    """The exponent of 1 - score against the number of training clouds, for each seed with at least two of these."""
    errors: dict[int, dict[int, float]] = {}
    for (base, name, clouds), members in runs.items():
        if (base, name) == (backbone, network) and clouds is not None:
            for record in members:
                scores = list(record.scores(setup.rotation, setup.score).values())
                errors.setdefault(record.seed, {})[clouds] = 1 - float(np.mean(scores)) if scores else np.nan
    whole = {seed: its for seed, its in errors.items() if len(its) > 1 and min(its.values()) > 0}
    return {seed: slope(list(its), list(its.values())) for seed, its in whole.items()}


def steeper(first: Mapping[int, float], second: Mapping[int, float]) -> Verdict:
    """The verdict on the slopes: whether the error falls faster with more clouds in frames than with augmentation."""
    text = "The error falls faster with the number of training clouds in learned frames than with augmentation"
    differences = np.array([second[seed] - first[seed] for seed in first if seed in second])
    if len(differences) == 0:
        return Verdict(text, NOT_RUN)
    means = f"exponents {np.mean(list(first.values())):.2f} in frames, {np.mean(list(second.values())):.2f} augmented"
    if len(differences) == 1:
        return Verdict(text, UNDECIDED, f"{means} (one seed, which decides nothing)")
    error = float(differences.std(ddof=1) / np.sqrt(len(differences)))
    count = float(differences.mean() / error) if error > 0 else 0.0
    judged = UNDECIDED if abs(count) < ERRORS else CONFIRMED if count > 0 else REFUTED
    return Verdict(text, judged, f"{means}, {count:+.1f} standard errors ({len(differences)} seeds)")
