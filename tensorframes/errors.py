"""The one error a user's own mistake raises; programs print it as one line and exit with 2."""

import argparse
from typing import NoReturn


class UserError(ValueError):
    """A mistake the user can mend: what was expected, what was found, and what to do."""


class LineParser(argparse.ArgumentParser):
    """Reads a script's arguments, and tells what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {' '.join(message.split())}\n")
