"""HTML page of a training's curves, with SVG drawn here: no script, nothing loaded."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from tools.retrieval.train.log import read_log

FILE = "curves.html"
WIDTH, HEIGHT = 460, 200
_MOST_POINTS = 400
_COLOURS = ("#1f5fa8", "#c2410c", "#15803d", "#7e22ce", "#0e7490", "#a16207", "#be123c", "#475569")
_NO_TERMS = {"kind", "step", "epochs", "learning_rate", "scale", "gradient", "masked", "seconds", "loss"}


@dataclass(frozen=True)
class Line:
    """One curve: points of an SVG polyline, and its last value."""

    name: str
    colour: str
    points: str
    last: str


@dataclass(frozen=True)
class Chart:
    """Curves over the steps, on one scale from `low` to `high`."""

    title: str
    lines: tuple[Line, ...]
    low: str
    high: str
    last: int
    """Where the curves end."""
    unit: str


def write_curves(folder: Path, name: str) -> None:
    """Write a run's page from its log."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    rows = list(read_log(folder))
    page = environment.get_template("curves.html.jinja").render(
        name=name, charts=[drawn(one) for one in charts(rows)], best=_best(rows)
    )
    (folder / FILE).write_text(page, encoding="utf-8", newline="\n")


def charts(rows: Sequence[dict[str, Any]]) -> list[Chart]:
    """Make the charts of a log: loss, its terms, figures on val, learning rate, scale."""
    steps = [row for row in rows if row["kind"] == "step"]
    vals = [row for row in rows if row["kind"] == "val"]
    terms = sorted({name for row in steps for name in row} - _NO_TERMS)
    found = [
        chart("Loss", {"loss": _series(steps, "loss")}),
        chart("Terms of the loss", {name: _series(steps, name) for name in terms}),
    ]
    for view in sorted({view for row in vals for view in row["figures"]}):
        shares = ("R@1", "R@5", "R@10")
        curves = {
            name: [(row["step"], row["figures"][view][name]) for row in vals if view in row["figures"]]
            for name in shares
        }
        gallery = next(int(row["figures"][view]["gallery"]) for row in vals if view in row["figures"])
        found.append(chart(f"Text to {view} on val, gallery {gallery:,}", curves))
    found += [
        chart("Learning rate", {"learning rate": _series(steps, "learning_rate")}),
        chart("Scale of the cosines", {"scale": _series(steps, "scale")}),
        chart("Pairs that are no negatives", {"share": _series(steps, "masked")}),
    ]
    return [one for one in found if one is not None]


def chart(title: str, curves: dict[str, list[tuple[int, float]]], unit: str = "step") -> Chart | None:
    """Make a chart of curves over steps or another unit; None if there is nothing to draw."""
    known = {name: points for name, points in curves.items() if points}
    if not known:
        return None
    values = [value for points in known.values() for _, value in points]
    low, high = min(0.0, *values), max(values)
    span, last = (high - low) or 1.0, max(step for points in known.values() for step, _ in points)
    lines = []
    for number, (name, points) in enumerate(known.items()):
        kept = points[:: max(1, len(points) // _MOST_POINTS)]
        kept = kept if kept[-1] == points[-1] else [*kept, points[-1]]
        path = " ".join(
            f"{round(WIDTH * step / max(last, 1), 1)},{round(HEIGHT - HEIGHT * (value - low) / span, 1)}"
            for step, value in kept
        )
        lines.append(Line(name, _COLOURS[number % len(_COLOURS)], path, f"{points[-1][1]:.4g}"))
    return Chart(title, tuple(lines), f"{low:.3g}", f"{high:.3g}", last, unit)


def drawn(one: Chart) -> Markup:
    """Draw a chart as a standalone SVG picture with a legend."""
    below = 46 + 18 * len(one.lines)
    frame = Markup(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="-6 -40 {w} {h}" role="img" aria-label="{title}" '
        'font-family="system-ui, sans-serif" font-size="13" fill="#54606b">'
        '<text x="0" y="-22" font-size="15" fill="#1d2329">{title}</text><text x="0" y="-5">{high}</text>'
        '<path d="M0 0H{x}M0 {y}H{x}" stroke="#d6dce2" fill="none"/><text x="0" y="{under}">{low}</text>'
        '<text x="{x}" y="{under}" text-anchor="end">{unit} {last}</text>'
    ).format(
        w=WIDTH + 12, h=HEIGHT + 40 + below, title=one.title, high=one.high, low=one.low, x=WIDTH, y=HEIGHT,
        under=HEIGHT + 17, unit=one.unit, last=one.last,
    )  # fmt: skip
    curve = Markup('<polyline points="{}" fill="none" stroke="{}" stroke-width="2" stroke-linejoin="round"/>')
    key = Markup('<circle cx="5" cy="{}" r="5" fill="{}"/><text x="16" y="{}">{}: {}</text>')
    curves = [curve.format(line.points, line.colour) for line in one.lines]
    keys = [
        key.format(HEIGHT + 35 + 18 * at, line.colour, HEIGHT + 39 + 18 * at, line.name, line.last)
        for at, line in enumerate(one.lines)
    ]
    return Markup("").join([frame, *curves, *keys, Markup("</svg>\n")])


def _series(rows: Sequence[dict[str, Any]], name: str) -> list[tuple[int, float]]:
    return [(row["step"], row[name]) for row in rows if name in row]


def _best(rows: Sequence[dict[str, Any]]) -> list[tuple[int, str, dict[str, float]]]:
    """Validations, the newest first: epochs, view, figures."""
    return [
        (row["epochs"], view, figures)
        for row in reversed(rows)
        if row["kind"] == "val"
        for view, figures in row["figures"].items()
    ]
