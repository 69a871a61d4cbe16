"""Chips from tile servers: where their pixels are, what is asked for, what counts as no imagery, what is refused."""

import itertools
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import mercantile
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_httpserver import HTTPServer
from werkzeug import Response

from pipeline.config import sources as config
from pipeline.config.imagery import Chips, Imagery
from pipeline.config.network import Network
from pipeline.config.region import Region
from pipeline.errors import ConfigError, MachineError, SiteError
from pipeline.geo.point import Point
from pipeline.net.client import HttpClient
from pipeline.sources.aerial.raster import RasterSource
from pipeline.sources.aerial.tiles import Matrix, TileGrid, choose, count_tiles, web_mercator
from pipeline.sources.aerial.warp import warp_chip
from pipeline.sources.aerial.xyz import XyzSource
from pipeline.sources.base import Networked
from schemas.reasons import Reason
from tests.sources.aerial.tile_serving import (
    CREDITS,
    FAST,
    GSD_M,
    SIZE_PX,
    TileServer,
    noise,
    one_colour,
    ramps,
    worst_error_m,
)

HERE = Point(48.1, 11.5)


@pytest.fixture
def client(tmp_path: Path) -> Any:
    client = HttpClient(Network(allow_loopback=True, cache=str(tmp_path), contact="test@example.org", tries=1))
    yield client
    client.close()


def source(template: str, client: HttpClient, regions: list[Region] | None = None, **keys: Any) -> XyzSource:
    settings = {"type": "xyz", "template": template, "credits": CREDITS, "rate": FAST, "max_zoom": 20, **keys}
    return XyzSource("tiles", config.XyzSource.model_validate(settings), regions or [], client)


