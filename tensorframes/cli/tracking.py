"""Weights & Biases: setup without prompts, and its errors in one line."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from netrc import NetrcParseError, netrc
from typing import Any

from tensorframes.errors import UserError, needed_for

MODES = ("online", "offline", "shared", "disabled", "dryrun", "run")
SECONDS = "30"
"""Seconds that the server may take to respond when a run begins; WANDB_INIT_TIMEOUT overrides it."""


def prepare_wandb() -> None:
    """Set up Weights & Biases; without an API key it is offline, and writes to the run's folder.

    Raises:
        UserError: WANDB_MODE, or another of its environment variables, is invalid.
    """
    os.environ.setdefault("WANDB_SILENT", "true")
    os.environ.setdefault("WANDB_INIT_TIMEOUT", SECONDS)
    mode = os.environ.get("WANDB_MODE", "").strip()
    if mode and mode not in MODES:
        raise UserError(f"expected WANDB_MODE to be one of {', '.join(MODES)}, got {mode}")
    if not mode:
        os.environ.pop("WANDB_MODE", None)  # empty means unset
        if not _has_wandb_key():
            os.environ["WANDB_MODE"] = "offline"
    with needed_for("logger=wandb", "wandb"):
        import wandb
    with wandb_errors_in_one_line():
        wandb.setup()  # here, so that the settings hold before the first run


@contextmanager
def wandb_errors_in_one_line() -> Iterator[None]:
    """A context in which errors of Weights & Biases (settings, key, unreachable server) become a ``UserError``."""
    try:
        yield
    except Exception as error:
        library = type(error).__module__.partition(".")[0]
        if library == "pydantic_core":
            raise UserError(f"Weights & Biases: {_of_setting(error)}") from error
        if library != "wandb":
            raise
        reason = " ".join(str(error).split()).rstrip(".")
        offline = type(error).__name__ in ("CommError", "AuthenticationError") or "API key" in reason
        hint = "; WANDB_MODE=offline needs neither a key nor a network" if offline else ""
        raise UserError(f"Weights & Biases: {reason}{hint}") from error


def finish_wandb() -> None:
    """End the Weights & Biases run, if any; the next job of a sweep starts its own."""
    if sys.modules.get("wandb") is not None:
        import wandb

        if wandb.run is not None:
            wandb.finish()


def _of_setting(error: Any) -> str:
    """The first setting that pydantic rejects, and the reason, without the link to its documentation."""
    first = error.errors()[0]
    return f"{first['msg']}, got {'.'.join(map(str, first['loc']))}={first['input']!r}"


def _has_wandb_key() -> bool:
    if os.environ.get("WANDB_API_KEY"):
        return True
    try:
        return any("wandb" in host for host in netrc(os.environ.get("NETRC")).hosts)
    except (OSError, NetrcParseError):
        return False
