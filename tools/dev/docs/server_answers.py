"""Tables of what model servers say in place of a reply, and how it is classed, from the file that the tests read."""

import json
from collections import Counter
from typing import Any

import yaml

from tools.dev.docs.markdown import table
from tools.dev.docs.summaries import ROOT

BODIES = ROOT / "tests" / "captioning" / "dialogue" / "server_errors.yaml"
_CLASSES = ("set-up", "too long", "refused", "busy", "broken")
_KEYS = ("message", "detail", "error", "msg", "title", "raw")
_LONGEST = 110


def reference() -> str:
    """The number of bodies of each server by class, and a line for each body."""
    bodies: list[dict[str, Any]] = yaml.safe_load(BODIES.read_text(encoding="utf-8"))
    counts: dict[str, Counter[str]] = {}
    for body in bodies:
        counts.setdefault(_family(body), Counter())[body["means"]] += 1
    rows = [[server, *(str(count[what] or "") for what in _CLASSES)] for server, count in sorted(counts.items())]
    total = Counter(body["means"] for body in bodies)
    rows.append([f"all {len(bodies)}", *(str(total[what]) for what in _CLASSES)])
    listed = [[body["server"], str(body["status"]), body["means"], _words(body["body"])] for body in bodies]
    return f"{table(['Server', *_CLASSES], rows)}\n{table(['Server', 'Status', 'Class', 'It says'], listed)}"


def _family(body: dict[str, Any]) -> str:
    """The server's name without its version."""
    return str(body["server"]).rstrip("0123456789. ")


def _words(body: Any) -> str:
    """The text of a body, in a line fit for a table."""
    text = body if isinstance(body, str) else _message(body) or json.dumps(body, ensure_ascii=False)
    line = " ".join(text.replace("`", "'").split())
    return f"`{line if len(line) <= _LONGEST else line[: _LONGEST - 1] + '…'}`"


def _message(body: Any) -> str:
    """The innermost message of an error."""
    if isinstance(body, list):
        return next((found for part in body if (found := _message(part))), "")
    if not isinstance(body, dict):
        return body if isinstance(body, str) else ""
    inner = (body[key] for key in _KEYS if key in body)
    return next((found for part in inner if (found := _message(part))), "")