def problems(client: HttpClient, template: str = "https://tiles.example.org/{z}/{x}/{y}", **keys: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        source(template, client, **keys)
    return str(caught.value)


@pytest.mark.parametrize(
    ("lat", "lon"),
    [
        (0.0, 0.0),
        (40.75, -74.0),
        (-33.9, 151.2),
        (64.1, -21.9),
        (69.9, 18.9),
        (78.2, 15.6),
        (-54.8, -68.3),
        (84.9, 20.0),
    ],
)
def test_chip_pixels_lie_where_pyproj_says(httpserver: HTTPServer, client: HttpClient, lat: float, lon: float) -> None:
    point = Point(lat, lon)
    server = TileServer(httpserver, ramps(point))
    chip = source(server.template, client).chip(point, SIZE_PX, GSD_M)
    assert chip.covered == 1.0
    assert worst_error_m(chip) < 0.1


def test_tiles_of_512_px_and_rows_from_the_south(httpserver: HTTPServer, client: HttpClient) -> None:
    server = TileServer(httpserver, ramps(HERE, 512))
    chip = source(server.template, client, tile_px=512).chip(HERE, SIZE_PX, GSD_M)
    assert worst_error_m(chip) < 0.1
    assert {z for z, _, _ in server.asked} == {18}
    north_up = server.paint
    server.paint = lambda z, x, y: north_up(z, x, 2**z - 1 - y)
    flipped = source(server.template.replace("{y}", "{-y}"), client, tile_px=512).chip(HERE, SIZE_PX, GSD_M)
    assert np.array_equal(flipped.pixels, chip.pixels)


@pytest.mark.parametrize("lon", [179.99999, -179.99996, 180.0])
def test_chips_join_across_the_antimeridian(httpserver: HTTPServer, client: HttpClient, lon: float) -> None:
    point = Point(-16.8, lon)
    server = TileServer(httpserver, ramps(point))
    chip = source(server.template, client).chip(point, SIZE_PX, GSD_M)
    assert chip.covered == 1.0
    assert worst_error_m(chip) < 0.1
    assert {x for _, x, _ in server.asked} == {0, 2**20 - 1} or lon == 180.0


def test_a_chip_of_the_usual_size_has_no_hole_at_the_antimeridian(httpserver: HTTPServer, client: HttpClient) -> None:
    server = TileServer(httpserver, lambda *tile: noise(tile[1]))
    for lon in (179.9999, -179.9997):
        assert source(server.template, client).chip(Point(-16.8, lon), 512, 0.3).covered == 1.0


def test_beyond_web_mercator_is_no_overlap_and_asks_nothing(httpserver: HTTPServer, client: HttpClient) -> None:
    server = TileServer(httpserver, ramps(HERE))
    for lat in (85.06, -85.06, 90.0):
        with pytest.raises(SiteError, match=r"Web Mercator tiles end at 85\.05") as caught:
            source(server.template, client).chip(Point(lat, 0.0), SIZE_PX, GSD_M)
        assert caught.value.reason == Reason.NO_OVERLAP
    assert server.asked == []


@given(lat=st.floats(-85, 85), gsd_m=st.floats(0.05, 5), tile_px=st.sampled_from([256, 512]))
def test_zoom_is_the_coarsest_that_is_fine_enough(lat: float, gsd_m: float, tile_px: int) -> None:
    matrices = [web_mercator(z, tile_px) for z in range(23)]
    z = choose(matrices, lat, gsd_m).z
    native = [156543.034 * np.cos(np.radians(lat)) / 2**n * (256 / tile_px) for n in range(23)]
    assert native[z] <= gsd_m * 1.000001 or z == 22
    assert z == 0 or native[z - 1] > gsd_m * 0.999999
    assert choose(matrices[:10], lat, gsd_m).z == min(z, 9)


@pytest.mark.parametrize(("max_zoom", "native_m"), [(20, 0.1493), (17, 1.1943)])
@pytest.mark.parametrize("lat", [0.5, 60.0])
def test_a_chip_says_how_coarse_the_tiles_are_that_it_was_made_from(
    httpserver: HTTPServer, client: HttpClient, max_zoom: int, native_m: float, lat: float
) -> None:
    """Where the finest zoom is coarser than asked for, the chip is enlarged and does not pretend to be sharp."""
    server = TileServer(httpserver, lambda *_: noise(1))
    chip = source(server.template, client, max_zoom=max_zoom).chip(Point(lat, 11.5), SIZE_PX, GSD_M)
    zoom = min(max_zoom, 19 if lat == 60.0 else 20)  # Mercator's pixels shrink towards the poles
    assert {z for z, *_ in server.asked} == {zoom}
    expected = native_m * 2 ** (max_zoom - zoom) * np.cos(np.radians(lat))
    assert chip.native_gsd_m == pytest.approx(expected, rel=0.01)


def test_neighbours_share_tiles(httpserver: HTTPServer, client: HttpClient) -> None:
    server = TileServer(httpserver, lambda *tile: noise(sum(tile)))
    photos = source(server.template, client)
    for n in range(4):
        photos.chip(Point(HERE.lat, HERE.lon + n * 0.0005), 512, 0.3)
    assert len(server.asked) == len(set(server.asked))
    counted = photos.requests(np.full(4, HERE.lat), np.linspace(HERE.lon, HERE.lon + 0.0015, 4), Imagery())
    assert len(server.asked) <= counted <= 1.3 * len(server.asked)


def test_threads_get_the_same_chips(httpserver: HTTPServer, client: HttpClient) -> None:
    server = TileServer(httpserver, lambda *tile: noise(sum(tile)))
    photos = source(server.template, client)
    points = [Point(HERE.lat, HERE.lon + n % 3 * 0.0005) for n in range(12)]
    with ThreadPoolExecutor(6) as pool:
        chips = list(pool.map(lambda point: photos.chip(point, 128, 0.3).pixels, points))
    again = source(server.template, client)
    for point, chip in zip(points[:3], chips[:3], strict=True):
        assert np.array_equal(again.chip(point, 128, 0.3).pixels, chip)
    assert all(np.array_equal(chips[n], chips[n % 3]) for n in range(12))
    assert threading.active_count() < 50


@pytest.mark.parametrize(
    "nothing", [Response(status=404), Response(status=204), Response(status=410), Response(b"", mimetype="image/png")]
)
def test_an_absent_tile_is_not_covered(httpserver: HTTPServer, client: HttpClient, nothing: Response) -> None:
    middle = mercantile.tile(HERE.lon, HERE.lat, 19)
    bounds = mercantile.bounds(middle)
    corner = Point(bounds.north, bounds.east)
    server = TileServer(httpserver, lambda *tile: noise(3) if tile == (19, middle.x, middle.y) else nothing)
    chip = source(server.template, client).chip(corner, SIZE_PX, GSD_M)
    assert chip.covered == pytest.approx(0.25, abs=0.02)
    assert chip.source_id == f"tiles/19/{middle.x}/{middle.y}"
    assert chip.pixels[0, -1].tolist() == [0, 0, 0]
    assert chip.pixels[-1, 0].any()
    server.paint = lambda *_: nothing
    with pytest.raises(SiteError, match="no tile of zoom 19") as caught:
        source(server.template, client).chip(Point(HERE.lat, HERE.lon + 1), SIZE_PX, GSD_M)
    assert caught.value.reason == Reason.NO_OVERLAP


def test_transparent_and_blank_tiles_are_told_apart(httpserver: HTTPServer, client: HttpClient) -> None:
    server = TileServer(httpserver, lambda *_: one_colour((255, 255, 255, 0)))
    with pytest.raises(SiteError) as caught:
        source(server.template, client).chip(HERE, SIZE_PX, GSD_M)
    assert caught.value.reason == Reason.ALL_NODATA
    middle = mercantile.tile(HERE.lon, HERE.lat, 19)
    server.paint = lambda *tile: one_colour() if tile == (19, middle.x, middle.y) else noise(tile[1])
    with pytest.raises(SiteError, match=f"tile 19/{middle.x}/{middle.y} is a placeholder") as caught:
        source(server.template.replace("png", "png?v=2"), client).chip(HERE, SIZE_PX, GSD_M)
    assert caught.value.reason == Reason.BLANK_TILE


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Response(b"<html><body>Sorry</body></html>", mimetype="image/png"), Reason.BAD_ANSWER),
        (Response(noise(1)[:3000], mimetype="image/png"), Reason.BAD_ANSWER),
        (Response(b"GIF89a" + bytes(100), mimetype="image/gif"), Reason.BAD_ANSWER),
        (Response(one_colour(side_px=128), mimetype="image/png"), Reason.BLANK_TILE),
        (Response(noise(1, 128), mimetype="image/png"), Reason.BAD_ANSWER),
        (
            Response(b'{"error":{"code":499,"message":"Token Required"}}', mimetype="application/json"),
            Reason.BAD_ANSWER,
        ),
        (Response(status=403), Reason.REFUSED),
        (Response(status=503), Reason.SERVER_ERROR),
    ],
)
def test_a_bad_tile_fails_the_site(
    httpserver: HTTPServer, client: HttpClient, answer: Response, reason: Reason
) -> None:
    server = TileServer(httpserver, lambda *_: answer)
    with pytest.raises(SiteError) as caught:
        source(server.template, client).chip(HERE, SIZE_PX, GSD_M)
    assert caught.value.reason == reason


