"""All measurements on a GPU, by one command that can be interrupted and continued: ``make gpu``."""
