"""What a model noted on each photo, made witnesses: with ids, and directions from the main view."""

from collections.abc import Sequence

from pipeline.captioning.dialogue.quoting import is_order, model_text
from pipeline.captioning.witnesses import noted_position
from pipeline.perception.directions import trusted_heading
from pipeline.perception.text import is_personal
from prompts.replies import Observation
from schemas.records import Note, Position, StreetView

_CENTRES = {
    Position.LEFT: -90.0,
    Position.AHEAD_LEFT: -40.0,
    Position.AHEAD: 0.0,
    Position.AHEAD_RIGHT: 40.0,
    Position.RIGHT: 90.0,
    Position.BEHIND: 180.0,
}


def notes_of(seen: Sequence[tuple[StreetView, Observation]], road: str) -> list[Note]:
    """The notes of all photos, the main view's first; lettering that is an order or nobody's business is none.

    The scene and the road, which lie all around, come first of each photo's things, without a direction.

    Args:
        seen: the photos and what was observed on each.
        road: what a note on the road is a note on, in the notes' language.
    """
    main = seen[0][0] if seen else None
    found: list[Note] = []
    things = letterings = 0

    def position(view: StreetView, side: str) -> Position | None:
        assert main is not None
        return noted_position(side, view, main)  # type: ignore[arg-type]  # one of the schema's three

    for view, observed in seen:
        for what, looks in ((observed.scene, ""), (road, observed.road)):
            words = model_text(looks or what)
            if words and words.casefold() != "none":
                things += 1
                found.append(
                    Note(
                        note_id=f"n{things}",
                        kind="thing",
                        view_id=view.view_id,
                        what=model_text(what),
                        looks=model_text(looks),
                        text=None,
                        side="middle",
                        position=None,
                        bearing_deg=None,
                        depth=None,
                    )
                )
        for thing in observed.things:
            if model_text(thing.what):
                things += 1
                where = position(view, thing.side)
                found.append(
                    Note(
                        note_id=f"n{things}",
                        kind="thing",
                        view_id=view.view_id,
                        what=model_text(thing.what),
                        looks=model_text(thing.looks),
                        text=None,
                        side=thing.side,
                        position=where,
                        bearing_deg=_bearing(where, main),
                        depth=thing.depth,
                    )
                )
        for writing in observed.writing:
            text = model_text(writing.text)
            if text and not is_personal(text) and not is_order(text):
                letterings += 1
                where = position(view, writing.side)
                found.append(
                    Note(
                        note_id=f"w{letterings}",
                        kind="lettering",
                        view_id=view.view_id,
                        what=model_text(writing.on),
                        looks="",
                        text=text,
                        side=writing.side,
                        position=where,
                        bearing_deg=_bearing(where, main),
                        depth=None,
                    )
                )
    return found


def _bearing(position: Position | None, main: StreetView | None) -> float | None:
    heading = None if main is None else trusted_heading(main)
    return None if position is None or heading is None else (heading + _CENTRES[position]) % 360.0