def test_a_refused_key_stops_the_build_and_stands_nowhere(
    httpserver: HTTPServer, client: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TILE_KEY", "s3cret-value")
    server = TileServer(httpserver, ramps(HERE))
    photos = source(server.template + "?token={key}", client, key_env="TILE_KEY")
    chip = photos.chip(HERE, SIZE_PX, GSD_M)
    assert set(server.queries) == {"token=s3cret-value"}
    assert "s3cret" not in chip.source_id + photos.fingerprint() + repr(photos.provider())
    server.paint = lambda *_: Response(status=401)
    with pytest.raises(MachineError) as caught:
        photos.chip(Point(HERE.lat, HERE.lon + 1), SIZE_PX, GSD_M)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("keys", "found"),
    [
        ({"template": "https://tiles.example.org/{Z}/{x}/{y}"}, "{Z}"),
        ({"key_env": "MY_KEY"}, "key_env and no {key}"),
        ({"subdomains": ["a"]}, "subdomains and no {s}"),
        ({"credits": {"author": " ", "licence": "proprietary", "link": "https://e.org"}}, "'proprietary'"),
        ({"credits": {"author": "a", "licence": "", "link": "https://e.org"}}, "credits.licence"),
        ({"credits": {"author": "a", "licence": "free for all", "link": "https://e.org"}}, "SPDX"),
        ({"bbox": (10, 50, 20, 40)}, "south, east, north"),
        ({"captured_on": "June"}, "2024-06-30"),
        ({"template": "https://mt1.google.com/vt/lyrs=s&x={x}&y={y}&z={z}"}, "train or test models"),
        ({"template": "https://server.arcgisonline.com/W/tile/{z}/{y}/{x}"}, "Esri"),
        ({"template": "https://e.org/{z}/{x}/{y}?token=abcdefgh"}, "a key or signature"),
        ({"template": "https://ecn.t0.tiles.virtualearth.net/tiles/a{q}.jpeg"}, "Bing"),
        ({"template": "https://api.mapbox.com/v4/mapbox.satellite/{z}/{x}/{y}.jpg"}, "Mapbox"),
        ({"template": "https://{s}.tile.openstreetmap.org/{z}/{x}/{y}.png", "subdomains": ["a"]}, "bulk download"),
        ({"template": "https://tile.openstreetmap.org/{z}/{x}/{y}.png", "separate_agreement": " "}, "bulk download"),
    ],
)
def test_wrong_settings_are_refused_up_front(client: HttpClient, keys: dict[str, Any], found: str) -> None:
    assert found in problems(client, **keys)


