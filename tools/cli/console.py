"""The console that tables are printed to."""

import os
from typing import Any

from rich.cells import cell_len
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
    """Print a table of texts to standard output, wide enough that no word is broken: names and ids can be copied."""
    texts = [[str(column.header), *map(str, column.cells)] for column in table.columns]
    widths = [max(map(cell_len, cells)) for cells in texts]
    between = plain_console(width=_ENDLESS).measure(table).maximum - sum(widths)
    words = [max(cell_len(word) for cell in cells for word in cell.split() or [""]) for cells in texts]
    least = [full if c.no_wrap else word for c, full, word in zip(table.columns, widths, words, strict=True)]
    too_wide = sum(widths) + between - table_console().width
    for _ in range(too_wide):  # rich would break words in its narrowest columns
        column = max(range(len(widths)), key=lambda i: widths[i] - least[i])
        widths[column] -= widths[column] > least[column]
    for column_, width in zip(table.columns, widths, strict=True):
        column_.width = width
    plain_console(width=sum(widths) + between).print(table)


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
