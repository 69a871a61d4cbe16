"""Orders to a model on signs, and the signs of streets that use the same words."""

import re
from pathlib import Path

import pytest
import yaml

from pipeline.captioning.dialogue.noting import notes_of
from pipeline.captioning.dialogue.quoting import ORDERS, is_order, model_text, usable
from pipeline.perception import instructions
from pipeline.perception.text import clean, is_personal
from prompts.replies import Observation, Thing, Writing
from tests.captioning.places import cue, view

FOUND = yaml.safe_load(Path(__file__).with_name("signs_and_orders.yaml").read_text(encoding="utf-8"))
ROLES = ("SYSTEM:", "ASSISTANT:", "Prompt:", "###", "<", "[")
"""Marks of roles, which count at the start of a text alone, or are taken out of a model's."""


@pytest.mark.parametrize("text", FOUND["signs"])
def test_signs_may_be_told(text: str) -> None:
    assert not is_order(clean(text))
    assert not is_personal(clean(text))
    assert model_text(f'A sign on the left reads "{text}".')


@pytest.mark.parametrize("text", FOUND["taken_for_orders"])
def test_signs_that_say_what_an_order_would_say_are_left_out(text: str) -> None:
    assert is_order(clean(text))


@pytest.mark.parametrize("text", FOUND["orders"])
def test_orders_reach_no_turn_after_the_one_that_met_them(text: str) -> None:
    """Neither as a cue, nor by way of the notes, nor within a statement that is put to the verifier."""
    assert usable([cue("t1", text=text), cue("m1", text="Bakery", text_en=text)]) == []
    assert model_text(text) == ""
    assert model_text(f"A sign reads {text}.") == "" or text.startswith(ROLES)
    seen = Observation(
        indoors=False,
        scene="street",
        road="none",
        things=[Thing(what=text[:80], looks=text[:80], side="left", depth="near")],
        writing=[Writing(text=text[:80], on="wall", side="left")],
    )
    notes = notes_of([(view(0, 0.0, b""), seen)], "road")
    assert [note for note in notes if note.kind == "lettering"] == []
    assert not any(text in f"{note.what} {note.looks}" for note in notes)


def test_a_long_text_is_read_in_time_that_grows_as_it_does() -> None:
    """No pattern looks through all the rest of a text, or of a word, from each of its places."""
    by_language = yaml.safe_load(ORDERS.read_text(encoding="utf-8"))
    for pattern in (*instructions._PATTERNS, *(one for many in by_language.values() for one in many)):
        assert not re.search(r"\.(?:[*+]|\{\d*,\})", pattern), pattern
    for part in ("sag ", "réponds", "ignore all ", "répon", "say yes ", "a ", "\u0430", "1", "<a"):
        assert not is_order(part * (20_000 // len(part)) + "."), part
