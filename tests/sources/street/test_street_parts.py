"""Reading answers, placing photos, cutting boxes, decoding tiles."""

import contextlib
import json
import logging
import math
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import mercantile
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.config.region import Region
from pipeline.errors import SiteError
from pipeline.geo.point import Point
from pipeline.geo.window import Box
from pipeline.net.addresses import parse_origin
from pipeline.sources import origins
from pipeline.sources import wire as answers
from pipeline.sources.base import Photo
from pipeline.sources.street import boxes, camera, places, tiles
from schemas.reasons import Reason
from tests.sources.street.conftest import HERE, vector_tile

PHOTO = Photo("p", HERE, 0.0, None, "perspective", None, "someone", "CC-BY-SA-4.0", "https://example.org")


class Thing(answers.Wire):
    id: answers.Id
    value: answers.Number = None
    name: answers.Text = ""
    at: answers.Moment = None


def test_bad_items_lose_no_good_ones_and_are_told_of(caplog: pytest.LogCaptureFixture) -> None:
    body = b'[{"id": 1, "value": NaN}, {"id": "2", "value": "7.5"}, {"id": 3, "value": 1e999}, "what", {"id": true}]'
    with caplog.at_level(logging.WARNING):
        (good,) = answers.each(json.loads(body), Thing, "source")
    assert (good.id, good.value) == ("2", 7.5)
    assert "4 of 5 items" in caplog.text


class Inner(answers.Wire):
    name: answers.Text = "nobody"


class Outer(answers.Wire):
    id: answers.Id
    round: bool = False
    numbers: tuple[float, ...] = ()
    inner: Inner = Inner()
    sequence: answers.OptionalId = None
    angle: answers.Number = None


def test_what_is_not_known_may_be_left_out_null_or_empty() -> None:
    told = {"id": 1, "round": None, "numbers": None, "inner": None, "sequence": "", "angle": " "}
    assert Outer.model_validate(told) == Outer.model_validate({"id": 1})
    assert Outer.model_validate({"id": 1, "inner": {"name": None}}) == Outer.model_validate({"id": 1})
    assert Outer.model_validate({"id": 1, "angle": True}).angle is None
    with pytest.raises(ValueError, match="id"):
        Outer.model_validate({"id": None})


def test_items_that_are_all_bad_are_an_error_and_not_an_empty_place() -> None:
    with pytest.raises(SiteError) as caught:
        answers.each([{"key": 1}], Thing, "source")
    assert caught.value.reason is Reason.BAD_ANSWER
    assert answers.each([], Thing, "source") == []


@pytest.mark.parametrize("body", [b"<html>", b"", b"[" * 100_000, b"\xff\xfe", b'{"id": ', b"[]", b"9" * 10_000])
def test_what_is_no_answer_is_a_fault_of_the_site(body: bytes) -> None:
    with pytest.raises(SiteError) as caught:
        answers.parse(body, Thing, "source")
    assert caught.value.reason is Reason.BAD_ANSWER


@pytest.mark.parametrize("bad", ["../1", "1?key=2", "", "a" * 200, None, 1.5])
def test_ids_cannot_lead_elsewhere_in_an_address(bad: Any) -> None:
    with pytest.raises(ValueError, match="id"):
        Thing.model_validate({"id": bad})


def test_names_are_one_line_without_what_is_not_seen() -> None:
    thing = Thing.model_validate({"id": 1, "name": "An\x00na\u202e\n\t <b>" + "x" * 500})
    assert thing.name.startswith("Anna <b>x")
    assert len(thing.name) == 200


