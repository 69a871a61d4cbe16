"""The figures, of decisions whose counts are known."""

import csv
import io
import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.records import Sample
from tests.audit.conftest import (
    ANN,
    BOB,
    LEA,
    REJECT,
    MakeSample,
    answer,
    judge,
    next_task,
    on_both_databases,
    planned,
    samples,
)
from tests.tools.conftest import publish
from tools.audit.database.opening import Desk
from tools.audit.decisions import decide
from tools.audit.figures import figures_of
from tools.audit.library import Library
from tools.audit.queue import take
from tools.audit.readings import Reading
from tools.audit.records import Figure
from tools.audit.report import as_csv, as_json, render, render_alone
from tools.dataset import open_dataset


def one(figures: list[Figure], section: str, group: str, name: str) -> Figure:
    (found,) = (f for f in figures if (f.section, f.group, f.name) == (section, group, name))
    return found


@on_both_databases
def test_pass_rates_reasons_and_retrieval(desk: Desk, library: Library) -> None:
    planned(desk, library, samples=12, which_share=1, alike_share=0.5)
    rejected = 0
    while found := take(desk, ANN, count=1):
        (task,) = found
        if task.question == "judge":
            bad = task.region == "town" and rejected < 3
            rejected += bad
            decide(desk, ANN, task.task_id, answer(task, **(REJECT if bad else {})))
        elif task.question == "which":
            right = json.loads(task.shown)["options"].index(task.sample_id)
            choice = right if task.split == "train" else -1
            decide(desk, ANN, task.task_id, answer(task, choice=choice))
        else:
            decide(desk, ANN, task.task_id, answer(task, choice=-1))
    figures = figures_of(desk, library)
    everything = one(figures, "Pass rate", "all", "accepted as it is")
    assert (everything.value, everything.n) == (0.75, 12)
    assert (everything.low, everything.high) == pytest.approx((0.4677, 0.9111), abs=1e-3)  # Wilson 1927
    assert one(figures, "Pass rate", "region village", "accepted as it is").value == 1.0
    assert one(figures, "Pass rate", "region town", "accepted as it is").value == 0.5
    assert one(figures, "Reasons", "generic", "would fit almost any place").value == 0.25
    assert one(figures, "Human retrieval", "split train", "R@1").value == 1.0
    assert one(figures, "Human retrieval", "split val", "R@1").value == 0.0
    assert one(figures, "Human retrieval", "all", "short text fits another place as well").value == 0.0


@on_both_databases
def test_agreement_and_adjudication(desk: Desk, library: Library) -> None:
    planned(desk, library, samples=10, double_share=1)
    for i in range(10):
        judge(desk, ANN, **(REJECT if i < 2 else {}))
    doubtful = []
    while found := take(desk, BOB, count=1):
        doubtful += [judge(desk, BOB).sample_id]
        assert found
    figures = figures_of(desk, library)
    assert one(figures, "Agreement", "all", "raw").value == pytest.approx(0.8)
    assert one(figures, "Agreement", "ann and bob", "Cohen's kappa").value == pytest.approx(0.0)
    everything = one(figures, "Pass rate", "all", "accepted as it is")
    assert everything.n == 8
    assert "without 2 samples on which people disagree" in everything.note
    judge(desk, LEA, **REJECT)
    judge(desk, LEA)
    everything = one(figures_of(desk, library), "Pass rate", "all", "accepted as it is")
    assert (everything.n, everything.value) == (10, 0.9)


