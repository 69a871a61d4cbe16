"""What the bench of composed texts counts."""

from typing import Any

from tools.dev.bench.composed import counts, lines


def cue(cue_id: str, kind: str, above: str | None, look: str | None = None, *looks: tuple[str, str]) -> dict[str, Any]:
    told = [{"kind": of, "value": value} for of, value in looks]
    return {"cue_id": cue_id, "kind": kind, "from_above": above, "attribute": look, "looks": told}


def said(variant: str, shows: str, *cue_ids: str, text: str = "x") -> dict[str, Any]:
    return {"variant": variant, "text": text, "cue_ids": list(cue_ids), "shows": shows}


def test_sentences_of_the_map_alone_and_what_shows_from_above_are_counted_by_kind() -> None:
    cues = [cue("m1", "map", "aerial"), cue("o1", "object", "aerial"), cue("t1", "text", "street_only")]
    row = {
        "cues": cues,
        "sentences": [
            said("long", "from_above", "m1"),
            said("long", "from_above", "m1", "o1"),
            said("long", "street_only", "t1", "n1"),
            said("street", "street_only", "t1"),
        ],
    }
    found = counts([row, {"cues": [], "sentences": []}])
    assert found["long"]["of the map alone"] == 1
    assert (found["long"]["texts"], found["long"]["sentences"], found["long"]["from above"]) == (1, 3, 2)
    assert (found["long"]["cues"], found["long"]["cues from above"]) == (3, 2)
    assert found["short"]["texts"] == 0
    assert "of the map alone 33%" in lines(found)[0]
    assert "none" in lines(found)[1]


def test_a_look_counts_once_a_text_and_only_where_it_is_told() -> None:
    road = cue("o1", "object", "aerial", "grey", ("colour", "grey"), ("marking", "yellow"))
    sign = cue("t1", "text", "street_only", None, ("lettering", "white"), ("background", "red"))
    house = cue("o2", "object", "aerial", "beige", ("colour", "beige"))  # not sure enough to be told
    told = [
        said("long", "from_above", "o1", "o2", text="A grey road with yellow lines and a building."),
        said("long", "street_only", "t1", "o1", text='"BAR" in white letters, by the grey road.'),
    ]
    assert counts([{"cues": [road, sign, house], "sentences": told}])["long"]["looks"] == 3
