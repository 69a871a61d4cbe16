"""Which looks of a thing are sure enough to be told."""

from schemas.records import Cue, Look

_LIGHT = frozenset({"white", "yellow", "beige", "orange"})
_LEAST_LIGHT = 0.9
"""Confidence of colours that sun and shade, glass and a grey sky give as well."""
_PALER = {"white": "pale", "beige": "pale"}
"""Looks that are told of less sure ones."""


def is_sure(look: Look) -> bool:
    """Whether nothing but the thing itself gives it that look."""
    return look.value not in _LIGHT or look.confidence >= _LEAST_LIGHT


def own_looks(cue: Cue) -> list[str]:
    """Adjectives of an object: its colours as far as these are sure, or the engine's own word (`two-storey`)."""
    if cue.attribute is None:
        return []
    colours = {
        look.value: look.value if is_sure(look) else _PALER.get(look.value)
        for look in cue.looks
        if look.kind == "colour"
    }
    if cue.attribute not in colours:
        return [cue.attribute]
    return [colour for colour in dict.fromkeys(colours.values()) if colour]
