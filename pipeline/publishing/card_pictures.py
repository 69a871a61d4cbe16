"""The card's pictures, as SVG: where the samples are, and how some of their numbers are spread."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

MAP, HISTOGRAMS = "map.svg", "histograms.svg"
_COLOURS = ("#2a6f97", "#e09f3e", "#9e2a2b", "#606c38")
"""Colours of splits, in the order in which they are given."""
_MOST_REGIONS = 24
_PANEL, _GAP, _TITLE = 180, 24, 30
_DOTS = 60
"""Dots along a side of a region's panel: samples on the same dot are drawn as one, so that a million stay small."""
_BARS = (300, 120)
_EARTH_M_A_DEGREE = 111_195.0  # on a sphere of 6371 km


@dataclass(frozen=True)
class Binned:
    """A number that is counted for the card."""

    title: str
    step: int
    """Width of a bin; bins are named by where they begin."""


HISTOGRAMS_OF: dict[str, Binned] = {
    "description_tokens": Binned("tokens of the description", 20),
    "cues": Binned("cues of a place", 5),
    "distance_m": Binned("metres from the place to the camera", 5),
    "captured": Binned("year of the street view", 1),
}


def bin_of(name: str, value: float) -> str:
    """The bin that a value falls into, by where it begins."""
    step = HISTOGRAMS_OF[name].step
    return str(math.floor(value / step) * step)


def map_svg(index: pa.Table, splits: list[str]) -> str:
    """Samples of each region on a panel of its own, north up.

    Args:
        index: columns `region`, `lat`, `lon`, `split`.
        splits: in the order of their colours.
    """
    counts = {row["values"]: row["counts"] for row in pc.value_counts(index["region"]).to_pylist()}
    shown = sorted(counts, key=lambda region: (-counts[region], region))[:_MOST_REGIONS]
    columns = min(4, len(shown))
    height = math.ceil(len(shown) / columns) * (_PANEL + _TITLE + _GAP)
    body = []
    for number, region in enumerate(sorted(shown)):
        x = _GAP + number % columns * (_PANEL + _GAP)
        y = _GAP + _TITLE + number // columns * (_PANEL + _TITLE + _GAP)
        body.append(_text(x, y - 10, f"{region}: {counts[region]}", size=14))
        body.append(f'<rect x="{x}" y="{y}" width="{_PANEL}" height="{_PANEL}" fill="#f4f4f2"/>')
        body += _region(index.filter(pc.equal(index["region"], region)), splits, x, y)
    legend_y = height + _GAP + 20
    for number, split in enumerate(splits):
        x = _GAP + number * 130
        body.append(f'<circle cx="{x + 5}" cy="{legend_y - 4}" r="5" fill="{_colour(number)}"/>')
        body.append(_text(x + 16, legend_y, split))
    if len(counts) > len(shown):
        body.append(_text(_GAP, legend_y + 20, f"The {len(shown)} largest of {len(counts)} regions."))
    return _svg(_GAP + columns * (_PANEL + _GAP), legend_y + 30, body)


def _region(rows: pa.Table, splits: list[str], x: int, y: int) -> Iterator[str]:
    lat, lon = rows["lat"].to_numpy(), rows["lon"].to_numpy()
    middle = float(lat.min() + lat.max()) / 2
    # Metres east and north of the middle; a region at the antimeridian is brought together there.
    east_deg = (lon - lon[0] + 180) % 360 - 180
    east = (east_deg - (east_deg.min() + east_deg.max()) / 2) * _EARTH_M_A_DEGREE * math.cos(math.radians(middle))
    north = (lat - middle) * _EARTH_M_A_DEGREE
    extent = max(float(np.ptp(east)), float(np.ptp(north)), 100.0) * 1.1
    cell_x = np.floor((east / extent + 0.5) * _DOTS).astype(int)
    cell_y = np.floor((0.5 - north / extent) * _DOTS).astype(int)
    number = np.array([splits.index(split) for split in rows["split"].to_pylist()])
    # What is held out is drawn last, since there is less of it.
    dots = sorted({(which, int(a), int(b)) for which, a, b in zip(number.tolist(), cell_x, cell_y, strict=True)})
    size = _PANEL / _DOTS
    for which, column, row in dots:
        centre = x + (column + 0.5) * size, y + (row + 0.5) * size
        yield f'<circle cx="{centre[0]:.1f}" cy="{centre[1]:.1f}" r="2" fill="{_colour(which)}"/>'
    bar_m = 10 ** math.floor(math.log10(extent / 2))
    length = bar_m / extent * _PANEL
    yield f'<path d="M{x} {y + _PANEL + 6}h{length:.1f}" stroke="#333" stroke-width="2"/>'
    said = f"{bar_m / 1000:g} km" if bar_m >= 1000 else f"{bar_m:g} m"
    yield _text(x + length + 6, y + _PANEL + 10, said, size=10)


def histograms_svg(counted: Mapping[str, Mapping[str, int]]) -> str:
    """A histogram of each number that was counted; what is unknown is said in the title."""
    body = []
    width, height = _BARS
    for number, (name, binned) in enumerate(HISTOGRAMS_OF.items()):
        x = _GAP + number % 2 * (width + _GAP * 2)
        y = _GAP + _TITLE + number // 2 * (height + _TITLE + _GAP * 2)
        bins = {int(start): count for start, count in counted.get(name, {}).items() if start != "unknown"}
        unknown = counted.get(name, {}).get("unknown", 0)
        said = [f"highest: {max(bins.values())}"] if bins else []
        said += [f"unknown: {unknown}"] if unknown else []
        body.append(_text(x, y - 10, binned.title + (f" ({', '.join(said)})" if said else "")))
        body.append(f'<path d="M{x} {y + height}h{width}" stroke="#333"/>')
        if bins:
            body += _bars(bins, binned.step, x, y)
    rows = math.ceil(len(HISTOGRAMS_OF) / 2)
    return _svg(_GAP * 3 + width * 2 + _GAP, _GAP + rows * (height + _TITLE + _GAP * 2), body)


def _bars(bins: Mapping[int, int], step: int, x: int, y: int) -> Iterator[str]:
    width, height = _BARS
    first, last = min(bins), max(bins)
    wide = width / ((last - first) // step + 1)
    most = max(bins.values())
    for start, count in sorted(bins.items()):
        left, tall = x + (start - first) / step * wide, count / most * height
        yield (
            f'<rect x="{left:.1f}" y="{y + height - tall:.1f}" width="{max(wide - 1, 0.5):.1f}" height="{tall:.1f}" '
            f'fill="{_COLOURS[0]}"><title>{start}: {count}</title></rect>'
        )
    yield _text(x, y + height + 14, str(first), size=11)
    yield _text(x + width, y + height + 14, str(last if step == 1 else last + step), size=11, anchor="end")


def _colour(number: int) -> str:
    return _COLOURS[number % len(_COLOURS)]


def _text(x: float, y: float, text: str, *, size: int = 12, anchor: str = "start") -> str:
    return f'<text x="{x:g}" y="{y:g}" font-size="{size}" text-anchor="{anchor}" fill="#222">{escape(text)}</text>'


def _svg(width: int, height: int, body: list[str]) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    lines = [f'{head} font-family="sans-serif">', f'<rect width="{width}" height="{height}" fill="#fff"/>', *body]
    return "\n".join([*lines, "</svg>", ""])
