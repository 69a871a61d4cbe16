"""Training log in JSON Lines, one object per line, `kind` first."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FILE = "log.jsonl"


class Log:
    """Appends to a run's log. Lines after the step that a training resumes from are removed first."""

    def __init__(self, folder: Path, step: int) -> None:
        self._path = folder / FILE
        kept = [line for line in read_log(folder) if line.get("step", 0) <= step] if step else []
        self._path.write_text("".join(json.dumps(line) + "\n" for line in kept), encoding="utf-8")

    def write(self, kind: str, **values: Any) -> None:
        """Append one line."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"kind": kind, **values}) + "\n")


def read_log(folder: Path) -> Iterator[dict[str, Any]]:
    """Read a run's log; a last line that was cut off by a kill is left out."""
    path = folder / FILE
    if not path.is_file():
        return
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        if line.endswith("\n"):
            yield json.loads(line)
