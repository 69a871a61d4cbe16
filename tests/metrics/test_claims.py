"""What is counted of a description's claims."""

from typing import Any

from pipeline.captioning.base import Evidence
from pipeline.captioning.grounding.grounding import witnesses_of
from pipeline.config.captioning import Grounding
from schemas.records import Claim, Cue, Outcome, Sentence
from tests.captioning.places import cue, place
from tools.metrics.claims import Claims, counted


def said(text: str, *cites: str, outcome: Outcome = "supported", kind: Any = "thing") -> Sentence:
    claim = Claim(text=text, kind=kind, cites=list(cites), outcome=outcome, witnesses=list(cites))
    return Sentence(variant="long", text=text, cue_ids=list(cites), claims=[claim])


def found(cues: list[Cue], *sentences: Sentence) -> Claims:
    evidence = Evidence(place().site, cues)
    return counted(sentences, witnesses_of(evidence, [], Grounding(), "en"), cues, "oslo")


def test_claims_are_counted_by_who_bears_them_out() -> None:
    cues = [cue("o1"), cue("m1", label="green", category="park", text=None)]
    got = found(
        cues,
        said("A building is ahead.", "o1"),
        said("A park is ahead.", "m1"),
        said("A well is near.", outcome="not_witnessed"),
        said("The wall is red.", "o1", kind="look"),
    )
    assert (got.claims, got.witnessed, got.contradicted) == (4, 3, 0)
    assert (got.sentences, got.on_map_alone, got.looks) == (4, 1, 1)
    assert got.groundedness == 0.75
    assert found(cues).groundedness is None


def test_recall_is_of_lasting_large_legible_signs() -> None:
    cues = [
        cue("t1", text="CENTRAL PHARMACY", area_share=0.01),
        cue("t2", text="MOTORS", area_share=0.01),
        cue("t3", text="TINY", area_share=0.0005),
        cue("t4", text="DIM", area_share=0.01, confidence=0.5),
        cue("t5", text="PASSING", area_share=0.01, lasting=False),
        cue("o1", area_share=0.4),
    ]
    got = found(cues, said('A sign reads "CENTRAL PHARMACY".', "t1", kind="sign"))
    assert (got.signs_told, got.signs) == (1, 2)


def test_leaks_are_the_names_that_were_told() -> None:
    road = cue("m1", label="road", category="residential", text="Mill Lane", text_en=None)
    got = found([road], said("The road is called Mill Lane.", "m1"), said("It is in Oslo, near Mill Lane."))
    assert got.leaked == ("Mill Lane", "Oslo")
    assert len(got.faults) == 2