@pytest.mark.parametrize(
    ("stated", "meant"),
    [
        (1507560881000, datetime(2017, 10, 9, 14, 54, 41, tzinfo=UTC)),
        ("2017-09-24 23:58:07", datetime(2017, 9, 24, 23, 58, 7, tzinfo=UTC)),
        ("2021-07-29 09:16:54+02", datetime(2021, 7, 29, 7, 16, 54, tzinfo=UTC)),
        ("2022-05", datetime(2022, 5, 1, tzinfo=UTC)),
        ("0000-00-00 00:00:00", None),
        ("1980-01-06T00:00:00Z", None),
        (0, None),
        (10**30, None),
        (math.nan, None),
        ([], None),
    ],
)
def test_dates_are_in_utc_and_unknown_where_no_camera_can_have_them(stated: Any, meant: datetime | None) -> None:
    assert Thing.model_validate({"id": 1, "at": stated}).at == meant


@example(-1.0)
@given(st.floats(-720, 1080, allow_nan=False))
def test_headings_are_within_the_circle(degrees: float) -> None:
    found = camera.heading(degrees)
    if degrees == -1:
        assert found is None, "stands for an unknown one"
        return
    assert found is not None
    assert 0 <= found < 360
    assert math.cos(math.radians(found)) == pytest.approx(math.cos(math.radians(degrees)), abs=1e-9)


@pytest.mark.parametrize("degrees", [1e9, -1e9, math.nan, math.inf, -1])
def test_what_is_no_direction_is_none(degrees: float) -> None:
    assert camera.heading(degrees) is None


def test_field_of_view_of_a_focal_length() -> None:
    assert camera.hfov_of_focal(0.5, 4000, 3000) == pytest.approx(90)
    assert camera.hfov_of_focal(0.5, 3000, 4000) == pytest.approx(2 * math.degrees(math.atan(0.75)))
    assert camera.hfov_of_focal(0.0, 4000, 3000) is None
    nonsense = [(5.0, 5.0), (-5.0, 0.0), (1e200, 1e200), (math.nan, 0.0), (math.inf, -math.inf)]
    assert [camera.hfov_of_focal(0.6, 4000, 3000, k1, k2) for k1, k2 in nonsense] == [None] * 5
    assert camera.hfov_of_focal(1e-300, 4000, 3000, 1.0, 1.0) is None


@given(st.floats(-90, 90), st.floats(-540, 540))
def test_positions_come_into_range(lat: float, lon: float) -> None:
    place, fault = places.position(lat, lon)
    assert -180 <= place.lon <= 180
    assert (fault is not None) == (lat == 0 and lon == 0)
    assert math.cos(math.radians(place.lon - lon)) == pytest.approx(1)


@pytest.mark.parametrize(("lat", "lon"), [(0, 0), (-0.0, 0.0), (91, 0), (10, 541), (1e300, 0)])
def test_what_is_no_place_is_said_so(lat: float, lon: float) -> None:
    place, fault = places.position(lat, lon)
    assert fault is not None
    assert fault[0] is Reason.BAD_POSITION
    assert place == Point(0.0, 0.0)


def test_photos_come_nearest_first_once_and_the_misplaced_stay() -> None:
    def at(name: str, north_m: float, **more: Any) -> Photo:
        return replace(PHOTO, source_id=name, position=Point(HERE.lat + north_m / 111_200, HERE.lon), **more)

    swapped = replace(PHOTO, source_id="swapped", position=Point(HERE.lon, HERE.lat))
    photos = [at("b", 5), at("far", 60_000), at("a", 5), at("c", 1), at("c", 30), at("out", 30), swapped]
    found = places.near_first(photos, HERE, 20)
    assert [photo.source_id for photo in found] == ["c", "a", "b", "far", "swapped"]
    assert [photo.unusable for photo in found[:3]] == [None] * 3
    assert found[3].unusable == (Reason.BAD_POSITION, "49.3962, 2.3522, 60 km from what was asked for")
    assert found[4].unusable is not None
    assert "latitude and longitude are swapped" in found[4].unusable[1]
    assert places.near_first([], HERE, 20) == []


def test_photos_on_the_other_side_of_the_antimeridian_are_near() -> None:
    photo = replace(PHOTO, position=Point(-17.0, -179.99999))
    assert places.near_first([photo], Point(-17.0, 179.99999), 20) == [photo]


