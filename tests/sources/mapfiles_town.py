"""A little town, written in every format that the map source reads. Not a test itself."""

import gzip
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import osmium
import pyarrow as pa
import pyarrow.parquet as pq
import shapely
from shapely.geometry.base import BaseGeometry

from pipeline.config import MapFiles, Region
from pipeline.imaging.frame import LocalFrame
from pipeline.sources.base import Point
from pipeline.sources.mapfiles.source import MapFilesSource

Places = list[tuple[float, float]]


@dataclass(frozen=True)
class Thing:
    """A feature by its place in metres east and north of the middle, with OSM's tags and Overture's columns."""

    places: Places
    tags: dict[str, str]
    overture: dict[str, Any]

    @property
    def area(self) -> bool:
        return len(self.places) > 1 and self.places[0] == self.places[-1]


def square(x: float, y: float, side: float) -> Places:
    h = side / 2
    return [(x - h, y - h), (x + h, y - h), (x + h, y + h), (x - h, y + h), (x - h, y - h)]


TOWN = [
    Thing(
        [(-100, 0), (0, 0), (100, 0)],
        {"highway": "residential", "name": "Hauptstraße", "name:en": "High Street"},
        {"subtype": "road", "class": "residential"},
    ),
    Thing(
        [(0, 0), (0, 50), (0, 100)],
        {"highway": "tertiary", "name": "Mill Lane"},
        {"subtype": "road", "class": "tertiary"},
    ),
    Thing(
        [(-100, -60), (100, -60)],
        {"highway": "primary", "name": "Ring"},
        {"subtype": "road", "class": "primary"},
    ),
    Thing([(10, -60), (20, -5)], {"highway": "footway"}, {"subtype": "road", "class": "footway"}),
    Thing([(-100, -70), (100, -70)], {"railway": "tram"}, {"subtype": "rail", "class": "tram"}),
    Thing(square(40, 40, 40), {"leisure": "park", "name": "Garden"}, {"subtype": "park", "class": "park"}),
    Thing(square(-60, 60, 30), {"natural": "water", "water": "pond"}, {"subtype": "pond", "class": "pond"}),
    Thing(
        square(-25, 20, 20),
        {"building": "church", "name": "St. Mary"},
        {"subtype": "religious", "class": "church", "height": 21.0},
    ),
    Thing([(15, 6)], {"amenity": "cafe", "name": "Café"}, {"categories": {"primary": "cafe"}}),
    Thing([(-30, 0)], {"highway": "traffic_signals"}, {"subtype": "pedestrian", "class": "traffic_signals"}),
    Thing([(60, -7)], {"highway": "bus_stop", "name": "Ring"}, {"subtype": "transit", "class": "bus_stop"}),
]
FORMATS = ("town.json", "town.json.gz", "town.osm", "town.osm.bz2", "town.osm.pbf", "town.geojson", "town.parquet")


def degrees(middle: Point, places: Places) -> Places:
    """Longitudes and latitudes on OSM's grid of 1e-7 degrees."""
    lon, lat = LocalFrame(middle.lat, middle.lon).to_degrees([x for x, _ in places], [y for _, y in places])
    return [(round(float(a), 7), round(float(b), 7)) for a, b in zip(lon, lat, strict=True)]


def geometry(middle: Point, thing: Thing) -> BaseGeometry:
    known = degrees(middle, thing.places)
    if len(known) == 1:
        return shapely.Point(known[0])
    return shapely.Polygon(known) if thing.area else shapely.LineString(known)


def write_town(path: Path, middle: Point, things: list[Thing] | None = None) -> Path:
    """Write the town in the format that the path's suffix says."""
    known = TOWN if things is None else things
    if path.name.endswith((".json", ".json.gz")):
        text = json.dumps(overpass(middle, known)).encode()
        path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    elif ".osm" in path.name:
        _write_osm(path, middle, known)
    elif path.suffix == ".geojson":
        features = [
            {
                "type": "Feature",
                "geometry": shapely.geometry.mapping(geometry(middle, thing)),
                "properties": thing.tags,
            }
            for thing in known
        ]
        path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    else:
        _write_overture(path, middle, known)
    return path


