"""The speed targets, one module for each; ``measured(settings)`` yields its rows of the table."""
