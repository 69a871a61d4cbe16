"""Which looks of a thing are sure enough to be told."""

from schemas.records import Cue, Look

_LIGHT = frozenset({"white", "yellow", "beige", "orange"})
_LEAST_LIGHT = 0.88
"""Confidence of colours that sun and shade, glass and a grey sky give as well."""


def is_sure(look: Look) -> bool:
    """Whether nothing but the thing itself gives it that look."""
    return look.value not in _LIGHT or look.confidence >= _LEAST_LIGHT


def own_looks(cue: Cue) -> list[str]:
    """Adjectives of an object as a whole: its colours where these are sure, or the engine's own word (`two-storey`)."""
    colours = [look for look in cue.looks if look.kind == "colour"]
    if cue.attribute is None or cue.attribute in (look.value for look in colours):
        return [look.value for look in colours if is_sure(look)] if cue.attribute else []
    return [cue.attribute]
