"""Each fault as a plain client sees it."""

import gzip
import http.client
import json
import math
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import mercantile
import numpy as np
import pytest
from aiohttp.test_utils import make_mocked_request
from PIL import Image, UnidentifiedImageError

from tests.dev.standin.here import running_here
from tests.dev.standin.plain import Got, PlainClient
from tests.net.virtual_time import JumpingLoop, run_jumping
from tools.dev.standin import (
    FAULTS,
    Fault,
    Limit,
    Match,
    Part,
    Plan,
    Provider,
    Rule,
    Running,
    fault_responses,
)
from tools.dev.standin.buckets import Buckets
from tools.dev.standin.library import Library, Shot
from tools.dev.standin.running import SEED
from tools.dev.standin.web import Reply

Get = Callable[[Fault], Got]
SLOW_S = 0.4
ON_TILES = [
    fault for fault, about in FAULTS.items() if Part.TILE in about.parts and about.fits(Provider.TILES, Part.TILE)
]
ON_LISTINGS = [
    Fault.EMPTY, Fault.GRAPH_190, Fault.GRAPH_4, Fault.GRAPH_17, Fault.GRAPH_613, Fault.GRAPH_100, Fault.TOO_MUCH_DATA,
    Fault.DUPLICATE_IDS, Fault.OUT_OF_BOX, Fault.PAGING_LOOP,
]  # fmt: skip
"""Met by one search, one a try."""
ITEMS = [fault for fault, about in FAULTS.items() if Part.ITEM in about.parts]
TESTED_ALONE = {Fault.EXPIRED, Fault.REMARK}


@pytest.fixture(scope="module")
def faulty() -> Iterator[Running]:
    """Tile n of the blank layer has fault n; the nth try of any search has listing fault n."""
    rules = [
        Rule(match=Match(provider=Provider.TILES, path=f"/tiles/blank/15/{n}/0.jpg"), fault=fault)
        for n, fault in enumerate(ON_TILES)
    ]
    for n, fault in enumerate(ON_LISTINGS):
        rules += [
            Rule(match=Match(provider=provider, part=Part.LISTING, tries=[n + 1]), fault=fault)
            for provider in (Provider.PANORAMAX, Provider.MAPILLARY, Provider.KARTAVIEW)
            if FAULTS[fault].fits(provider, Part.LISTING)
        ]
    rules.append(Rule(match=Match(provider=Provider.OVERPASS, part=Part.MAP, tries=[1]), fault=Fault.REMARK))
    rules.append(Rule(match=Match(provider=Provider.OVERPASS, part=Part.MAP, tries=[2]), fault=Fault.GATEWAY_TIMEOUT))
    rules.append(Rule(match=Match(part=Part.PICTURE, provider=Provider.MAPILLARY, tries=[1]), fault=Fault.EXPIRED))
    with running_here(Plan(rules=rules, slow_s=SLOW_S)) as server:
        yield server


@pytest.fixture
def tile(faulty: Running, ask: PlainClient) -> Get:
    def get(fault: Fault) -> Got:
        return ask(f"{faulty.api}/tiles/blank/15/{ON_TILES.index(fault)}/0.jpg")

    return get


def test_no_fault_is_left_out() -> None:
    assert {*ON_TILES, *ON_LISTINGS, *ITEMS} | TESTED_ALONE == set(Fault)


def test_truncated(tile: Get) -> None:
    got = tile(Fault.TRUNCATED)
    assert got.status == 200
    assert not got.complete
    assert len(got.body) < int(got.headers["content-length"])
    assert got.body[:2] == b"\xff\xd8"


def test_reset(tile: Get) -> None:
    with pytest.raises(ConnectionResetError):
        tile(Fault.RESET)


def test_stall(tile: Get) -> None:
    with pytest.raises(http.client.RemoteDisconnected):
        tile(Fault.STALL)


