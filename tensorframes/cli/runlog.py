"""Lines that belong in the run's log but not, or not in this form, on the screen."""

import logging


def write_to_log(text: str, level: int = logging.INFO) -> None:
    """Add ``text`` to run.log, if the run has got as far as having one."""
    record = logging.LogRecord("tensorframes.cli", level, __file__, 0, text, None, None)
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.FileHandler):
            handler.emit(record)
