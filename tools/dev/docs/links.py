"""Links of Markdown files: those between files are checked, those to other sites listed."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import markdown


@dataclass
class _Found(HTMLParser):
    """Links and ids of a page."""

    links: list[str] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, _: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {key: value for key, value in attrs if value is not None}
        self.ids |= {values["id"]} if "id" in values else set()
        self.links += [values[key] for key in ("href", "src") if key in values]


@cache
def _read(page: Path) -> _Found:
    found = _Found()
    found.feed(markdown.markdown(page.read_text(encoding="utf-8"), extensions=["toc", "tables", "fenced_code"]))
    return found


def external(page: Path) -> list[str]:
    """The addresses of other sites that a page links to. Nobody asks them whether they are there."""
    return sorted({link for link in _read(page).links if "://" in link})


def broken(page: Path) -> Iterator[str]:
    """The links of a page to files or headings that are not there."""
    for link in _read(page).links:
        if "://" in link or link.startswith("mailto:"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page.resolve()
        if not target.exists():
            yield f"{page}: {link}: no such file"
        elif anchor and target.suffix == ".md" and anchor not in _read(target).ids:
            yield f"{page}: {link}: no such heading"
