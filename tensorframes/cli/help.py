"""The help of the commands that Hydra composes: their groups and options, without importing Hydra."""

import textwrap

from tensorframes.cli.folders import config_dir, groups

EXAMPLES = {
    "train": (
        ("", "the default run: generated shapes, ten minutes on two CPU cores"),
        ("experiment=pcpnet data.root=DIR", "an experiment, with its data in DIR"),
        ("frames=pca trainer.max_steps=100", "another file of a group, another value of an option"),
        ("-m frames=learned,pca,identity", "a sweep: several runs in turn, and a table of their scores"),
        ("ckpt_path=RUN/checkpoints/last.ckpt", "continue a run"),
    ),
    "evaluate": (
        ("checkpoint=fast", "weights of the package: fast or best"),
        ("checkpoint=RUN/checkpoints/best.ckpt data=pcpnet data.root=DIR", "a checkpoint of a training run, on PCPNet"),
        ("checkpoint=pca", "a classical method: pca, robust_pca, jet, open3d"),
    ),
    "reproduce": (
        ("data.root=DIR dry_run=true", "only print the plan: runs, parameters, hours, disk space"),
        ("scale=laptop data.root=DIR", "the matrix at the scale of a laptop; repeat the command to continue it"),
        ("scale=gpu data.root=DIR logger=wandb", "options of tensorframes train apply to all runs"),
        ("scale=full data.root=DIR workers=4", "four runs in parallel, distributed over the GPUs"),
        ("-m scale=full data.root=DIR shard=0/8,1/8,2/8", "parts of the matrix, for jobs on a cluster"),
    ),
    "shards": (
        ("data=pcpnet data.root=DIR to=FOLDER", "the three splits of PCPNet, at most 64 shards each"),
        ("data=modelnet40 data.root=DIR to=FOLDER shards=512", "512 shards, for 8 loader processes and batches of 64"),
    ),
    "download": (
        ("data=pcpnet data.root=DIR", "PCPNet's benchmark"),
        ("data=modelnet40 data.root=DIR", "ModelNet40 with normals"),
    ),
}
LEAVES = {
    "train": "A run writes its settings, log, checkpoints, scores and pictures to outputs/NAME/TIME.",
    "evaluate": "A run writes its settings, log, scores and a picture to outputs/NAME/TIME.",
    "reproduce": "Writes report.md, results.csv, tables, figures and all runs to outputs/reproduce/SCALE_TARGET.",
    "shards": "Train on them with data=shards data.root=FOLDER. Existing shards are kept.",
    "download": "Existing files are not downloaded again.",
}
OPTIONS = (
    ("--cfg job", "print all settings and stop"),
    ("-m", "run all combinations of values: KEY=VALUE1,VALUE2"),
    ("--config-dir DIR", "a folder of your own configuration files, in sub-folders by group: DIR/backbone/mine.yaml"),
    ("--hydra-help", "further options of Hydra"),
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