def test_slow_loris(tile: Get) -> None:
    got = tile(Fault.SLOW_LORIS)
    assert not got.complete
    assert 0 < len(got.body) < 20


@pytest.mark.parametrize("fault", [Fault.STALL, Fault.SLOW_LORIS])
def test_slowness_lasts_as_long_as_the_plan_says(fault: Fault) -> None:
    async def scenario(loop: JumpingLoop) -> None:
        began = loop.time()
        await fault_responses.send(make_mocked_request("GET", "/"), Reply(bytes(1_000), "image/jpeg"), fault, 7.0)
        assert loop.time() - began == pytest.approx(7.0, abs=0.06)

    run_jumping(scenario)


def test_html_under_the_type_of_a_picture(tile: Get) -> None:
    got = tile(Fault.HTML)
    assert got.status == 200
    assert got.headers["content-type"] == "image/jpeg"
    assert got.body.startswith(b"<!DOCTYPE html>")
    assert "etag" not in got.headers


def test_undecodable(tile: Get) -> None:
    got = tile(Fault.UNDECODABLE)
    assert got.complete
    assert got.body[:3] == b"\xff\xd8\xff"
    with pytest.raises((UnidentifiedImageError, OSError)):
        Image.open(BytesIO(got.body)).load()


def test_image_bomb(tile: Get, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 89_478_485)  # Pillow's own; libraries switch it off
    got = tile(Fault.IMAGE_BOMB)
    assert len(got.body) < 200_000
    with pytest.raises(Image.DecompressionBombError):
        Image.open(BytesIO(got.body))


def test_gzip_bomb(tile: Get) -> None:
    got = tile(Fault.GZIP_BOMB)
    assert got.headers["content-encoding"] == "gzip"
    assert len(got.body) < 200_000
    with gzip.open(BytesIO(got.body)) as file:
        assert sum(len(block) for block in iter(lambda: file.read(2**20), b"")) == 96 * 2**20


def test_no_content_and_blank(tile: Get) -> None:
    assert (tile(Fault.NO_CONTENT).status, tile(Fault.NO_CONTENT).body) == (204, b"")
    assert np.ptp(np.asarray(Image.open(BytesIO(tile(Fault.BLANK).body)))[:64]) < 4


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (Fault.SERVER_ERROR, 500), (Fault.BAD_GATEWAY, 502), (Fault.UNAVAILABLE, 503), (Fault.GATEWAY_TIMEOUT, 504),
        (Fault.BAD_REQUEST, 400), (Fault.UNAUTHORIZED, 401), (Fault.FORBIDDEN, 403), (Fault.NOT_FOUND, 404),
        (Fault.GONE, 410),
    ],
)  # fmt: skip
def test_statuses(tile: Get, fault: Fault, status: int) -> None:
    got = tile(fault)
    assert got.status == status
    assert ("html" in got.headers["content-type"]) == (status in {502, 504})


def test_too_many_requests_in_all_its_forms(tile: Get) -> None:
    forms = [Fault.RETRY_SECONDS, Fault.RETRY_DATE, Fault.RETRY_ABSENT, Fault.RETRY_ABSURD]
    asked = datetime.now(UTC)
    got = {fault: tile(fault) for fault in forms}
    answered = datetime.now(UTC)
    assert {one.status for one in got.values()} == {429}
    assert got[Fault.RETRY_SECONDS].headers["retry-after"] == "1"
    until = parsedate_to_datetime(got[Fault.RETRY_DATE].headers["retry-after"])
    assert asked + timedelta(seconds=1) < until <= answered + timedelta(seconds=2)
    assert "retry-after" not in got[Fault.RETRY_ABSENT].headers
    assert got[Fault.RETRY_ABSURD].headers["retry-after"] == "1000000000"