def test_a_region_takes_each_photo_of_its_own_once(caplog: pytest.LogCaptureFixture) -> None:
    region = Region(name="fiji", bbox=(179.9, -17.1, -179.9, -16.9))
    lost = replace(PHOTO, source_id="lost", position=Point(0, 0), unusable=(Reason.BAD_POSITION, "0, 0"))
    photos = [replace(PHOTO, source_id=str(i), position=Point(-17, lon)) for i, lon in enumerate((179.95, -179.95, 0))]
    found = list(places.of_region([*photos, photos[0], lost], region, "source"))
    assert [photo.source_id for photo in found] == ["0", "1"]
    assert "1 of 5 photos requested in fiji have an impossible position" in caplog.text


def test_a_box_that_holds_too_much_is_quartered_and_nothing_is_lost() -> None:
    spots = np.random.default_rng(1).uniform(0, 1, (500, 2)).round(6).tolist()
    asked = []

    def ask(box: Box) -> list[tuple[float, float]]:
        asked.append(box)
        west, south, east, north = box
        inside = [(x, y) for x, y in spots if west <= x <= east and south <= y <= north]
        if len(inside) >= 60:
            raise SiteError(Reason.ANSWER_TOO_LARGE, "full")
        return inside

    found = boxes.gather((0, 0, 1, 1), ask)
    assert sorted(set(found)) == sorted(tuple(spot) for spot in spots)
    assert asked[0] == (0, 0, 1, 1)
    asked.clear()
    boxes.gather((0, 0, 1, 1), ask, most_deg2=0.1)
    assert all((east - west) * (north - south) < 0.1 for west, south, east, north in asked)


def test_a_provider_that_always_finds_too_much_is_given_up_soon() -> None:
    asked = []

    def ask(box: Box) -> list[int]:
        asked.append(box)
        raise SiteError(Reason.ANSWER_TOO_LARGE, "full")

    with pytest.raises(SiteError):
        boxes.gather((0, 0, 1, 1), ask)
    assert len(asked) == 5


@pytest.mark.parametrize(
    "region",
    [
        Region(name="a", centre=(60.2, 24.9), radius_m=900),
        Region(name="b", bbox=(-0.01, -0.01, 0.01, 0.01)),
        Region(name="c", bbox=(179.995, -17.01, -179.995, -17.0)),
        Region(name="d", centre=(-17.0, 180.0), radius_m=300),
    ],
)
def test_squares_tile_a_region_and_are_no_larger_than_asked(region: Region) -> None:
    found = list(boxes.squares(region, 200))
    west, south, east, north = region.bounds()
    area = ((east - west) % 360) * (north - south)
    assert sum((e - w) * (n - s) for w, s, e, n in found) == pytest.approx(area)
    for w, s, e, n in found:
        assert -180 <= w < e <= 180
        assert (n - s) * 111_195 <= 200.001
        assert (e - w) * 111_195 * math.cos(math.radians(min(abs(s), abs(n)))) <= 200.001


@given(st.floats(-84, 84), st.floats(-179.9, 179.9))
def test_points_of_a_tile_keep_their_place(lat: float, lon: float) -> None:
    tile = mercantile.tile(lon, lat, 14)
    body = vector_tile(tile, "image", [(lat, lon, {"id": 7})])
    found = list(tiles.points(body, tile, "image"))
    if found:  # else rounding moved it over the edge, where the next tile has it
        assert found[0].properties == {"id": 7}
        pixel = 360 / 2**14 / 4096
        assert found[0].position.lon == pytest.approx(lon, abs=pixel)
        assert found[0].position.lat == pytest.approx(lat, abs=pixel)