def test_all_problems_are_listed_at_once(client: HttpClient) -> None:
    text = problems(
        client,
        template="https://mt1.google.com/{zz}/{x}",
        credits={"author": "a", "licence": "unknown", "link": "https://e.org"},
        captured_on="soon",
        key_env="MY_KEY",
    )
    assert all(part in text for part in ("{zz}", "Google", "'unknown'", "'soon'", "key_env and no {key}"))


def test_a_separate_agreement_opens_a_closed_host_and_marks_its_chips(client: HttpClient) -> None:
    agreement = "contract 4711 with Esri"
    own = source("https://server.arcgisonline.com/W/{z}/{y}/{x}", client, separate_agreement=agreement)
    preset = config.XyzSource(type="xyz", preset="esri-world-imagery", separate_agreement=agreement)
    for photos in (own, XyzSource("esri", preset, [], client)):
        assert photos._tiles.attribution.redistributable is False
    with pytest.raises(ConfigError, match=r"4\.6\.2"):
        XyzSource("esri", config.XyzSource(type="xyz", preset="esri-world-imagery"), [], client)


def test_a_preset_gives_everything_and_takes_nothing_beside(client: HttpClient) -> None:
    with pytest.raises(ConfigError, match="usgs") as caught:
        XyzSource("aerial", config.XyzSource(type="xyz", preset="usgs-imagery", max_zoom=3), [], client)
    assert [problem.where for problem in caught.value.problems] == [
        "sources.aerial.aerial.max_zoom",
        "sources.aerial.aerial.preset",
    ]
    photos = XyzSource("aerial", config.XyzSource(type="xyz", preset="usgs"), [], client)
    assert isinstance(photos, Networked)
    assert photos.provider().name == "usgs"
    assert photos.provider().origins == ("https://basemap.nationalmap.gov",)


def test_a_region_that_the_source_covers_no_part_of_is_named(client: HttpClient) -> None:
    paris = Region(name="paris", centre=(48.85, 2.35), radius_m=5_000)
    fiji = Region(name="fiji", bbox=(179.0, -18.0, -179.0, -16.0))
    boulder = Region(name="boulder", centre=(40.02, -105.27), radius_m=5_000)
    with pytest.raises(ConfigError) as caught:
        XyzSource("us", config.XyzSource(type="xyz", preset="usgs"), [paris, boulder, fiji], client)
    assert [problem.where for problem in caught.value.problems] == ["regions.paris", "regions.fiji"]
    source("https://e.org/{z}/{x}/{y}", client, [fiji], bbox=(-180, -20, -179.5, -10))
    source("https://e.org/{z}/{x}/{y}", client, [fiji], bbox=(178, -20, -178, -10))
    with pytest.raises(ConfigError, match=r"regions\.fiji"):
        source("https://e.org/{z}/{x}/{y}", client, [fiji], bbox=(-178.5, -20, 178.5, -10))


def test_a_place_outside_of_the_box_is_no_overlap_and_takes_no_request(
    httpserver: HTTPServer, client: HttpClient
) -> None:
    server = TileServer(httpserver, ramps(HERE))
    photos = source(server.template, client, bbox=(20, 40, 30, 50))
    with pytest.raises(SiteError, match="area") as caught:
        photos.chip(HERE, SIZE_PX, GSD_M)
    assert caught.value.reason == Reason.NO_OVERLAP
    assert server.asked == []
    assert photos.requests(np.array([HERE.lat]), np.array([HERE.lon]), Imagery()) == 0


