"""A build of 300 sites while one answer in five is faulty: what comes of each site, and how the source was asked."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from pipeline.engine.build import Outcome, run_build
from pipeline.engine.build_file import load_build
from schemas.reasons import OUTAGES, Reason
from schemas.records import ImageryRow
from tests.standin_builds.builds import RATES, free_port, imagery_rows, most_at_once, write_build
from tests.standin_builds.truth import (
    NO_TILE,
    OUTAGE_REASONS,
    RETOLD,
    TILE_REASONS,
    UNREADABLE,
    Dealt,
    photos,
    tiles_of,
)
from tools.dev.standin import Entry, Fault, Match, Part, Plan, Rule, fastest_rate, repeats, running

pytestmark = [pytest.mark.slow, pytest.mark.seldom, pytest.mark.timeout(1200)]

SITES, TRIES = 300, 6
LONG = list(range(1, TRIES + 1))
"""A fault that holds for all tries of a build passes before the next one."""
PLAN = Plan(
    share=0.2,
    slow_s=1.5,
    rules=[
        Rule(match=Match(part=Part.PICTURE, share=0.03, tries=LONG), fault=Fault.SERVER_ERROR),
        Rule(match=Match(part=Part.PICTURE, share=0.02, tries=LONG), fault=Fault.TRUNCATED),
        Rule(match=Match(part=Part.LISTING, share=0.02, tries=LONG), fault=Fault.GATEWAY_TIMEOUT),
        Rule(match=Match(part=Part.TILE, share=0.01, tries=LONG), fault=Fault.TRUNCATED),
    ],
)


@dataclass(frozen=True)
class Builds:
    """One build without faults, and one with, before and after its retry."""

    clean: dict[str, ImageryRow]
    faulty: dict[str, ImageryRow]
    mended: dict[str, ImageryRow]
    outcome: Outcome
    """Of the faulty build, before its retry."""
    first: Dealt
    """What was dealt before the retry."""
    dealt: Dealt
    log: list[Entry]

    def pairs(self) -> Iterator[tuple[ImageryRow, ImageryRow]]:
        """Each site without faults, and after the retry."""
        return ((row, self.mended[site]) for site, row in self.clean.items())


@pytest.fixture(scope="module")
def builds(tmp_path_factory: pytest.TempPathFactory) -> Builds:
    port, clean, faulty = free_port(), tmp_path_factory.mktemp("clean"), tmp_path_factory.mktemp("faulty")
    with running(port=port) as server:
        run_build(load_build(write_build(clean, server)), stages=("imagery",))
    with running(PLAN, port=port) as server:
        build = load_build(write_build(faulty, server))
        outcome = run_build(build, stages=("imagery",))
        before, log = imagery_rows(faulty), server.log()
        for _ in range(2):  # a site that lacked a tile may lack its photo, too, when it comes to that
            run_build(build, stages=("imagery",), retry=frozenset(Reason))
        return Builds(
            clean=imagery_rows(clean),
            faulty=before,
            mended=imagery_rows(faulty),
            outcome=outcome,
            first=Dealt(PLAN, log),
            dealt=Dealt(PLAN, server.log()),
            log=server.log(),
        )


def test_enough_went_wrong(builds: Builds) -> None:
    answers = [entry for entry in builds.first.log if entry.part is not Part.DOCUMENT]
    kinds = {entry.fault for entry in answers if entry.fault}
    assert len(builds.clean) == SITES
    assert sum(entry.fault is not None for entry in answers) > 0.2 * len(answers)
    assert len(kinds) > 20
    assert len(builds.dealt.tiles) > 5
    assert len(builds.dealt.pictures) > 15


def test_no_site_is_lost_and_none_is_there_twice(builds: Builds) -> None:
    assert set(builds.faulty) == set(builds.mended) == set(builds.clean)
    assert builds.outcome.sites == SITES
    for row in builds.mended.values():
        assert len({view.view_id for view in row.views}) == len(row.views)
        assert len({photo.source_id for photo in row.considered}) == len(row.considered)
        assert len({fact.fact_id for fact in row.facts}) == len(row.facts)


def test_a_site_whose_source_was_out_of_order_says_so(builds: Builds) -> None:
    failed = {row.site_id: row for row in builds.faulty.values() if row.reason in OUTAGES}
    assert len(failed) > 5
    explained = set()
    for entry in builds.first.spent(Part.PICTURE, TRIES):
        photo_id = entry.path.split("/")[-2]
        met = [row for row in failed.values() if row.detail and photo_id in row.detail]
        assert len(met) == 1
        assert met[0].reason is OUTAGE_REASONS[entry.fault or Fault.EMPTY]
        assert f"at try {TRIES}" in (met[0].detail or "")
        explained.add(met[0].site_id)
    for entry in builds.first.spent(Part.LISTING, TRIES):
        met = [row for row in builds.clean.values() if row.site_id in failed and searched(entry, row)]
        assert len(met) == 1
        assert failed[met[0].site_id].reason is OUTAGE_REASONS[entry.fault or Fault.EMPTY]
        explained.add(met[0].site_id)
    for entry in builds.first.spent(Part.TILE, TRIES):
        tile = "/".join(entry.path.removesuffix(".jpg").split("/")[-3:])
        met = [row for row in failed.values() if row.detail and tile in row.detail]
        assert met
        for row in met:
            assert row.reason is OUTAGE_REASONS[entry.fault or Fault.EMPTY]
            assert (row.detail or "").startswith("aerial: ")
        explained |= {row.site_id for row in met}
    assert explained == set(failed)


def searched(entry: Entry, row: ImageryRow) -> bool:
    """Whether a search was of a site: for the photos around it, or for the new address of one of them."""
    if "bbox" not in entry.query:
        return entry.query["ids"] in photos(row)
    west, south, east, north = map(float, entry.query["bbox"].split(","))
    return math.dist((row.lat, row.lon), ((south + north) / 2, (west + east) / 2)) < 1e-6


def test_each_photo_that_was_passed_over_has_the_true_reason(builds: Builds) -> None:
    judged = 0
    for clean, row in builds.pairs():
        told = {photo.source_id: photo.verdict for photo in row.considered}
        unread = {photo_id for photo_id in photos(clean) if builds.dealt.item(photo_id) in UNREADABLE}
        if row.reason is Reason.BAD_ANSWER and not told:
            assert unread == set(photos(clean))  # all of them: the source cannot be understood here
            judged += 1
            continue
        assert set(photos(clean)) - unread <= set(told)
        for stray in set(told) - set(photos(clean)):  # in the corners of the box that was asked for: who can tell?
            assert builds.dealt.why_not(stray) is Reason.BAD_POSITION
            assert told[stray].startswith("bad_position: ")
        for photo in clean.considered:
            if photo.source_id in unread:
                continue
            verdict = told[photo.source_id]
            why_not = builds.dealt.why_not(photo.source_id)
            if why_not is None and photo.verdict.startswith("unusable_licence"):  # of an instance of an age
                why_not = Reason.UNUSABLE_LICENCE
            if why_not is None:
                assert verdict == "chosen" or verdict.startswith("not needed")
            else:
                assert verdict.startswith(f"{why_not}: ")
                judged += 1
    assert judged > 50


def test_a_site_has_a_view_exactly_if_a_photo_can_be_had(builds: Builds) -> None:
    for clean, row in builds.pairs():
        good = {
            photo.source_id
            for photo in clean.considered
            if builds.dealt.why_not(photo.source_id) is None
            and builds.dealt.item(photo.source_id) not in UNREADABLE
            and not photo.verdict.startswith("unusable_licence")
        }
        if good:
            assert row.status == "ok"
            assert {view.source_id for view in row.views} <= good
        else:
            assert row.status == "failed"
            verdicts = {photo.verdict.split(":")[0] for photo in row.considered}
            assert row.reason is not None
            assert str(row.reason) in verdicts or (row.reason is Reason.BAD_ANSWER and not verdicts)


def test_a_site_that_nothing_lasting_touched_is_as_without_faults(builds: Builds) -> None:
    whole = 0
    for clean, row in builds.pairs():
        told = {builds.dealt.item(photo_id) for photo_id in photos(clean)}
        told_alike = told <= {None}
        if told_alike and not any(builds.dealt.why_not(photo_id) for photo_id in photos(clean)):
            assert row.views == clean.views
            strays = len(row.considered) > len(clean.considered)
            if not strays and (clean.aerial is None or not tiles_of(clean) & set(builds.dealt.tiles)):
                assert row == clean
                whole += 1
        if clean.status == row.status == "ok":
            assert row.map == clean.map
            assert row.facts == clean.facts
    assert whole > SITES / 3


def test_what_is_told_oddly_but_harmlessly_is_used(builds: Builds) -> None:
    used = {view.source_id for row in builds.mended.values() for view in row.views}
    assert {builds.dealt.item(photo_id) for photo_id in used} - {None} <= RETOLD
    assert any(builds.dealt.item(photo_id) is Fault.MISSING_KEYS for photo_id in used)
    assert any(builds.dealt.item(photo_id) is Fault.LONGITUDE_OVER_180 for photo_id in used)


def test_an_aerial_chip_is_whole_or_missing_for_the_true_reason(builds: Builds) -> None:
    lacking = 0
    for clean, row in builds.pairs():
        if clean.aerial is None or row.status == "failed":
            continue
        faults = {builds.dealt.tiles[tile] for tile in tiles_of(clean) if tile in builds.dealt.tiles}
        missing = [view for view in row.missing if view.view == "aerial"]
        if not faults:
            assert row.aerial == clean.aerial
        elif row.aerial is None:
            allowed = {TILE_REASONS[fault] for fault in faults - NO_TILE}
            if faults & NO_TILE:
                allowed |= {Reason.PARTLY_COVERED, Reason.NO_OVERLAP}
            assert {view.reason for view in missing} <= allowed
            assert len(missing) == 1
            lacking += 1
        else:  # without a tile, of which it needed no more than the margin
            assert faults <= NO_TILE
            assert row.aerial.covered >= 0.98
    assert lacking > 10


def test_limits_hold_while_one_answer_in_five_is_faulty(builds: Builds) -> None:
    assert not any(entry.limited for entry in builds.log)
    for provider, rate in RATES.items():
        asked = [entry for entry in builds.log if entry.provider is provider]
        assert most_at_once(asked) <= rate["at_once"]
        for host in {entry.host for entry in asked}:
            # What is under way may arrive together, however evenly it was sent.
            for window_s in (1.0, 10.0):
                assert fastest_rate(asked, host, window_s) <= rate["per_s"] + rate["at_once"] / window_s


def test_nobody_is_asked_who_should_not_be_and_nothing_twice(builds: Builds) -> None:
    assert not any(entry.trap for entry in builds.log)
    assert {entry.user_agent for entry in builds.log} == {"geoscribe/0.1.0 (+standin@example.org)"}
    pictures = {e.identity for e in builds.log if e.part in {Part.PICTURE, Part.TILE, Part.MAP}}
    assert not pictures & set(repeats(builds.log))