def overpass(middle: Point, things: list[Thing]) -> dict[str, Any]:
    nodes, refs = _numbered(middle, things)
    elements: list[dict[str, Any]] = []
    alone = {refs[i][0]: thing.tags for i, thing in enumerate(things) if len(thing.places) == 1}
    for (lon, lat), number in nodes.items():
        tags = {"tags": alone[number]} if number in alone else {}
        elements.append({"type": "node", "id": number, "lat": lat, "lon": lon} | tags)
    for i, thing in enumerate(things):
        if len(thing.places) > 1:
            elements.append({"type": "way", "id": i + 1, "nodes": refs[i], "tags": thing.tags})
    return {"version": 0.6, "osm3s": {"timestamp_osm_base": "2026-07-20T03:29:37Z"}, "elements": elements}


def _numbered(middle: Point, things: list[Thing]) -> tuple[dict[tuple[float, float], int], list[list[int]]]:
    nodes: dict[tuple[float, float], int] = {}
    refs = [[nodes.setdefault(p, len(nodes) + 1) for p in degrees(middle, thing.places)] for thing in things]
    return nodes, refs


def _write_osm(path: Path, middle: Point, things: list[Thing]) -> None:
    nodes, refs = _numbered(middle, things)
    alone = {refs[i][0]: thing.tags for i, thing in enumerate(things) if len(thing.places) == 1}
    header = osmium.io.Header()
    header.set("osmosis_replication_timestamp", "2026-07-20T03:29:37Z")
    with osmium.SimpleWriter(str(path), header=header) as writer:
        for place, number in nodes.items():
            tags = alone.get(number, {})
            writer.add_node(osmium.osm.mutable.Node(id=number, location=place, tags=tags, version=1))
        for i, thing in enumerate(things):
            if len(thing.places) > 1:
                writer.add_way(osmium.osm.mutable.Way(id=i + 1, nodes=refs[i], tags=thing.tags, version=1))


def _write_overture(path: Path, middle: Point, things: list[Thing]) -> None:
    geometries = [geometry(middle, thing) for thing in things]
    names = pa.struct([("primary", pa.string()), ("common", pa.map_(pa.string(), pa.string()))])
    box = pa.struct([(key, pa.float64()) for key in ("xmin", "ymin", "xmax", "ymax")])

    def name(tags: dict[str, str]) -> dict[str, Any] | None:
        if "name" not in tags:
            return None
        return {"primary": tags["name"], "common": [("en", tags["name:en"])] if "name:en" in tags else []}

    table = pa.table(
        {
            "id": [f"0{i}" for i in range(len(things))],
            "geometry": [shapely.to_wkb(shape) for shape in geometries],
            "bbox": pa.array(
                [dict(zip(("xmin", "ymin", "xmax", "ymax"), s.bounds, strict=True)) for s in geometries], box
            ),
            "names": pa.array([name(thing.tags) for thing in things], names),
            "subtype": pa.array([thing.overture.get("subtype") for thing in things], pa.string()),
            "class": pa.array([thing.overture.get("class") for thing in things], pa.string()),
            "height": pa.array([thing.overture.get("height") for thing in things], pa.float64()),
            "categories": pa.array(
                [thing.overture.get("categories") for thing in things], pa.struct([("primary", pa.string())])
            ),
        }
    )
    geo = {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": {"encoding": "WKB"}}}
    pq.write_table(table.replace_schema_metadata({"geo": json.dumps(geo)}), path)


def source_of(*paths: Path, middle: Point, **settings: Any) -> MapFilesSource:
    """A map source over files, for a region of 500 m around a point."""
    region = Region(name="town", centre=(middle.lat, middle.lon), radius_m=500)
    return MapFilesSource("town", MapFiles(type="files", files=list(paths), **settings), [region])
