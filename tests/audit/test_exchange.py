"""Queues judged with Label Studio and Argilla: what they get, and what is made of their answers."""

import base64
import copy
import io
import json
import os
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from itertools import count, repeat
from pathlib import Path
from types import ModuleType
from typing import Any

import PIL.Image
import pytest
from sqlalchemy import select

from pipeline.errors import ConfigError
from tests.audit import theirs
from tests.audit.conftest import ANN, BOB, LEA, REJECT, Clock, answer, judge, next_task, on_both_databases, planned
from tools.audit import log
from tools.audit.database.opening import Desk
from tools.audit.database.tables import tasks
from tools.audit.decisions import decide, skip, undo
from tools.audit.exchange import argilla, label_studio, reading
from tools.audit.exchange.importing import Imported, aliases_of, record_replies, take_back_replies
from tools.audit.exchange.items import Reply, items_of, new_folder, tasks_to_export
from tools.audit.figures import figures_of
from tools.audit.library import Library
from tools.audit.queue import set_aside, take
from tools.audit.records import MOST_MS

TOOLS: dict[str, ModuleType] = {"label-studio": label_studio, "argilla": argilla}
CHECKED: dict[str, Any] = {"samples": 18, "attention_share": 0.2}
"""A queue of 18 judgements and 4 attention checks, on samples of their own."""
LONGEST = b'[{"data": {"task_id": "x", "text_sha256": ""}, "annotations": [{"completed_by": 1, "lead_time": %s}]}]'
"""An export with a time that is none."""
SAID = b'[{"data": {"task_id": "x", "text_sha256": ""}, "annotations": [{"completed_by": 1, "result": %s}]}]'
"""An export of Label Studio with the results of one annotation."""
RESPONDED = b'[{"id": "x", "metadata": {"text_sha256": ""}, "responses": {%s}}]'
"""Records of Argilla with the responses to one."""
PEOPLE = {"7": "bob", theirs.USER: "bob"}


def exported(desk: Desk, library: Library, tool: str, folder: Path, prefix: str | None = None) -> Path:
    TOOLS[tool].write(items_of(tasks_to_export(desk, library, "first")[0], library), folder, prefix)
    return folder


def label_studio_export(folder: Path, said: Callable[[int, dict[str, Any]], dict[str, Any]]) -> Path:
    """An export in the documented form: `said` gives each task's controls by name."""
    tasks_of = json.loads((folder / "tasks.json").read_text())
    for number, task in enumerate(tasks_of):
        result = [
            {"id": f"r{name}", "from_name": name, "to_name": "long"}
            | (
                {"type": "choices", "value": {"choices": held}}
                if isinstance(held, list)
                else {"type": "textarea", "value": {"text": [held]}}
            )
            for name, held in said(number, task["data"]).items()
        ]
        task["annotations"] = [{"id": number, "completed_by": {"id": 7}, "result": result, "lead_time": 3.25}]
    out = folder / "export.json"
    out.write_text(json.dumps(tasks_of))
    return out


def imported(desk: Desk, library: Library, tool: str, replies: Iterable[Reply]) -> Imported:
    return record_replies(desk, library, replies, PEOPLE, tool)


def accepted(_: int, __: dict[str, Any]) -> dict[str, Any]:
    return {"verdict": ["accept"]}


def decided(desk: Desk) -> list[log.Event]:
    with desk.reading() as connection:
        assert log.verify(connection) == []
        return list(log.standing(log.read(connection)).values())


