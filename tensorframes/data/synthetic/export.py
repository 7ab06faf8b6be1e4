"""Export of generated shapes in the format of PCPNet: NAME.xyz, NAME.normals, NAME.pidx and lists of names."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from tensorframes.atomic import replace_text, replacing
from tensorframes.data.cloud import CATEGORIES
from tensorframes.data.synthetic.categories import InCategories
from tensorframes.data.synthetic.dataset import Shapes
from tensorframes.progress import track

TRAINING_LISTS = {
    "no_noise": ("no_noise",),
    "whitenoise": ("no_noise", "low_noise", "med_noise", "high_noise"),
    "vardensity": ("no_noise", "vardensity_striped", "vardensity_gradient"),
    "vardensity_whitenoise": CATEGORIES,
}
"""The categories in PCPNet's training and validation lists."""


def write_pcpnet(dataset: Shapes, folder: str | Path) -> None:
    """Writes the three splits, each shape in every category, with the lists of the protocol:
    trainingset_* and validationset_* (no_noise, whitenoise, vardensity, vardensity_whitenoise), testset_CATEGORY and
    testset_all.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    train = InCategories(dataset.train, CATEGORIES, (dataset.seed, 0))
    validation = InCategories(dataset.val.clean, CATEGORIES, (dataset.seed, 1))
    for prefix, clouds in (("trainingset", train), ("validationset", validation)):
        names = write_clouds(clouds, folder, prefix)
        for variant, categories in TRAINING_LISTS.items():
            write_list(folder / f"{prefix}_{variant}.txt", (name for key in categories for name in names[key]))
    names = write_clouds(dataset.test, folder, "testset")
    for category in dataset.categories:
        write_list(folder / f"testset_{category}.txt", names[category])
    write_list(folder / "testset_all.txt", (name for category in dataset.categories for name in names[category]))


def write_clouds(clouds: InCategories, folder: Path, description: str) -> dict[str, list[str]]:
    """Writes each cloud's files; names by category."""
    names: dict[str, list[str]] = {category: [] for category in clouds.categories}
    for index in track(range(len(clouds)), f"writing {description}"):
        cloud = clouds[index]
        write_rows(folder / f"{cloud.name}.xyz", cloud.pos, "%.7g")
        write_rows(folder / f"{cloud.name}.normals", np.asarray(cloud.normal), "%.7g")
        write_rows(folder / f"{cloud.name}.pidx", cloud.eval_index, "%d")
        names[cloud.category].append(cloud.name)
    return names


def write_rows(file: Path, values: np.ndarray, form: str) -> None:
    """Rows of numbers, whole or not at all."""
    with replacing(file) as stream:
        np.savetxt(stream, values, fmt=form)


def write_list(file: Path, names: Iterable[str]) -> None:
    """One name a line."""
    replace_text(file, "".join(f"{name}\n" for name in names))
