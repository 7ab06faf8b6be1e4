"""Programs run in this process: an interpreter of their own takes seconds to start."""

import contextlib
import io
import runpy
import sys
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import tensorframes

SCRIPTS = Path(__file__).parents[2] / "scripts"
CONFIGS = ("--config-dir", str(Path(__file__).parent / "configs"))  # of the stand-ins
TRUST = "trusted=[standin]"
QUIET = (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning)  # as an interpreter starts


class Ended(NamedTuple):
    """A command that has ended."""

    code: int
    out: str
    err: str


App = Callable[..., Ended]
"""A program of the application with its arguments (``conftest.app``)."""


def assert_refused(ended: Ended, *expected: str) -> None:
    """Check that a program ended with one line that has these texts."""
    assert ended.code == 2
    assert ended.err.count("\n") == 1, ended.err
    assert all(text in ended.err for text in expected), ended.err


def run_command(*arguments: object) -> Ended:
    """Exit code and output of ``tensorframes ARGUMENTS``."""
    return run_file(Path(tensorframes.__file__).parent / "__main__.py", *arguments)


def run_script(name: str, *arguments: object) -> Ended:
    """Exit code and output of ``python scripts/NAME.py ARGUMENTS``."""
    return run_file(SCRIPTS / f"{name}.py", *arguments)


def run_file(path: Path, *arguments: object) -> Ended:
    """Exit code and output of ``python PATH ARGUMENTS``, warnings and tracebacks on stderr as there."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with (
        mock.patch.object(sys, "argv", [str(path), *map(str, arguments)]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        warnings.catch_warnings(),
    ):
        warnings.resetwarnings()
        for category in QUIET:
            warnings.simplefilter("ignore", category)
        warnings.showwarning = lambda *warning: err.write(warnings.formatwarning(*warning[:4]))
        try:
            runpy.run_path(str(path), run_name="__main__")
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        except Exception:
            traceback.print_exc()
            code = 1
    return Ended(code, out.getvalue(), err.getvalue())