@pytest.mark.readers
@pytest.mark.parametrize("tool", TOOLS)
def test_their_own_libraries_take_it_and_what_they_write_is_taken(
    desk: Desk, library: Library, tmp_path: Path, tool: str
) -> None:
    if "GEOSCRIBE_READERS" not in os.environ:
        pytest.skip("the libraries of Label Studio and Argilla are what `make test-readers` installs")
    planned(desk, library, **CHECKED)
    folder, out = exported(desk, library, tool, tmp_path / "queue"), tmp_path / "export.json"
    python = Path(os.environ["GEOSCRIBE_READERS"]) / "annotation" / "bin" / "python"
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    command = [str(python), theirs.__file__, tool, str(folder), str(out)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    result = imported(desk, library, tool, TOOLS[tool].read(out))
    assert (result.known, result.notes) == (0, [])
    found = decided(desk)
    assert len(found) == result.recorded == 18 + 4
    assert {event.alias for event in found} == {"bob"}
    with desk.reading() as connection:
        order = connection.execute(select(tasks.c.task_id).order_by(tasks.c.position)).scalars().all()
    for number, task_id in enumerate(order):
        (event,) = (event for event in found if event.task_id == task_id)
        said = theirs.verdict_of(number)
        assert event.payload["verdict"] == said["verdict"]
        assert event.payload.get("reasons", []) == said.get("reasons", [])
        assert event.payload.get("note", "") == said.get("note", "")
        assert event.payload.get("edits", {}) == ({"long": said["edited_long"]} if "edited_long" in said else {})
        assert len(event.payload.get("claims", {})) == (said["verdict"] == "reject")


def test_what_label_studio_gets(desk: Desk, library: Library, tmp_path: Path) -> None:
    planned(desk, library, **CHECKED, which_share=0.5)
    folder = exported(desk, library, "label-studio", tmp_path / "queue")
    found = json.loads((folder / "tasks.json").read_text())
    assert len(found) == 18 + 4
    assert len({frozenset(task["data"]) for task in found}) == 1  # a planted falsehood shows in nothing
    assert "planted" not in (folder / "tasks.json").read_text()
    for task in found:
        for url in task["data"]["pictures"]:
            assert url.startswith("/data/local-files/?d=queue/pictures/")
            with PIL.Image.open(folder / "pictures" / url.rsplit("/", 1)[1]) as picture:
                assert picture.size[0] > 0
    again = exported(desk, library, "label-studio", tmp_path / "served", "https://pictures.example/q/")
    (first, *_) = json.loads((again / "tasks.json").read_text())
    assert first["data"]["pictures"][0].startswith("https://pictures.example/q/")


def test_what_argilla_gets(desk: Desk, library: Library, tmp_path: Path) -> None:
    planned(desk, library)
    folder = exported(desk, library, "argilla", tmp_path / "queue")
    records = json.loads((folder / "records.json").read_text())
    names = {field["name"] for field in json.loads((folder / ".argilla" / "settings.json").read_text())["fields"]}
    for record in records:
        assert set(record["fields"]) <= names
        head, data = record["fields"]["street_view"].split(",", 1)
        assert head == "data:image/jpeg;base64"
        assert PIL.Image.open(io.BytesIO(base64.b64decode(data))).size == (320, 240)


@on_both_databases
def test_an_import_is_known_again_and_counts_like_any_decision(desk: Desk, library: Library, tmp_path: Path) -> None:
    planned(desk, library, **CHECKED)
    folder = exported(desk, library, "label-studio", tmp_path / "queue")

    def said(number: int, data: dict[str, Any]) -> dict[str, Any]:
        if number:
            return {"verdict": ["accept"]}
        return {
            "verdict": ["reject"],
            "reasons": ["generic"],
            "false_claims": [data["claims"][0]["alias"]],
            "note": "n",
        }

    out = label_studio_export(folder, said)
    assert imported(desk, library, "label-studio", label_studio.read(out)).recorded == 18 + 4
    again = imported(desk, library, "label-studio", label_studio.read(out))
    assert (again.recorded, again.known, again.notes) == (0, 18 + 4, [])
    (rejected,) = (event for event in decided(desk) if event.payload["verdict"] == "reject")
    assert (rejected.action, rejected.alias, rejected.payload["ms"]) == ("import", "bob", 3250)
    figures = {(f.group, f.name): f for f in figures_of(desk, library)}
    assert figures["bob", "planted faults found"].n == 4
    assert figures["all", "accepted as it is"].n == 18


@pytest.mark.parametrize("tool", TOOLS)
def test_unknown_tasks_are_refused_by_name_and_nothing_is_recorded(
    desk: Desk, library: Library, tmp_path: Path, tool: str
) -> None:
    planned(desk, library)
    reply = Reply("", "", "7", "accept", [], {}, [], "", 0)
    known = next_task(desk, ANN)
    good = {"task_id": known.task_id, "text_sha256": known.text_sha256}
    replies = [Reply(**vars(reply) | fields) for fields in (good, {"task_id": "nowhere-1"}, {"task_id": "nowhere-2"})]
    with pytest.raises(ConfigError) as refused:
        imported(desk, library, tool, replies)
    assert "'nowhere-1'" in str(refused.value)
    assert "'nowhere-2'" in str(refused.value)
    assert decided(desk) == []


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"verdict": ["reject"]}, "a rejection needs a reason"),
        ({"verdict": ["perhaps"]}, "Input should be 'accept', 'edit' or 'reject'"),
        ({}, "a decision has a verdict"),
        ({"verdict": ["accept"], "edited_long": "Another text."}, "edited texts come with the verdict"),
        ({"verdict": ["edit"], "edited_long": "The house stands by the road. " * 80}, "at most 300 are allowed"),
        ({"verdict": ["accept"], "false_claims": ["9.9"]}, "claims 9.9, which the sample does not have"),
        ({"verdict": ["reject"], "reasons": ["bored"]}, "Input should be 'hallucinated_object'"),
    ],
)
def test_answers_that_are_no_decisions_are_refused_with_their_task(
    desk: Desk, library: Library, tmp_path: Path, said: dict[str, Any], told: str
) -> None:
    planned(desk, library, samples=2)
    folder = exported(desk, library, "label-studio", tmp_path / "queue")
    out = label_studio_export(folder, lambda number, _: said if number else {"verdict": ["accept"]})
    wrong = json.loads(out.read_text())[1]["data"]["task_id"]
    with pytest.raises(ConfigError, match=f"task {wrong}: .*{told}"):
        imported(desk, library, "label-studio", label_studio.read(out))
    assert decided(desk) == []


