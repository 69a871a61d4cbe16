"""A made-up town: its character, its frame, and the warped grid that streets and blocks hang on.

A town has no end. Everything in it is keyed by its place in the grid and computed when asked for, so that nothing
depends on the order of asking and a million sites need no more memory than ten. Coordinates are metres
east and north in the town's frame, which is the local frame of its region's centre.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from pipeline.config.region import Region
from pipeline.geo.frame import LocalFrame
from pipeline.geo.point import Floats, Point
from pipeline.world.chance import draws, pick
from pipeline.world.names import LANGUAGES, Language


@dataclass(frozen=True, eq=False)
class Town:
    """Parameters of a whole town. Two towns differ in every number here."""

    seed: int
    name: str
    frame: LocalFrame
    language: Language
    spacing: tuple[float, float]
    angle: float
    """Turn of the grid against north, radians."""
    warp: Floats
    """Amplitude (m), wave number (1/m) and phase of two slow waves that bend the grid; 2 x 3."""
    main: tuple[tuple[int, int], tuple[int, int]]
    """For each family: every how many lines, and from which, there is a main road."""
    river: tuple[int, int]
    rail: tuple[int, int]
    left_hand: bool
    """Which side they drive on."""
    brick: float
    """Share of brick facades."""
    red_roofs: float
    green: float
    """How many trees and hedges, 0 to 1."""
    conifers: float

    def draws(self, *key: object) -> np.random.Generator:
        """Random numbers for a thing of this town."""
        return draws(self.seed, self.name, *key)


@lru_cache(maxsize=256)
def build_town(seed: int, region: Region) -> Town:
    """The town of a region; depends on the seed, the region's name and its centre alone."""
    west, south, east, north = region.bounds()
    lon = west + ((east - west) % 360.0) / 2
    g = draws(seed, region.name, "town")
    language = pick(g, LANGUAGES)
    u = g.random(20)
    return Town(
        seed=seed,
        name=region.name,
        frame=LocalFrame((south + north) / 2, (lon + 180.0) % 360.0 - 180.0),
        language=language,
        spacing=(92 + 30 * u[0], 92 + 30 * u[1]),
        angle=float(u[2] * np.pi / 2),
        warp=np.array(
            [[18 + 14 * u[3], 1 / (150 + 90 * u[4]), 7 * u[5]], [18 + 14 * u[6], 1 / (160 + 80 * u[7]), 7 * u[8]]]
        ),
        main=((4 + int(2 * u[9]), int(4 * u[10])), (4 + int(2 * u[11]), int(4 * u[12]))),
        river=(7 + int(4 * u[13]), int(7 * u[14])),
        rail=(9 + int(4 * u[15]), int(9 * u[16])),
        left_hand=language.code == "en",
        brick=float(0.1 + 0.5 * u[17]),
        red_roofs=float(0.2 + 0.6 * u[18]),
        green=float(0.3 + 0.6 * u[19]),
        conifers=float(g.random() ** 2),
    )


class Pose(NamedTuple):
    """A position in the town's frame."""

    x: float
    y: float
    north_deg: float
    """Where true north lies there, clockwise from the frame's own north (meridian convergence)."""


def locate(town: Town, point: Point) -> Pose:
    """Where a WGS84 position lies in the town."""
    step = 1e-3 if point.lat < 89.9 else -1e-3
    x, y = town.frame.to_metres([point.lon, point.lon], [point.lat, point.lat + step])
    dx, dy = (x[1] - x[0]) * np.sign(step), (y[1] - y[0]) * np.sign(step)
    return Pose(float(x[0]), float(y[0]), float(np.degrees(np.arctan2(dx, dy))))


@lru_cache(maxsize=8192)
def node(town: Town, i: int, j: int) -> tuple[float, float]:
    """Where a junction of the grid lies."""
    jitter = (town.draws("node", i, j).random(2) - 0.5) * 0.3
    x, y = (i + jitter[0]) * town.spacing[0], (j + jitter[1]) * town.spacing[1]
    (a, k, p), (b, m, q) = town.warp
    x += a * np.sin(k * y + p)
    y += b * np.sin(m * x + q)
    sin, cos = np.sin(town.angle), np.cos(town.angle)
    return float(x * cos - y * sin), float(x * sin + y * cos)


def to_grid(town: Town, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Where positions lie in the grid, in cells: the inverse of `node` but for the jitter of each junction."""
    sin, cos = np.sin(town.angle), np.cos(town.angle)
    u, v = x * cos + y * sin, -x * sin + y * cos
    (a, k, p), (b, m, q) = town.warp
    v = v - b * np.sin(m * u + q)
    u = u - a * np.sin(k * v + p)
    return np.asarray(u / town.spacing[0]), np.asarray(v / town.spacing[1])


def cells_near(town: Town, x: float, y: float, radius_m: float) -> list[tuple[int, int]]:
    """Grid cells that may reach within a radius of a position, in a fixed order."""
    turn = np.linspace(0, 2 * np.pi, 8, endpoint=False)
    reach = radius_m * 1.09 + 10.0  # around the octagon's corners; streets bulge out of their cells
    u, v = to_grid(town, x + reach * np.cos(turn), y + reach * np.sin(turn))
    columns = range(int(np.floor(u.min() - 0.15)), int(np.floor(u.max() + 0.15)) + 1)
    rows = range(int(np.floor(v.min() - 0.15)), int(np.floor(v.max() + 0.15)) + 1)
    return [(i, j) for j in rows for i in columns]
