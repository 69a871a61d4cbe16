"""A little town, written in every format that the map source reads."""

import gzip
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import osmium
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely
from shapely.geometry.base import BaseGeometry

from pipeline.config.region import Region
from pipeline.config.sources import MapFiles
from pipeline.geo.frame import LocalFrame
from pipeline.geo.point import Point
from pipeline.sources.maps.files import MapFilesSource

Places = list[tuple[float, float]]


Things = Sequence[tuple[Places, dict[str, str], dict[str, Any]]]
"""Features: place in metres east and north of the middle, OSM's tags, Overture's columns."""
WriteTown = Callable[..., Path]
SourceOf = Callable[..., MapFilesSource]


def square(x: float, y: float, side: float) -> Places:
    h = side / 2
    return [(x - h, y - h), (x + h, y - h), (x + h, y + h), (x - h, y + h), (x - h, y - h)]


TOWN: Things = [
    (
        [(-100, 0), (0, 0), (100, 0)],
        {"highway": "residential", "name": "Hauptstraße", "name:en": "High Street"},
        {"subtype": "road", "class": "residential"},
    ),
    (
        [(0, 0), (0, 50), (0, 100)],
        {"highway": "tertiary", "name": "Mill Lane"},
        {"subtype": "road", "class": "tertiary"},
    ),
    (
        [(-100, -60), (100, -60)],
        {"highway": "primary", "name": "Ring"},
        {"subtype": "road", "class": "primary"},
    ),
    ([(10, -60), (20, -5)], {"highway": "footway"}, {"subtype": "road", "class": "footway"}),
    ([(-100, -70), (100, -70)], {"railway": "tram"}, {"subtype": "rail", "class": "tram"}),
    (square(40, 40, 40), {"leisure": "park", "name": "Garden"}, {"subtype": "park", "class": "park"}),
    (square(-60, 60, 30), {"natural": "water", "water": "pond"}, {"subtype": "pond", "class": "pond"}),
    (
        square(-25, 20, 20),
        {"building": "church", "name": "St. Mary"},
        {"subtype": "religious", "class": "church", "height": 21.0},
    ),
    ([(15, 6)], {"amenity": "cafe", "name": "Café"}, {"categories": {"primary": "cafe"}}),
    ([(-30, 0)], {"highway": "traffic_signals"}, {"subtype": "pedestrian", "class": "traffic_signals"}),
    ([(60, -7)], {"highway": "bus_stop", "name": "Ring"}, {"subtype": "transit", "class": "bus_stop"}),
]


def degrees(middle: Point, places: Places) -> Places:
    """Longitudes and latitudes on OSM's grid of 1e-7 degrees."""
    lon, lat = LocalFrame(middle.lat, middle.lon).to_degrees([x for x, _ in places], [y for _, y in places])
    return [(round(float(a), 7), round(float(b), 7)) for a, b in zip(lon, lat, strict=True)]


def geometry(middle: Point, places: Places) -> BaseGeometry:
    known = degrees(middle, places)
    if len(known) == 1:
        return shapely.Point(known[0])
    return shapely.Polygon(known) if known[0] == known[-1] else shapely.LineString(known)


def _write(path: Path, middle: Point, things: Things = TOWN) -> Path:
    if path.name.endswith((".json", ".json.gz")):
        text = json.dumps(_overpass(middle, things)).encode()
        path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    elif ".osm" in path.name:
        _write_osm(path, middle, things)
    elif path.suffix == ".geojson":
        features = [
            {
                "type": "Feature",
                "geometry": json.loads(shapely.to_geojson(geometry(middle, places))),
                "properties": tags,
            }
            for places, tags, _ in things
        ]
        path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    else:
        _write_overture(path, middle, things)
    return path


def _numbered(middle: Point, things: Things) -> tuple[dict[tuple[float, float], int], list[list[int]]]:
    """Nodes by place, and each thing's nodes."""
    nodes: dict[tuple[float, float], int] = {}
    refs = [[nodes.setdefault(p, len(nodes) + 1) for p in degrees(middle, places)] for places, _, _ in things]
    return nodes, refs


def _overpass(middle: Point, things: Things) -> dict[str, Any]:
    nodes, refs = _numbered(middle, things)
    tags = {refs[i][0]: tags for i, (places, tags, _) in enumerate(things) if len(places) == 1}
    elements: list[dict[str, Any]] = [
        {"type": "node", "id": number, "lat": lat, "lon": lon, "tags": tags.get(number, {})}
        for (lon, lat), number in nodes.items()
    ]
    elements += [
        {"type": "way", "id": i + 1, "nodes": refs[i], "tags": known}
        for i, (places, known, _) in enumerate(things)
        if len(places) > 1
    ]
    return {"version": 0.6, "osm3s": {"timestamp_osm_base": "2026-07-20T03:29:37Z"}, "elements": elements}


def _write_osm(path: Path, middle: Point, things: Things) -> None:
    nodes, refs = _numbered(middle, things)
    tags = {refs[i][0]: tags for i, (places, tags, _) in enumerate(things) if len(places) == 1}
    header = osmium.io.Header()
    header.set("osmosis_replication_timestamp", "2026-07-20T03:29:37Z")
    with osmium.SimpleWriter(str(path), header=header) as writer:
        for place, number in nodes.items():
            writer.add_node(osmium.osm.mutable.Node(id=number, location=place, tags=tags.get(number, {}), version=1))
        for i, (places, known, _) in enumerate(things):
            if len(places) > 1:
                writer.add_way(osmium.osm.mutable.Way(id=i + 1, nodes=refs[i], tags=known, version=1))


def _write_overture(path: Path, middle: Point, things: Things) -> None:
    geometries = [geometry(middle, places) for places, _, _ in things]
    sides = ("xmin", "ymin", "xmax", "ymax")
    translations = pa.map_(pa.string(), pa.string())
    names = [
        {"primary": tags["name"], "common": [("en", tags["name:en"])] if "name:en" in tags else []}
        if "name" in tags
        else None
        for _, tags, _ in things
    ]

    def column(key: str, kind: pa.DataType) -> pa.Array:
        return pa.array([columns.get(key) for _, _, columns in things], kind)

    table = pa.table(
        {
            "id": [f"0{i}" for i in range(len(things))],
            "geometry": [shapely.to_wkb(shape) for shape in geometries],
            "bbox": pa.array(
                [dict(zip(sides, shape.bounds, strict=True)) for shape in geometries],
                pa.struct([(side, pa.float64()) for side in sides]),
            ),
            "names": pa.array(names, pa.struct([("primary", pa.string()), ("common", translations)])),
            "subtype": column("subtype", pa.string()),
            "class": column("class", pa.string()),
            "height": column("height", pa.float64()),
            "categories": column("categories", pa.struct([("primary", pa.string())])),
        }
    )
    geo = {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": {"encoding": "WKB"}}}
    pq.write_table(table.replace_schema_metadata({"geo": json.dumps(geo)}), path)


def _source(*paths: Path, middle: Point, radius_m: float = 500.0, **settings: Any) -> MapFilesSource:
    region = Region(name="town", centre=(middle.lat, middle.lon), radius_m=radius_m)
    return MapFilesSource("town", MapFiles(type="files", files=list(paths), **settings), [region])


@pytest.fixture(scope="session")
def write_town() -> WriteTown:
    """Writes things, by default the town, around a point in the format that a path's suffix says."""
    return _write


@pytest.fixture(scope="session")
def source_of() -> SourceOf:
    """Makes a map source over files, for a region of 500 m around a point."""
    return _source
