"""The last choice of the shipped weights, trained alone: python scripts/train_choice.py FOLDER FILE.safetensors

Makes whole clouds of every kind of sampling (`data/corruption=mix_sensors`, and shapes sampled as sensors and software
do it), keeps what the network finds of random points of each in FOLDER/found.pt, trains `head.choice` on it and writes
the weights. The rest of the network stays as it is.
"""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tensorframes.errors import LineParser, UserError, interruptible, loading

if TYPE_CHECKING:
    import torch
    from torch.utils.data import Dataset
    from torch_geometric.data import Data

    from tensorframes.normals import NormalEstimator
    from tensorframes.normals.last_choice import Found, LastChoice

    Part = tuple[Found, torch.Tensor]
    """What was found of M points of one cloud, and their true normals (M, 3)."""

CONFIDENT = 1e-3  # squared chord, of 1.8 degrees, below which errors are alike
CLOUDS = 8  # of each step
EMA = 0.99
WHOLE = 2**30  # points of a patch: more than any cloud has


def find(estimator: "NormalEstimator", folder: Path, given: argparse.Namespace) -> "list[Part]":
    """What the network finds of `given.rows` labelled points of each cloud: once, then read from the folder."""
    import torch

    file = folder / "found.pt"
    if file.exists():
        parts: list[Part] = torch.load(file, weights_only=False)
        return parts
    samples, parts = whole_clouds(folder, given), []
    for number in range(given.clouds):
        torch.manual_seed(number)
        part = found_of(estimator, samples[number], given.rows)
        parts += [] if part is None else [part]
        if number % 20 == 0:
            print(f"{number} clouds", flush=True)
    torch.save(parts, file)
    return parts


def whole_clouds(folder: Path, given: argparse.Namespace) -> "Dataset[Data]":
    """Whole clouds, each turned and corrupted."""
    from hydra import compose, initialize_config_dir

    from tensorframes.cli.build import component, data_set
    from tensorframes.cli.cli import config_dir

    settings = [
        "data=shapes",
        "data/corruption=mix_sensors",
        f"data.samples.patch_points={WHOLE}",
        "data.samples.loss_share=1.0",
        "data.samples.profile=true",
        f"data.root={folder}",
        f"data.train_shapes={given.clean}",
        f"data.sampled_shapes={given.sampled}",
        f"data.points={given.points}",
        f"seed={given.seed}",
    ]
    with initialize_config_dir(version_base="1.3", config_dir=str(config_dir())):
        cfg = compose("train", overrides=settings)
    samples: Dataset[Data] = component(cfg.data.samples, "data.samples", clouds=data_set(cfg).train)
    return samples


def found_of(estimator: "NormalEstimator", cloud: "Data", rows: int) -> "Part | None":
    """What is found of random points of one cloud, copies of points left out; None where almost all are copies."""
    import torch

    from tensorframes.geometry.distances import distinct_points
    from tensorframes.normals.last_choice import LastChoice

    first = distinct_points(cloud.pos, torch.zeros(len(cloud.pos), dtype=torch.long)).first.sort().values
    pos, normal, labelled = cloud.pos[first], cloud.normal[first], cloud.loss_mask[first].nonzero()[:, 0]
    chosen = labelled[torch.randperm(len(labelled))[:rows]].sort().values
    seen: list[Found] = []
    handle = estimator.head.final_selection.register_forward_pre_hook(
        lambda _, args: seen.append(LastChoice.found(*args[:5]))
    )
    try:
        with torch.no_grad():
            estimator(pos, scale=cloud.scale, rows=chosen, profile=cloud.profile)
    finally:
        handle.remove()
    return (seen[0], normal[chosen]) if len(chosen) > rows // 10 and len(seen[0].edge) == len(chosen) else None


def train(choice: "LastChoice", parts: "list[Part]", given: argparse.Namespace) -> None:
    r"""Trains the choice in place; it ends as the moving average of its weights.

    The loss is the mean over clouds of half the logarithm of the mean squared chord and a constant: a tenth less of a
    small error is worth as much as a tenth less of a large one.
    """
    import copy

    import torch

    from tensorframes.normals.joined import joined

    torch.manual_seed(given.seed)
    average = copy.deepcopy(choice)
    optimizer = torch.optim.AdamW(choice.parameters(), lr=given.lr, weight_decay=1e-4)
    for step in range(given.steps):
        fall = min(1.0, 2.5 * (1 - step / given.steps), (step + 1) / 30)
        optimizer.param_groups[0]["lr"] = given.lr * fall
        some = [parts[place] for place in torch.randint(len(parts), (CLOUDS,)).tolist()]
        rows = [torch.randint(len(normal), (given.batch // CLOUDS,)) for _, normal in some]
        found = joined([part.of(each) for (part, _), each in zip(some, rows, strict=True)])
        truth = torch.cat([normal[each] for (_, normal), each in zip(some, rows, strict=True)])
        chord = 2 - 2 * (choice.of(found) * truth).sum(-1).abs()
        loss = (chord.view(CLOUDS, -1).mean(1) + CONFIDENT).log().mean() / 2
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(choice.parameters(), 1.0)
        optimizer.step()
        decay = min(EMA, (step + 1) / (step + 10))
        with torch.no_grad():
            for mean, now in zip(average.parameters(), choice.parameters(), strict=True):
                mean.lerp_(now, 1 - decay)
        if (step + 1) % 100 == 0:
            print(f"step {step + 1}: loss {loss.item():.4f}", flush=True)
    choice.load_state_dict(average.state_dict())


def main() -> None:
    parser = LineParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--clean", type=int, default=240, help="shapes sampled at random")
    parser.add_argument("--sampled", type=int, default=160, help="shapes sampled in other ways")
    parser.add_argument("--points", type=int, default=40_000, help="points of a shape sampled at random")
    parser.add_argument("--clouds", type=int, default=260, help="clouds made of these shapes")
    parser.add_argument("--rows", type=int, default=2500, help="points of each cloud that are kept")
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--batch", type=int, default=4096, help="points of a step")
    parser.add_argument("--lr", type=float, default=0.004)
    parser.add_argument("--seed", type=int, default=12)
    given = parser.parse_args()
    with loading():
        from tensorframes.normals import about, pretrained, pretrained_path, recipe_of, save_weights
    try:
        estimator = pretrained("best")
        given.folder.mkdir(parents=True, exist_ok=True)
        parts = find(estimator, given.folder, given)
        train(estimator.head.final_selection, parts, given)
        start = pretrained_path("best")
        metadata = {**about(start), "choice": {"steps": given.steps, "seed": given.seed}}
        save_weights(estimator, recipe_of(start), given.target, metadata)
    except (UserError, OSError) as error:
        parser.error(str(error))
    print(f"{given.target}: {given.target.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    sys.exit(interruptible(main))
