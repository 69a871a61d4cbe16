"""Chips found by a STAC search: the newest usable scene counts, terms are obeyed, and a hostile API only fails."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Response

from pipeline.config import sources as config
from pipeline.config.imagery import Imagery
from pipeline.config.region import Region
from pipeline.errors import ConfigError, SiteError
from pipeline.geo.point import Point
from pipeline.sources.aerial.raster import RasterSource
from pipeline.sources.aerial.stac import StacSource
from pipeline.sources.base import Networked
from schemas.reasons import Reason
from tests.sources.aerial.range_serving import CREDITS, HERE, Served, client, serve, speckle, write_cog
from tests.sources.aerial.stac_serving import StacApi, answer, item, page_of


@pytest.fixture
def served(httpserver: HTTPServer) -> Served:
    return serve(httpserver)


@pytest.fixture
def api(served: Served) -> StacApi:
    return StacApi(served)


@pytest.fixture
def grey(served: Served, tmp_path: Path) -> Any:
    """Serves a COG of one colour, `east_m` east of HERE, and returns its address."""

    def make(value: int, east_m: float = 0.0, side_px: int = 400, **keys: Any) -> str:
        name = f"{value}_{east_m:g}.tif"
        bands = np.full((3, side_px, side_px), value, np.uint8)
        return served.add(f"/files/{name}", write_cog(tmp_path / name, bands, pixel_m=0.5, east_m=east_m, **keys))

    return make


def stac(api: StacApi, tmp_path: Path, **keys: Any) -> StacSource:
    settings = {"type": "stac", "endpoint": api.endpoint, "collections": ["openaerialmap"], **keys}
    settings = {"allowed_hosts": [api.served.host], "rate": {"per_s": 1000, "at_once": 8}, **settings}
    return StacSource("found", config.StacSource.model_validate(settings), [], client(tmp_path / "cache"))


def reason_of(source: StacSource, point: Point = HERE) -> SiteError:
    with pytest.raises(SiteError) as caught:
        source.chip(point, 64, 0.5)
    return caught.value


def test_the_newest_scene_counts(api: StacApi, tmp_path: Path, grey: Any) -> None:
    api.items = [
        item("old", grey(50), taken="2019-01-01T00:00:00Z"),
        item("new", grey(200), taken="2023-01-01T00:00:00Z"),
        item("mid", grey(99), taken="2021-01-01T00:00:00Z"),
        item("undated", grey(10), taken=None),
    ]
    chip = stac(api, tmp_path).chip(HERE, 64, 0.5)
    assert (chip.pixels == 200).all()
    assert chip.covered == 1
    assert chip.source_id == "openaerialmap/new"
    assert (chip.author, chip.licence) == ("Jane Doe", "CC-BY-4.0")
    assert chip.captured_at == datetime(2023, 1, 1, tzinfo=UTC)
    assert chip.link == f"{api.endpoint}/collections/openaerialmap/items/new"


def test_a_date_may_be_that_of_the_first_picture(api: StacApi, tmp_path: Path, grey: Any) -> None:
    times: dict[str, Any] = {"start_datetime": "2022-03-04T00:00:00Z", "end_datetime": "2022-03-05T00:00:00Z"}
    api.items = [item("a", grey(50), taken=None, **times)]
    api.items[0]["properties"]["datetime"] = None
    assert stac(api, tmp_path).chip(HERE, 64, 0.5).captured_at == datetime(2022, 3, 4, tzinfo=UTC)


def test_scenes_that_cover_a_part_are_joined(api: StacApi, tmp_path: Path, grey: Any) -> None:
    api.items = [
        item("east", grey(200, east_m=100), taken="2023-01-01T00:00:00Z", providers=[{"name": "Ann"}]),
        item("west", grey(50, east_m=-100), taken="2021-01-01T00:00:00Z", providers=[{"name": "Bob"}]),
    ]
    chip = stac(api, tmp_path).chip(HERE, 100, 0.5)
    assert chip.covered == 1
    assert (chip.pixels[:, 55:] == 200).all()
    assert (chip.pixels[:, :45] == 50).all()
    assert chip.source_id == "openaerialmap/east openaerialmap/west"
    assert chip.author == "Ann, Bob"


def test_a_chip_is_of_one_licence(api: StacApi, tmp_path: Path, grey: Any) -> None:
    api.items = [
        item("east", grey(200, east_m=100), taken="2023-01-01T00:00:00Z"),
        item("west", grey(50, east_m=-100), taken="2021-01-01T00:00:00Z", license="CC-BY-NC-4.0"),
    ]
    chip = stac(api, tmp_path).chip(HERE, 100, 0.5)
    assert chip.licence == "CC-BY-4.0"
    assert chip.source_id == "openaerialmap/east"
    assert 0.4 < chip.covered < 0.6


def test_neighbours_share_searches_and_headers(api: StacApi, tmp_path: Path, grey: Any) -> None:
    api.items = [item("a", grey(50, side_px=2000))]
    source = stac(api, tmp_path)
    points = [Point(HERE.lat + 1e-3 + i * 1e-4, HERE.lon) for i in range(12)]
    source.chip(points[0], 64, 0.5)
    fresh = len(api.searches) + len(api.served.asked)
    assert fresh <= 4
    with ThreadPoolExecutor(6) as pool:
        assert all(chip.covered == 1 for chip in pool.map(lambda point: source.chip(point, 64, 0.5), points))
    assert len(api.searches) == 1
    assert len(api.served.asked) - 1 <= 2 * len(points)
    lat, lon = np.array([p.lat for p in points]), np.array([p.lon for p in points])
    assert len(api.searches) + len(api.served.asked) <= source.requests(lat, lon, Imagery())


def test_threads_that_start_together_make_one_search(api: StacApi, tmp_path: Path, grey: Any) -> None:
    api.items = [item("a", grey(50))]
    source, barrier = stac(api, tmp_path), threading.Barrier(6)

    def chip(_: int) -> float:
        barrier.wait()
        return source.chip(HERE, 64, 0.5).covered

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(chip, range(6))) == [1.0] * 6
    assert len(api.searches) == 1


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_all_pages_are_read(api: StacApi, tmp_path: Path, grey: Any, method: str) -> None:
    api.page, api.method = 2, method
    api.items = [item(f"i{i}", grey(50 + i), taken=f"20{10 + i}-01-01T00:00:00Z") for i in range(7)]
    assert stac(api, tmp_path).chip(HERE, 64, 0.5).source_id == "openaerialmap/i6"
    assert len(api.searches) == 4


def test_what_is_searched_for(api: StacApi, tmp_path: Path) -> None:
    reason_of(stac(api, tmp_path, datetime="2021-01-01/2023-12-31"))
    (asked,) = api.searches
    assert asked["collections"] == "openaerialmap"
    assert asked["datetime"].startswith("2021-01-01T00:00:00Z/2023-12-31")
    west, south, east, north = (float(edge) for edge in asked["bbox"].split(","))
    assert west < HERE.lon < east < west + 0.08
    assert south < HERE.lat < north < south + 0.08


def test_a_search_across_the_antimeridian_is_made_in_two(api: StacApi, tmp_path: Path) -> None:
    assert reason_of(stac(api, tmp_path), Point(-16.5, 179.9999)).reason is Reason.NO_OVERLAP
    assert len(api.searches) == 2


@pytest.mark.parametrize(
    ("properties", "reason", "match"),
    [
        ({"license": "proprietary"}, Reason.UNUSABLE_LICENCE, "proprietary"),
        ({"license": "other"}, Reason.UNUSABLE_LICENCE, "other"),
        ({"license": "CC-BY-ND-4.0"}, Reason.UNUSABLE_LICENCE, "CC-BY-ND-4.0"),
        ({"license": 7}, Reason.UNUSABLE_LICENCE, "not stated"),
        ({"providers": []}, Reason.UNUSABLE_LICENCE, "whom to credit"),
        ({"providers": [{"name": " ", "roles": ["host"]}]}, Reason.UNUSABLE_LICENCE, "whom to credit"),
        ({"gsd": 3.0}, Reason.NO_OVERLAP, "3 m a pixel"),
        ({"eo:cloud_cover": 60}, Reason.NO_OVERLAP, "60 % cloud"),
    ],
)
def test_scenes_that_may_not_be_used(
    api: StacApi, tmp_path: Path, grey: Any, properties: dict[str, Any], reason: Reason, match: str
) -> None:
    api.items = [item("a", grey(50), **properties)]
    api.collection = {"license": "proprietary" if "license" in properties else "CC0-1.0"}
    if properties.get("license") == 7:
        api.collection = {}
    error = reason_of(stac(api, tmp_path, max_gsd_m=1.0))
    assert error.reason is reason
    assert match in error.detail
    assert [path for path, _ in api.served.asked] == []


def test_an_unusable_scene_is_passed_over_for_the_next(api: StacApi, tmp_path: Path, grey: Any) -> None:
    api.items = [
        item("closed", grey(1), taken="2024-01-01T00:00:00Z", license="proprietary"),
        item("gone", api.served.url("/files/none.tif"), taken="2023-06-01T00:00:00Z"),
        item("text", api.served.add("/files/text.tif", b"hello"), taken="2023-05-01T00:00:00Z"),
        item("good", grey(77), taken="2022-01-01T00:00:00Z"),
    ]
    assert stac(api, tmp_path).chip(HERE, 64, 0.5).source_id == "openaerialmap/good"
    del api.items[3]
    error = reason_of(stac(api, tmp_path))
    assert error.reason is Reason.UNUSABLE_LICENCE
    for name in ("closed", "none.tif", "text"):
        assert name in error.detail


def test_a_passing_fault_fails_the_chip_and_gives_no_older_scene(api: StacApi, tmp_path: Path, grey: Any) -> None:
    api.items = [item("new", grey(200)), item("old", grey(50), taken="2001-01-01T00:00:00Z")]
    api.served.spoil = lambda _first, _last, body: Response("busy", 503) if body[:9] else None
    assert reason_of(stac(api, tmp_path)).reason is Reason.SERVER_ERROR
    api.served.spoil = None
    assert stac(api, tmp_path).chip(HERE, 64, 0.5).source_id == "openaerialmap/new"


def test_terms_that_the_item_lacks_are_the_collections(api: StacApi, tmp_path: Path, grey: Any) -> None:
    api.items = [item("a", grey(50), license=None, providers=None)]
    api.collection = {
        "license": "CC-BY-SA-4.0",
        "providers": [{"name": "Host", "roles": ["host"]}, {"name": "Town", "roles": ["licensor"]}],
    }
    source = stac(api, tmp_path)
    chips = [source.chip(Point(HERE.lat + i * 1e-5, HERE.lon), 64, 0.5) for i in range(3)]
    assert {(chip.author, chip.licence) for chip in chips} == {("Town", "CC-BY-SA-4.0")}
    assert api.collections_asked == 1


def test_stated_credits_stand_in_place_of_the_items(api: StacApi, tmp_path: Path, grey: Any) -> None:
    api.items = [item("a", grey(50), license="proprietary", providers=[])]
    chip = stac(api, tmp_path, credits=CREDITS).chip(HERE, 64, 0.5)
    assert (chip.author, chip.licence, chip.link) == (CREDITS["author"], CREDITS["licence"], CREDITS["link"])


def test_mail_addresses_are_left_out_of_authors(api: StacApi, tmp_path: Path, grey: Any) -> None:
    api.items = [item("a", grey(50), providers=[{"name": "Jane Doe <jane@example.org>", "roles": ["producer"]}])]
    assert stac(api, tmp_path).chip(HERE, 64, 0.5).author == "Jane Doe"


def test_the_pixels_are_measured_where_the_item_says_something_else(api: StacApi, tmp_path: Path, grey: Any) -> None:
    api.items = [item("degrees", grey(50), gsd=4.5e-7), item("silent", grey(60), gsd=None)]
    assert stac(api, tmp_path, max_gsd_m=0.5).chip(HERE, 64, 0.5).covered == 1
    error = reason_of(stac(api, tmp_path, max_gsd_m=0.3))
    assert error.reason is Reason.NO_OVERLAP
    assert "0.5 m a pixel" in error.detail


@pytest.mark.parametrize(
    ("href", "type_", "reason", "match"),
    [
        ("s3://naip-analytic/md/a.tif", "image/tiff", Reason.REFUSED, "not supported"),
        ("file:///etc/passwd", "image/tiff", Reason.UNSAFE_ADDRESS, "no https address"),
        ("https://elsewhere.example/a.tif", "image/tiff", Reason.UNSAFE_ADDRESS, "elsewhere.example"),
        ("https://169.254.169.254/a.tif", "image/tiff", Reason.UNSAFE_ADDRESS, "169.254"),
        ("//[/a.tif", "image/tiff", Reason.UNSAFE_ADDRESS, "//["),
        ("https://example.org/a.jp2", "image/jp2", Reason.READ_FAILED, "image/jp2, no GeoTIFF"),
        ("https://example.org/a.jp2", None, Reason.READ_FAILED, "a.jp2"),
    ],
)
def test_assets_that_lie_where_they_should_not(
    api: StacApi, tmp_path: Path, href: str, type_: str | None, reason: Reason, match: str
) -> None:
    api.items = [item("a", href)]
    api.items[0]["assets"]["visual"]["type"] = type_
    error = reason_of(stac(api, tmp_path))
    assert error.reason is reason
    assert match in error.detail


def test_an_item_without_the_asset_tells_which_it_has(api: StacApi, tmp_path: Path, grey: Any) -> None:
    api.items = [item("a", grey(50))]
    api.items[0]["assets"]["image"] = api.items[0]["assets"].pop("visual")
    error = reason_of(stac(api, tmp_path))
    assert error.reason is Reason.READ_FAILED
    assert "it has no asset visual (it has image, thumbnail)" in error.detail
    assert stac(api, tmp_path, asset="image").chip(HERE, 64, 0.5).covered == 1


def test_relative_addresses_are_those_beside_the_item(api: StacApi, tmp_path: Path, grey: Any) -> None:
    grey(50)
    api.items = [item("a", "/files/50_0.tif")]
    assert stac(api, tmp_path).chip(HERE, 64, 0.5).covered == 1


def test_no_items(api: StacApi, tmp_path: Path) -> None:
    error = reason_of(stac(api, tmp_path))
    assert error.reason is Reason.NO_OVERLAP
    assert "no item reaches it" in error.detail


def test_bad_items_lose_no_good_ones(api: StacApi, tmp_path: Path, grey: Any, caplog: pytest.LogCaptureFixture) -> None:
    items = [
        None,
        7,
        {"id": "nothing"},
        {**item("box", grey(50)), "bbox": [1, 2, 3]},
        {**item("nan", grey(50)), "bbox": [float("nan"), 0, 1, 1]},
        {**item("far", grey(50)), "bbox": [0, 100, 1, 101]},
        {**item("number", grey(88)), "id": 12345},
        {**item("high", grey(88), taken="1999-01-01"), "bbox": [11, 48, 0, 12, 49, 900]},
    ]
    api.spoil = lambda _: answer(page_of(items))
    assert stac(api, tmp_path).chip(HERE, 64, 0.5).source_id == "openaerialmap/12345"
    assert "6 of 8 items cannot be read" in caplog.text


@pytest.mark.parametrize(
    ("spoilt", "reason"),
    [
        (lambda _: answer(page_of([{"id": 1}])), Reason.BAD_ANSWER),
        (lambda _: Response("<html>", content_type="text/html"), Reason.BAD_ANSWER),
        (lambda _: Response("{", content_type="application/geo+json"), Reason.BAD_ANSWER),
        (lambda _: answer([1, 2]), Reason.BAD_ANSWER),
        (lambda _: answer({"features": "none"}), Reason.BAD_ANSWER),
        (lambda _: answer({"features": [], "links": [{"rel": 1}]}), Reason.BAD_ANSWER),
        (lambda _: Response('{"code":"RequestValidationError","description":"bad bbox"}', 400), Reason.REFUSED),
        (lambda _: Response("", 404), Reason.GONE),
    ],
)
def test_an_api_that_answers_otherwise(api: StacApi, tmp_path: Path, spoilt: Any, reason: Reason) -> None:
    api.spoil = spoilt
    assert reason_of(stac(api, tmp_path)).reason is reason


@pytest.mark.parametrize(
    ("href", "reason"),
    [
        ("https://elsewhere.example/search?page=2", Reason.UNSAFE_ADDRESS),
        ("file:///etc/passwd", Reason.UNSAFE_ADDRESS),
        ("/etc/passwd", Reason.GONE),
        ("", Reason.BAD_ANSWER),
        ("//[", Reason.UNSAFE_ADDRESS),
    ],
)
def test_a_next_page_elsewhere_is_not_read(api: StacApi, tmp_path: Path, grey: Any, href: str, reason: Reason) -> None:
    one = item("a", grey(50))
    api.served.server.expect_request("/etc/passwd").respond_with_data("", 404)
    api.spoil = lambda _: answer(page_of([one], {"rel": "next", "href": href, "headers": {"X-Evil": "1"}}))
    assert reason_of(stac(api, tmp_path)).reason is reason


def test_pages_that_lead_back_end(api: StacApi, tmp_path: Path, grey: Any) -> None:
    one = item("a", grey(50))
    link = {"rel": "next", "href": f"{api.endpoint}/search?token=7&bbox=0,0,1,1"}
    api.spoil = lambda _: answer(page_of([one], link))
    error = reason_of(stac(api, tmp_path))
    assert error.reason is Reason.BAD_ANSWER
    assert "lead back" in error.detail
    assert len(api.searches) == 2


def test_pages_without_end_end(api: StacApi, tmp_path: Path, grey: Any) -> None:
    one = item("a", grey(50))

    def endless(asked: dict[str, str]) -> Response:
        number = int(asked.get("token", "0")) + 1
        return answer(page_of([one], {"rel": "next", "href": f"{api.endpoint}/search?token={number}&bbox=0,0,1,1"}))

    api.spoil = endless
    error = reason_of(stac(api, tmp_path))
    assert error.reason is Reason.BAD_ANSWER
    assert "narrow it down" in error.detail
    assert len(api.searches) <= 20


def test_settings_are_checked_and_nothing_is_asked(api: StacApi, tmp_path: Path) -> None:
    source = stac(api, tmp_path, allowed_hosts=["tiles.example.org"])
    assert source.fingerprint()
    assert source.provider().origins[1:] == ("https://tiles.example.org", "https://*.tiles.example.org")
    assert api.searches == []
    with pytest.raises(ConfigError) as caught:
        stac(api, tmp_path, datetime="last summer", scale=(0, 0), credits={**CREDITS, "author": " "})
    assert len(caught.value.problems) == 3
    with pytest.raises(ConfigError, match="allowed_hosts: found Google Maps"):
        stac(api, tmp_path, allowed_hosts=["mt1.google.com"])


def test_a_probe_tells_what_is_there(api: StacApi, tmp_path: Path, grey: Any) -> None:
    api.items = [item("a", grey(50)), item("b", grey(60), license="proprietary", taken="2020-01-01T00:00:00Z")]
    source = stac(api, tmp_path)
    region = Region(name="here", centre=(HERE.lat, HERE.lon), radius_m=100)
    assert (
        source.probe(region)
        == "2 items at the middle of here, 1 of them usable; the newest: openaerialmap/a, CC-BY-4.0"
    )
    assert len(api.searches) == 1
    assert isinstance(source, Networked)


def test_a_chip_of_real_texture_matches_the_cog_read_alone(api: StacApi, tmp_path: Path) -> None:
    path = write_cog(tmp_path / "t.tif", speckle(900), pixel_m=0.5, compress="jpeg")
    api.items = [item("a", api.served.add("/files/t.tif", path))]
    terms = {"author": "a", "licence": "CC0-1.0", "link": "https://example.org"}
    near = RasterSource("near", config.RasterSource(type="raster", path=path, credits=terms), [])
    found = stac(api, tmp_path).chip(HERE, 256, 0.6)
    assert found.pixels.tobytes() == near.chip(HERE, 256, 0.6).pixels.tobytes()
