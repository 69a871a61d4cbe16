"""Where tables go."""

import os

from rich.console import Console

_WIDE = 160
"""Columns: the widest table there is, without a break."""


def table_console() -> Console:
    """Standard output; in a pipe or a file, where nobody's window is too small, lines are as wide as tables need."""
    console = Console()
    return console if console.is_terminal or "COLUMNS" in os.environ else Console(width=_WIDE)
