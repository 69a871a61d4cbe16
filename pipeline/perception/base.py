"""The interface of perception engines. Engines are made once a process and shared by its threads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.imaging.types import Pixels
from pipeline.perception.models.store import ModelInUse
from pipeline.perception.vocabulary import Term
from schemas.records import Look


@dataclass(frozen=True)
class View:
    """A decoded perspective street view, ready for engines."""

    view_id: str
    pixels: Pixels
    truth: str | None
    """Synthetic world only; see `StreetView.truth`."""


@dataclass(frozen=True)
class TextBox:
    """A piece of text that was read."""

    text: str
    confidence: float
    polygon: tuple[float, ...]
    """x1, y1, x2, y2, ... pixels, clockwise from the text's top left."""
    script: str
    """ISO 15924 code of the main script."""
    confirmed: bool = False
    """Whether a second reading at another scale gave the same (`pipeline.perception.second_reading`)."""
    looks: tuple[Look, ...] = ()
    """The colours of its letters and its background, where they are sure (`pipeline.perception.lettering`)."""


@dataclass(frozen=True)
class Segment:
    """A thing or a stretch of ground or sky."""

    label: str
    attribute: str | None
    """One adjective (`red`, `brick`), where the engine knows it."""
    mask: NDArray[np.bool_]
    """Height x width of the view."""
    confidence: float
    lasting: bool
    """False for people, vehicles and other passing things."""
    distance_m: float | None
    """Only where the engine knows it (the oracle)."""
    without_openings: bool = False
    """Whether it is a large building that shows none: it may be a wall."""
    box: bool = False
    """Whether the mask is the box around the thing, and so holds more than it."""
    seen_by: tuple[str, ...] = ()
    """Names of the engines that saw it. Filled in by `pipeline.perception.ensemble`, as all that follows."""
    disputed: bool = False
    """Whether another engine saw something else there."""
    looks: tuple[Look, ...] = ()
    """Looks by its pixels, where they are sure."""


class Engine(Protocol):
    """Attributes and methods that all engines have."""

    name: str
    """With the version of what it runs: `rapidocr 3.10.0`. Stands in every cue."""

    def fingerprint(self) -> str:
        """Changes whenever its answers may change: name, versions, weights, settings."""
        ...


class OcrEngine(Engine, Protocol):
    """Reads text."""

    def read(self, views: Sequence[View]) -> list[list[TextBox]]:
        """Text boxes of each view, in the views' order."""
        ...


class Segmenter(Engine, Protocol):
    """Finds things and stretches."""

    words: Mapping[str, Term]
    """The classes that it may name."""
    models: tuple[ModelInUse, ...]
    """The weights that it runs on, for the card."""

    def segment(self, views: Sequence[View]) -> list[list[Segment]]:
        """Segments of each view, in the views' order."""
        ...
