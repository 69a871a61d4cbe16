import random
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from sqlalchemy import select

from pipeline.errors import ConfigError
from schemas.records import Verdict
from tests.audit.conftest import (
    ANN,
    BOB,
    REJECT,
    SAMPLES,
    MakeSample,
    answer,
    judge,
    on_both_databases,
    planned,
    samples,
)
from tests.tools.conftest import publish
from tools.audit.attention import noticed, plant, spoilt
from tools.audit.database.opening import Desk
from tools.audit.database.tables import tasks
from tools.audit.decisions import decide
from tools.audit.gallery import Gallery
from tools.audit.library import Library
from tools.audit.lots import Lot
from tools.audit.plan_file import Filters, Plan, read_plan
from tools.audit.plans import _apportioned, make_plan
from tools.audit.queue import progress, take
from tools.audit.records import text_digest
from tools.audit.view import task_view
from tools.dataset import open_dataset


def rows(desk: Desk, plan: str = "first") -> list[Any]:
    with desk.reading() as connection:
        return list(connection.execute(select(tasks).where(tasks.c.plan == plan).order_by(tasks.c.position)).all())


def test_a_stratified_draw_has_each_stratum_in_proportion(desk: Desk, library: Library) -> None:
    planned(desk, library, samples=12)
    drawn = Counter((row.region, row.split) for row in rows(desk))
    everywhere = Counter((facts.region, facts.split) for facts in library.facts.values())
    assert drawn == {stratum: count / 2 for stratum, count in everywhere.items()}


@given(st.lists(st.integers(1, 60), min_size=1, max_size=9), st.data())
def test_shares_add_up_and_fit_their_strata(sizes: list[int], data: st.DataObject) -> None:
    wanted = data.draw(st.integers(0, sum(sizes)))
    shares = _apportioned(sizes, wanted)
    assert sum(shares) == wanted
    assert all(0 <= share <= size for share, size in zip(shares, sizes, strict=True))


@on_both_databases
def test_the_same_plan_draws_the_same_and_another_seed_another(desk: Desk, library: Library) -> None:
    for name, seed in (("a", 1), ("b", 2)):
        planned(desk, library, name=name, seed=seed, samples=8, attention_share=0.5)
    first = [row.task_id for row in rows(desk, "a")]
    with pytest.raises(ConfigError, match="there already"):
        planned(desk, library, name="a", seed=1, samples=8)
    assert {row.sample_id for row in rows(desk, "a")} != {row.sample_id for row in rows(desk, "b")}
    assert len(first) == len(set(first)) == 12


@on_both_databases
def test_filters_let_through_what_they_name(desk: Desk, library: Library) -> None:
    planned(desk, library, name="val", filters=Filters(regions=["town"], splits=["val"]))
    assert {(row.region, row.split) for row in rows(desk, "val")} == {("town", "val")}
    judge(desk, ANN, **REJECT)
    planned(desk, library, name="again", filters=Filters(verdicts=["reject"], reasons=["generic"]))
    assert len(rows(desk, "again")) == 1
    for nothing in (Filters(outcomes=["contradicted"]), Filters(witnessed_below=0.5), Filters(writers=["nobody"])):
        with pytest.raises(ConfigError, match="no sample that passes"):
            planned(desk, library, name="none", filters=nothing)


def test_a_lot_smaller_than_n_is_judged_whole_and_that_is_said(desk: Desk, library: Library) -> None:
    drawn = make_plan(
        desk, library, Plan(name="lots", lot_size=50, accept_at_most=2, double_share=0, attention_share=0), "lea"
    )
    assert drawn.tasks == {"judge": SAMPLES}
    assert drawn.notes == [
        f"region {name} has 12 samples, fewer than n = 50: all of it is judged" for name in ("town", "village")
    ]


