"""How far the direction of a thing on the map may be off, by the errors of a photo's heading and position."""

import math
from collections.abc import Iterable

from pipeline.perception.directions import UNRELIABLE_DEG
from schemas.records import Cue, StreetView

_HEADING_ERROR_DEG = 20.0
"""Of a compass in a phone, where nothing better is known: two standard deviations."""
_POSITION_ERROR_M = 5.0
"""Of a camera's position, where its source states none: what is so near may be on either side."""
_WIDEST_DEG = 45.0
"""A direction that may be off by more is not told: left and right are 180 degrees apart, with ahead between them."""


def heading_error(view: StreetView) -> float | None:
    """By how many degrees the stated heading of a view may be off; None where it is not to be trusted at all."""
    error = _HEADING_ERROR_DEG if view.heading_error_deg is None else view.heading_error_deg
    return None if error >= UNRELIABLE_DEG else error


def direction_error(view: StreetView, distance_m: float | None) -> float | None:
    """By how many degrees a thing at a distance may lie elsewhere; None where the heading is not to be trusted."""
    error = heading_error(view)
    metres = max(_POSITION_ERROR_M, view.position_error_m or 0.0)
    return None if error is None else error + math.degrees(math.atan2(metres, max(distance_m or 0.0, 0.01)))


def with_sure_directions(cues: Iterable[Cue], main: StreetView | None) -> list[Cue]:
    """The cues; those of the map without a direction where it is not sure."""
    return [
        cue.model_copy(update={"position": None, "bearing_deg": None})
        if cue.kind == "map" and main is not None and not _is_sure(cue, main)
        else cue
        for cue in cues
    ]


def _is_sure(cue: Cue, main: StreetView) -> bool:
    if main.heading_deg is None:
        return True  # told by the compass, which needs no heading; the position's error remains
    error = direction_error(main, cue.distance_m)
    return error is not None and error <= _WIDEST_DEG