def test_fingerprint_follows_the_settings_and_not_the_rate(client: HttpClient) -> None:
    one = source("https://e.org/{z}/{x}/{y}", client)
    assert one.fingerprint() == source("https://e.org/{z}/{x}/{y}", client, rate=None).fingerprint()
    assert one.fingerprint() != source("https://e.org/{z}/{y}/{x}", client).fingerprint()
    assert one.fingerprint() != source("https://e.org/{z}/{x}/{y}", client, max_zoom=18).fingerprint()


def test_two_sources_of_a_host_share_its_limits_unless_keys_differ(client: HttpClient) -> None:
    one, two = (source(f"https://e.org/{n}/{{z}}/{{x}}/{{y}}", client).provider() for n in "ab")
    keyed = source("https://e.org/{z}/{x}/{y}?k={key}", client, key_env="MY_KEY").provider()
    assert one.name == two.name != keyed.name
    assert one.documented_api is False  # robots.txt is obeyed


def test_probe_tells_what_is_there(httpserver: HTTPServer, client: HttpClient) -> None:
    region = Region(name="here", centre=(HERE.lat, HERE.lon), radius_m=500)
    server = TileServer(httpserver, ramps(HERE))
    assert "CC-BY-4.0; tile 18/" in source(server.template, client).probe(region)
    server.paint = lambda *_: Response(status=404)
    assert "no imagery" in source(server.template + "?again", client).probe(region)
    assert len(server.asked) == 2


@given(
    lat=st.floats(-80, 80),
    lon=st.floats(-180, 180),
    extra=st.lists(st.sampled_from([80.0, 120.0, 300.0]), max_size=2),
)
def test_requests_are_counted_as_they_are_made(lat: float, lon: float, extra: list[float]) -> None:
    asked: set[tuple[int, int, int]] = set()
    matrices = [web_mercator(z) for z in range(21)]

    def fetch(z: int, tiles: list[tuple[int, int]]) -> list[Any]:
        asked.update((z, x, y) for x, y in tiles)
        return [None] * len(tiles)

    imagery = Imagery(chips=Chips(size_px=256, extra_sizes_m=extra))
    for gsd_m in (imagery.chips.gsd_m, *(size / 256 for size in extra)):
        warp_chip(TileGrid("t", choose(matrices, lat, gsd_m), fetch), Point(lat, lon), 256, gsd_m)
    counted = count_tiles(matrices, np.array([lat]), np.array([lon]), imagery)
    assert len(asked) <= counted <= len(asked) * 2 + 4


def test_a_million_sites_take_no_more_calls_than_a_few() -> None:
    random = np.random.default_rng(0)
    matrices: list[Matrix] = [web_mercator(z) for z in range(20)]
    lat = np.repeat(random.uniform(-60, 70, 20), 4_600) + random.normal(0, 0.02, 92_000)
    lon = np.clip(np.repeat(random.uniform(-180, 180, 20), 4_600) + random.normal(0, 0.02, 92_000), -180, 180)

    def calls(every: int) -> int:
        """Of Python functions: numpy does the rest, some nanoseconds a site."""
        made = itertools.count()
        sys.setprofile(lambda _, event, __: next(made) if event == "call" else None)
        try:
            counted = count_tiles(matrices, lat[::every], lon[::every], Imagery())
        finally:
            sys.setprofile(None)
        assert 92_000 < counted * every < 25 * 92_000
        return next(made)

    calls(10)  # what is done once only
    assert calls(1) < calls(10) + 100


def test_kampala_tiles_served_make_the_chip_of_the_folder(
    httpserver: HTTPServer, client: HttpClient, corpus: Path
) -> None:
    folder = corpus / "aerial" / "kampala_xyz"

    def paint(z: int, x: int, y: int) -> Any:
        path = next(iter(folder.glob(f"{z}/{x}/{y}.*")), None)
        return Response(status=404) if path is None else path.read_bytes()

    local = RasterSource(
        "folder",
        config.RasterSource(type="raster", path=folder, layout="xyz", zoom=20, credits=CREDITS),
        [],
    )
    tiles = sorted(p for p in (folder / "20").glob("*/*"))
    middle = tiles[len(tiles) // 2]
    bounds = mercantile.bounds(int(middle.parent.name), int(middle.stem), 20)
    point = Point((bounds.south + bounds.north) / 2, (bounds.west + bounds.east) / 2)
    server = TileServer(httpserver, paint)
    served = source(server.template, client).chip(point, 256, 0.2)
    assert served.covered > 0.5
    assert np.array_equal(served.pixels, local.chip(point, 256, 0.2).pixels)
