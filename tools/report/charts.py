"""The geometry of the report's charts, in the user units of their SVG."""

import math
from dataclasses import dataclass

from tools.metrics.intervals import Estimate
from tools.report.statistics import Lengths, Positions

HISTOGRAM_SIZE = (460, 150)
MAP_SIZE = 320
WHISKER_SIZE = (100, 8)
_MOST_BARS = 24
_GRID = 3
"""Dots nearer to each other than this are drawn as one: a map of a million sites stays small."""
_EARTH_M_A_DEGREE = 111_195.0  # on a sphere of 6371 km


@dataclass(frozen=True)
class Bar:
    """A bar of a histogram: lengths from `low` to `high`, both included."""

    x: float
    y: float
    width: float
    height: float
    low: int
    high: int
    count: int


def histogram(lengths: Lengths) -> list[Bar]:
    """Bars from the shortest to the longest; the highest one fills `HISTOGRAM_SIZE`."""
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
    """A figure and its interval on a line from 0 to `WHISKER_SIZE`'s width."""

    x: float
    low: float
    high: float


def whisker(estimate: Estimate | None, top: float) -> Whisker | None:
    """Where a figure lies between 0 and `top`."""
    if estimate is None:
        return None
    x, low, high = (
        round(WHISKER_SIZE[0] * min(value / top, 1.0), 1) for value in (estimate.value, estimate.low, estimate.high)
    )
    return Whisker(x, low, high)


@dataclass(frozen=True)
class RegionMap:
    """Where a region's sites lie: an SVG path of dots for each split."""

    region: str
    paths: dict[str, str]
    extent_m: float
    """What the map's side measures on the ground."""


def region_map(region: str, positions: dict[str, Positions]) -> RegionMap:
    """Sites of a region, north up, in a square of `MAP_SIZE`; east-west is scaled by the cosine of the latitude."""
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