@on_both_databases
def test_a_lot_that_is_decided_is_asked_no_more(desk: Desk, library: Library) -> None:
    planned(desk, library, name="lots", lot_size=6, accept_at_most=1)
    for _ in range(4):
        task = next(iter(take(desk, ANN, count=1)))
        judge(desk, ANN, **(REJECT if task.region == "town" else {}))
    while any(lot.outcome == "open" for lot in progress(desk, ANN)[0].lots):
        task = next(iter(take(desk, ANN, count=1)))
        judge(desk, ANN, **(REJECT if task.region == "town" else {}))
    assert [(lot.name, lot.outcome, lot.bad, lot.good) for lot in progress(desk, ANN)[0].lots] == [
        ("town", "rejected", 2, 0),
        ("village", "accepted", 0, 5),
    ]
    assert take(desk, ANN, count=3) == take(desk, BOB, count=3) == []


@given(st.lists(st.booleans(), min_size=2, max_size=30), st.data())
def test_stopping_early_never_decides_otherwise_than_the_whole_lot(bad: list[bool], data: st.DataObject) -> None:
    n, c = len(bad), data.draw(st.integers(0, len(bad) - 1))
    outcomes = [Lot("x", n, c, bad[:i].count(False), bad[:i].count(True)).outcome for i in range(n + 1)]
    known = next(outcome for outcome in outcomes if outcome != "open")
    assert known == ("rejected" if sum(bad) > c else "accepted")


def test_a_planted_falsehood_looks_like_any_claim_and_is_not_told(desk: Desk, library: Library) -> None:
    planned(desk, library, samples=6, attention_share=1)
    planted = [row for row in rows(desk) if row.planted]
    assert len(planted) == 6
    assert {row.sample_id for row in planted}.isdisjoint(row.sample_id for row in rows(desk) if not row.planted)
    for row in planted:
        view = task_view(row, library)
        honest = task_view(next(r for r in rows(desk) if not r.planted), library)
        assert view.keys() == honest.keys()
        assert "planted" not in str(view)
        assert {c["outcome"] for t in view["texts"] for s in t["sentences"] for c in s["claims"]} == {"supported"}
        assert view["text_sha256"] != library.facts[row.sample_id].text_sha256


def test_the_page_tells_what_the_verifier_answered_and_by_which_picture(desk: Desk, library: Library) -> None:
    planned(desk, library, samples=1)
    (row,) = rows(desk)
    sample = library.sample(row.sample_id)
    first = sample.sentences[0]
    told = {
        Verdict(answer="yes", picture=sample.street_view.view_id): "; verifier: yes, by Street",
        Verdict(answer="no", picture="aerial"): "; verifier: no, by Aerial",
        Verdict(answer="cannot", picture=None): "; verifier: cannot tell",
        Verdict(answer="yes", picture="0@270"): "; verifier: yes, by 0@270",  # a view that is not published
        None: "",
    }
    claims = [first.claims[0].model_copy(update={"verdict": verdict}) for verdict in told]
    shown = SimpleNamespace(
        facts=library.facts,
        sample=lambda _: sample.model_copy(update={"sentences": [first.model_copy(update={"claims": claims})]}),
    )
    view = task_view(row, shown)  # type: ignore[arg-type]  # a library of that one sample
    whys = [c["why"] for t in view["texts"] for s in t["sentences"] for c in s["claims"]]
    assert whys == [f"{whys[-1]}{said}" for said in told.values()]


def test_what_is_planted_changes_one_sentence(make_sample: MakeSample) -> None:
    kinds = set()
    for seed in range(60):
        sample = make_sample(seed)
        planted = plant(sample, random.Random(seed))
        assert planted is not None
        kinds.add(planted.kind)
        shown = spoilt(sample, planted)
        assert text_digest(shown) != text_digest(sample)
        assert planted.after in shown.description
        long = [s.text for s in shown.sentences if s.variant == "long"]
        assert shown.description == " ".join(long)
        assert [c.text for s in shown.sentences for c in s.claims if c.text in planted.claims]
        before = {s.text for s in sample.sentences}
        assert [text for text in long if text not in before] == [planted.after]
    assert kinds == {"thing", "look"}


def test_an_annotator_notices_by_rejecting_by_editing_it_away_or_by_calling_the_claim_false(
    make_sample: MakeSample,
) -> None:
    planted = plant(make_sample(1), random.Random(1))
    assert planted is not None
    assert noticed(planted, "reject", None, [])
    assert not noticed(planted, "accept", None, ["another claim"])
    assert noticed(planted, "accept", None, planted.claims)
    assert noticed(planted, "edit", "Something else.", [])
    assert not noticed(planted, "edit", f"Something else. {planted.after}", [])
    assert not noticed(planted, "edit", None, [])  # only the short text was edited


