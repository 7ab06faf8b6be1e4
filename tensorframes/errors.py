"""The one error a user's own mistake raises; the application prints it as one line and exits with 2."""


class UserError(ValueError):
    """A mistake the user can mend: what was expected, what was found, and what to do."""
