"""Lines for the run's log that are not printed, or printed in another form."""

import logging


def write_to_log(text: str, level: int = logging.INFO) -> None:
    """Add ``text`` to run.log, if that exists already."""
    record = logging.LogRecord("tensorframes.cli", level, __file__, 0, text, None, None)
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.FileHandler):
            handler.emit(record)
