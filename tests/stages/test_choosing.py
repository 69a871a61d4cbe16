"""The choice among photos: what ranks first, what is taken, and what is said of the rest."""

import copy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.build import Build
from pipeline.config.imagery import Choice
from pipeline.errors import SiteError
from pipeline.geo.frame import LocalFrame
from pipeline.geo.point import Point
from pipeline.registry.registry import Registry
from pipeline.sources.base import Photo
from pipeline.sources.world.street import WorldStreetSource
from pipeline.stages.choosing import MOST_CONSIDERED, choose, rank
from pipeline.stages.imagery import imagery
from schemas.reasons import Reason
from schemas.records import Image, Quality, Site, StreetView
from tests.engine.conftest import SMALL

SITE = Point(48.8566, 2.3522)
FRAME = LocalFrame(SITE.lat, SITE.lon)
DAY = datetime(2024, 6, 1, tzinfo=UTC)
RADIUS_M = 20.0


def photo(name: str, east: float = 0.0, north: float = 0.0, heading: float | None = 0.0, **more: Any) -> Photo:
    lon, lat = FRAME.to_degrees(east, north)
    made = Photo(
        name, Point(float(lat), float(lon)), heading, None, "perspective", DAY, "ana", "CC-BY-SA-4.0", "https://example.org"
    )  # fmt: skip
    return replace(made, **more)


def panorama(name: str, east: float = 0.0, north: float = 0.0, **more: Any) -> Photo:
    return photo(name, east, north, projection="equirectangular", hfov_deg=360.0, **more)


def order(photos: list[Photo], **weights: float) -> list[str]:
    return [one.photo.source_id for one in rank(photos, SITE, RADIUS_M, Choice(**weights))]


def take(one: Photo, number: int) -> list[StreetView]:
    """A view without a picture worth the name."""
    return [
        StreetView(
            source="s", source_id=one.source_id, author="a", licence="l", link="k", view_id=str(number),
            projection=one.projection, cut_from=None, lat=one.position.lat, lon=one.position.lon, distance_m=0,
            heading_deg=one.heading_deg, pitch_deg=0, hfov_deg=None, captured_at=None, width=1, height=1,
            quality=Quality(sharpness=0, contrast=0, entropy=0, darkness=0), faces_blurred=0, phash="0" * 16,
            image=Image(bytes=b"", path=""), truth=None,
        )
    ]  # fmt: skip


def chosen(photos: list[Photo], max_views: int = 4) -> tuple[list[str], dict[str, str]]:
    """Ids of the photos taken, and what is said of each."""
    got = choose(rank(photos, SITE, RADIUS_M, Choice()), max_views, take)
    return [view.source_id for view in got.views], {one.source_id: one.verdict for one in got.considered}


def test_nearest_first_where_nothing_else_is_known() -> None:
    photos = [photo("c", 0, 9, None), photo("b", 0, 3, None), photo("a", 9, 0, None), photo("d", 0, 1, None)]
    assert order(photos) == ["d", "b", "a", "c"]


def test_a_photo_that_looks_at_the_site_comes_before_a_nearer_one_that_looks_away() -> None:
    towards, away = photo("towards", 0, -12, 0.0), photo("away", 0, -8, 180.0)
    assert order([away, towards]) == ["towards", "away"]
    assert order([away, towards], direction=0) == ["away", "towards"]


def test_at_the_site_itself_it_matters_little_which_way_a_photo_looks() -> None:
    assert order([photo("here", 0, -0.3, 180.0), photo("towards", 0, -8, 0.0)]) == ["here", "towards"]


def test_panoramas_always_look_at_the_site() -> None:
    ranked = rank([panorama("p", 0, 10), photo("f", 0, -10, 0.0), photo("u", 10, 0, None)], SITE, RADIUS_M, Choice())
    scores = {one.photo.source_id: one.score for one in ranked}
    assert scores["p"] == scores["f"]
    assert scores["u"] == pytest.approx(scores["p"] + 0.5)


def test_age_counts_from_the_newest_usable_photo() -> None:
    old = photo("old", captured_at=DAY - timedelta(days=5 * 365.25))
    newest = photo("newest")
    refused = photo("refused", captured_at=DAY + timedelta(days=9999), unusable=(Reason.UNUSABLE_LICENCE, "none"))
    scores = {one.photo.source_id: one.score for one in rank([old, newest, refused], SITE, RADIUS_M, Choice())}
    assert scores["old"] - scores["newest"] == pytest.approx(0.25)
    later = {one.photo.source_id: one.score for one in rank([old, refused], SITE, RADIUS_M, Choice())}
    assert later["old"] == scores["newest"]


def test_the_sources_own_score_counts() -> None:
    photos = [photo("poor", quality=0.1), photo("good", quality=0.9), photo("unknown")]
    assert order(photos) == ["good", "unknown", "poor"]
    assert order(photos, quality=0) == ["good", "poor", "unknown"]


HEADINGS = st.none() | st.floats(0, 359.9)
METRES = st.floats(-14, 14)


