"""The facts that a grammar puts into words: one thing that may be said, and where it is."""

from dataclasses import dataclass
from typing import Literal

from pipeline.captioning.language.nouns import Noun
from schemas.records import FactKind, Position

_RING = [
    Position.LEFT,
    Position.AHEAD_LEFT,
    Position.AHEAD,
    Position.AHEAD_RIGHT,
    Position.RIGHT,
    Position.BEHIND,
]


@dataclass(frozen=True)
class Where:
    """Where a thing is, as far as is known."""

    position: Position | None = None
    bearing_deg: float | None = None
    distance_m: float | None = None
    depth: Literal["near", "far"] | None = None

    @property
    def octant(self) -> int | None:
        """Compass direction, 0 to 7 clockwise from north, where it has a bearing but no position."""
        return None if self.position or self.bearing_deg is None else round(self.bearing_deg / 45.0) % 8

    @property
    def direction(self) -> str:
        """Alike for things in one direction; empty where none is known."""
        return self.position or ("" if self.octant is None else f"octant {self.octant}")

    def agrees(self, other: "Where") -> bool:
        """Whether the directions may be the same: alike, next to each other (a thing may straddle), or unknown."""
        if self.position is None or other.position is None:
            return True
        gap = abs(_RING.index(self.position) - _RING.index(other.position))
        return min(gap, len(_RING) - gap) <= 1


@dataclass(frozen=True)
class Fact:
    """One thing that may be said."""

    cue_ids: tuple[str, ...]
    kind: FactKind | Literal["sign", "street_sign", "object"]
    noun: Noun | None
    """None for a bare sign, and for a named place of unknown class."""
    where: Where
    seen: bool
    """By the camera; otherwise it is on the map alone."""
    above: bool
    """Whether it shows in an aerial picture."""
    confidence: float
    looks: tuple[str, ...] = ()
    """How it looks, in the language's words; of a sign's lettering they stand in `lettering`."""
    lettering: tuple[str | None, str | None] = (None, None)
    """Adjectives for the letters of its sign, and for what is behind them."""
    count: int = 1
    quote: str | None = None
    """Words on its sign, as read."""
    script: str | None = None
    name: str | None = None
    """From the map."""
    gloss: str | None = None
    """The sign's words or the name in English, where these are in another script."""
    area_share: float = 0.0
    weight: float = 0.0
    """How much it helps to tell this place from others, 0 to about 1."""
