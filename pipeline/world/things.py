"""The things that stand in a town, as plain values. Positions are metres in the town's frame, colours RGB."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from pipeline.geo.point import Floats

Colour = tuple[int, int, int]
Species = Literal["round", "broad", "slim", "conifer", "bush"]
Roof = Literal["flat", "gable", "hip"]
PropKind = Literal[
    "car", "van", "bus", "person", "lamp", "bench", "bus stop", "traffic light", "sign", "hedge", "fence", "statue",
    "fountain", "canopy", "parapet", "kiosk",
]  # fmt: skip


@dataclass(frozen=True)
class Shop:
    """A shop in the ground floor of a building's front."""

    name: str
    category: str
    """OSM's word."""
    board: Colour
    letters: Colour
    awning: Colour | None
    blade: bool
    """Whether a second sign sticks out over the pavement."""


@dataclass(frozen=True, eq=False)
class Building:
    """A prism with four walls and a roof."""

    key: str
    footprint: Floats
    """4 x 2, counter-clockwise; the first side is the front."""
    label: str
    """Class of the vocabulary."""
    category: str
    """OSM's word."""
    name: str | None
    storeys: int
    storey_m: float
    ground_m: float
    """Height of the ground floor."""
    wall: Colour
    wall_word: str
    brick: bool
    trim: Colour
    """Colour of window frames and doors."""
    window: tuple[float, float]
    """Width and height of a window as shares of its bay and storey."""
    bay_m: float
    roof: Roof
    roof_m: float
    """Height of the roof over the walls."""
    roof_colour: Colour
    shops: tuple[Shop | None, ...] = ()
    """One for each pair of bays of the front, from its left end."""
    tower_m: float = 0.0
    """A church's tower, without its spire."""

    @property
    def height(self) -> float:
        """Height of the walls."""
        return self.ground_m + self.storey_m * (self.storeys - 1)

    @property
    def bays(self) -> int:
        """How many bays the front has."""
        return max(1, round(float(np.hypot(*(self.footprint[1] - self.footprint[0]))) / self.bay_m))

    def shop_span(self, number: int) -> tuple[float, float]:
        """Where on the front a shop begins and ends: two bays, the last one up to the end."""
        length = float(np.hypot(*(self.footprint[1] - self.footprint[0])))
        pair = 2 * length / self.bays
        return number * pair, length if number == self.bays // 2 - 1 else (number + 1) * pair


@dataclass(frozen=True)
class Tree:
    """A tree or bush."""

    x: float
    y: float
    height: float
    width: float
    species: Species
    look: int
    """Which of the drawings of the species, and of its tints."""


@dataclass(frozen=True)
class Prop:
    """Any smaller thing."""

    kind: PropKind
    x: float
    y: float
    heading: float
    """Which way its front looks (where it has one), degrees clockwise from the frame's north."""
    colour: Colour = (90, 92, 95)
    word: str | None = None
    """The colour in words, where it is worth telling."""
    text: str | None = None
    length: float = 0.0
    """Length of a hedge, fence, parapet or canopy."""


@dataclass(frozen=True, eq=False)
class Patch:
    """Something flat on the ground: polygons of one colour that do not overlap each other."""

    layer: int
    """Painted from 0 upwards."""
    label: str
    """Class of the vocabulary; empty for markings and the like, which belong to what they lie on."""
    colour: Colour
    polygons: tuple[Floats, ...]
    thing: str | None = None
    """Key of a thing that is told apart from others of its class, such as one crossing."""


@dataclass(frozen=True, eq=False)
class Feature:
    """A thing on the map that is no building, shop, road or prop."""

    key: str
    kind: Literal["green", "water", "square", "poi"]
    category: str
    name: str | None
    polygon: Floats
