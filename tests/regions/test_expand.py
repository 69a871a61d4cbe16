"""Regions as a build file may write them: the catalogue, one of it, an outline in a file; and their faults."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.config.build import Build
from pipeline.engine.build_file import parse_build, schema_json
from pipeline.errors import ConfigError
from pipeline.regions.catalogue import catalogue

SQUARE = [[2.3, 48.8], [2.4, 48.8], [2.4, 48.9], [2.3, 48.9], [2.3, 48.8]]
Load = Callable[..., Build]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Loads a build with the given regions; a polygon given as JSON stands in `outline.geojson`."""

    def parse(regions: Any, outline: Any = None, **more: Any) -> Build:
        if outline is not None:
            text = outline if isinstance(outline, str) else json.dumps(outline)
            (tmp_path / "outline.geojson").write_text(text)
        sources = {"street": {"town": {"type": "world"}}, "map": {"plan": {"type": "world"}}}
        raw = {"name": "b", "workspace": "w", "dataset": "d", "regions": regions, "sources": sources} | more
        return parse_build(raw, base=tmp_path)

    return parse


def polygon(*rings: list[list[float]]) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": list(rings)}


def feature(geometry: Any) -> dict[str, Any]:
    return {"type": "Feature", "properties": {}, "geometry": geometry}


def test_the_whole_catalogue(load: Load) -> None:
    build = load("catalogue")
    assert [region.name for region in build.regions] == list(catalogue())
    tokyo = next(region for region in build.regions if region.name == "jp-tokyo")
    assert tokyo.centre == (catalogue()["jp-tokyo"].lat, catalogue()["jp-tokyo"].lon)
    assert tokyo.radius_m == catalogue()["jp-tokyo"].radius_m


def test_one_of_the_catalogue_with_a_name_and_sources_of_its_own(load: Load) -> None:
    one, other = load([{"catalogue": "jp-tokyo", "name": "edo", "street": "town"}, {"catalogue": "fr-paris"}]).regions
    assert (one.name, one.catalogue, one.street) == ("edo", "jp-tokyo", "town")
    assert (other.name, other.street) == ("fr-paris", None)


def test_a_build_written_out_in_full_loads_again(load: Load) -> None:
    build = load([{"catalogue": "jp-tokyo"}, {"name": "x", "polygon": "outline.geojson"}], polygon(SQUARE))
    assert load(build.model_dump(mode="json")["regions"]).regions == build.regions


def test_unknown_ids_are_all_told(load: Load) -> None:
    with pytest.raises(ConfigError) as caught:
        load([{"catalogue": "jp-tokio"}, {"catalogue": "fr-paris"}, {"catalogue": "qqqqqqqq"}])
    assert [problem.where for problem in caught.value.problems] == ["regions.0.catalogue", "regions.2.catalogue"]
    assert "did you mean jp-tokyo" in str(caught.value)


def test_a_shape_beside_the_catalogue_s_id_is_refused(load: Load) -> None:
    with pytest.raises(ConfigError, match=r"regions\.0: found radius_m beside the catalogue's id"):
        load([{"catalogue": "jp-tokyo", "radius_m": 10}])


@pytest.mark.parametrize("regions", ["katalog", [], [3], {"catalogue": "jp-tokyo"}, [{"catalogue": 3}]])
def test_what_is_no_list_of_regions_is_refused(regions: Any, load: Load) -> None:
    with pytest.raises(ConfigError, match="regions"):
        load(regions)


@pytest.mark.parametrize(
    "outline",
    [
        polygon(SQUARE),
        feature(polygon(SQUARE)),
        {"type": "FeatureCollection", "features": [feature(polygon(SQUARE))]},
        {"type": "MultiPolygon", "coordinates": [[SQUARE]]},
        {"type": "FeatureCollection", "features": [feature(polygon(SQUARE)), feature(None)]},
        polygon([[*corner, 35.0] for corner in SQUARE]),
    ],
)
def test_a_polygon_file_becomes_an_outline(outline: Any, load: Load) -> None:
    (region,) = load([{"name": "x", "polygon": "outline.geojson"}], outline).regions
    assert region.bounds() == (2.3, 48.8, 2.4, 48.9)
    assert region.contains(np.array([2.35, 2.5]), np.array([48.85, 48.85])).tolist() == [True, False]


def named(name: Any) -> dict[str, Any]:
    return {"type": "name", "properties": {"name": name}}


@pytest.mark.parametrize("name", ["urn:ogc:def:crs:OGC:1.3:CRS84", "EPSG:4326", "urn:ogc:def:crs:EPSG::4326"])
def test_a_file_may_say_that_it_is_in_wgs84(name: str, load: Load) -> None:
    collection = {"type": "FeatureCollection", "features": [feature(polygon(SQUARE))], "crs": named(name)}
    (region,) = load([{"name": "x", "polygon": "outline.geojson"}], collection).regions
    assert region.bounds() == (2.3, 48.8, 2.4, 48.9)


