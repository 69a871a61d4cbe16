"""The console that tables are printed to."""

import os
from textwrap import TextWrapper
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
    """Print a table of texts to standard output, wide enough that no word is broken: names and ids can be copied.

    In a window that is too small for that each row becomes a paragraph.
    """
    texts = [[str(column.header), *map(str, column.cells)] for column in table.columns]
    widths = [max(map(cell_len, cells)) for cells in texts]
    between = plain_console(width=_ENDLESS).measure(table).maximum - sum(widths)
    words = [max(cell_len(word) for cell in cells for word in cell.split() or [""]) for cells in texts]
    least = [full if c.no_wrap else word for c, full, word in zip(table.columns, widths, words, strict=True)]
    console = table_console()
    if sum(least) + between > console.width and console.width < _WIDE:
        _print_paragraphs(texts, console.width)
        return
    too_wide = sum(widths) + between - console.width
    for _ in range(too_wide):  # rich would break words in its narrowest columns
        column = max(range(len(widths)), key=lambda i: widths[i] - least[i])
        widths[column] -= widths[column] > least[column]
    for column_, width in zip(table.columns, widths, strict=True):
        column_.width = width
    plain_console(width=sum(widths) + between).print(table)


def _print_paragraphs(columns: list[list[str]], width: int) -> None:
    """Print rows of a table, given by its columns with their headers, one under the other."""
    indenting = TextWrapper(
        width, initial_indent="  ", subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )
    headers, *rows = zip(*columns, strict=True)
    for first, *rest in rows:
        said = "; ".join(f"{header}: {cell}" for header, cell in zip(headers[1:], rest, strict=True) if cell)
        plain_console().print("\n".join([first, *indenting.wrap(said)]), soft_wrap=True, highlight=False)


def plain_table(*columns: str) -> Table:
    """A table without lines: words to the left, numbers to the right."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        words = column in ("region", "stage", "failed", "source", "provider")
        # Names stay whole; the reasons of failure, which may be many, are broken before anything else goes.
        whole = words and column != "failed"
        table.add_column(column, justify="left" if words else "right", no_wrap=whole)
    return table


def time_words(seconds: float, digits: int = 1) -> str:
    """A time as people say it, with so many digits after the point where it is given in minutes or more."""
    for size, name in ((86_400, "days"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:,.{digits}f} {name}"
    return f"{seconds:.0f} s" if seconds >= 1 or not seconds else "< 1 s"


def hours_words(hours: float, of: str) -> str:
    """Working hours of a processor, such as `1,234.5 GPU hours`; in seconds where they are less than a tenth of one."""
    seconds = hours * 3600
    return f"{hours:,.1f} {of} hours" if hours >= 0.1 else f"{seconds:,.{0 if seconds >= 1 else 2}f} {of} seconds"


def size_words(count: float) -> str:
    """A number of bytes as people say it."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
