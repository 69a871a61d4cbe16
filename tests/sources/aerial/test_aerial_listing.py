"""The checked-in aerial sources: where they are, what their tiles' addresses look like, what is refused."""

import re

import mercantile
import pytest

from pipeline.config.sources import Credits
from pipeline.sources.aerial.areas import inside
from pipeline.sources.aerial.open import default_presets
from pipeline.sources.aerial.templates import Template, faults
from pipeline.sources.aerial.terms import check_credits
from pipeline.sources.aerial.xyz import presets
from pipeline.sources.forbidden_hosts import closed_by
from schemas.licences import licence_class

# Name, a place in its area (latitude, longitude), zoom, and the address of the tile that holds the place.
KNOWN = [
    ("wien", 48.2085, 16.3721, 18, "https://maps.wien.gv.at/wmts/lb/farbe/google3857/18/90897/142993.jpeg"),
    (
        "luxembourg", 49.6116, 6.1319, 18,
        "https://wmts2.geoportail.lu/opendata/wmts/ortho_latest/GLOBAL_WEBMERCATOR_4_V3/18/135537/89342.jpeg",
    ),
    (
        "pdok-hr", 52.3731, 4.8922, 18,
        "https://service.pdok.nl/hwh/luchtfotorgb/wmts/v1_0/Actueel_orthoHR/EPSG:3857/18/134634/86146.jpeg",
    ),
    (
        "pdok-25", 52.3731, 4.8922, 18,
        "https://service.pdok.nl/hwh/luchtfotorgb/wmts/v1_0/Actueel_ortho25/EPSG:3857/18/134634/86146.jpeg",
    ),
    (
        "swissimage", 46.948, 7.4474, 18,
        "https://wmts.geo.admin.ch/1.0.0/ch.swisstopo.swissimage/default/current/3857/18/136495/92258.jpeg",
    ),
    (
        "flanders", 51.0543, 3.7174, 18,
        (
            "https://geo.api.vlaanderen.be/OMWRGBMRVL/wmts?SERVICE=WMTS&REQUEST=GetTile&VERSION=1.0.0&LAYER=omwrgbmrvl"
            "&STYLE=&FORMAT=image/png&tileMatrixSet=GoogleMapsVL&tileMatrix=18&tileRow=87697&tileCol=133778"
        ),
    ),
    ("pnoa", 40.4168, -3.7038, 18, "https://tms-pnoa-ma.idee.es/1.0.0/pnoa-ma/18/128374/163299.jpeg"),
    (
        "basemap-at", 47.2692, 11.4041, 18,
        "https://mapsneu.wien.gv.at/basemap/bmaporthofoto30cm/normal/google3857/18/91914/139376.jpeg",
    ),
    ("ign", 48.8584, 2.2945, 18, "https://data.geopf.fr/tms/1.0.0/ORTHOIMAGERY.ORTHOPHOTOS/18/132742/90182.jpeg"),
    (
        "poland", 52.2297, 21.0122, 18,
        (
            "https://mapy.geoportal.gov.pl/wss/service/PZGIK/ORTO/WMTS/StandardResolution?SERVICE=WMTS&REQUEST=GetTile"
            "&VERSION=1.0.0&LAYER=ORTOFOTOMAPA&STYLE=default&FORMAT=image/jpeg&tileMatrixSet=EPSG:3857"
            "&tileMatrix=EPSG:3857:18&tileRow=86317&tileCol=146372"
        ),
    ),
    ("maaamet", 59.437, 24.7536, 17, "https://tiles.maaamet.ee/tm/tms/1.0.0/foto@GMC/17/74548/92602.png"),
    ("gsi", 35.6812, 139.7671, 17, "https://cyberjapandata.gsi.go.jp/xyz/seamlessphoto/17/116423/51613.jpg"),
    (
        "usgs", 40.015, -105.2705, 17,
        "https://basemap.nationalmap.gov/arcgis/rest/services/USGSImageryOnly/MapServer/tile/17/49613/27208",
    ),
    (
        "naip", 40.015, -105.2705, 17,
        "https://gis.apfo.usda.gov/arcgis/rest/services/NAIP/USDA_CONUS_PRIME/ImageServer/tile/17/49613/27208",
    ),
    (
        "linz", -41.2865, 174.7762, 17,
        "https://basemaps.linz.govt.nz/v1/tiles/aerial/WebMercatorQuad/17/129170/82068.webp",
    ),
    ("eox-2016", 0.3476, 32.5825, 14, "https://tiles.maps.eox.at/wmts/1.0.0/s2cloudless_3857/default/g/14/8176/9674.jpg"),
]  # fmt: skip
OPEN = sorted(name for name, (entry, _) in presets().items() if entry.refused is None)


