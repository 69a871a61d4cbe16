"""The witnesses of a place: what programs, the map and a model's own notes say is there, and where.

Nobody is a witness of what they do not mention: that a thing is missing here proves nothing.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from pipeline.captioning.base import Evidence
from pipeline.captioning.directions import direction_error
from pipeline.captioning.language.base import Language
from pipeline.captioning.language.rules import Side
from pipeline.captioning.looks import own_looks
from pipeline.perception.directions import ASSUMED_HFOV_DEG, position_of, turn_between
from schemas.records import Cue, FactKind, MapFact, Note, Position, StreetView

Witness = Literal["ocr", "detector", "map", "notes"]
PUBLIC_PLACES = frozenset({"road", "square", "junction", "stop", "crossing", "rail"})
"""Kinds of map facts whose names are those of streets, or of places called after them."""

IN_SIGHT_M = 40.0
"""What is farther off on the map is not told as if it was seen."""
_STRETCHED: frozenset[FactKind] = frozenset({"road", "rail", "green", "water", "square"})
_STRETCH_DEG = 90.0
"""What is long or wide goes on to either side of its nearest point on the map: a straight road by a right angle."""
_SECTORS = {
    Position.LEFT: (-90.0, 30.0),
    Position.AHEAD_LEFT: (-40.0, 20.0),
    Position.AHEAD: (0.0, 20.0),
    Position.AHEAD_RIGHT: (40.0, 20.0),
    Position.RIGHT: (90.0, 30.0),
    Position.BEHIND: (180.0, 60.0),
}
"""Middle and half width of each position's sector; `pipeline.perception.directions` cuts them."""
_SIDES: dict[Side, tuple[float, float]] = {
    "left": (-160.0, -8.0),
    "right": (8.0, 160.0),
    "ahead": (-75.0, 75.0),
    "behind": (100.0, 260.0),
}
"""The angles that a writer may well call so. Wider than the positions that cues are given: people are not so exact."""


@dataclass(frozen=True)
class Testimony:
    """One thing that one witness says."""

    id: str
    """Id of the cue or note; of the map fact, where it became no cue."""
    witness: Witness
    words: str
    """What it says of the thing: class, looks, name; of a program's class as the language has it, too."""
    called: str
    """What the thing is called, with its article; empty for lettering, and for what is not worth a word."""
    texts: tuple[str, ...]
    """Lettering that was read, or names on the map, in English as well where that is known."""
    kind: FactKind | None
    """Kind of a map fact."""
    angle_deg: float | None
    """Clockwise from the main view's axis."""
    half_width_deg: float
    """What the thing takes up, and what the angle may be off by."""
    distance_m: float | None
    depth: Literal["near", "far"] | None
    view_id: str | None
    lasting: bool
    confidence: float
    hidden: bool = False
    """Nobody at the site sees it: on the map, behind a building or far off."""

    @property
    def lettering(self) -> bool:
        """Whether it is of words that were read on the spot."""
        return self.witness in ("ocr", "notes") and bool(self.texts)

    def may_be(self, side: Side) -> bool:
        """Whether it may lie in a direction, as far as is known."""
        if self.angle_deg is None:
            return True
        low, high = _SIDES[side]
        spans = ((self.angle_deg + turn - self.half_width_deg, self.angle_deg + turn + self.half_width_deg) for turn in
                 (-360.0, 0.0, 360.0))  # fmt: skip
        return any(most >= low and least <= high for least, most in spans)


def gather_testimony(evidence: Evidence, notes: Sequence[Note], language: Language) -> list[Testimony]:
    """All that is in evidence: cues, map facts that became no cue, and notes."""
    views = {view.view_id: view for view in evidence.site.views if view.projection == "perspective"}
    main = next(iter(views.values()), None)
    found = [_of_cue(cue, views, main, language) for cue in evidence.cues]
    told = {(cue.label, cue.category, cue.distance_m) for cue in evidence.cues if cue.kind == "map"}
    for fact in evidence.site.facts:
        if (fact.kind, fact.category, fact.distance_m) not in told:
            texts = tuple(text for text in (fact.name, fact.name_en) if text)
            found.append(_of_map(fact.fact_id, fact.kind, fact.category, texts, fact, main, language))
    return [*found, *(_of_note(note) for note in notes)]


