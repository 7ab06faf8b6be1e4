"""The help of the commands that Hydra composes: their groups and options, without importing Hydra."""

import textwrap

from tensorframes.cli.folders import config_dir, groups

EXAMPLES = {
    "train": (
        ("", "the default: generated shapes, ten minutes on two cores"),
        ("experiment=pcpnet data.root=DIR", "an experiment, its data in DIR"),
        ("frames=pca trainer.max_steps=100", "another choice of a group, another value of a setting"),
        ("-m frames=learned,pca,identity", "a sweep: one run after the other, and their table"),
        ("ckpt_path=RUN/checkpoints/last.ckpt", "continue a run"),
    ),
    "evaluate": (
        ("checkpoint=fast", "weights that come with the package: fast or best"),
        ("checkpoint=RUN/checkpoints/best.ckpt data=pcpnet data.root=DIR", "a run's, on a data set"),
        ("checkpoint=pca", "a classical method: pca, robust_pca, jet, open3d"),
    ),
    "reproduce": (
        ("data.root=DIR dry_run=true", "what would be run: parameters, hours, disk space"),
        ("scale=laptop data.root=DIR", "the matrix at the size of a laptop; again, and it goes on where it stopped"),
        ("scale=gpu data.root=DIR logger=wandb", "settings of train hold for all runs"),
        ("scale=full data.root=DIR workers=4", "four runs side by side, on GPUs in turn"),
        ("-m scale=full data.root=DIR shard=0/8,1/8,2/8", "parts of it, for a launcher of jobs on a cluster"),
    ),
    "shards": (
        ("data=pcpnet data.root=DIR to=FOLDER", "the three splits of PCPNet, 64 shards each"),
        ("data=modelnet40 data.root=DIR to=FOLDER shards=512", "so many, to be read by 8 processes in batches of 64"),
    ),
    "download": (
        ("data=pcpnet data.root=DIR", "PCPNet's benchmark"),
        ("data=modelnet40 data.root=DIR", "ModelNet40 with normals"),
    ),
}
LEAVES = {
    "train": "A run leaves its settings, log, checkpoints, scores and pictures in outputs/NAME/TIME.",
    "evaluate": "A run leaves its settings, log, scores and a picture in outputs/NAME/TIME.",
    "reproduce": "It leaves report.md, results.csv, tables, figures and all runs in outputs/reproduce/SCALE_TARGET.",
    "shards": "They are read with data=shards data.root=FOLDER; those that exist are kept.",
    "download": "Files that are there already are not fetched again.",
}
OPTIONS = (
    ("--cfg job", "print all settings, and do nothing"),
    ("-m", "try several values in turn: KEY=VALUE1,VALUE2"),
    ("--config-dir DIR", "a folder of your own configurations, laid out as the package's: DIR/backbone/mine.yaml"),
    ("--hydra-help", "Hydra's other options"),
)
DOWNLOADED = ("pcpnet", "modelnet40")
NOT_CHOSEN = ("model", "scale", "target")  # groups of one, and those of another command
VARIED = ("frames", "messages", "backbone", "data/augmentation", "task", "experiment")  # between the runs of reproduce


def help_of(name: str, summary: str) -> str:
    """The help of one command.

    Args:
        name: the command. summary: its description in one line.
    """
    lines = [f"usage: tensorframes {name} [GROUP=NAME ...] [KEY=VALUE ...] [options]", ""]
    lines += [f"{summary[0].upper()}{summary[1:]}. {LEAVES[name]}", "", "examples:"]
    for words, meaning in EXAMPLES[name]:
        lines += [f"  tensorframes {name} {words}".rstrip(), f"      {meaning}"]
    lines += ["", "groups:", *rows([(group, ", ".join(names)) for group, names in choices(name).items()])]
    lines += ["", "options:", *rows(OPTIONS[:1] + OPTIONS[2:] if name in ("download", "shards") else OPTIONS)]
    return "\n".join(lines)


def choices(name: str) -> dict[str, list[str]]:
    """The groups of a command's configuration, and their choices."""
    if name == "download":
        return {"data": list(DOWNLOADED)}
    found = groups(config_dir())
    if name == "shards":
        return {"data": [each for each in found["data"] if each != "shards"]}
    if name == "evaluate":
        return {group: names for group, names in found.items() if group in ("data", "data/protocol")}
    if name == "reproduce":
        own = {group: found[group] for group in ("scale", "target")}
        return own | {group: names for group, names in found.items() if group not in (*NOT_CHOSEN, *VARIED)}
    return {group: names for group, names in found.items() if group not in NOT_CHOSEN}


def rows(pairs: list[tuple[str, str]] | tuple[tuple[str, str], ...]) -> list[str]:
    """Two columns of at most 100 characters."""
    width = max(len(left) for left, _ in pairs)
    lines = []
    for left, right in pairs:
        first, *others = textwrap.wrap(right, 96 - width)
        lines += [f"  {left:{width}}  {first}", *(f"  {'':{width}}  {other}" for other in others)]
    return lines