def test_redirects(faulty: Running, tile: Get, ask: PlainClient) -> None:
    assert tile(Fault.REDIRECT_HOST).headers["location"].startswith("http://elsewhere.invalid/")
    assert tile(Fault.REDIRECT_METADATA).headers["location"].startswith("http://169.254.169.254/")
    loop = tile(Fault.REDIRECT_LOOP)
    assert loop.status == 302
    assert loop.headers["location"] == f"/tiles/blank/15/{ON_TILES.index(Fault.REDIRECT_LOOP)}/0.jpg"
    trap = tile(Fault.REDIRECT_LOOPBACK).headers["location"]
    assert trap.startswith(faulty.trap)
    assert not any(entry.trap for entry in faulty.log())
    assert ask(trap).status == 404
    assert [entry.host for entry in faulty.log() if entry.trap] == [faulty.trap.removeprefix("http://")]


def test_rows_counted_from_the_south(ask: PlainClient) -> None:
    with running_here(Plan(rules=[Rule(fault=Fault.TMS_ROWS)])) as server:
        x, y, _ = mercantile.tile(-1.1520, 46.1591, 18)
        right, wrong = (f"{server.api}/tiles/world/18/{x}/{row}.jpg" for row in (y, 2**18 - 1 - y))
        assert (ask(right).status, ask(wrong).status) == (404, 200)


def heading(photo: Any) -> Any:
    return photo.get("compass_angle", photo.get("properties", {}).get("view:azimuth", photo.get("heading")))


@pytest.mark.parametrize("provider", [Provider.PANORAMAX, Provider.MAPILLARY, Provider.KARTAVIEW])
def test_listings(faulty: Running, ask: PlainClient, box: str, provider: Provider) -> None:
    west, south, east, north = box.split(",")

    def get() -> Got:
        if provider is Provider.PANORAMAX:
            return ask(f"{faulty.api}/panoramax/api/search?bbox={box}&limit=10000")
        if provider is Provider.MAPILLARY:
            url = f"{faulty.api}/mapillary/graph/images?bbox={box}&fields=geometry&limit=2000"
            return ask(url, Authorization=f"OAuth {faulty.key}")
        form = {"ipp": 500, "bbTopLeft": f"{north},{west}", "bbBottomRight": f"{south},{east}"}
        return ask(f"{faulty.api}/kartaview/1.0/list/nearby-photos/", form=form)

    def photos(got: Got) -> Any:
        return next(got.json[key] for key in ("features", "data", "currentPageItems") if key in got.json)

    seen = {fault: get() for fault in ON_LISTINGS}
    right = [photo["id"] for photo in photos(get())]
    assert photos(seen[Fault.EMPTY]) == []
    twice = [photo["id"] for photo in photos(seen[Fault.DUPLICATE_IDS])]
    assert len(twice) == len(right) + 3
    assert set(twice) == set(right)
    more = [photo["id"] for photo in photos(seen[Fault.OUT_OF_BOX])]
    assert set(right) < set(more)
    loop = seen[Fault.PAGING_LOOP].json
    if provider is Provider.PANORAMAX:
        links = [link["href"] for link in loop["links"] if link["rel"] == "next"]
        assert links == [f"{faulty.api}/panoramax/api/search?bbox={box}&limit=10000"]
    elif provider is Provider.MAPILLARY:
        assert "after=again" in loop["paging"]["next"]
    else:
        assert len(loop["currentPageItems"]) == 500
        assert int(loop["totalFilteredItems"][0]) > 500
    if provider is Provider.MAPILLARY:
        errors = {fault: (seen[fault].status, seen[fault].json["error"]["code"]) for fault in ON_LISTINGS[1:7]}
        assert errors == {
            Fault.GRAPH_190: (500, 190), Fault.GRAPH_4: (500, 4), Fault.GRAPH_17: (500, 17),
            Fault.GRAPH_613: (500, 613), Fault.GRAPH_100: (400, 100), Fault.TOO_MUCH_DATA: (500, 1),
        }  # fmt: skip


