"""OSM PBF and XML, through pyosmium, which also puts multipolygons together. Only PBF says how old the data is."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import osmium
import shapely

from pipeline.boundary import reading
from pipeline.cartography.classes import KEYS, encloses
from pipeline.cartography.features import Element, Extract, as_utc
from pipeline.errors import ConfigError, Problem
from pipeline.sources.maps.osm_xml import deleted_objects
from pipeline.sources.maps.pbf_end import missing_end

_WHOLE = "OSM PBF or XML that can be read to its end"
_ONE_MOMENT = "the map at one moment (osmium time-filter makes it of a history)"
_UNKNOWN = 2**31 - 1
"""Raw coordinates of a node that is not in the file."""
GONE = {"removed": "yes"}
"""What is said of an object that a file holds as a deleted one."""
_AREA_TYPES = frozenset({"multipolygon", "boundary"})


def read_osm(path: Path, data: bytes | None = None, data_format: str = "opl") -> Extract:
    """Nodes, lines and areas with tags that matter.

    Args:
        path: the file; its suffix says the format (`.osm`, `.osm.pbf`, `.osm.bz2`, `.osm.gz`).
        data: read this instead, and name `path` in messages only.
        data_format: format of `data`, as osmium calls it.

    Raises:
        ConfigError: the file cannot be opened or read to its end, lacks its end, says that it is incomplete, has nodes
            that lie nowhere on earth, or several versions of a thing, here or while the elements are taken.
    """
    with reading(path, _WHOLE):
        if data is None and path.suffix.lower() == ".pbf" and (fault := missing_end(path)):
            raise ConfigError([Problem(str(path), f"a file that was cut off ({fault})", _WHOLE)])
        suffix = "".join(path.suffixes[-2:]).lower()  # osmium knows none in capitals
        known = suffix if suffix.startswith(".osm") else path.suffix.lower()
        gone = deleted_objects(path) if data is None and not known.endswith(".pbf") else frozenset()
        source = osmium.io.File(str(path), known[1:]) if data is None else osmium.io.FileBuffer(data, data_format)
        processor = osmium.FileProcessor(source).with_areas().with_filter(osmium.filter.KeyFilter(*KEYS))
        if processor.header.has_multiple_object_versions:
            raise ConfigError([Problem(str(path), "changes, or a history: several versions of things", _ONE_MOMENT)])
        stamp = processor.header.get("osmosis_replication_timestamp", "")
    return Extract(_elements(path, processor, gone), as_utc(stamp))


def _elements(path: Path, processor: Any, gone: frozenset[str]) -> Iterator[Element]:
    wkb = osmium.geom.WKBFactory()
    wanted: dict[str, dict[str, str]] = {}
    made: set[str] = set()
    versions: dict[str, int] = {}
    with reading(path, _WHOLE):
        for thing in processor:
            own_id = _own_id(thing)
            tags = {tag.k: tag.v for tag in thing.tags} | (GONE if thing.deleted or own_id in gone else {})
            if thing.version != versions.setdefault(own_id, thing.version):
                found = f"{own_id} in versions {versions[own_id]} and {thing.version}"
                raise ConfigError([Problem(str(path), found, _ONE_MOMENT)])
            if thing.is_node():
                yield Element(f"osm:{own_id}", shapely.from_wkb(_wkb(wkb.create_point, thing)), tags)
            elif thing.is_area():
                area_id = f"osm:{own_id}"
                made.add(area_id)
                if not thing.from_way() or encloses(tags):
                    yield Element(area_id, shapely.from_wkb(_wkb(wkb.create_multipolygon, thing)), tags)
            elif thing.is_way():
                line = _wkb(wkb.create_linestring, thing)
                if thing.is_closed() and encloses(tags):
                    wanted[f"osm:{own_id}"] = tags
                else:
                    yield Element(f"osm:{own_id}", shapely.from_wkb(line), tags)
            elif tags.get("type") in _AREA_TYPES:
                wanted[f"osm:{own_id}"] = tags
    # Areas that could not be put together: a ring that crosses itself or lacks a member.
    for area_id in sorted(wanted.keys() - made):
        yield Element(area_id, None, wanted[area_id])


def _own_id(thing: Any) -> str:
    """As `n12`; of an area, that of the way or relation that it is made of."""
    if thing.is_area():
        return f"{'w' if thing.from_way() else 'r'}{thing.orig_id()}"
    return f"{thing.type_str()}{thing.id}"


def _wkb(create: Any, thing: Any) -> str | None:
    """A geometry as hexadecimal WKB, or None for a way cut off at the extract's edge, or of one node.

    Raises:
        ValueError: a node lies nowhere on earth.
    """
    try:
        return str(create(thing))
    except (osmium.InvalidLocationError, RuntimeError):
        for node in [thing] if thing.is_node() else thing.nodes if thing.is_way() else ():
            place = node.location
            if not place.valid() and _UNKNOWN not in {place.x, place.y}:
                where = f"{place.lat_without_check()}, {place.lon_without_check()}"
                raise ValueError(f"a node of {thing.type_str()}{thing.id} at {where}") from None
        return None