@on_both_databases
def test_what_was_decided_or_changed_meanwhile_is_left_out_and_told(
    desk: Desk, library: Library, tmp_path: Path
) -> None:
    planned(desk, library, samples=4, double_share=1)
    folder = exported(desk, library, "label-studio", tmp_path / "queue")
    out = label_studio_export(folder, accepted)
    task = judge(desk, ANN)
    result = imported(desk, library, "label-studio", label_studio.read(out))
    assert f"task {task.task_id}: left out, it is decided already" in result.notes
    # All by one person: of two blind judgements of a sample only one counts.
    assert (result.recorded, len(result.notes)) == (4, 4)
    assert sum("bob has judged this sample already" in note for note in result.notes) == 3


@on_both_databases
def test_an_import_is_taken_back_and_may_then_be_of_somebody_else(desk: Desk, library: Library, tmp_path: Path) -> None:
    planned(desk, library, samples=4)
    folder = exported(desk, library, "label-studio", tmp_path / "queue")
    out = label_studio_export(folder, accepted)

    def take_back(people: dict[str, str]) -> tuple[int, list[str]]:
        done = take_back_replies(desk, label_studio.read(out), people, "label-studio")
        return done.count, done.notes

    assert imported(desk, library, "label-studio", label_studio.read(out)).recorded == 4
    count, notes = take_back({"7": "ann"})  # not whom it was imported for
    assert (count, "not imported with these people" in notes[0], len(decided(desk))) == (0, True, 4)
    assert (take_back(PEOPLE), decided(desk)) == ((4, []), [])
    assert {row.lease_by for row in tasks_to_export(desk, library, "first")[0]} == {None}  # free for anybody
    count, notes = take_back(PEOPLE)
    assert (count, "taken back already" in notes[0]) == (0, True)
    again = imported(desk, library, "label-studio", label_studio.read(out))
    assert (again.recorded, again.known, "it was taken back" in again.notes[0]) == (0, 0, True)
    assert record_replies(desk, library, label_studio.read(out), {"7": "ann"}, "label-studio").recorded == 4
    assert {event.alias for event in decided(desk)} == {"ann"}


def test_the_person_takes_back_one_by_one_on_the_desk(desk: Desk, library: Library, tmp_path: Path) -> None:
    planned(desk, library, samples=3)
    folder = exported(desk, library, "label-studio", tmp_path / "queue")
    imported(desk, library, "label-studio", label_studio.read(label_studio_export(folder, accepted)))
    assert undo(desk, ANN) is None  # they are bob's
    back = undo(desk, BOB)
    task = next_task(desk, BOB)
    assert (task.task_id, len(decided(desk))) == (back, 2)
    decide(desk, BOB, task.task_id, answer(task, **REJECT))
    assert [event.payload["verdict"] for event in decided(desk)] == ["accept", "accept", "reject"]


def test_what_a_lead_adjudicated_by_is_not_taken_back(desk: Desk, library: Library, tmp_path: Path) -> None:
    planned(desk, library, samples=2, double_share=1)
    judge(desk, ANN, **REJECT)
    folder = exported(desk, library, "label-studio", tmp_path / "queue")
    out = label_studio_export(folder, accepted)
    assert imported(desk, library, "label-studio", label_studio.read(out)).recorded == 2
    judge(desk, LEA)
    done = take_back_replies(desk, label_studio.read(out), PEOPLE, "label-studio")
    assert done.count == 1
    assert sum("a lead has adjudicated" in note for note in done.notes) == 1