def test_a_paging_loop_of_a_plan_never_ends(box: str) -> None:
    with running_here(Plan(rules=[Rule(match=Match(part=Part.LISTING), fault=Fault.PAGING_LOOP)])) as server:
        graph = PlainClient(headers={"Authorization": f"OAuth {server.key}"})
        url = f"{server.api}/mapillary/graph/images?bbox={box}&limit=5"
        pages = [graph(url + after).json for after in ("", "&after=again", "&after=again")]
        assert pages[0]["data"] == pages[1]["data"] == pages[2]["data"]
        assert pages[1]["paging"]["next"] == pages[2]["paging"]["next"]


def test_an_expired_address_stays_so_and_a_new_one_works(faulty: Running, ask: PlainClient) -> None:
    graph = PlainClient(headers={"Authorization": f"OAuth {faulty.key}"})
    url = f"{faulty.api}/mapillary/graph/images?bbox=-1.1530,46.1580,-1.1510,46.1600&fields=thumb_256_url&limit=3"
    for _ in range(12):  # past the faults of the listing
        got = graph(url)
    address = got.json["data"][0]["thumb_256_url"]
    assert [ask(address).status for _ in range(3)] == [403, 403, 403]
    fresh = graph(f"{faulty.api}/mapillary/graph/{got.json['data'][0]['id']}?fields=thumb_256_url").json
    assert ask(fresh["thumb_256_url"]).status == 200


def test_overpass_breaks_off_with_a_remark_and_times_out_with_a_page(faulty: Running, ask: PlainClient) -> None:
    query = {"data": "[out:json];nwr(46.158,-1.154,46.160,-1.150);out geom;"}
    url = f"{faulty.api}/overpass/api/interpreter"
    broken, timeout, whole = (ask(url, form=query) for _ in range(3))
    assert broken.status == 200
    assert "runtime error" in broken.json["remark"]
    assert len(broken.json["elements"]) == len(whole.json["elements"]) // 2
    assert timeout.status == 504
    assert "html" in timeout.headers["content-type"]


@pytest.fixture(scope="module")
def flawed() -> Iterator[tuple[Running, dict[Fault, Shot]]]:
    """The first photos of a box, each with another flaw, at each provider."""
    shots = Library(SEED, Path("unused"), None).within(-1.1545, 46.1575, -1.1495, 46.1607)
    flat = [shot for shot in shots if not shot.panorama and shot.licence and shot.licence != "proprietary"]
    rules: list[Rule] = []
    chosen: dict[Fault, Shot] = {}
    for fault, shot in zip(ITEMS, flat, strict=False):
        chosen[fault] = shot
        ids = (shot.uuid, shot.mapillary_id, shot.kartaview_id)
        rules += [Rule(match=Match(path=photo_id, part=Part.ITEM), fault=fault) for photo_id in ids]
    with running_here(Plan(rules=rules)) as server:
        yield server, chosen


def told_of(
    server: Running, chosen: dict[Fault, Shot], ask: PlainClient, box: str, provider: Provider
) -> dict[Fault, Any]:
    """What a provider tells of each flawed photo, by fault."""
    west, south, east, north = box.split(",")
    if provider is Provider.PANORAMAX:
        found = ask(f"{server.api}/panoramax/api/search?bbox={box}&limit=10000").json["features"]
        ids = {shot.uuid: fault for fault, shot in chosen.items()}
    elif provider is Provider.MAPILLARY:
        fields = "id,geometry,computed_geometry,compass_angle,computed_compass_angle,altitude,is_pano,creator"
        url = f"{server.api}/mapillary/graph/images?bbox={box}&fields={fields}"
        found = ask(url, Authorization=f"OAuth {server.key}").json["data"]
        ids = {shot.mapillary_id: fault for fault, shot in chosen.items()}
    else:
        form = {"ipp": 1000, "bbTopLeft": f"{north},{west}", "bbBottomRight": f"{south},{east}"}
        found = ask(f"{server.api}/kartaview/1.0/list/nearby-photos/", form=form).json["currentPageItems"]
        ids = {shot.kartaview_id: fault for fault, shot in chosen.items()}
    return {ids[str(photo["id"])]: photo for photo in found if str(photo["id"]) in ids}