@given(st.lists(st.tuples(METRES, METRES, HEADINGS), min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_the_order_depends_on_the_photos_alone(spots: list[tuple[float, float, float | None]], random: Any) -> None:
    photos = [photo(f"{i:02}", *spot) for i, spot in enumerate(spots)]
    shuffled = list(photos)
    random.shuffle(shuffled)
    assert order(shuffled) == order(photos)
    worst = 1.0 + 1.0 + 0.5 + 0.5
    assert all(0 <= one.score <= worst for one in rank(photos, SITE, RADIUS_M, Choice()))


def test_flat_photos_add_directions() -> None:
    photos = [photo("a", 0, 1, 0.0), photo("b", 0, 2, 44.0), photo("c", 0, 3, 90.0), photo("d", 0, 4, None)]
    photos.append(photo("e", 0, 10, 180.0, captured_at=DAY - timedelta(days=3000)))
    assert chosen(photos) == (
        ["a", "c", "e"],
        {
            "a": "chosen",
            "b": "looks the same way as a",
            "c": "chosen",
            "d": "not added: which way it looks is unknown",
            "e": "chosen",
        },
    )
    assert chosen(photos, max_views=1)[1]["c"] == "not needed: 1 view was enough"
    assert chosen(photos, max_views=2)[1]["e"] == "not needed: 2 views were enough"


def test_nothing_is_added_to_a_panorama_and_no_panorama_to_flat_photos() -> None:
    first, verdicts = chosen([panorama("p", 0, 1), photo("f", 0, -3, 0.0)])
    assert (first, verdicts["f"]) == (["p"], "not needed: p sees all round")
    first, verdicts = chosen([panorama("p", 0, 9), photo("f", 0, -3, 0.0)])
    assert (first, verdicts["p"]) == (["f"], "not added: a panorama, and the better f is flat")


def test_a_photo_that_is_no_use_gives_way_to_the_next() -> None:
    def picky(one: Photo, number: int) -> list[StreetView]:
        if one.source_id == "a":
            raise SiteError(Reason.TOO_BLURRED, "sharpness 3.1")
        return take(one, number)

    ranked = rank([photo("a", 0, 1), photo("b", 0, 2)], SITE, RADIUS_M, Choice())
    got = choose(ranked, 1, picky)
    assert [view.source_id for view in got.views] == ["b"]
    assert [one.verdict for one in got.considered] == ["too_blurred: sharpness 3.1", "chosen"]
    assert [(name, error.reason) for name, error in got.faults] == [("a", Reason.TOO_BLURRED)]
    assert choose(ranked[:1], 1, picky).why_none(RADIUS_M).reason is Reason.TOO_BLURRED


def test_photos_that_may_not_be_used_are_never_read() -> None:
    def never(one: Photo, number: int) -> list[StreetView]:
        raise AssertionError(one)

    refused = photo("a", unusable=(Reason.UNUSABLE_LICENCE, "CC-BY-NC-4.0"))
    lost = photo("b", unusable=(Reason.BAD_POSITION, "0, 0"), position=Point(0.0, 0.0))
    got = choose(rank([lost, refused], SITE, RADIUS_M, Choice()), 4, never)
    assert [one.verdict for one in got.considered] == ["unusable_licence: CC-BY-NC-4.0", "bad_position: 0, 0"]
    assert got.views == []
    error = got.why_none(RADIUS_M)
    assert (error.reason, error.detail) == (Reason.UNUSABLE_LICENCE, "a: CC-BY-NC-4.0")


def test_a_place_without_photos_says_so() -> None:
    got = choose(rank([], SITE, RADIUS_M, Choice()), 4, take)
    assert got.considered == []
    assert got.why_none(RADIUS_M).detail == "no photo within 20 m"


def test_in_a_crowd_what_was_tried_is_noted_and_trying_ends() -> None:
    same = [photo(f"{i:03}", 0, i / 10, 0.0) for i in range(60)]
    other = photo("other", 0, 15, 180.0)
    got = choose(rank([*same, other], SITE, RADIUS_M, Choice()), 4, take)
    assert [view.source_id for view in got.views] == ["000", "other"]
    assert len(got.considered) == MOST_CONSIDERED
    assert (got.considered[0].source_id, got.considered[-1].source_id) == ("000", "other")

    def none(one: Photo, number: int) -> list[StreetView]:
        raise SiteError(Reason.GONE, one.source_id)

    assert len(choose(rank(same, SITE, RADIUS_M, Choice()), 4, none).faults) == MOST_CONSIDERED


def test_all_that_is_known_of_a_photo_is_noted() -> None:
    near = photo("a", 3, 4, 359.5, author="Ana", captured_at=None)
    (noted,) = choose(rank([near], SITE, RADIUS_M, Choice()), 1, take).considered
    assert noted.distance_m == 5.0
    assert (noted.heading_deg, noted.projection, noted.captured_at) == (359.5, "perspective", None)
    assert (noted.author, noted.licence, noted.link) == ("Ana", "CC-BY-SA-4.0", "https://example.org")
    # 5 m of 20; the site lies to the south west, 217 degrees, 142.6 from the axis; date and quality unknown.
    assert noted.score == pytest.approx(0.25 + 0.90 + 0.25 + 0.25, abs=0.01)


def test_the_row_of_a_site_says_what_was_considered(monkeypatch: pytest.MonkeyPatch) -> None:
    build = Build.model_validate(copy.deepcopy(SMALL))
    registry = Registry(build)
    region = build.regions[0]
    candidate = next(iter(registry.street(region.name).candidates(region)))
    site = Site(
        site_id="s", region=region.name, unit="u", weight=1, lat=candidate.position.lat, lon=candidate.position.lon
    )
    (row,) = imagery([site], registry)
    assert row.status == "ok"
    assert {one.source_id for one in row.considered if one.verdict == "chosen"} == {v.source_id for v in row.views}

    near = WorldStreetSource.near

    def refused(self: WorldStreetSource, point: Point, radius_m: float) -> list[Photo]:
        return [replace(one, unusable=(Reason.METADATA_ONLY, "ids only")) for one in near(self, point, radius_m)]

    monkeypatch.setattr(WorldStreetSource, "near", refused)
    (row,) = imagery([site], registry)
    assert (row.status, row.reason) == ("failed", Reason.METADATA_ONLY)
    assert {one.verdict for one in row.considered} == {"metadata_only: ids only"}