def _of_map(
    id_: str,
    kind: FactKind,
    category: str,
    texts: tuple[str, ...],
    located: Cue | MapFact,
    main: StreetView | None,
    language: Language,
) -> Testimony:
    angle, width = _map_angle(kind, located.bearing_deg, located.distance_m, main)
    called = language.called(kind, category)
    return Testimony(
        id=id_,
        witness="map",
        words=" ".join((kind, category.replace("_", " "), called, *texts)),
        called=called,
        texts=texts,
        kind=kind,
        angle_deg=angle,
        half_width_deg=width,
        distance_m=located.distance_m,
        depth=located.depth if isinstance(located, Cue) else None,
        view_id=None,
        lasting=located.lasting if isinstance(located, Cue) else True,
        confidence=located.confidence if isinstance(located, Cue) else 1.0,
        hidden=located.in_sight is False or (located.distance_m or 0.0) > IN_SIGHT_M,
    )


def _of_cue(cue: Cue, views: dict[str, StreetView], main: StreetView | None, language: Language) -> Testimony:
    texts = tuple(text for text in (cue.text, cue.text_en) if text)
    if cue.kind == "map":
        kind: FactKind = cue.label  # type: ignore[assignment]  # a map cue's label is its fact's kind
        return _of_map(cue.cue_id, kind, cue.category or "", texts, cue, main, language)
    angle, width = _seen_angle(cue, views, main)
    looks = own_looks(cue)
    # An unsure colour is called as it is told (`pale`), and speaks for itself too: it is not to be held false.
    names = [language.called("object", cue.label, look) for look in (next(iter(looks), None), cue.attribute)]
    called = names[0] if cue.kind == "object" else ""
    return Testimony(
        id=cue.cue_id,
        witness="ocr" if cue.kind == "text" else "detector",
        words=" ".join(dict.fromkeys(filter(None, (cue.attribute, *looks, cue.label, *(names if called else ()))))),
        called=called,
        texts=texts if cue.kind == "text" else (),
        kind=None,
        angle_deg=angle,
        half_width_deg=width,
        distance_m=cue.distance_m,
        depth=cue.depth,
        view_id=cue.view_id,
        lasting=cue.lasting,
        confidence=cue.confidence,
    )


def _of_note(note: Note) -> Testimony:
    middle, half = _SECTORS[note.position] if note.position else (None, 180.0)
    return Testimony(
        id=note.note_id,
        witness="notes",
        words=" ".join((note.what, note.looks)),
        called="",
        texts=(note.text,) if note.text else (),
        kind=None,
        angle_deg=middle,
        half_width_deg=half,
        distance_m=None,
        depth=note.depth,
        view_id=note.view_id,
        lasting=True,
        confidence=1.0,
    )


def _map_angle(
    kind: str, bearing_deg: float | None, distance_m: float | None, main: StreetView | None
) -> tuple[float | None, float]:
    """Direction of a thing on the map, and how far that may be off; none inside it, or where no heading is known."""
    if bearing_deg is None or main is None or main.heading_deg is None or (distance_m or 0.0) < 0.5:
        return None, 180.0
    error = direction_error(main, distance_m)
    if error is None:
        return None, 180.0
    return _turn(bearing_deg - main.heading_deg), error + (_STRETCH_DEG if kind in _STRETCHED else 0.0)


def _seen_angle(cue: Cue, views: dict[str, StreetView], main: StreetView | None) -> tuple[float | None, float]:
    """Direction of what a photo shows: from pixels, so that only the turn between views hangs on their headings."""
    view = views.get(cue.view_id or "")
    if view is None or main is None or not cue.polygon:
        return (None, 180.0) if cue.position is None else _SECTORS[cue.position]
    focal = view.width / 2 / math.tan(math.radians(min(view.hfov_deg or ASSUMED_HFOV_DEG, 170.0)) / 2)
    low, high = (
        math.degrees(math.atan((x - view.width / 2) / focal)) for x in (min(cue.polygon[::2]), max(cue.polygon[::2]))
    )
    turn = turn_between(view, main)
    if turn is None:
        return None, 180.0
    return _turn(turn + (low + high) / 2), (high - low) / 2


def noted_position(side: Literal["left", "middle", "right"], view: StreetView, main: StreetView) -> Position | None:
    """The position, from the main view, of what is noted in a third of a view; None where the turn is not known."""
    hfov = min(view.hfov_deg or ASSUMED_HFOV_DEG, 170.0)
    third = math.degrees(math.atan(2 / 3 * math.tan(math.radians(hfov) / 2)))  # the middle of an outer third
    offset = {"left": -third, "middle": 0.0, "right": third}[side]
    turn = turn_between(view, main)
    return None if turn is None else position_of(turn + offset)


def _turn(degrees: float) -> float:
    return (degrees + 180.0) % 360.0 - 180.0


def ids(found: Iterable[Testimony]) -> list[str]:
    """Their ids, each once, in order."""
    return list(dict.fromkeys(item.id for item in found))
