from collections import Counter
from typing import Any

from schemas.records import Cue, Verdict
from tools.metrics.claims import counted


def cue(cue_id: str, kind: str, **changes: Any) -> Cue:
    fields: dict[str, Any] = dict.fromkeys(name for name, field in Cue.model_fields.items() if field.is_required())
    return Cue(
        **{**fields, "cue_id": cue_id, "kind": kind, "label": "x", "confidence": 0.9, "source": "e", "lasting": True}
        | changes
    )


def verdict(check: str, outcome: str, claim: str = "x", cue_ids: tuple[str, ...] = ()) -> Verdict:
    return Verdict.model_validate(
        {"variant": "long", "sentence": 0, "check": check, "claim": claim, "outcome": outcome, "cue_ids": list(cue_ids)}
    )


def test_claims_are_counted_by_family_and_unknown_ones_not_at_all() -> None:
    found = counted(
        [
            verdict("object", "supported"),
            verdict("object", "unsupported", "a well"),
            verdict("object", "unknown"),
            verdict("map", "contradicted", "a river"),
            verdict("direction", "supported"),
            verdict("style", "forbidden", "perhaps"),
        ],
        [],
    )
    assert found.checked == Counter(object=2, map=1, direction=1)
    assert (found.supported["object"], found.supported["map"], found.supported["direction"]) == (1, 0, 1)
    assert found.groundedness == 0.5
    assert found.faults == ("object unsupported: a well", "map contradicted: a river", "style forbidden: perhaps")
    assert counted([verdict("view", "forbidden")], []).groundedness is None


def test_a_quote_that_rests_on_a_name_of_the_map_was_not_read() -> None:
    cues = [cue("t1", "text", text="BAR", area_share=0.01), cue("m1", "map", text="Bar Uno")]
    found = counted(
        [verdict("quote", "supported", cue_ids=("t1", "m1")), verdict("quote", "supported", cue_ids=("m1",))], cues
    )
    assert (found.supported["quote"], found.checked["quote"]) == (1, 2)


def test_recall_is_of_lasting_large_legible_signs() -> None:
    cues = [
        cue("t1", "text", area_share=0.01),
        cue("t2", "text", area_share=0.01),
        cue("t3", "text", area_share=0.0005),
        cue("t4", "text", area_share=0.01, confidence=0.5),
        cue("t5", "text", area_share=0.01, lasting=False),
        cue("o1", "object", area_share=0.4),
    ]
    told = [verdict("name", "supported", cue_ids=("t1",)), verdict("quote", "unsupported", cue_ids=("t2",))]
    found = counted([*told, verdict("quote", "supported", cue_ids=("t3",))], cues)
    assert (found.signs_told, found.signs) == (1, 2)


def test_leaks_are_the_names_that_were_told() -> None:
    verdicts = [verdict("place", "forbidden", "Mill Lane"), verdict("place", "supported", "Oslo")]
    assert counted([*verdicts, verdicts[0]], []).leaked == ("Mill Lane",)