def test_four_aerial_views_are_of_one_split_and_do_not_overlap(desk: Desk, library: Library) -> None:
    planned(desk, library, which_share=1, alike_share=1)
    asked = [row for row in rows(desk) if row.question == "which"]
    assert len([row for row in rows(desk) if row.question == "alike"]) == SAMPLES
    assert len(asked) == SAMPLES
    for row in asked:
        view = task_view(row, library)
        assert "sample_id" not in view
        assert len(view["options"]) == 4
        assert row.sample_id not in str(view)
    places = {row.shown.index(row.sample_id) for row in asked}
    assert len(places) > 2  # the right one is not always in the same place


@on_both_databases
def test_who_has_judged_a_sample_is_not_asked_to_find_it(desk: Desk, library: Library) -> None:
    planned(desk, library, samples=12, which_share=1, alike_share=0.5)
    seen: list[tuple[str, str]] = []
    while took := take(desk, ANN, count=1):
        seen.append((took[0].sample_id, took[0].question))
        said = {} if took[0].question == "judge" else {"choice": 0}
        decide(desk, ANN, took[0].task_id, answer(took[0], **said))
    for sample_id in {sample_id for sample_id, _ in seen}:
        questions = [question for one, question in seen if one == sample_id]
        assert len(questions) > 1
        assert questions.index("judge") == len(questions) - 1
    planned(desk, library, name="again", samples=24, which_share=1)
    found = {(task.sample_id, task.question) for task in take(desk, ANN, count=99, plan="again")}
    assert {question for _, question in found} == {"judge", "which"}
    assert {sample_id for sample_id, _ in found}.isdisjoint(sample_id for sample_id, _ in seen)
    assert len(take(desk, BOB, count=99, plan="again")) == 48 - len(found)


def test_without_aerial_views_none_is_chosen_from_and_that_is_said(
    desk: Desk, tmp_path: Path, make_sample: MakeSample
) -> None:
    bare = {"aerial": None, "aerial_chip": None, "aerial_signatures": None, "aerial_licence_class": None}
    where = publish(tmp_path / "dataset", [sample.model_copy(update=bare) for sample in samples(make_sample)])
    plan = Plan(name="first", which_share=1, alike_share=1, double_share=0, attention_share=0)
    drawn = make_plan(desk, Library(open_dataset(where)), plan, "lea")
    assert drawn.tasks == {"judge": SAMPLES, "alike": SAMPLES}
    assert drawn.notes == [f"{SAMPLES} questions left out: the split has too few places that do not overlap"]


def test_overlapping_chips_are_no_distractors(library: Library) -> None:
    facts = list(library.facts.values())
    target = facts[0]
    wide = [f.__class__(**{**vars(f), "width_m": 50_000.0}) for f in facts]
    assert Gallery(wide, target.split).options(wide[0], random.Random(0)) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "Ü"},
        {"name": "disagreements"},
        {"name": "x", "lot_size": 10},
        {"name": "x", "lot_size": 10, "accept_at_most": 10},
        {"name": "x", "lot_size": 10, "accept_at_most": 1, "samples": 5},
        {"name": "x", "samples": 0},
        {"name": "x", "double_share": 1.5},
        {"name": "x", "filters": {"region": ["a"]}},
    ],
)
def test_impossible_plans_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Plan(**wrong)


def test_a_plan_file_that_is_none_is_refused_in_words(tmp_path: Path, desk: Desk, library: Library) -> None:
    file = tmp_path / "plan.yaml"
    with pytest.raises(ConfigError, match="No such file"):
        read_plan(file)
    file.write_text("name: [")
    with pytest.raises(ConfigError, match="YAML"):
        read_plan(file)
    file.write_text("name: x\nshare: 2\n")
    with pytest.raises(ConfigError, match="share"):
        read_plan(file)
    with pytest.raises(ConfigError, match="gold: found sample 'nowhere-1'"):
        planned(desk, library, gold={"nowhere-1": "accept"})
