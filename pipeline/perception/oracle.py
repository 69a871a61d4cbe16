"""Engines that read the synthetic world's truth instead of pixels, so that what follows is judged without their errors.

A view's truth is JSON with two lists:

- `texts`: `text`, `polygon`, `lasting`, `distance_m`, `script` (ISO 15924);
- `objects`: `label`, `attribute` (or null), `polygon`, `lasting`, `distance_m` (or null), `bearing_deg`.

Polygons are x1, y1, x2, y2, ... in the view's pixels; a text's runs clockwise from the text's top left. Distances are
metres from the camera, bearings degrees clockwise from north.
"""

from collections.abc import Sequence
from typing import Annotated

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.config.perception import OracleOcr as OcrConfig
from pipeline.config.perception import OracleSegments as SegmentsConfig
from pipeline.errors import MachineError
from pipeline.perception.base import Segment, TextBox, View
from pipeline.perception.models.store import ModelInUse
from pipeline.perception.vocabulary import vocabulary
from schemas.records import Heading

_SHIFT = 4  # fractional bits of cv2's drawing coordinates

Polygon = Annotated[list[float], Field(min_length=6)]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class TrueText(_Record):
    """A legible text."""

    text: str
    polygon: Polygon
    lasting: bool
    distance_m: float
    script: str


class TrueObject(_Record):
    """A visible thing, or a stretch of ground or sky."""

    label: str
    attribute: str | None
    polygon: Polygon
    lasting: bool
    distance_m: float | None
    bearing_deg: Heading


class Truth(_Record):
    """The truth about a view."""

    texts: list[TrueText]
    objects: list[TrueObject]


class OracleOcr:
    """Reads texts off the truth."""

    name = "oracle 1"

    def __init__(self, config: OcrConfig) -> None:
        self._config = config

    def fingerprint(self) -> str:
        """Its version: it has no settings."""
        return self.name

    def read(self, views: Sequence[View]) -> list[list[TextBox]]:
        """The legible texts of each view.

        Raises:
            MachineError: a view has no truth.
        """
        return [
            [TextBox(text.text, 1.0, tuple(text.polygon), text.script, confirmed=True) for text in _truth(view).texts]
            for view in views
        ]


class OracleSegmenter:
    """Reads objects off the truth."""

    name = "oracle 1"

    def __init__(self, config: SegmentsConfig) -> None:
        self._config = config
        self.words = vocabulary()
        self.models: tuple[ModelInUse, ...] = ()

    def fingerprint(self) -> str:
        """Its version: it has no settings."""
        return self.name

    def segment(self, views: Sequence[View]) -> list[list[Segment]]:
        """The visible objects of each view, with the masks of their polygons.

        Raises:
            MachineError: a view has no truth.
        """
        return [[_segment(found, view) for found in _truth(view).objects] for view in views]


def _truth(view: View) -> Truth:
    if view.truth is None:
        raise MachineError(
            f"view {view.view_id} has no truth: oracle engines work with sources of type world alone; "
            "set perception.ocr.engine and perception.segmenters to engines that read pixels"
        )
    try:
        return Truth.model_validate_json(view.truth)
    except ValidationError as error:
        raise MachineError(f"view {view.view_id}: its truth cannot be read: {error}") from error


def _segment(found: TrueObject, view: View) -> Segment:
    height, width = view.pixels.shape[:2]
    return Segment(
        found.label, found.attribute, _mask(found.polygon, height, width), 1.0, found.lasting, found.distance_m
    )


def _mask(polygon: list[float], height: int, width: int) -> NDArray[np.bool_]:
    """Pixels within a polygon; a pixel's centre lies at .5, where cv2 counts it from 0."""
    mask = np.zeros((height, width), np.uint8)
    corners = np.array(polygon[: len(polygon) // 2 * 2]).reshape(-1, 2) - 0.5
    cv2.fillPoly(mask, [np.rint(corners * (1 << _SHIFT)).astype(np.int32)], 1, cv2.LINE_8, _SHIFT)
    return mask.astype(bool)
