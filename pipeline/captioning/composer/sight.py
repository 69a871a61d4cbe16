"""Which things on the map a person at the site sees, and how far their directions can be told."""

import math
from collections.abc import Sequence

from pipeline.captioning.base import Evidence
from pipeline.captioning.witnesses import heading_error
from pipeline.perception.directions import ASSUMED_HFOV_DEG
from schemas.records import Cue, StreetView

WITHIN_M = 40.0
"""What is farther off is not told from the map alone."""
_UNKNOWN_SIGHT_M = 15.0
"""The same where the map has no buildings that could hide it."""
_POSITION_ERROR_M = 5.0
"""Of a camera's position, where its source states none."""
_WIDEST_DEG = 45.0
"""A direction that may be off by more is not told: left and right are 180 degrees apart, with ahead between them."""


def in_sight(evidence: Evidence) -> frozenset[str]:
    """Ids of the map cues that may be told of without a photo that shows them.

    They are near, no building on the map hides them, and they lie within a view whose heading is known.
    """
    views = _views(evidence)
    return frozenset(
        cue.cue_id
        for cue in evidence.cues
        if cue.kind == "map" and _is_near(cue) and (not evidence.site.views or any(_shows(view, cue) for view in views))
    )


def names_around(evidence: Evidence) -> list[str]:
    """Names on the map around the site."""
    named = [(fact.name, fact.name_en) for fact in evidence.site.facts]
    named += [(cue.text, cue.text_en) for cue in evidence.cues if cue.kind == "map"]
    return list(dict.fromkeys(name for pair in named for name in pair if name))


def with_sure_directions(evidence: Evidence) -> list[Cue]:
    """The cues but for what on the map is nothing to stand on or by; without directions that are not sure.

    A flight of steps or a wood's edge beside the site is as likely that of the neighbours' ground.
    """
    main = next(iter(_views(evidence)), None)
    return [
        cue.model_copy(update={"position": None, "bearing_deg": None})
        if cue.kind == "map" and main is not None and not _is_sure(cue, main)
        else cue
        for cue in evidence.cues
        if cue.kind != "map" or not (cue.category == "steps" or _is_edge(cue))
    ]


def _is_edge(cue: Cue) -> bool:
    return (
        cue.label == "green" and cue.in_sight is None and cue.view_id is None and 0.0 < (cue.distance_m or 0.0) < 15.0
    )


def _views(evidence: Evidence) -> Sequence[StreetView]:
    return [view for view in evidence.site.views if view.projection == "perspective"]


def _is_near(cue: Cue) -> bool:
    return cue.in_sight is not False and (cue.distance_m or 0.0) <= (
        WITHIN_M if cue.in_sight is not None else _UNKNOWN_SIGHT_M
    )


def _shows(view: StreetView, cue: Cue) -> bool:
    if view.heading_deg is None or cue.bearing_deg is None or heading_error(view) is None:
        return False
    off = abs((cue.bearing_deg - view.heading_deg + 180.0) % 360.0 - 180.0)
    return off <= min(view.hfov_deg or ASSUMED_HFOV_DEG, 170.0) / 2


def _is_sure(cue: Cue, main: StreetView) -> bool:
    if main.heading_deg is None:
        return True  # told by the compass, which needs no heading; the position's error remains
    error = heading_error(main)
    if error is None:
        return False
    metres = max(_POSITION_ERROR_M, main.position_error_m or 0.0)
    return math.degrees(math.atan2(metres, cue.distance_m or 0.01)) + error <= _WIDEST_DEG
