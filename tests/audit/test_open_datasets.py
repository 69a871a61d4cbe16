"""A dataset that changes, moves or cannot be read while its audit is open."""

import copy
import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from obstore.exceptions import GenericError

from pipeline.storage import Store
from schemas.records import Sample
from tests.audit.conftest import LEA, Clock, on_both_databases, planned, samples
from tests.audit.desk_page import Page
from tests.tools.conftest import publish
from tools.audit import log
from tools.audit.database.opening import Desk
from tools.audit.library import Library
from tools.audit.queue import progress
from tools.audit.server.room import Room
from tools.dataset import open_dataset


def test_a_sample_whose_picture_is_gone_is_left_out_with_a_reason(
    tmp_path: Path, desk: Desk, make_sample: Callable[..., Sample]
) -> None:
    where = publish(tmp_path / "dataset", samples(make_sample))
    library = Library(open_dataset(where))
    planned(desk, library)
    page = Page(Room(desk, library))
    lost = {facts.sample_id for facts in library.facts.values() if (facts.region, facts.split) == ("town", "train")}
    for shard in (tmp_path / "dataset" / "data" / "train").glob("town-*"):
        shard.unlink()
    seen = set()
    while tasks := page.next(count=1):
        seen.add(tasks[0]["sample_id"])
        page.decide(tasks[0])
    assert seen == set(library.facts) - lost


@pytest.fixture
def page(desk: Desk, library: Library) -> Page:
    planned(desk, library)
    return Page(Room(desk, library))


@pytest.fixture
def unread(monkeypatch: pytest.MonkeyPatch) -> dict[str, Exception]:
    """What each shard's reader raises, by a part of its path; nothing where it has no entry."""
    faults: dict[str, Exception] = {}
    read = Store.reader

    def reader(store: Store, path: str) -> io.BufferedReader:
        for part, fault in faults.items():
            if part in path:
                raise fault
        return read(store, path)

    monkeypatch.setattr(Store, "reader", reader)
    return faults


@pytest.mark.parametrize(
    "fault",
    [GenericError("HTTP status server error (503 Service Unavailable)"), TimeoutError("timed out"), OSError(5, "EIO")],
    ids=lambda fault: type(fault).__name__,
)
def test_a_sample_that_cannot_be_read_just_now_stays_in_the_queue(
    desk: Desk, dataset: str, unread: dict[str, Exception], fault: Exception
) -> None:
    library = Library(open_dataset(dataset))
    planned(desk, library)
    page = Page(Room(desk, library))
    unread["town-"] = fault
    seen: list[str] = []
    while len(seen) < 12:
        (task,) = page.next(count=1)
        seen.append(task["sample_id"])
        assert page.decide(task).status_code == 200
    assert all(sample_id.startswith("village") for sample_id in seen)
    told = page.post("/api/next")
    assert (told.status_code, "cannot be read now" in told.json()["detail"]) == (503, True)
    assert progress(desk, LEA)[0].open == 12  # none is set aside
    unread.clear()
    while tasks := page.next(count=1):
        seen.append(tasks[0]["sample_id"])
        page.decide(tasks[0])
    assert set(seen) == set(library.facts)


def test_a_sample_with_a_wrong_checksum_is_left_out_for_good(
    tmp_path: Path, desk: Desk, make_sample: Callable[..., Sample]
) -> None:
    library = Library(open_dataset(publish(tmp_path / "dataset", samples(make_sample)[:6])))
    planned(desk, library)
    page = Page(Room(desk, library))
    (shard,) = (tmp_path / "dataset" / "data" / "val").glob("*.parquet")
    data = bytearray(shard.read_bytes())
    data[data.index(b"\xff\xd8\xff") + 100] ^= 1  # in a picture
    shard.write_bytes(data)
    while tasks := page.next(count=1):
        assert page.decide(tasks[0]).status_code == 200
    with desk.reading() as connection:
        said = [event for event in log.read(connection) if event.action == "broken"]
    assert ["checksum" in event.payload["why"] for event in said] == [True]


def test_a_shard_that_a_revision_took_away_a_moment_ago_breaks_no_sample(
    tmp_path: Path, desk: Desk, make_sample: Callable[..., Sample]
) -> None:
    made = samples(make_sample)[:6]
    library = Library(open_dataset(publish(tmp_path / "dataset", made)))
    planned(desk, library)
    page = Page(Room(desk, library))
    old = list((tmp_path / "dataset" / "data").rglob("*.parquet"))
    publish(tmp_path / "dataset", [sample.model_copy(update={"weight": 2.0}) for sample in made])
    manifest = tmp_path / "dataset" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"digest":"0000', '"digest":"1111'))
    for shard in old:
        shard.unlink()
    seen = []
    while tasks := page.next(count=1):  # the desk's clock stands still
        seen.append(tasks[0]["sample_id"])
        page.decide(tasks[0])
    assert sorted(seen) == sorted(sample.sample_id for sample in made)


def test_a_dataset_that_is_moved_while_the_audit_is_open_breaks_no_sample(
    tmp_path: Path, desk: Desk, make_sample: Callable[..., Sample]
) -> None:
    library = Library(open_dataset(publish(tmp_path / "dataset", samples(make_sample)[:6])))
    planned(desk, library)
    page = Page(Room(desk, library))
    (tmp_path / "dataset").rename(tmp_path / "elsewhere")
    told = page.post("/api/next")
    assert (told.status_code, "not where it was" in told.json()["detail"]) == (503, True)
    (tmp_path / "elsewhere").rename(tmp_path / "dataset")
    while tasks := page.next(count=1):
        assert page.decide(tasks[0]).status_code == 200
    assert progress(desk, LEA)[0].decided == 6


@pytest.mark.parametrize("later_s", [60, -86_400], ids=["a minute later", "the clock was set back"])
def test_a_dataset_that_is_revised_while_the_audit_is_open(
    tmp_path: Path, desk: Desk, clock: Clock, make_sample: Callable[..., Sample], later_s: int
) -> None:
    made = samples(make_sample)
    where = publish(tmp_path / "dataset", made)
    library = Library(open_dataset(where))
    planned(desk, library, samples=24, attention_share=0)
    page = Page(Room(desk, library))
    (task,) = page.next(count=1)
    new = [
        sample.model_copy(update={"description_short": "Another text."})
        if sample.sample_id == task["sample_id"]
        else sample
        for sample in made
    ]
    publish(tmp_path / "dataset", new)
    manifest = tmp_path / "dataset" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"digest":"0000', '"digest":"1111'))
    clock.now += later_s
    others = page.next(count=1)
    assert others[0]["sample_id"] != task["sample_id"]
    refused = page.decide(task)
    assert refused.status_code == 409
    assert "the dataset was revised" in refused.json()["detail"]
    assert page.decide(others[0]).status_code == 200


@on_both_databases
def test_what_is_taken_back_after_a_revision_is_not_judged_by_its_old_text(
    desk: Desk, library: Library, page: Page
) -> None:
    (task,) = page.next(count=1)
    assert page.decide(task).status_code == 200
    facts = library.facts[task["sample_id"]]
    revised = copy.copy(library)
    revised.facts = library.facts | {task["sample_id"]: replace(facts, text_sha256="0" * 64)}
    after = Page(Room(desk, revised))
    refused = after.post("/api/undo")
    assert (refused.status_code, "no longer in the dataset as it was" in refused.text) == (410, True)
    assert task["task_id"] not in {one["task_id"] for one in after.next()}