@pytest.mark.parametrize(("name", "lat", "lon", "z", "url"), KNOWN, ids=[row[0] for row in KNOWN])
def test_address_of_a_known_tile(name: str, lat: float, lon: float, z: int, url: str) -> None:
    entry, tiles = presets()[name]
    assert inside(entry.boxes, lat, lon)
    tile = mercantile.tile(lon, lat, z)
    assert Template(tiles.template, tuple(tiles.subdomains)).url(z, tile.x, tile.y) == url


def test_every_open_source_has_such_a_test() -> None:
    assert sorted(row[0] for row in KNOWN) == OPEN


@pytest.mark.parametrize("name", OPEN)
def test_an_open_source_states_what_a_chip_must_say(name: str) -> None:
    entry, tiles = presets()[name]
    assert faults(tiles.template, tuple(tiles.subdomains), entry.key_env) == []
    assert tiles.template.startswith("https://")
    problems: list[object] = []
    check_credits(Credits(author=entry.author or "", licence=entry.licence, link=entry.terms), name, problems)  # type: ignore[arg-type]  # only counted
    assert problems == []
    assert closed_by(tiles.template) is None
    assert "NC" not in entry.licence
    if re.match("CC|etalab", entry.licence):
        assert licence_class([entry.licence]) in {"public-domain", "attribution"}
    assert entry.per_s <= 10
    assert entry.at_once <= 8
    assert all(
        south < north and -180 <= west <= 180 and -180 <= east <= 180 for west, south, east, north in entry.boxes
    )


def test_open_leaves_out_what_needs_a_key_what_is_coarse_and_what_is_refused() -> None:
    assert default_presets()[:3] == ["wien", "luxembourg", "pdok-hr"]
    assert set(OPEN) - set(default_presets()) == {"linz", "eox-2016"}


@pytest.mark.parametrize(
    "place",
    [(43.65, -79.38), (45.5, -73.57), (49.26, -123.1), (48.43, -123.37), (42.31, -83.04), (32.50, -117.0),
     (31.69, -106.43), (25.67, -100.31), (23.11, -82.37), (25.05, -77.35)],
)  # fmt: skip
def test_towns_beyond_the_border_are_not_covered_by_the_american_ones(place: tuple[float, float]) -> None:
    assert not inside(presets()["usgs"][0].boxes, *place)


@pytest.mark.parametrize(
    "place",
    [(40.71, -74.0), (34.05, -118.24), (41.88, -87.63), (29.76, -95.37), (25.76, -80.19), (47.61, -122.33),
     (42.33, -83.05), (42.88, -78.87), (61.22, -149.9), (21.31, -157.86), (18.46, -66.1), (32.72, -117.16),
     (31.76, -106.48), (29.42, -98.49), (42.36, -71.06), (44.98, -93.27)],
)  # fmt: skip
def test_american_towns_are(place: tuple[float, float]) -> None:
    assert inside(presets()["usgs"][0].boxes, *place)


@pytest.mark.parametrize(
    "address",
    ["https://mt1.google.com/vt/lyrs=s&x={x}&y={y}&z={z}", "https://khms0.google.com/kh", "https://GOOGLE.com./",
     "https://tile.googleapis.com/v1/2dtiles/{z}/{x}/{y}", "https://services.arcgisonline.com/arcgis/rest",
     "https://{s}.maptiles.arcgis.com/arcgis", "https://ecn.t3.tiles.virtualearth.net/tiles/a{q}.jpeg",
     "https://api.mapbox.com/v4", "https://{s}.tile.openstreetmap.org/{z}/{x}/{y}.png", "https://x@tile.openstreetmap.org",
     "https://tile.osm.org/{z}/{x}/{y}.png", "https://www.google.cn/maps/vt?x={x}", "https://khms0.googleapis.com/kh",
     "mt1.google.com", "https://maps.googleapis.com/maps/api/staticmap"],
)  # fmt: skip
def test_closed_hosts_are_known_by_any_of_their_names(address: str) -> None:
    closed = closed_by(address)
    assert closed is not None
    assert closed.refused


@pytest.mark.parametrize(
    "address",
    ["https://storage.googleapis.com/bucket/a.tif", "https://e.org/google.com/", "/data/mt1.google.com.pmtiles",
      "https://notgoogle.com/", "https://google.com.example.org/",
     "https://tiles.arcgis.com/tiles/x", "https://tile.openstreetmap.fr/", "https://[", "nonsense"],
)  # fmt: skip
def test_other_hosts_are_not(address: str) -> None:
    assert closed_by(address) is None
