"""A text tells directions from the standpoint or by the compass, never both."""

import pytest

from pipeline.captioning.grounding.frames import frame_of, in_one_frame
from pipeline.captioning.language import language_of
from schemas.records import Frame, Sentence

SIDE, NORTH = "A church stands on the left.", "A pond lies to the north-east."


def said(*texts: str) -> list[Sentence]:
    return [Sentence(variant="long", text=text, cue_ids=[]) for text in texts]


@pytest.mark.parametrize(
    ("code", "text", "frames"),
    [
        ("en", SIDE, {"heading"}),
        ("en", NORTH, {"compass"}),
        ("en", "A pond lies 30 m south of here.", {"compass"}),
        ("en", "The north wall is white.", set()),
        ("en", 'A sign reads "TO THE NORTH".', set()),
        ("de", "Ein Teich liegt im Nordosten.", {"compass"}),
        ("de", "In Richtung Süden liegt ein Teich.", {"compass"}),
        ("de", "Links steht eine Kirche.", {"heading"}),
        ("de", "Die Nordwand ist weiß.", set()),
    ],
)
def test_frames_are_read_in_each_language(code: str, text: str, frames: set[Frame]) -> None:
    assert language_of(code).frames(text) == frames


def test_sentences_in_the_other_frame_are_taken_out_with_the_reason() -> None:
    english = language_of("en")
    kept, dropped = in_one_frame(said(SIDE, NORTH, "A bakery is ahead."), english)
    assert [sentence.text for sentence in kept] == [SIDE, "A bakery is ahead."]
    assert [(gone.text, "compass" in gone.why[0]) for gone in dropped] == [(NORTH, True)]
    assert frame_of(kept, english) == "heading"
    assert frame_of(said(NORTH), english) == "compass"
    assert frame_of(said("A street with two churches."), english) is None
