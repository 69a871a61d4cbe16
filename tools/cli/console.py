"""The console that tables are printed to."""

import os

from rich.console import Console

_WIDE = 160
"""Columns that the widest table needs."""


def table_console() -> Console:
    """A console on standard output. In a pipe or a file, lines are as wide as the tables need."""
    console = Console()
    return console if console.is_terminal or "COLUMNS" in os.environ else Console(width=_WIDE)