def place(photo: Any) -> Any:
    if "lng" in photo:
        return float(photo["lng"]), float(photo["lat"])
    return tuple(photo["geometry"]["coordinates"])


@pytest.mark.parametrize("provider", [Provider.PANORAMAX, Provider.MAPILLARY, Provider.KARTAVIEW])
def test_photos(flawed: tuple[Running, dict[Fault, Shot]], ask: PlainClient, box: str, provider: Provider) -> None:
    server, chosen = flawed
    told = told_of(server, chosen, ask, box, provider)
    assert set(told) == set(chosen)
    right = {fault: (shot.lon, shot.lat) for fault, shot in chosen.items()}
    assert math.isnan(float(heading(told[Fault.NAN])))
    assert math.isinf(place(told[Fault.INFINITY])[0])
    lon, lat = right[Fault.LONGITUDE_OVER_180]
    assert place(told[Fault.LONGITUDE_OVER_180]) == pytest.approx((lon + 360, lat))
    assert place(told[Fault.ZERO_POSITION]) == (0, 0)
    assert place(told[Fault.SWAPPED]) == right[Fault.SWAPPED][::-1]
    assert heading(told[Fault.MISSING_KEYS]) is None
    assert place(told[Fault.MISSING_KEYS]) == right[Fault.MISSING_KEYS]
    is_number = isinstance(told[Fault.ID_TYPES]["id"], int)
    assert is_number == FAULTS[Fault.ID_TYPES].fits(provider, Part.ITEM)
    if provider is Provider.PANORAMAX:
        assert "license" not in told[Fault.NO_LICENCE]["properties"]
        assert told[Fault.PROPRIETARY]["properties"]["license"] == "proprietary"
    if provider is Provider.MAPILLARY:
        assert told[Fault.WRAPPED_ALTITUDE]["altitude"] == 4_294_967_281


def test_nan_and_infinity_are_no_json(flawed: tuple[Running, dict[Fault, Shot]], ask: PlainClient, box: str) -> None:
    server, _ = flawed
    body = ask(f"{server.api}/panoramax/api/search?bbox={box}&limit=10000").body
    with pytest.raises(ValueError, match=r"NaN|Infinity"):
        json.loads(body, parse_constant=lambda text: (_ for _ in ()).throw(ValueError(text)))


def test_a_bucket_fills_up_again() -> None:
    now = [1000.0]
    client = Provider.MAPILLARY, "key"
    buckets = Buckets({Provider.MAPILLARY: Limit(per_s=5, burst=3)}, clock=lambda: now[0])
    assert [buckets.enter(client) for _ in range(5)] == [True] * 3 + [False] * 2
    now[0] += 0.19
    assert not buckets.enter(client)
    now[0] += 0.02
    assert [buckets.enter(client) for _ in range(2)] == [True, False]
    now[0] += 60.0
    assert [buckets.enter(client) for _ in range(5)] == [True] * 3 + [False] * 2


def test_who_asks_too_much_is_told_so(ask: PlainClient) -> None:
    limits = {Provider.MAPILLARY: Limit(per_s=1e-6, burst=3), Provider.TILES: Limit(per_s=1_000, burst=1)}
    with running_here(Plan(limits=limits)) as server:
        url = f"{server.api}/mapillary/graph/images?bbox=1,1,1.01,1.01"
        asked = [ask(url, Authorization=f"OAuth {server.key}") for _ in range(5)]
        assert [got.status for got in asked] == [200, 200, 200, 429, 429]
        assert asked[-1].headers["retry-after"] == "1"
        assert ask(url, Authorization="OAuth another").status == 500  # a bucket of its own
        assert [entry.limited for entry in server.log()][:5] == [False, False, False, True, True]
