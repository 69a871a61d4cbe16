"""Finds what the directions of a text are relative to: the main view's axis or north, never both in one text."""

from collections.abc import Sequence

from pipeline.captioning.grounding.mending import taken_out
from pipeline.captioning.language.base import Language
from schemas.records import Dropped, Frame, Sentence

_SAYS: dict[Frame, str] = {"heading": "directions from the standpoint", "compass": "points of the compass"}


def frame_of(sentences: Sequence[Sentence], language: Language) -> Frame | None:
    """The frame of most sentences of one text, the heading's where as many have either; None where none has one."""
    found = [language.frames(sentence.text) for sentence in sentences]
    heading, compass = (sum(frame in frames for frames in found) for frame in ("heading", "compass"))
    if not heading and not compass:
        return None
    return "heading" if heading >= compass else "compass"


def in_one_frame(sentences: Sequence[Sentence], language: Language) -> tuple[list[Sentence], list[Dropped]]:
    """The sentences of one text that keep to its frame, and the others, with the reason."""
    frame = frame_of(sentences, language)
    kept, dropped = [], []
    for sentence in sentences:
        others = sorted(language.frames(sentence.text) - {frame})
        if others:
            why = f"it tells {_SAYS[others[0]]}, the text {_SAYS[frame or 'heading']}"
            dropped.append(taken_out(sentence, [why]))
        else:
            kept.append(sentence)
    return kept, dropped
