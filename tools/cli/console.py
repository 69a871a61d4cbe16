"""The console that tables are printed to."""

import os
from typing import Any

from rich.console import Console

_WIDE = 160
"""Columns that the widest table needs."""


def table_console() -> Console:
    """Standard output; in a pipe or a file, where nobody's window is too small, lines are as wide as tables need."""
    console = plain_console()
    return console if console.is_terminal or "COLUMNS" in os.environ else plain_console(width=_WIDE)


def plain_console(**settings: Any) -> Console:
    """A console that prints text as it is: brackets in a path are no markup."""
    return Console(markup=False, emoji=False, **settings)