def test_recall_on_planted_faults_is_recovered_and_spoilt_samples_are_in_no_pass_rate(
    desk: Desk, library: Library
) -> None:
    """A simulated annotator who finds six of ten planted faults, by a draw that knows nothing of the figures."""
    planned(desk, library, samples=12, attention_share=1)
    draw, skill = random.Random(3), 0.6
    found = 0
    while took := take(desk, ANN, count=1):
        (task,) = took
        sees = task.planted is not None and draw.random() < skill
        found += sees
        decide(desk, ANN, task.task_id, answer(task, **(REJECT if sees else {})))
    figures = figures_of(desk, library)
    recall = one(figures, "Annotators", "ann", "planted faults found")
    assert (recall.n, recall.value) == (12, found / 12)
    assert recall.low is not None
    assert recall.high is not None
    assert recall.low < skill < recall.high
    assert one(figures, "Pass rate", "all", "accepted as it is").n == 12
    assert one(figures, "Pass rate", "all", "accepted as it is").value == 1.0
    checks = "planted faults that code would not let pass as witnessed"
    assert one(figures, "Build's verdicts against people's", "checks", checks).n == 12


def test_gold_measures_annotators_and_is_in_no_pass_rate(desk: Desk, library: Library) -> None:
    good, bad = sorted(library.facts)[:2]
    planned(desk, library, samples=4, gold={good: "accept", bad: "reject"})
    while took := take(desk, ANN, count=1):
        decide(desk, ANN, took[0].task_id, answer(took[0], **REJECT))
    figures = figures_of(desk, library)
    assert one(figures, "Annotators", "ann", "false alarms on gold").value == 1.0
    assert one(figures, "Annotators", "ann", "found of faulty gold").value == 1.0
    assert one(figures, "Pass rate", "all", "accepted as it is").n == sum(
        f.n for f in figures if f.section == "Pass rate" and f.group.startswith("region") and "as it is" in f.name
    )


def test_claims_that_people_call_false_are_held_against_the_builds_verdicts(desk: Desk, library: Library) -> None:
    planned(desk, library, samples=4)
    for i in range(4):
        judge(desk, ANN, **({"verdict": "reject", "reasons": ["ocr_wrong"], "claims": {"0.0": "false"}} if i else {}))
    figures = figures_of(desk, library)
    section = "Build's verdicts against people's"
    whole = one(figures, section, "all claims", "claims that are true")
    assert (whole.n, whole.value) == (6, 0.5)  # three of the accepted sample, one false claim of each of the others
    assert one(figures, section, "kind thing", "claims that are true").value == 0.5
    read = one(figures, section, "witness OCR", "claims that are true")
    assert (read.n, read.value) == (5, 0.4)
    assert one(figures, section, "all claims", "false claims that were not called witnessed").value == 0.0


def test_the_report_in_all_its_forms(desk: Desk, library: Library) -> None:
    planned(desk, library)
    task = next_task(desk, ANN)
    decide(desk, ANN, task.task_id, answer(task, note="=HYPERLINK(1)"))
    figures = [*figures_of(desk, library), Figure("Lots", "=cmd()", "<b>x</b>", 0.5, None, None, 2, "@note")]
    lines = list(csv.reader(io.StringIO(as_csv(figures))))
    assert len(lines) == len(figures) + 1
    assert lines[-1][1] == "'=cmd()"
    assert json.loads(as_json(figures))[-1]["group"] == "=cmd()"
    for page in (render(figures), render_alone(figures)):
        assert "<b>x" not in page
        assert "<script" not in page
    assert "/static/" not in render_alone(figures)


def test_an_audit_without_decisions_has_a_report(desk: Desk, library: Library) -> None:
    planned(desk, library)
    figures = figures_of(desk, library)
    assert one(figures, "Pass rate", "all", "accepted as it is").value is None
    assert "not defined" in render(figures)


def test_pass_rates_by_prompt_set_and_by_kind_of_claim(desk: Desk, library: Library) -> None:
    planned(desk, library, samples=4)
    wrong = {"verdict": "reject", "reasons": ["ocr_wrong"], "claims": {"0.0": "false", "1.0": "true"}}
    for i in range(4):
        judge(desk, ANN, **(wrong if i == 0 else REJECT if i == 1 else {}))
    figures = figures_of(desk, library)
    assert one(figures, "Pass rate", "prompt set composer-en-1", "accepted as it is").value == 0.5
    kind = one(figures, "Pass rate", "kind of claim thing", "all claims of the kind are true")
    # Of the sample that was rejected for another reason nobody said which claim is wrong.
    assert kind.n == 3
    assert kind.value == pytest.approx(2 / 3)
    assert kind.low is not None
    assert kind.low < 2 / 3


