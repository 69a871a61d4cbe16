"""Builds that a model's stand-in writes for: what a retry asks for anew, and what stands in failed rows."""

from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web

from pipeline.config.build import Build
from pipeline.engine.build import run_build
from pipeline.engine.counts import Counts
from pipeline.engine.layers import list_layers, read_rows
from pipeline.engine.workspace import collect_garbage, discard_replies, read_state
from pipeline.errors import MachineError
from pipeline.publishing import revisions
from pipeline.stages import STAGES
from pipeline.storage import open_store
from schemas.records import CaptionRow
from tests.captioning.model_standin import NAME, Seen, say, serving, write_well
from tools.dataset import open_dataset
from tools.inspect.show import describe_sample
from tools.verify.verify import verify

NAMES = [stage.name for stage in STAGES]
UNTRUE = "A golden castle with three towers stands straight ahead of me, by the sea."


def careless(seen: Seen) -> Any:
    """A writer that makes things up, and makes them up again when told."""
    if seen.turn not in ("compose", "repair"):
        return write_well(seen)
    said = [say(UNTRUE)] * 2
    return {"long": said, "short": said[:1], "street": said[:1]}


def with_model(small_build: Callable[..., Build], url: str, **captioner: Any) -> Build:
    return small_build(
        captioner={"engine": "dialogue", "model": NAME, "endpoints": [url], "tries": 1, **captioner},
        sampling={"spacing_m": 60, "max_sites": 3, "unit_resolution": 10},
        limits={"workers": 2, "allowed_failed_share": 1.0},
    )


def rows(build: Build) -> list[CaptionRow]:
    store = open_store(build.workspace)
    found = [file for file in list_layers(store) if file.layer == "captions"]
    return sorted((row for file in found for row in read_rows(store, file, CaptionRow)), key=lambda row: row.site_id)


def test_a_retry_has_the_model_reply_anew_where_what_it_said_was_at_fault(small_build: Callable[..., Build]) -> None:
    with serving(careless) as model:
        build = with_model(small_build, model.url)
        outcome = run_build(build, stages=NAMES)
        assert set(outcome.failed) == {"ungrounded"}
        first = rows(build)
        assert {row.draw for row in first} == {0}
        assert all(row.dropped and row.turns for row in first)
        seeds = {seen.body["seed"] for seen in model.seen}
        model.seen.clear()

        model.write = write_well
        mended = run_build(build, stages=NAMES, retry=frozenset({"ungrounded"}))
        assert not seeds & {seen.body["seed"] for seen in model.seen}
        assert model.seen
    # The stand-in says no more than its cues do, which for a place with few of them may still be too little.
    assert mended.failed.get("ungrounded", 0) < outcome.failed["ungrounded"]
    assert {row.draw for row in rows(build)} == {1}


def test_a_retry_after_an_outage_asks_only_for_what_did_not_come(small_build: Callable[..., Build]) -> None:
    with serving(write_well) as model:
        build = with_model(small_build, model.url)
        spoilt = {"compose"}

        def fault(_: int, seen: Seen) -> Any:
            return web.Response(text="CUDA out of memory", status=500) if seen.turn in spoilt else None

        model.fault = fault
        outcome = run_build(build, stages=NAMES)
        assert set(outcome.failed) == {"model_unreachable"}
        ((said, sites),) = outcome.total.details["model_unreachable"].counted
        assert (sites, "HTTP 500: CUDA out of memory" in said) == (outcome.failed["model_unreachable"], True)
        told = [state.counts for state in read_state(open_store(build.workspace)).stages]
        assert sum(told, Counts(0, {})).details == outcome.total.details
        before = rows(build)
        assert all([turn.turn for turn in row.turns][-1] == "relate" for row in before)
        model.seen.clear()
        spoilt.clear()
        run_build(build, stages=NAMES, retry=frozenset({"model_unreachable"}))
        assert {seen.turn for seen in model.seen} <= {"compose", "verify", "repair"}
    assert {row.draw for row in rows(build)} == {0}


def test_kept_replies_go_when_told_to(small_build: Callable[..., Build]) -> None:
    with serving(write_well) as model:
        build = with_model(small_build, model.url)
        run_build(build, stages=NAMES)
        store = open_store(build.workspace)
        assert collect_garbage(store) == []
        assert discard_replies(store) == len(model.seen)
        assert discard_replies(store) == 0
        assert not any(run_build(build, stages=NAMES).made.values())


def says_yes(seen: Seen) -> Any:
    """A good writer, and a verifier that says yes to whatever is put."""
    said = write_well(seen)
    if seen.turn == "verify":
        said["answers"] = [one | {"answer": "yes"} for one in said["answers"]]
    return said


@pytest.mark.parametrize("least", [4, 15])
def test_a_build_whose_verifier_is_worth_nothing_stops_with_the_figures(
    small_build: Callable[..., Build], least: int
) -> None:
    """As soon as a process has seen enough controls, and at the latest when all sites are to be published."""
    with serving(says_yes) as model:
        build = with_model(small_build, model.url)
        floor = {"false_accept": 0.2, "min_controls": least}
        policy = build.grounding.model_validate({"verifier_floor": floor})
        with pytest.raises(
            MachineError, match=r"accepts false controls: \d+ of \d+ .*verifier_floor\.false_accept is 20%"
        ):
            run_build(build.model_copy(update={"grounding": policy}))
    assert revisions.look(open_store(build.dataset)).current is None


def citing_notes(seen: Seen) -> Any:
    """A good writer that cites what it noted itself beside the cues."""
    said = write_well(seen)
    for sentence in said["long"] if seen.turn == "compose" else ():
        sentence["claims"][0]["cites"].append("n1")
    return said


def test_what_a_model_wrote_is_published_whole_and_sound(small_build: Callable[..., Build]) -> None:
    with serving(citing_notes) as model:
        build = with_model(small_build, model.url)
        outcome = run_build(build)
    assert outcome.published is not None
    dataset = open_dataset(build.dataset)
    assert verify(dataset.store) == []
    ids = [row["sample_id"] for row in dataset.rows(["sample_id"])]
    assert ids
    for sample in dataset.samples(ids):
        of_the_street = [sentence.text for sentence in sample.sentences if sentence.variant == "street"]
        assert sample.description_street == " ".join(of_the_street)
        assert all(text in describe_sample(sample) for text in of_the_street)
        assert sample.model == NAME


def test_dialogues_of_many_units_fill_the_servers_room_and_no_more(small_build: Callable[..., Build]) -> None:
    """No unit has that many sites, and no stage more than two units at work."""
    with serving(write_well, gathers=5) as model:
        build = with_model(small_build, model.url, at_once=5)
        outcome = run_build(build, stages=NAMES)
        assert "model_refused" not in outcome.failed
        assert model.most_at_once == 5
    units = read_state(open_store(build.workspace)).tasks
    assert max(unit.size for unit in units) < 3
