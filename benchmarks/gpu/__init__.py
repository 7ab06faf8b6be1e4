"""Everything to be measured on one GPU, by one command that may be interrupted and goes on: ``make gpu``."""
