"""Markdown tables, and the parts of a page that are generated."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_PART = r"(<!-- generated: {name} -->\n).*?(<!-- end -->)"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table. `|` in a cell is escaped, and an empty table is an empty text."""
    lines = [[cell.strip().replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows]
    if not lines:
        return ""
    rule = ["---"] * len(header)
    return "".join(f"| {' | '.join(row)} |\n" for row in [header, rule, *lines])


def code(value: Any) -> str:
    """A value as inline code."""
    return f"`{value}`"


def heading_id(text: str) -> str:
    """The id that a heading gets on the pages, and where a repository's files are shown."""
    return re.sub(r"\s+", "-", re.sub(r"[^\w\s-]", "", text).strip().lower())


def filled(page: str, parts: Mapping[str, str]) -> str:
    """The page with its generated parts, each between `<!-- generated: NAME -->` and `<!-- end -->`, written anew.

    Raises:
        ValueError: the page has not exactly one place for each of the parts.
    """
    for name, text in parts.items():
        body = f"\n{text.strip()}\n\n"
        page, count = re.subn(_PART.format(name=re.escape(name)), lambda m: m[1] + body + m[2], page, flags=re.DOTALL)  # noqa: B023
        if count != 1:
            raise ValueError(f"{count} places for the generated part {name!r}, not one")
    return page
