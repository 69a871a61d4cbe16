"""The pages with generated parts: which part of which page comes from where."""

from collections.abc import Callable, Mapping
from pathlib import Path

from tools.dev.docs import build_file, columns, server_answers, summaries
from tools.dev.docs.markdown import filled

PAGES: Mapping[str, Mapping[str, Callable[[], str]]] = {
    "architecture.md": {"folders": summaries.folders, "rooms": summaries.rooms},
    "build-file.md": {"keys": build_file.reference},
    "columns.md": {"columns": columns.reference},
    "engines.md": {"engines": summaries.engines},
    "hostile-input.md": {"server answers": server_answers.reference},
    "operations.md": {"commands": summaries.commands, "reasons": summaries.reasons},
    "sources.md": {"sources": summaries.sources},
}


def stale(docs: Path) -> dict[Path, str]:
    """The pages whose generated parts are not those of the code, each with what it should be."""
    found = {}
    for name, parts in PAGES.items():
        page = docs / name
        text = page.read_text(encoding="utf-8")
        fresh = filled(text, {part: make() for part, make in parts.items()})
        if fresh != text:
            found[page] = fresh
    return found