def test_an_export_has_what_is_still_to_be_judged_and_counts_the_rest(
    desk: Desk, library: Library, clock: Clock
) -> None:
    planned(desk, library, lot_size=5, accept_at_most=1, which_share=0.2)
    rejected = 0
    while rejected < 2:  # more than one bad one decides the lot
        task = next_task(desk, ANN)
        if (task.region, task.question) == ("town", "judge"):
            decide(desk, ANN, task.task_id, answer(task, **REJECT))
            rejected += 1
        else:
            skip(desk, ANN, task.task_id)
    while (task := next_task(desk, BOB)).question != "judge":
        skip(desk, BOB, task.task_id)
    rows, others = tasks_to_export(desk, library, "first")
    assert {(row.region, row.question, row.state) for row in rows} == {("village", "judge", "open")}
    choices = others.pop("of another question")
    assert (len(rows), dict(others)) == (4, {"decided": 2, "of a lot that is decided": 3, "held by somebody": 1})
    every, left = tasks_to_export(desk, library, "first", every=True)
    assert (len(every), dict(left)) == (10, {"of another question": choices})
    clock.now += 3600  # the lease ends
    assert len(tasks_to_export(desk, library, "first")[0]) == len(rows) + 1
    set_aside(desk, "desk", [rows[0].task_id], "stale", "changed")
    assert tasks_to_export(desk, library, "first", every=True)[1]["set aside"] == 1


def test_a_sample_that_was_revised_meanwhile_is_neither_exported_nor_judged(
    desk: Desk, library: Library, tmp_path: Path
) -> None:
    planned(desk, library, samples=4)
    task = judge(desk, ANN)
    out = label_studio_export(exported(desk, library, "label-studio", tmp_path / "queue"), accepted)
    gone, changed, same = (row.sample_id for row in tasks_to_export(desk, library, "first")[0])
    revised = copy.copy(library)
    revised.facts = {i: facts for i, facts in library.facts.items() if i not in (gone, task.sample_id)}
    revised.facts[changed] = replace(revised.facts[changed], text_sha256="0" * 64)
    rows, others = tasks_to_export(desk, revised, "first", every=True)
    assert ([row.sample_id for row in rows], others) == ([same], {"of a sample that has changed or is gone": 3})
    assert [item.task_id for item in items_of(rows, revised)] == [rows[0].task_id]
    result = imported(desk, revised, "label-studio", label_studio.read(out))
    assert (result.recorded, sum("changed since it was exported" in note for note in result.notes)) == (1, 2)


def test_a_disagreement_with_an_imported_answer_goes_to_a_lead(desk: Desk, library: Library, tmp_path: Path) -> None:
    planned(desk, library, samples=1, double_share=1)
    judge(desk, ANN)
    folder = exported(desk, library, "label-studio", tmp_path / "queue")
    out = label_studio_export(folder, lambda *_: {"verdict": ["reject"], "reasons": ["generic"]})
    assert imported(desk, library, "label-studio", label_studio.read(out)).recorded == 1
    (task,) = take(desk, LEA, count=3)
    assert task.question == "adjudicate"


