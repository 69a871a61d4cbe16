"""Which addresses map data is not taken from; the cells that maps are read in."""

import mercantile
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Geod

from pipeline.config.region import Region
from pipeline.sources.forbidden_hosts import refusal
from pipeline.sources.listing import listing
from pipeline.sources.maps.cells import Cell, tiles_of

GEOD = Geod(ellps="WGS84")


@pytest.mark.parametrize(
    "url",
    [
        "https://tile.openstreetmap.org/{z}/{x}/{y}.png",
        "http://a.tile.openstreetmap.org/1/2/3.png",
        "https://{s}.tile.openstreetmap.org/{z}/{x}/{y}.png",
        "https://TILE.OpenStreetMap.org./0/0/0.png",
        "https://tile.openstreetmap.org:443/",
        "https://user@tile.openstreetmap.org/",
        "https://vector.openstreetmap.org/shortbread_v1/{z}/{x}/{y}.mvt",
        "tile.openstreetmap.org/{z}/{x}/{y}.png",
        "https:/tile.openstreetmap.org/x.pbf",
        "https://tile.osm.org/{z}/{x}/{y}.png",
    ],
)
def test_the_public_tile_servers_are_refused_with_the_reason(url: str) -> None:
    assert "usage policy forbids bulk download" in (refusal(url) or "")


@pytest.mark.parametrize(
    "url",
    [
        "https://overpass-api.de/api/interpreter",
        "https://www.openstreetmap.org/copyright",
        "https://tile.openstreetmap.org.example.com/0/0/0.png",
        "https://mytile.openstreetmap.example/0/0/0.png",
        "/data/tile.openstreetmap.org.pmtiles",
        "s3://overturemaps-us-west-2/release/2026-10-21.0",
        "",
    ],
)
def test_others_are_not_refused(url: str) -> None:
    assert refusal(url) is None


@given(st.floats(-84, 84), st.floats(-180, 179.99), st.sampled_from([128.0, 512.0]))
def test_a_cell_holds_what_is_within_reach_of_its_points(lat: float, lon: float, reach: float) -> None:
    tile = mercantile.tile(lon, lat, 15)
    boxes = Cell(15, tile.x, tile.y, reach).boxes()
    for azimuth in range(0, 360, 30):
        x, y, _ = GEOD.fwd(lon, lat, azimuth, reach)
        assert any(west <= x <= east and south <= y <= north for west, south, east, north in boxes)


def test_a_region_across_the_antimeridian_has_tiles_on_both_sides() -> None:
    columns = {tile.x for tile in tiles_of(Region(name="r", centre=(-17.0, 180.0), radius_m=2_000), 15)}
    assert {0, 2**15 - 1} <= columns
    assert len(columns) < 10


def test_the_public_maps_are_listed_with_their_limits() -> None:
    known = listing()
    assert known["overpass"].per_day == 10_000
    assert known["overpass"].wants_contact
    assert "bulk download" in (known["openstreetmap-tiles"].refused or "")
    assert {"overture", "protomaps", "geofabrik"} <= known.keys()
