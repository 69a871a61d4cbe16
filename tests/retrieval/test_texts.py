"""Texts that are made of a row's sentences and cues."""

from typing import Any

import pyarrow as pa

from tools.retrieval.data.texts import from_above, has_text, text_of


def cue(cue_id: str, kind: str, label: str, text: str | None = None, **more: Any) -> dict[str, Any]:
    return {"cue_id": cue_id, "kind": kind, "label": label, "category": None, "text": text, "text_en": None} | more


ROW: dict[str, Any] = {
    "description": 'On Mill Lane, a sign reads "Bakery". Behind me is Bakery Row, and a hedge.',
    "description_street": None,
    "language": "en",
    "sentences": [
        {"variant": "long", "text": 'On Mill Lane, a sign reads "Bakery".', "cue_ids": ["m1", "t1"]},
        {"variant": "long", "text": "Behind me is Bakery Row, and a hedge.", "cue_ids": ["m2", "o1"]},
        {"variant": "long", "text": "There is a café.", "cue_ids": ["m3"]},
        {"variant": "short", "text": "A hedge.", "cue_ids": ["o1"]},
    ],
    "cues": [
        cue("t1", "text", "sign", "Bakery"),
        cue("o1", "object", "hedge"),
        cue("m1", "map", "road", "Mill Lane", category="residential"),
        cue("m2", "map", "square", "Bakery Row", category="square"),
        cue("m3", "map", "poi", "Mill", category="ice_cream"),
        cue("m4", "map", "green", "The Meadow", category="park"),
    ],
}


def test_each_choice_says_its_part() -> None:
    assert text_of("description", ROW) == ROW["description"]
    assert text_of("description_street", ROW) == ""
    assert text_of("from_above", ROW) == 'On Mill Lane, a sign reads "Bakery". Behind me is Bakery Row, and a hedge.'
    assert text_of("no_names", ROW) == 'On, a sign reads "Bakery". Behind me is, and a hedge.'
    assert text_of("no_read", ROW) == 'On Mill Lane, a sign reads " ". Behind me is Row, and a hedge.'
    assert text_of("tags", ROW) == "hedge ice cream residential sign square"
    assert text_of("nouns", ROW) == "hedge"


def test_nouns_are_those_in_the_text_whatever_their_form() -> None:
    row = ROW | {
        "description": "I stand on a main road. Behind me are two hedges, a park and a café.",
        "sentences": [{"variant": "long", "text": "", "cue_ids": ["m1", "m2", "m3", "o1", "o2", "t1"]}],
        "cues": [
            cue("m1", "map", "road", category="secondary"),
            cue("m2", "map", "road", "Mill Lane", category="primary"),
            cue("m3", "map", "poi", "Mill", category="cafe"),
            cue("m4", "map", "green", "The Meadow", category="park"),
            cue("o1", "object", "hedge"),
            cue("o2", "object", "pavement"),
            cue("t1", "text", "sign", "Bakery"),
        ],
    }
    assert text_of("nouns", row) == "café hedge main road"
    assert text_of("tags", row) == "cafe hedge pavement primary secondary sign"
    german = row | {"language": "de", "description": "Hinter mir sind zwei Hecken an einer Hauptstraße."}
    assert text_of("nouns", german) == "Hauptstraße Hecke"


def test_what_the_writer_says_of_a_sentence_counts() -> None:
    sentence = ROW["sentences"][2]
    assert not from_above(sentence, ROW["cues"])
    assert from_above(sentence | {"shows": "from_above"}, ROW["cues"])
    assert not from_above(sentence | {"shows": "on_map"}, ROW["cues"])
    assert from_above(ROW["sentences"][0] | {"shows": "street_only"}, ROW["cues"])  # a road, whatever its writer says


def test_a_name_goes_only_where_it_stands_as_words() -> None:
    row = {"description": "The Millers of MILL live by the mill.", "cues": [cue("m1", "map", "poi", "Mill")]}
    assert text_of("no_names", row) == "The Millers of live by the."


def test_rows_without_a_text_are_known() -> None:
    street = {"variant": "long", "text": "A café.", "cue_ids": ["m3"]}
    table = pa.Table.from_pylist([ROW, ROW | {"sentences": [street]}])
    assert has_text("from_above", table).tolist() == [True, False]
    assert has_text("description", table).tolist() == [True, True]
    assert has_text("description_street", pa.table({"description_street": ["a", None, ""]})).tolist() == [
        True,
        False,
        False,
    ]