def test_true_claims_that_somebody_calls_false_are_false_alarms(desk: Desk, library: Library) -> None:
    good = min(library.facts)
    planned(desk, library, samples=4, gold={good: "accept"}, attention_share=0.5)
    alarmed = 0
    while took := take(desk, ANN, count=1):
        (task,) = took
        claims = {"0.0": "false"} if task.gold else {}
        alarmed += bool(task.gold)
        decide(desk, ANN, task.task_id, answer(task, claims=claims))
    figures = [f for f in figures_of(desk, library) if f.name.startswith("true claims called false")]
    assert alarmed == 1
    assert sum(round((f.value or 0) * f.n) for f in figures) == 1
    claims_of_gold = [c for s in library.sample(good).sentences for c in s.claims]
    assert sum(f.n for f in figures) > len(claims_of_gold)  # and those of the attention checks


def test_the_verifier_is_held_against_people(desk: Desk, tmp_path: Path, make_sample: MakeSample) -> None:
    """Of three samples of three claims the verifier bore out the first two claims; people call the first false once."""
    made = []
    for sample in samples(make_sample)[:3]:
        sentences = [
            s.model_copy(update={"claims": [c.model_copy(update={"witnesses": ["verifier"] if i < 2 else []})
                                            for c in s.claims]})
            for i, s in enumerate(sample.sentences)
        ]  # fmt: skip
        made.append(sample.model_copy(update={"sentences": sentences}))
    library = Library(open_dataset(publish(tmp_path / "dataset", made)))
    planned(desk, library)
    for i in range(3):
        judge(desk, ANN, **({"verdict": "reject", "reasons": ["ocr_wrong"], "claims": {"0.0": "false"}} if i else {}))
    figures = figures_of(desk, library)
    section = "Build's verdicts against people's"
    claims = sum(len(s.claims) for s in made[0].sentences)
    precision = one(figures, section, "verifier", "precision: claims that it bore out are true")
    assert (precision.n, precision.value) == (4, 0.5)
    found = one(figures, section, "verifier", "recall: true claims that it bore out")
    assert found.n == claims
    assert found.value == pytest.approx(2 / claims)


@on_both_databases
def test_the_report_reads_no_pictures_and_no_decision_twice(
    desk: Desk, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned(desk, library, samples=8, attention_share=0.5)
    while took := take(desk, ANN, count=1):
        decide(desk, ANN, took[0].task_id, answer(took[0], claims={"0.0": "false"}))
    asked: list[set[str]] = []
    light = Library.without_pictures

    def counted(of: Library, sample_ids: dict[str, object]) -> Iterator[Sample]:
        asked.append(set(sample_ids))
        return light(of, sample_ids)

    monkeypatch.setattr(Library, "sample", None)  # reads pictures
    monkeypatch.setattr(Library, "without_pictures", counted)
    kept: dict[int, Reading] = {}
    first, second = (figures_of(desk, library, kept) for _ in range(2))
    assert first == second
    assert len(asked[0]) == 12
    assert asked[1:] == [set()]


def test_a_sample_without_its_pictures_is_the_same_otherwise(library: Library) -> None:
    wanted = sorted(library.facts)[::3]
    found = list(library.without_pictures(wanted))
    assert [sample.sample_id for sample in found] == [i for i in library.facts if i in wanted]  # as they lie in shards
    for sample in found:
        whole = library.sample(sample.sample_id)
        assert (sample.street.bytes, sample.aerial, sample.map) == (b"", None, None)
        texts = {"sentences", "notes", "street_view", "description", "lat", "aerial_signatures"}
        assert sample.model_dump(include=texts) == whole.model_dump(include=texts)
        assert sample.cues == [cue.model_copy(update={"mask": None}) for cue in whole.cues]
