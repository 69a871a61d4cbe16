"""The code blocks of a page, and what happens to the code when a reader follows them."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"

_FENCE = re.compile(
    r"^```(?P<language>\w*)(?: title=\"(?P<title>[^\"]+)\")?\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    language: str
    title: str | None
    """A file's path, for a block that is a file or a change to one."""
    text: str


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    return [Block(m["language"], m["title"], m["text"]) for m in _FENCE.finditer(page.read_text(encoding="utf-8"))]


def files(page: Path) -> list[Block]:
    """The blocks that are whole files."""
    return [block for block in blocks(page) if block.title and block.language != "diff"]


def changes(page: Path) -> list[Block]:
    """The blocks that change a file: lines to add and to take away, beside lines that stay."""
    return [block for block in blocks(page) if block.title and block.language == "diff"]


def added(block: Block) -> list[str]:
    """The lines that a change adds."""
    return [line[1:] for line in block.text.splitlines() if line.startswith("+")]


def follow(page: Path, root: Path) -> None:
    """Write the files of a recipe below a folder, and make its changes to the files there.

    Raises:
        AssertionError: the lines beside those to be added are not there, or several times.
    """
    for block in files(page):
        assert block.title is not None
        target = root / block.title
        assert not target.exists(), f"{page.name}: {block.title} is there already"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(block.text, encoding="utf-8")
    for block in changes(page):
        assert block.title is not None
        target = root / block.title
        target.write_text(_changed(target.read_text(encoding="utf-8"), block), encoding="utf-8")


def _changed(text: str, block: Block) -> str:
    """A file with a change made where its context stands."""
    change = block.text.splitlines()
    context = [line[1:] for line in change if not line.startswith("+")]
    lines = text.splitlines()
    found = [i for i in range(len(lines)) if lines[i : i + len(context)] == context]
    assert len(found) == 1, f"{block.title}: {len(found)} places for\n{block.text}"
    (start,) = found
    changed = [line[1:] for line in change if not line.startswith("-")]
    return "\n".join([*lines[:start], *changed, *lines[start + len(context) :], ""])
