"""The real maps of the corpus."""

import json
from pathlib import Path

import numpy as np
import pytest

from pipeline.cartography.existence import HIDDEN, PLANNED
from pipeline.cartography.features import NO_KIND
from pipeline.config.region import Region
from pipeline.config.sources import MapFiles
from pipeline.errors import ConfigError
from pipeline.geo.point import Point
from pipeline.sources.maps.files import MapFilesSource

SEOUL = Region(name="seoul", bbox=(126.96, 37.56, 127.03, 37.60))


def source(corpus: Path, region: Region, *names: str) -> MapFilesSource:
    return MapFilesSource("m", MapFiles(type="files", files=[corpus / "osm" / name for name in names]), [region])


@pytest.fixture(scope="module")
def seoul(corpus: Path) -> MapFilesSource:
    names = ("seoul_jongno_highways.overpass.json.gz", "seoul_jongno_green.overpass.json.gz")
    return source(corpus, SEOUL, *names)


def sites(corpus: Path, group: str) -> list[Point]:
    rows = [json.loads(line) for line in (corpus / "MANIFEST.jsonl").read_text().splitlines()]
    return [Point(r["lat"], r["lon"]) for r in rows if r["kind"] == "street" and r["group"].startswith(group)]


def test_seoul_photos_have_streets_and_chips(corpus: Path, seoul: MapFilesSource) -> None:
    assert set(seoul.left_out) <= {NO_KIND, PLANNED, HIDDEN}, "all geometry is read"
    for place in sites(corpus, "seoul_jongno"):
        facts = seoul.around(place, 80)
        assert any(fact.kind == "road" and fact.name for fact in facts)
        chip = seoul.chip(place, 512, 0.3)
        assert chip.pixels.shape == (512, 512, 3)
        assert np.ptp(chip.pixels) > 50
        assert chip.captured_at is not None


def test_a_seoul_junction_is_named_in_both_languages(seoul: MapFilesSource) -> None:
    facts = seoul.around(Point(37.567898530922, 126.9793417), 20)
    (junction,) = [fact for fact in facts if fact.kind == "junction"]
    assert (junction.category, junction.name) == ("t-junction", "다동길 / 무교로")
    assert junction.name_en == "Dadong-gil / Mugyo-ro"


def test_boulder_photos_have_places(corpus: Path) -> None:
    region = Region(name="boulder", bbox=(-105.30, 39.96, -105.12, 40.03))
    boulder = source(corpus, region, "boulder_poi_overture.geojson", "boulder_buildings_entrances.geojson")
    for place in sites(corpus, "boulder_co"):
        assert any(fact.kind == "poi" and fact.name for fact in boulder.around(place, 80))
        boulder.chip(place, 512, 0.3)


@pytest.mark.parametrize(
    ("name", "point"),
    [
        ("Helsinki.osm.pbf", Point(60.1705, 24.9425)),
        ("test.osm.pbf", Point(60.53, 26.95)),
        ("West-Oakland.osm.bz2", Point(37.8076, -122.3003)),
    ],
)
def test_osm_files_are_read(corpus: Path, name: str, point: Point) -> None:
    found = source(corpus, Region(name="r", centre=(point.lat, point.lon), radius_m=800), name)
    assert {fact.kind for fact in found.around(point, 800)} >= {"road", "building"}
    assert found.chip(point, 1024, 0.5).covered == 1.0


def test_coordinates_in_metres_and_foreign_json_are_refused(corpus: Path) -> None:
    for path in (corpus / "seg" / "atlanta_buildings_32616.geojson", corpus / "osm" / "mountain_house_local.json"):
        with pytest.raises(ConfigError, match=path.name):
            MapFilesSource("m", MapFiles(type="files", files=[path]), [SEOUL])
