"""The report of an audit as a page, CSV or JSON."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict
from itertools import groupby
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tools.audit.records import Figure

_SHARES = {"Pass rate", "Lots", "Reasons", "Human retrieval", "Build's verdicts against people's"}


_STYLE = Path(__file__).parent / "static" / "plain.css"


def render_alone(figures: Sequence[Figure]) -> str:
    """The page as a file of its own, with its style in it. It has no scripts."""
    return render(figures, _STYLE.read_text(encoding="utf-8"))


def render(figures: Sequence[Figure], style: str | None = None) -> str:
    """The page as the server shows it; with `style`, it asks the server for none."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined
    )
    environment.filters["figure"] = _number
    sections = [(name, list(found)) for name, found in groupby(figures, key=lambda figure: figure.section)]
    return environment.get_template("report.html.jinja").render(sections=sections, style=style)


def as_csv(figures: Sequence[Figure]) -> str:
    """One line a figure; shares are fractions."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["section", "group", "figure", "value", "low", "high", "n", "note"])
    for f in figures:
        cells = [f.section, f.group, f.name, f.value, f.low, f.high, f.n, f.note]
        writer.writerow([_harmless(cell) for cell in cells])
    return out.getvalue()


def as_json(figures: Sequence[Figure]) -> str:
    """A list of figures."""
    return json.dumps([asdict(figure) for figure in figures], indent=1, ensure_ascii=False) + "\n"


def _harmless(cell: object) -> object:
    """Text that a spreadsheet would take for a formula gets an apostrophe before it."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell


def _number(figure: Figure) -> str:
    if figure.value is None:
        return "not defined"
    share = figure.section in _SHARES or (figure.section == "Annotators" and "seconds" not in figure.name)
    form = "{:.1%}" if share else "{:.2f}"
    text = form.format(figure.value)
    if figure.low is None or figure.high is None:
        return text
    return f"{text} ({form.format(figure.low)} to {form.format(figure.high)})"
