"""One-line messages for errors of Hydra and OmegaConf, with the values that are allowed."""

import difflib
import errno
import re
from collections.abc import Sequence
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra._internal.utils import get_args_parser
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException
from yaml import MarkedYAMLError

from tensorframes.cli.help import DOWNLOADED
from tensorframes.errors import UserError, out_of_memory

GROUP_VALUE = "Config group override must be"
NO_CLUSTER = 'Could not detect "srun"'  # of submitit
OPTIONAL = ("logger", "callbacks")
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
MEMORY = (
    "expected enough memory for a pass, got too little; reduce loader.batch_size or data.samples.patch_points in "
    "training, or evaluate with device=cpu"
)
QUOTING = (
    "a value with '=', ',', '(', a space or letters such as 'ä' must be quoted twice: 'data.root=\"/my data/a=b\"'"
)
HOME = "the shell leaves a '~' after '=' as it is: write $HOME"


def explain(error: Exception, config_name: str, configs: Path, arguments: list[str]) -> str:
    """One line for a user error: what was expected, and what was found.

    Args:
        error: of Hydra, OmegaConf or the application. config_name: of the program's own configuration.
        configs: the folder with the configurations. arguments: the command line.
    """
    if isinstance(error, OverrideParseException):
        hint = HOME if "=~" in str(error.override) else QUOTING
        return f"expected overrides like key=value, got {error.override} ({first_line(error)}); {hint}"
    if isinstance(error, MissingConfigException) and error.options is not None:
        group, _, choice = str(error.missing_cfg_file).rpartition("/")
        hint = "; pip install 'tensorframes[sweeps]'" if group.startswith("hydra/") else ""
        return f"expected {group} to be one of {', '.join(error.options)}, got {choice}{hint}"
    if isinstance(error, MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        where = f"{mark.name}, line {mark.line + 1}" if mark is not None else "a configuration"
        return f"{where}: expected YAML, got an error: {error.problem}"
    if GROUP_VALUE in str(error):
        return group_value(arguments, configs)
    if NO_CLUSTER in str(error):
        return "expected a SLURM cluster, got a machine without srun; hydra/launcher=joblib is for one machine"
    if isinstance(error, MissingMandatoryValue):
        return f"expected a value for {key_of(error)}, which has no default: add {key_of(error)}=VALUE"
    if match := re.search(r"You must specify '(\w+)'", str(error)):
        known = (
            [*DOWNLOADED] if config_name == "download" else [file.stem for file in (configs / match[1]).glob("*.yaml")]
        )
        return f"expected {match[1]}=NAME with one of {', '.join(sorted(known))}, got none"
    if match := re.search(r"Ambiguous value for argument '(.*)'", str(error)):
        return f"expected one value, got {match[1]}: {QUOTING}; to try several values in turn, add -m"
    if match := re.search(r"Could not (?:override|append) '(.*?)'|Could not find '(.*?)'", str(error)):
        key = match[1] or match[2]
        within = getattr(error.__cause__, "full_key", None) or key  # of key={new: value}, the new one
        key = within if within.startswith(f"{key}.") else key
        message = set_by_scale(key, arguments) if config_name == "reproduce" else None
        return message or unknown(key, config_name, configs, arguments)
    if isinstance(error, HydraException | OmegaConfBaseException) and error.__cause__ is not None:
        return f"{first_line(error)} {first_line(error.__cause__)}"
    return first_line(error)


def is_mistake(error: Exception) -> bool:
    """Whether it is a user error. Hydra raises a ValueError if a group is overridden by null or a number, and
    submitit a RuntimeError without a cluster."""
    kinds = UserError | HydraException | OmegaConfBaseException | MarkedYAMLError
    return isinstance(error, kinds) or any(text in str(error) for text in (GROUP_VALUE, NO_CLUSTER))


def system_error(error: BaseException) -> str | None:
    """One line for an error of the file system (no permission, no such folder, a full disk), or for memory that ran
    out; None for others."""
    chain: BaseException | None = None if isinstance(error, UserError) else error
    while chain is not None:
        if isinstance(chain, OSError) and chain.filename is not None:
            return f"expected a file or folder that can be used, got {chain.filename} ({chain.strerror})"
        if isinstance(chain, OSError) and chain.errno in FULL:
            return f"expected room on the disk, got: {chain.strerror}"
        if out_of_memory(chain):
            return MEMORY
        chain = chain.__cause__
    return None


def group_value(arguments: list[str], configs: Path) -> str:
    """The message for a group of configurations that is overridden by null or a number."""
    overrides = get_args_parser().parse_intermixed_args(arguments).overrides
    for override in OverridesParser.create().parse_overrides(overrides):
        group = str(override.key_or_group)
        if (configs / group).is_dir() and not isinstance(override.value(), str | list):
            known = ", ".join(sorted(file.stem for file in (configs / group).glob("*.yaml")))
            hint = f"; without any: ~{group}" if group in OPTIONAL else ""
            return f"expected {group} to be one of {known}, got {override.get_value_element_as_str()}{hint}"
    return "expected the name of a configuration for each group, got something else"


def first_line(error: BaseException) -> str:
    """The first line of a message, or the type of the error if the message is empty."""
    lines = [line.strip() for line in str(error).strip().splitlines() if line.strip()]
    if lines and lines[0].startswith("Caught UserError in DataLoader worker"):  # and the worker's traceback
        return lines[-1].partition("UserError: ")[2]
    return lines[0] if lines else type(error).__name__


def key_of(error: OmegaConfBaseException) -> str:
    """The full key that an OmegaConf error is about."""
    return error.full_key or "a setting"


def unknown(key: str, config_name: str, configs: Path, arguments: list[str]) -> str:
    """The message for a key that doesn't exist: the keys beside it, and the most similar one."""
    parent, _, name = key.lstrip("+~").rpartition(".")
    if key.startswith("hydra."):
        return f"expected a setting of Hydra's own (--cfg hydra lists them), got {key}"
    own = own_configs(arguments)
    search = [f"hydra.searchpath=['file://{folder}']" for folder in own]
    cfg = composed(config_name, configs, [*search, *groups_of(arguments, [configs, *own])])
    node = OmegaConf.select(cfg, parent) if parent else cfg
    while parent and not isinstance(node, DictConfig):
        parent, _, name = parent.rpartition(".")
        node = OmegaConf.select(cfg, parent) if parent else cfg
    return not_allowed(f"{parent}.{name}" if parent else name, [str(known) for known in node])


def set_by_scale(key: str, arguments: list[str]) -> str | None:
    """The message for a key that the scale of a matrix sets, and a group that the user chose does not have; None for
    keys that the user gave."""
    chosen = {argument.partition("=")[0].lstrip("+~"): argument for argument in arguments if "=" in argument}
    group, _, name = key.partition(".")
    choice = chosen.get(group)
    if key in chosen or choice is None or "={" in choice:
        return None
    return f"expected {group} with the setting {name}, which {chosen.get('scale', 'the scale')} sets, got {choice}"


def not_allowed(key: str, allowed: list[str]) -> str:
    """The message for a key that is none of ``allowed``."""
    parent, _, name = key.rpartition(".")
    settings = sorted(known for known in allowed if not known.startswith("_"))
    likely = difflib.get_close_matches(name, settings, n=1)
    hint = f" (did you mean {likely[0]}?)" if likely else ""
    where = f"a setting of {parent}" if parent else "a setting"
    return f"expected {where}, one of {', '.join(settings)}; got {name}{hint}"


def groups_of(arguments: list[str], folders: Sequence[Path]) -> list[str]:
    """The overrides that choose a configuration from a group, of a sweep its first; they determine which keys exist."""
    groups = []
    for argument in arguments:
        name = argument.split("=")[0].lstrip("+~").split("@")[0]
        if "=" in argument and not argument.startswith("-") and any((folder / name).is_dir() for folder in folders):
            groups.append(argument if "=[" in argument else argument.partition(",")[0])
    return groups


def own_configs(arguments: list[str]) -> list[Path]:
    """The user's own configuration folder (--config-dir), if any."""
    folder = get_args_parser().parse_intermixed_args(arguments).config_dir
    return [] if folder is None else [Path(folder).resolve()]


def composed(config_name: str, configs: Path, overrides: list[str]) -> DictConfig:
    """The configuration with ``overrides``, or without them if they are wrong as well."""
    GlobalHydra.instance().clear()
    with initialize_config_dir(version_base="1.3", config_dir=str(configs)):
        try:
            OverridesParser.create().parse_overrides(overrides)
            return compose(config_name, overrides)
        except HydraException:
            return compose(config_name)
