"""From decisions to the next revision: the whole way, on a dataset that `verify` finds sound."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.captioning.tokens import count_clip_tokens
from pipeline.config.build import Build
from pipeline.errors import ConfigError
from pipeline.publishing.decisions import Decisions, Edit, Edited, Rejected, read_decisions, text_sha256
from pipeline.publishing.publish import publish
from pipeline.publishing.units import FinishedUnit
from pipeline.quantity import quantity
from pipeline.storage import open_store
from schemas.records import Variant
from tests.audit.conftest import ANN, BOB, LEA, REJECT, answer, planned
from tests.publishing.conftest import make_build, make_unit, sign_of, units
from tests.publishing.folders import SMALL, samples
from tools.audit.apply import decisions_file
from tools.audit.database.opening import Desk
from tools.audit.decisions import decide
from tools.audit.earlier import still_stands
from tools.audit.library import Library
from tools.audit.queue import take
from tools.dataset import Dataset, open_dataset
from tools.verify.verify import verify

__all__ = ["make_build", "make_unit", "units"]
MakeBuild = Callable[..., Build]


def published(build: Build, found: list[FinishedUnit], folder: Path, decisions: Decisions | None = None) -> Dataset:
    store = open_store(str(folder), where="dataset")
    publish(build, found, store, synthetic=set(), provenance={}, decisions=decisions)
    return open_dataset(str(folder))


def edited_text(sample_id: str) -> str:
    return f"On the left is a sign, “{sign_of(sample_id)}”. A grey house stands behind it."


def judged(desk: Desk, library: Library, **plan: Any) -> dict[str, str]:
    """A queue judged whole: every fifth sample edited, every seventh rejected; what became of each sample."""
    planned(desk, library, **plan)
    said: dict[str, str] = {}
    while found := take(desk, ANN, count=1):
        (task,) = found
        n = len(said)
        verdict = "edit" if n % 5 == 1 else "reject" if n % 7 == 2 else "accept"
        fields: dict[str, Any] = {"verdict": verdict}
        if verdict == "edit":
            fields["edits"] = {"long": edited_text(task.sample_id)}
        if verdict == "reject":
            fields["reasons"] = ["generic" if n % 2 else "bad_image"]
        decide(desk, ANN, task.task_id, answer(task, **fields))
        if task.planted is None:
            said[task.sample_id] = verdict
    return said


def test_decisions_become_the_next_revision(
    desk: Desk, units: list[FinishedUnit], make_build: MakeBuild, tmp_path: Path
) -> None:
    build, folder = make_build(**SMALL), tmp_path / "dataset"
    before = published(build, units, folder)
    said = judged(desk, Library(before))
    decisions, notes = decisions_file(desk, Library(before))
    assert notes == []
    file = tmp_path / "decisions.json"
    file.write_text(decisions.model_dump_json())
    after = published(build, units, folder, read_decisions(file, "small"))
    assert verify(open_store(str(folder))) == []
    found = {sample.sample_id: sample for sample in samples(folder, after.manifest)}
    rejected = {sample_id for sample_id, verdict in said.items() if verdict == "reject"}
    edited = {sample_id for sample_id, verdict in said.items() if verdict == "edit"}
    assert rejected
    assert edited
    assert set(found) == set(said) - rejected
    for sample_id in edited:
        sample = found[sample_id]
        assert sample.description == edited_text(sample_id)
        kept, new = [s for s in sample.sentences if s.variant == "long"]
        assert (kept.cue_ids, new.claims[0].witnesses) == (["t1"], ["annotator"])
        assert sample.description_tokens == count_clip_tokens(sample.description)
        assert sample.description_short == "A bookshop. A small road."
    assert after.manifest.counts.excluded["audit_rejected"] == len(rejected)
    counts = after.manifest.counts
    assert counts.sites == sum(counts.failed.values()) + sum(counts.excluded.values()) + counts.published
    told = after.manifest.provenance["audit"]
    assert isinstance(told, dict)
    assert told["of_revision"] == before.manifest.digest
    assert (told["edited"], told["rejected"], told["stale"]) == (len(edited), len(rejected), 0)
    card = (folder / "README.md").read_text()
    assert f"What became of it: {quantity(len(edited), 'edited description')}," in card
    assert "accepted as it is" in card


def test_a_second_round_goes_on_from_the_first(
    desk: Desk, units: list[FinishedUnit], make_build: MakeBuild, tmp_path: Path
) -> None:
    build, folder = make_build(**SMALL), tmp_path / "dataset"
    published(build, units, folder)

    def apply(earlier: Decisions | None) -> tuple[Decisions, list[str]]:
        made, notes = decisions_file(desk, Library(open_dataset(str(folder))), earlier)
        published(build, units, folder, made)
        return made, notes

    said = judged(desk, Library(open_dataset(str(folder))))
    first, _ = apply(None)
    rejected, edited = ([i for i, verdict in said.items() if verdict == v] for v in ("reject", "edit"))
    again, rejected_now, undone, *others = edited
    library = Library(open_dataset(str(folder)))
    assert rejected[0] not in library.facts
    planned(desk, library, name="second", filters={"verdicts": ["edit"]})
    while found := take(desk, BOB, count=1):
        (task,) = found
        last = f"{edited_text(task.sample_id)} Trees stand there."
        fields = {again: {"verdict": "edit", "edits": {"long": last}}, rejected_now: REJECT}.get(task.sample_id, {})
        decide(desk, BOB, task.task_id, answer(task, **fields))
    second, notes = apply(first)
    assert notes == []
    texts = {s.sample_id: s.description for s in samples(folder, open_dataset(str(folder)).manifest)}
    assert set(texts) == set(said) - set(rejected) - {rejected_now}
    assert texts[again] == f"{edited_text(again)} Trees stand there."
    assert {i: texts[i] for i in (undone, *others)} == {i: edited_text(i) for i in (undone, *others)}
    assert open_dataset(str(folder)).manifest.provenance["audit"]["stale"] == 0  # type: ignore[index, call-overload]
    # Without the earlier file they would be lost, and that is told.
    _, notes = decisions_file(desk, library)
    assert {note.split(":")[0] for note in notes} == set(rejected)
    # A third round with nothing new changes nothing.
    third, _ = apply(second)
    assert (third.edited, third.rejected) == (second.edited, second.rejected)
    unknown = Rejected(sample_id="nowhere-1", by="ann", reasons=["bad_image"], texts={})
    more = third.model_copy(update={"rejected": [*third.rejected, unknown]})
    _, notes = decisions_file(desk, Library(open_dataset(str(folder))), more)
    assert notes == ["nowhere-1: the earlier decision is in force no more"]


def test_an_edit_stands_though_another_text_was_written_anew(library: Library) -> None:
    """A build writes one of two edited texts anew: the other edit is published, and judged since."""
    sample = library.sample(next(iter(library.facts)))
    made = {"old_sha256": "0" * 64, "tokens": 4, "sentences": []}
    texts: dict[Variant, str] = {"long": sample.description, "short": "What was written before."}
    edits = [Edit.model_validate({"variant": variant, "text": text} | made) for variant, text in texts.items()]
    standing = Edited(sample_id=sample.sample_id, by="ann", edits=edits)
    assert still_stands(standing, None, sample)
    assert not still_stands(standing.model_copy(update={"edits": edits[1:]}), None, sample)


def test_rejections_change_no_split(units: list[FinishedUnit], make_build: MakeBuild, tmp_path: Path) -> None:
    build = make_build(**SMALL)
    before = {s.sample_id: s.split for s in samples(tmp_path, published(build, units, tmp_path).manifest)}
    gone = sorted(before)[::3]
    rejected = [Rejected(sample_id=i, by="ann", reasons=["bad_image"], texts={}) for i in gone]
    decisions = Decisions(dataset="small", revision="0" * 16, edited=[], rejected=rejected)
    manifest = published(build, units, tmp_path, decisions).manifest
    assert {s.sample_id: s.split for s in samples(tmp_path, manifest)} == {
        sample_id: split for sample_id, split in before.items() if sample_id not in gone
    }


def test_decisions_about_texts_that_have_changed_since_do_nothing(
    units: list[FinishedUnit], make_build: MakeBuild, tmp_path: Path
) -> None:
    build = make_build(**SMALL)
    before = sorted(s.sample_id for s in samples(tmp_path, published(build, units, tmp_path).manifest))
    texts = {"long": text_sha256("What was written then."), "short": text_sha256("Then."), "street": text_sha256(None)}
    stale = Rejected.model_validate({"sample_id": before[0], "by": "ann", "reasons": ["generic"], "texts": texts})
    unknown = Rejected(sample_id="nowhere-1", by="ann", reasons=["bad_image"], texts={})
    decisions = Decisions(dataset="small", revision="0" * 16, edited=[], rejected=[stale, unknown])
    manifest = published(build, units, tmp_path, decisions).manifest
    assert sorted(s.sample_id for s in samples(tmp_path, manifest)) == before
    assert manifest.provenance["audit"] == {
        "of_revision": "0" * 16, "edited": 0, "rejected": 0, "stale": 2, "figures": {}
    }  # fmt: skip


def test_spoilt_samples_open_disagreements_and_old_texts_stay_out(desk: Desk, library: Library) -> None:
    planned(desk, library, samples=6, attention_share=1, double_share=0.5)
    said: dict[str, Any] = {}
    for person in (ANN, BOB):
        while found := take(desk, person, count=1):
            (task,) = found
            reject = task.planted is not None or (person == BOB and task.slot == 1) or task.sample_id in said
            decide(desk, person, task.task_id, answer(task, **(REJECT if reject else {})))
            if task.planted is None:
                said.setdefault(task.sample_id, person)
    decisions, notes = decisions_file(desk, library)
    waiting = [task for task in take(desk, LEA, count=4) if task.question == "adjudicate"]
    assert len(waiting) == len(notes) == 3
    assert (decisions.edited, decisions.rejected) == ([], [])
    decide(desk, LEA, waiting[0].task_id, answer(waiting[0], **REJECT))
    decisions, notes = decisions_file(desk, library)
    assert [(one.sample_id, one.by) for one in decisions.rejected] == [(waiting[0].sample_id, "lea")]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "No such file"),
        ("{}", "dataset: Field required"),
        ("not json", "Invalid JSON"),
        (json.dumps({"dataset": "other", "revision": "0", "edited": [], "rejected": []}), "about 'other'"),
    ],
)
def test_a_file_that_is_none_is_refused(tmp_path: Path, content: str | None, said: str) -> None:
    file = tmp_path / "decisions.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ConfigError, match=said):
        read_decisions(file, "small")
    assert read_decisions(None, "small") is None
