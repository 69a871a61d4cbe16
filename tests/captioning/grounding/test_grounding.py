"""Descriptions in free English, judged: what is true passes, what is not is caught by the check that is meant to."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.captioning.base import Evidence
from pipeline.captioning.grounding.grounding import fault_of, judge, to_mend
from pipeline.captioning.language.en.english import english
from pipeline.captioning.language.en.sentence_parser import sentences as split
from pipeline.config.captioning import Grounding
from pipeline.perception.scripts import main_script
from schemas.reasons import Reason
from schemas.records import Cue, Image, ImageryRow, Quality, Sentence, StreetView, Variant, Verdict

DATA: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("judged.yaml").read_text(encoding="utf-8"))
POLICY = Grounding()
FAULTY = ("contradicted", "unsupported", "forbidden")


def cue(raw: dict[str, Any]) -> Cue:
    kind = "map" if "map" in raw else "text" if "label" not in raw else "object"
    return Cue(
        cue_id=raw["id"],
        kind=kind,
        label=raw.get("map") or raw.get("label") or "sign",
        attribute=raw.get("attribute"),
        category=raw.get("category"),
        text=raw.get("text"),
        text_en=raw.get("english"),
        script=main_script(raw["text"]) if "text" in raw else None,
        position=raw.get("position"),
        depth=None,
        bearing_deg=raw.get("bearing"),
        distance_m=raw.get("metres"),
        confidence=1.0,
        source="made up",
        view_id=None if kind == "map" else "0",
        polygon=None,
        area_share=None,
        mask=None,
        lasting=not raw.get("passing", False),
    )


def view(heading: float | None) -> StreetView:
    return StreetView(
        source="made up", source_id="0", author="", licence="CC0-1.0", link="", view_id="0", projection="perspective",
        cut_from=None, lat=40, lon=-105, distance_m=0, heading_deg=heading, pitch_deg=0, hfov_deg=65, captured_at=None,
        width=1024, height=768, quality=Quality(sharpness=1, contrast=1, entropy=1, darkness=0), faces_blurred=0,
        phash="0" * 16, image=Image(bytes=b"", path=""), truth=None,
    )  # fmt: skip


def place(name: str) -> Evidence:
    raw = DATA["places"][name]
    region = {"alley": "jongno", "suburb": "elmfield"}.get(name, "boulder")
    site = ImageryRow(
        site_id=name, status="ok", reason=None, detail=None, region=region, unit="89268cdb597ffff", lat=40, lon=-105,
        weight=1, views=[view(raw["heading"])], aerial=None, map=None, facts=[], missing=[],
    )  # fmt: skip
    return Evidence(site, [cue(c) for c in raw["cues"]])


def verdicts(
    name: str, text: str, policy: Grounding = POLICY, cited: tuple[str, ...] = (), variant: Variant = "short"
) -> list[Verdict]:
    told = [Sentence(variant=variant, text=t, cue_ids=list(cited)) for t in split(text, english())]
    return judge(told, place(name), policy, "en")


@pytest.mark.parametrize("case", DATA["good"], ids=lambda case: f"{case['place']}: {case['text'][:40]}")
def test_what_is_true_passes(case: dict[str, Any]) -> None:
    found = verdicts(case["place"], case["text"], variant="long")
    assert fault_of(found, POLICY) is None, [v for v in found if v.outcome != "supported"]


@pytest.mark.parametrize("case", DATA["bad"], ids=lambda case: f"{case['place']}: {case['text'][:40]}")
def test_what_is_not_is_caught_by_its_check(case: dict[str, Any]) -> None:
    found = verdicts(case["place"], case["text"], variant="long")
    failed = {v.check for v in found if v.outcome in FAULTY}
    assert failed & set(case["checks"]), [v for v in found if v.outcome != "supported"]
    fault = fault_of(found, POLICY)
    assert fault is not None
    assert fault[0] is Reason.UNGROUNDED


def failed(found: list[Verdict]) -> set[tuple[str, str]]:
    return {(v.check, v.claim) for v in found if v.outcome in FAULTY}


def test_that_way_is_the_direction_told_of_last() -> None:
    assert not failed(verdicts("mall", "To my right is a bar. That way there are also two trees and a wooden bench."))
    assert failed(verdicts("mall", "On my left is a street lamp. That way there is also a wooden bench."))


def test_what_stands_on_both_sides_may_be_told_of_either() -> None:
    told = "I have a {} on my left and a {} on my right."
    assert not failed(verdicts("suburb", told.format("house", "house")))
    assert failed(verdicts("suburb", told.format("brick house", "white house")))


@pytest.mark.parametrize(
    ("where", "ok"),
    [
        ("straight ahead", True),
        ("ahead on the left", True),
        ("on my left", True),
        ("on my right", False),
        ("behind me", False),
        ("to the east", True),
        ("to the west", False),
    ],
)
def test_neighbouring_directions_pass_opposite_ones_do_not(where: str, ok: bool) -> None:
    assert bool(failed(verdicts("mall", f"A brick building stands {where}."))) is not ok


@pytest.mark.parametrize(
    ("quote", "ok"),
    [
        ("Island Farm", True),
        ("ISLAND FARN", True),
        ("Farm", True),
        ("NITRO  CLUB", True),
        ("ISLAND CLUB", False),
        ("1122", True),
        ("1128", False),
        ("IS", False),
        ("WONDERLAND", False),
    ],
)
def test_a_quote_is_alike_or_a_whole_part(quote: str, ok: bool) -> None:
    found = verdicts("mall", f'A sign says "{quote}".')
    assert any(v.check == "quote" and v.outcome == "supported" for v in found) is ok


@pytest.mark.parametrize(
    ("quote", "ok"), [("순창식당", True), ("순창", True), ("순천식당", False), ("서울", True), ("부산사우나", False)]
)
def test_hangul_is_compared_by_character(quote: str, ok: bool) -> None:
    found = verdicts("alley", f"I can read “{quote}” here.")
    assert any(v.check == "quote" and v.outcome == "supported" for v in found) is ok


def test_full_width_and_accents_are_folded() -> None:
    assert not failed(verdicts("alley", 'A sign reads "\uff23\uff21\uff26\uff25 \uff2f\uff2e\uff29\uff2f\uff2e".'))
    assert not failed(verdicts("alley", 'A sign reads "Café Onion".'))


def test_the_policy_says_which_names_may_be_told() -> None:
    text = "There is a restaurant called High Country behind me."
    assert not failed(verdicts("mall", text))
    assert ("name", "High Country") in failed(verdicts("mall", text, Grounding(names="legible")))
    assert ("name", "High Country") in failed(verdicts("mall", text, Grounding(names_within_m=5)))
    legible = "A clothes shop called Island Farm is straight ahead."
    assert not failed(verdicts("mall", legible, Grounding(names="legible", names_within_m=5)))


def test_the_name_of_a_street_must_be_legible_whatever_the_policy() -> None:
    assert ("place", "Pearl Street") in failed(verdicts("mall", "I am on Pearl Street."))
    here = place("mall")
    sign = cue({"id": "t9", "text": "PEARL ST", "position": "ahead", "bearing": 131})
    with_sign = Evidence(here.site, [*here.cues, sign])
    told = [Sentence(variant="short", text="I am on Pearl Street.", cue_ids=["t9"])]
    assert not failed(judge(told, with_sign, POLICY, "en"))


def test_a_town_in_the_name_of_a_shop_may_not_be_told_alone() -> None:
    here = place("mall")
    shop = cue({"id": "m20", "map": "poi", "category": "museum", "text": "Boulder Museum", "metres": 20})
    there = Evidence(here.site, [*here.cues, shop])
    for text, ok in {"Boulder Museum is straight ahead.": True, "I am in the middle of Boulder.": False}.items():
        told = [Sentence(variant="short", text=text, cue_ids=[])]
        assert bool(failed(judge(told, there, POLICY, "en"))) is not ok


def test_absence_is_never_borne_out() -> None:
    there, absent = verdicts("mall", "There are no trees here."), verdicts("mall", "There is no church here.")
    assert [v.outcome for v in there if v.outcome in FAULTY] == ["contradicted"]
    assert [v.outcome for v in absent if v.outcome in FAULTY] == ["unsupported"]
    assert not failed(verdicts("mall", "Not far from the bar there is a wooden bench."))


def test_what_no_list_knows_is_unknown_and_only_so_much_of_it_may_be_said() -> None:
    found = verdicts("mall", "A brick building is ahead on the left, with a gargoyle and a weathervane and a sundial.")
    assert [v.claim for v in found if v.outcome == "unknown"] == ["a gargoyle", "a weathervane", "a sundial"]
    assert fault_of(found, Grounding(unknown_claims=0.6)) is None
    fault = fault_of(found, Grounding(unknown_claims=0.2))
    assert fault is not None
    assert "gargoyle" in fault[1]
    assert all("gargoyle" in line or "weathervane" in line or "sundial" in line for line in to_mend(found))


def test_cited_cues_exist_and_are_spoken_of() -> None:
    text = "A wooden bench is on my right."
    assert ("object", "cites o77") in failed(verdicts("mall", text, cited=("o4", "o77")))
    spoken = verdicts("mall", text, cited=("o4", "m5"))
    assert [(v.claim, v.outcome) for v in spoken if v.claim.startswith("cites")] == [("cites m5", "unknown")]


def test_evidence_counts_whoever_cites_it() -> None:
    assert not failed(verdicts("mall", "A wooden bench is on my right.", cited=("o1",)))


def test_a_language_without_words_cannot_be_published() -> None:
    found = judge([Sentence(variant="long", text="Hier ist eine Bank.", cue_ids=[])], place("mall"), POLICY, "de")
    assert fault_of(found, POLICY) is not None


def test_to_mend_names_each_claim_once() -> None:
    found = verdicts("mall", "A red church stands on my left, and a bus stop is behind me. There is a red church.")
    assert to_mend(found)[:2] == [
        "'A red church' is not among the evidence",
        "'a bus stop' is not what the map and the evidence say",
    ]


def test_the_same_description_gets_the_same_verdicts() -> None:
    text = DATA["good"][0]["text"]
    assert verdicts("mall", text) == verdicts("mall", text)


@pytest.mark.parametrize(
    "text",
    ["", ".", '"', "« »", "((((", "\u202e\u200b", "A " * 400, "a\n\n- b\n- c", "“”", "of of of", "\u2019" * 3, "\x00"],
)
def test_no_text_breaks_it(text: str) -> None:
    judge([Sentence(variant="long", text=text, cue_ids=["x"])], place("mall"), POLICY, "en")