def test_a_point_in_the_margin_is_left_to_the_tile_it_lies_in() -> None:
    tile = mercantile.tile(HERE.lon, HERE.lat, 14)
    bounds = mercantile.bounds(tile)
    spots = [(HERE.lat, bounds.east - 1e-5, {"id": 1}), (HERE.lat, bounds.east + 1e-5, {"id": 2})]
    east = mercantile.Tile(tile.x + 1, tile.y, 14)
    ids = [
        [spot.properties["id"] for spot in tiles.points(vector_tile(at, "image", spots), at, "image")]
        for at in (tile, east)
    ]
    assert ids == [[1], [2]]


@given(st.binary(max_size=400))
def test_bytes_that_are_no_tile_are_a_fault_of_the_site_alone(body: bytes) -> None:
    tile = mercantile.Tile(0, 0, 0)
    whole = vector_tile(tile, "image", [(1.0, 1.0, {"id": 1})])
    for data in (body, whole[: len(body)], whole[:40] + body):
        with contextlib.suppress(SiteError):  # anything else would end the build
            list(tiles.points(data, tile, "image"))


def test_a_tile_of_other_layers_or_of_nothing_is_empty() -> None:
    tile = mercantile.Tile(0, 0, 0)
    assert list(tiles.points(b"", tile, "image")) == []
    assert list(tiles.points(vector_tile(tile, "water", []), tile, "image")) == []


def test_the_tiles_of_a_region_cover_it_across_the_antimeridian() -> None:
    found = set(tiles.cover(Region(name="fiji", bbox=(179.99, -17.0, -179.99, -16.99)), 14))
    assert {tile.x for tile in found} == {0, 2**14 - 1}


def test_picture_hosts_stand_for_their_subdomains_too() -> None:
    assert origins.host_origins("fbcdn.net") == ("https://fbcdn.net", "https://*.fbcdn.net")
    assert origins.host_origins("127.0.0.1:80") == ("http://127.0.0.1:80",)
    assert origins.origin("https://a.example:8443/x?y") == "https://a.example:8443"


def test_coverage_is_read_without_holding_it(caplog: pytest.LogCaptureFixture) -> None:
    read: list[int] = []

    def items() -> Iterator[dict[str, Any]]:
        for n in range(5):
            read.append(n)
            yield {"id": n} if n != 2 else {"id": None}

    found = answers.one_by_one(items(), Thing, "source")
    assert next(found).id == "0"
    assert read == [0]
    with caplog.at_level(logging.WARNING):
        assert [thing.id for thing in found] == ["1", "3", "4"]
    assert "1 of 5 items" in caplog.text
    with pytest.raises(SiteError, match="none of 2 items"):
        list(answers.one_by_one([{}, {}], Thing, "source"))


def test_photos_of_a_region_are_given_once_over_all_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "_AT_ONCE", 2)
    region = Region(name="r", centre=(HERE.lat, HERE.lon), radius_m=100)
    photos = [replace(PHOTO, source_id=one) for one in "abcab"] + [replace(PHOTO, source_id="d", position=Point(0, 1))]
    assert [photo.source_id for photo in places.of_region(iter(photos), region, "source")] == ["a", "b", "c"]


@pytest.mark.parametrize("address", ["https://[x/a.jpg", "https://[::1/", "//", ""])
def test_an_origin_of_what_is_no_address_is_left_to_the_client(address: str) -> None:
    with pytest.raises(SiteError) as caught:
        parse_origin(origins.origin(address), allow_loopback=True)
    assert caught.value.reason is Reason.UNSAFE_ADDRESS


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("https://[x/wms", "https://\\[x/wms \\("),
        ("https://e.org/{z}/{x}/{y}?token=abcdefgh", "a key or signature"),
        ("https://e.org/a.tif?sig=abc%2F", "a key or signature"),
    ],
)
def test_addresses_that_no_build_file_may_hold(address: str, found: str) -> None:
    ((told, _),) = origins.address_faults(address)
    assert re.search(found, told)
    assert "abc" not in told


def test_an_address_may_say_where_a_key_goes() -> None:
    assert origins.address_faults("https://e.org/{z}/{x}/{y}?token={key}&v=1") == []
