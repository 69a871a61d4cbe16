"""Which objects are told, and as what: those that an engine is sure enough of, for their kind and size."""

from pipeline.captioning.looks import is_sure
from schemas.records import Cue

_HARDER = {
    "wall": 0.2, "awning": 0.22, "tower": 0.22, "grass": 0.1, "house": 0.1, "building": 0.05,
    "tree": 0.1, "vegetation": 0.05, "pavement": 0.12, "road": 0.1,
}  # fmt: skip
"""By how much surer an engine must be of some labels: shop fronts are taken for walls, parasols for awnings, masts for
towers, shrubs for grass and trees, a lane's paving for a pavement, a bin's top for a road."""
_COLOURED_WALL = 0.05
"""The same of a wall with a sure colour, which is no shop front."""
_MORE_GENERAL = {
    "grass": "vegetation", "tree": "vegetation", "house": "building",
    "pavement": "paved ground", "road": "paved ground",
}  # fmt: skip
"""What else is told, if the engine is sure enough of that: it is true of either."""
_WITH_LOOK = 0.1
"""By how much less of what has a sure look but a plain one, which few wrong masks have."""
_PLAIN = frozenset({"grey", "pale"})
_GROUND = frozenset({"road", "pavement", "paved ground", "path", "square"})
_LEAST_GROUND = 0.03
"""Share of a view that ground covers at least: less is a step, a table or the edge of a dashboard."""
_SMALL, _SMALL_HARDER = 0.01, 0.1
"""What covers less of a view than the first and one engine alone saw must be surer by the second."""


def told_as(cue: Cue, min_confidence: float) -> Cue | None:
    """An object by its label, by a more general one where the engine is too unsure of that, or None."""
    share = cue.area_share if cue.area_share is not None else 1.0
    if cue.label in _GROUND and share < _LEAST_GROUND:
        return None
    much = _tells_much(cue)
    harder = {**_HARDER, "wall": _COLOURED_WALL} if much else _HARDER
    plain = -_WITH_LOOK if much else 0.0
    small = _SMALL_HARDER if share < _SMALL and len(cue.seen_by) < 2 else 0.0
    for label in (cue.label, _MORE_GENERAL.get(cue.label)):
        if label is not None and cue.confidence >= min_confidence + max(harder.get(label, plain), small):
            return cue.model_copy(update={"label": label})
    return None


def _tells_much(cue: Cue) -> bool:
    """Whether it has a look that few wrong masks have."""
    return any(is_sure(look) and look.value not in _PLAIN for look in cue.looks if look.kind != "part")