@pytest.mark.parametrize(
    "crs", [named("EPSG:4277"), named("urn:ogc:def:crs:EPSG::2154"), named(7), {"type": "link"}, "EPSG:2154", 5]
)
@pytest.mark.parametrize("level", ["collection", "feature", "geometry"])
def test_a_file_in_another_coordinate_system_is_refused(crs: Any, level: str, load: Load) -> None:
    """EPSG:4277 is in degrees, too: nothing but the name tells that it is off by a hundred metres."""
    at = {name: {"crs": crs} if name == level else {} for name in ("collection", "feature", "geometry")}
    part = feature(polygon(SQUARE) | at["geometry"]) | at["feature"]
    collection = {"type": "FeatureCollection", "features": [part]} | at["collection"]
    with pytest.raises(ConfigError, match=r"regions\.0\.polygon: .*coordinates in .*; allowed: WGS 84"):
        load([{"name": "x", "polygon": "outline.geojson"}], collection)


def test_several_features_are_one_region_and_holes_are_left_out(load: Load) -> None:
    hole = [[2.34, 48.84], [2.36, 48.84], [2.36, 48.86], [2.34, 48.86], [2.34, 48.84]]
    far = [[x + 1, y] for x, y in SQUARE]
    parts = {"type": "FeatureCollection", "features": [feature(polygon(SQUARE, hole)), feature(polygon(far))]}
    (region,) = load([{"name": "x", "polygon": "outline.geojson"}], parts).regions
    lon, lat = np.array([2.35, 2.31, 3.35, 2.9]), np.full(4, 48.85)
    assert region.contains(lon, lat).tolist() == [False, True, True, False]


@pytest.mark.parametrize(
    ("outline", "message"),
    [
        ({"type": "Point", "coordinates": [2, 48]}, "which holds Point"),
        ({"type": "LineString", "coordinates": SQUARE}, "which holds LineString"),
        ({"type": "FeatureCollection", "features": []}, "which holds no geometry"),
        (feature(None), "which holds no geometry"),
        ({"type": "Topology"}, "which holds Topology"),
        ([1, 2], "which holds no geometry"),
        ("{", "which is no JSON"),
        ('{"type": "Polygon", "coordinates": [[[NaN, 1], [2, 2], [3, 1], [NaN, 1]]]}', "found"),
        (polygon(), "an empty outline"),
        (polygon([[2.3, 48.8], [2.4, 48.9], [2.4, 48.8], [2.3, 48.9], [2.3, 48.8]]), "crosses or touches itself"),
        (polygon([[y, x] for x, y in [[139.7, 35.6], [139.8, 35.6], [139.8, 35.7], [139.7, 35.6]]]), "swapped"),
        (polygon([[260_000, 6_250_000], [270_000, 6_250_000], [270_000, 6_260_000], [260_000, 6_250_000]]), "metres"),
        (polygon([[179, -18], [181, -18], [181, -16], [179, -16], [179, -18]]), "antimeridian"),
        (polygon([[179, -18], [-179, -18], [-179, -16], [179, -16], [179, -18]]), "antimeridian"),
        (polygon([[2.3, 48.8], [2.4, 48.8], [2.3, 48.8], [2.3, 48.8]]), "found"),
        (polygon([[2, 48], [2 + 1e-8, 48], [2 + 1e-8, 48 + 1e-8], [2, 48]]), "an outline without an area"),
        ({"type": "MultiPolygon", "coordinates": []}, "an empty outline"),
        ({"type": "Polygon", "coordinates": "x"}, "coordinates that cannot be read"),
        ({"type": "Polygon", "coordinates": [[["a", "b"]]]}, "coordinates that cannot be read"),
    ],
)
def test_what_is_no_outline_is_refused(outline: Any, message: str, load: Load) -> None:
    with pytest.raises(ConfigError, match=r"regions\.0\.polygon.*" + message):
        load([{"name": "x", "polygon": "outline.geojson"}], outline)


@pytest.mark.parametrize("wkt", ["POLYGON ((1 2, 3", "POLYGON EMPTY", "POLYGON ((0 0, 1 1, 1 0, 0 1, 0 0))"])
def test_wkt_is_checked_too(wkt: str, load: Load) -> None:
    with pytest.raises(ConfigError, match=r"regions\.0\.polygon"):
        load([{"name": "x", "polygon": wkt}])


def test_a_polygon_file_that_is_not_there_is_told(load: Load) -> None:
    with pytest.raises(ConfigError, match=r"regions\.0\.polygon: found .*no\.geojson, which cannot be read"):
        load([{"name": "x", "polygon": "no.geojson"}])


def test_a_polygon_file_may_be_called_by_a_number(load: Load) -> None:
    with pytest.raises(ConfigError, match=r"regions\.0\.polygon: found .*75001, which cannot be read"):
        load([{"name": "x", "polygon": 75001}])


def test_the_schema_allows_what_can_be_written() -> None:
    schema = json.loads(schema_json())
    kinds = schema["properties"]["regions"]["anyOf"]
    assert {"const": "catalogue", "type": "string"} in kinds
    assert any("CatalogueRegion" in str(kind) for kind in kinds)
    assert schema["$defs"]["CatalogueRegion"]["required"] == ["catalogue"]