@pytest.mark.parametrize(
    ("tool", "data"),
    [
        ("label-studio", b"[1, 2"),
        ("label-studio", b'[{"task_id": "x", "verdict": "accept", "annotator": 1}]'),  # JSON_MIN
        ("argilla", b'{"id": 1}'),
        ("argilla", b'[{"id": "x", "responses": {"verdict": "accept"}}]'),
        ("argilla", b"[" * 100_000),
        ("label-studio", b'[{"data": ' + b'{"x":' * 100_000),
        ("label-studio", LONGEST % b"NaN"),
        ("label-studio", LONGEST % b"Infinity"),
        ("label-studio", LONGEST % (b"9" * 5_000)),
        ("label-studio", LONGEST % b"1" + b"]"),
        ("label-studio", b"[%s %s]" % (LONGEST[1:-1] % b"1", LONGEST[1:-1] % b"1")),
        ("label-studio", b"[%s,]" % (LONGEST[1:-1] % b"1")),
        ("label-studio", LONGEST % b'1, "note": "\xff"'),
        ("argilla", b""),
        ("label-studio", b'[["a", "b"]]'),
        ("label-studio", b'["a", "b"]'),
        ("label-studio", b"[null]"),
        ("label-studio", SAID % b"null"),
        ("label-studio", SAID % b'["accept", "fine"]'),
        ("label-studio", SAID % b'[{"from_name": "verdict", "value": null}]'),
        ("label-studio", SAID % b'[{"from_name": "note", "value": {"text": [null]}}]'),
        ("label-studio", SAID % b'[{"from_name": "verdict", "value": {"choices": {"accept": 1}}}]'),
        ("argilla", RESPONDED % b'"note": [{"value": ["a", "b"], "user_id": "7"}]'),
        ("argilla", RESPONDED % b'"edited_long": [{"value": {"a": 1}, "user_id": "7"}]'),
        ("argilla", RESPONDED % b'"reasons": [{"value": 3, "user_id": "7"}]'),
        ("argilla", RESPONDED % b'"verdict": null'),
    ],
)
def test_files_that_are_no_exports_are_refused(tmp_path: Path, tool: str, data: bytes) -> None:
    (tmp_path / "x.json").write_bytes(data)
    with pytest.raises(ConfigError, match=r"x\.json"):
        list(TOOLS[tool].read(tmp_path / "x.json"))
    with pytest.raises(ConfigError, match="No such file"):
        list(TOOLS[tool].read(tmp_path / "absent.json"))


def test_a_control_that_was_left_empty_says_nothing(tmp_path: Path) -> None:
    """Never the word `None` as a note, or as an edited text."""
    empty = b'[{"from_name": "note", "value": {"text": null}}, {"from_name": "edited_long", "value": {"text": []}}]'
    (tmp_path / "x.json").write_bytes(SAID % empty)
    (label,) = label_studio.read(tmp_path / "x.json")
    empty = b'"verdict": [{"value": "edit", "user_id": "7"}, {"value": null, "user_id": "8"}], '
    empty += b'"note": [{"value": null, "user_id": "7"}]'
    (tmp_path / "x.json").write_bytes(RESPONDED % empty)
    (response,) = argilla.read(tmp_path / "x.json")  # 8 has not answered yet
    for reply in (label, response):
        assert (reply.note, reply.texts, reply.reasons, reply.false_claims) == ("", {}, [], [])
    assert (label.verdict, response.verdict, response.person) == (None, "edit", "7")


def test_who_left_a_task_open_for_days_has_taken_a_day_at_most(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_bytes(LONGEST % b"1e9")
    assert [reply.ms for reply in label_studio.read(tmp_path / "x.json")] == [MOST_MS]


def test_a_file_that_is_too_large_is_refused_before_it_is_parsed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MOST_BYTES", len(LONGEST))
    (tmp_path / "x.json").write_bytes(b"[" * (len(LONGEST) + 1))
    with pytest.raises(ConfigError, match=rf"more than {len(LONGEST)} bytes"):
        list(label_studio.read(tmp_path / "x.json"))
    (tmp_path / "x.json").write_bytes((LONGEST % b"1").ljust(len(LONGEST)))
    assert [reply.task_id for reply in label_studio.read(tmp_path / "x.json")] == ["x"]


@pytest.mark.parametrize("undoes", [False, True])
def test_no_more_answers_are_read_than_there_are_tasks(desk: Desk, library: Library, undoes: bool) -> None:
    planned(desk, library, samples=2)
    read = count()
    endless = (Reply(f"nowhere-{next(read)}", "", "7", "accept", [], {}, [], "", 0) for _ in repeat(None))
    record_them = take_back_replies if undoes else partial(record_replies, library=library)
    with pytest.raises(ConfigError, match="nowhere-2"):
        record_them(desk, replies=endless, people=PEOPLE, tool="label-studio")
    assert next(read) == 3


def test_what_the_commands_refuse(desk: Desk, library: Library, tmp_path: Path) -> None:
    planned(desk, library, samples=1)
    with pytest.raises(ConfigError, match=r"'second'.*one of 'first'"):
        tasks_to_export(desk, library, "second")
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "x").touch()
    with pytest.raises(ConfigError, match="there already"):
        new_folder(tmp_path / "used")
    for wrong in ("3", "=ann", "3=Ann Example"):
        with pytest.raises(ConfigError):
            aliases_of([wrong])
    assert aliases_of(["3=ann"]) == {"3": "ann"}
