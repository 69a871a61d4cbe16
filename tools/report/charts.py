"""Geometry of the charts of the report, in SVG user units."""

import math
from dataclasses import dataclass

from tools.metrics.intervals import Estimate
from tools.report.statistics import Lengths, Positions

HISTOGRAM_SIZE = (460, 150)
MAP_SIZE = 320
WHISKER_SIZE = (100, 8)
_MOST_BARS = 24
_GRID = 3
"""Dots closer than this are drawn as one, so that a map of a million sites stays small."""
_EARTH_M_A_DEGREE = 111_195.0  # on a sphere of 6371 km


@dataclass(frozen=True)
class Bar:
    """A bar of a histogram: lengths from `low` to `high`, inclusive."""

    x: float
    y: float
    width: float
    height: float
    low: int
    high: int
    count: int


def histogram(lengths: Lengths) -> list[Bar]:
    """Bars from the shortest to the longest length. The highest bar fills `HISTOGRAM_SIZE`."""
    if not lengths.counts:
        return []
    least, longest = min(lengths.counts), lengths.longest
    step = math.ceil((longest - least + 1) / _MOST_BARS)
    bars = math.ceil((longest - least + 1) / step)
    counts = [0] * bars
    for length, count in lengths.counts.items():
        counts[(length - least) // step] += count
    width, height = HISTOGRAM_SIZE[0] / bars, HISTOGRAM_SIZE[1] / max(counts)
    return [
        Bar(
            x=round(i * width + 1, 1),
            y=round(HISTOGRAM_SIZE[1] - count * height, 1),
            width=round(width - 2, 1),
            height=round(count * height, 1),
            low=least + i * step,
            high=min(least + (i + 1) * step - 1, longest),
            count=count,
        )
        for i, count in enumerate(counts)
    ]


@dataclass(frozen=True)
class Whisker:
    """A figure with its interval, on a line from 0 to the width of `WHISKER_SIZE`."""

    x: float
    low: float
    high: float


def whisker(estimate: Estimate | None, top: float) -> Whisker | None:
    """The position of a figure between 0 and `top`."""
    if estimate is None:
        return None
    x, low, high = (
        round(WHISKER_SIZE[0] * min(value / top, 1.0), 1) for value in (estimate.value, estimate.low, estimate.high)
    )
    return Whisker(x, low, high)


@dataclass(frozen=True)
class RegionMap:
    """Positions of the sites of a region: an SVG path of dots for each split."""

    region: str
    paths: dict[str, str]
    extent_m: float
    """Length of the map's side on the ground, metres."""


def region_map(region: str, positions: dict[str, Positions]) -> RegionMap:
    """Sites of a region, north up, in a square of `MAP_SIZE`. East-west is scaled by the cosine of the latitude."""
    lon_0, lat_0 = next(iter(positions.values()))[0]
    cosine = math.cos(math.radians(lat_0))
    plane = {
        split: [(((lon - lon_0 + 180.0) % 360.0 - 180.0) * cosine, lat - lat_0) for lon, lat in points]
        for split, points in positions.items()
    }
    xs, ys = zip(*(point for points in plane.values() for point in points), strict=True)
    extent = max(max(xs) - min(xs), max(ys) - min(ys), 1e-4)
    middle = (max(xs) + min(xs)) / 2, (max(ys) + min(ys)) / 2
    scale = (MAP_SIZE - 24) / extent
    paths = {}
    for split, points in sorted(plane.items()):
        dots = {
            (_snapped(MAP_SIZE / 2 + (x - middle[0]) * scale), _snapped(MAP_SIZE / 2 - (y - middle[1]) * scale))
            for x, y in points
        }
        paths[split] = "".join(f"M{x} {y}h0" for x, y in sorted(dots))
    return RegionMap(region, paths, MAP_SIZE / scale * _EARTH_M_A_DEGREE)


def _snapped(value: float) -> int:
    return round(value / _GRID) * _GRID
