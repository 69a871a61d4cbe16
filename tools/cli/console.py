"""The console that tables are printed to."""

import os
from typing import Any

from rich.console import Console
from rich.table import Table

_WIDE = 160
"""Columns that the widest table needs."""
_ENDLESS = 100_000


def table_console() -> Console:
    """Standard output; in a pipe or a file, where nobody's window is too small, lines are as wide as tables need."""
    console = plain_console()
    return console if console.is_terminal or "COLUMNS" in os.environ else plain_console(width=_WIDE)


def plain_console(**settings: Any) -> Console:
    """A console that prints text as it is: brackets in a path are no markup."""
    return Console(markup=False, emoji=False, **settings)


def print_table(table: Table) -> None:
    """Print a table to standard output, wide enough that no word is broken over lines: names and ids can be copied."""
    console = table_console()
    least = plain_console(width=_ENDLESS).measure(table).minimum
    (console if least <= console.width else plain_console(width=least)).print(table)


def plain_table(*columns: str) -> Table:
    """A table without lines: words to the left, numbers to the right."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        words = column in ("region", "stage", "failed", "source", "provider")
        # Names stay whole; the reasons of failure, which may be many, are broken before anything else goes.
        whole = words and column != "failed"
        table.add_column(column, justify="left" if words else "right", no_wrap=whole)
    return table


def size_words(count: float) -> str:
    """A number of bytes as people say it."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
