"""`--log-file`: what happens in a run as JSON lines, for scripts and log collectors."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.net import redact
from tools.output import writing

LogFileOption = Annotated[
    Path | None,
    typer.Option("--log-file", help="Append what happens to this file: JSON lines with time, region, unit, reason."),
]
FIELDS = ("region", "unit", "stage", "reason", "sites", "ok", "detail")
"""Fields beside time, level and message; a line has those that it is about."""
_OURS = "pipeline"


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        content: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": redact.clean(record.getMessage()),
        }
        for name in FIELDS:
            if hasattr(record, name):
                value = getattr(record, name)
                content[name] = value if isinstance(value, int) else redact.clean(str(value))
        if record.exc_info:
            content["error"] = redact.clean(self.formatException(record.exc_info))
        return json.dumps(content, ensure_ascii=False)


def is_ours_to_tell(record: logging.LogRecord) -> bool:
    """False for what Beam says of a package of a cloud that is not used."""
    return "apitools" not in record.getMessage()


@contextmanager
def logging_to(file: Path | None) -> Iterator[None]:
    """Append log records to a file while a command runs; without a file, do nothing.

    Raises:
        ConfigError: it cannot be written.
    """
    if file is None:
        yield
        return
    with writing(file, "--log-file"):
        handler = logging.FileHandler(file, encoding="utf-8", errors="backslashreplace")
    handler.setFormatter(_JsonLines())
    handler.addFilter(is_ours_to_tell)
    ours, root = logging.getLogger(_OURS), logging.getLogger()
    level = ours.level
    ours.setLevel(logging.INFO)
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
        ours.setLevel(level)
        handler.close()
