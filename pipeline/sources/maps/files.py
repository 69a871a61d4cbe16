"""The map source of `type: files`."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from pydantic_core import from_json

from pipeline.boundary import reading
from pipeline.cartography.features import Extract, Feature, features_of
from pipeline.cartography.sight import in_frame
from pipeline.config.region import Region
from pipeline.config.sources import MapFiles, with_flat_credits
from pipeline.encoding import in_utf8
from pipeline.errors import ConfigError, Problem, SiteError
from pipeline.geo import window
from pipeline.geo.frame import LocalFrame
from pipeline.geo.point import Point
from pipeline.sources.base import Road
from pipeline.sources.forbidden_hosts import INSTEAD, refusal
from pipeline.sources.maps.charted import of_osm
from pipeline.sources.maps.feature_map import VERSION, FeatureMap, FeatureStore, Stated, roads_of
from pipeline.sources.maps.read_geo import read_geojson, read_geoparquet
from pipeline.sources.maps.read_osm import read_osm
from pipeline.sources.maps.read_overpass import read_overpass
from pipeline.sources.unpacking import check_unpacked, read_unpacked
from schemas.reasons import Reason
from schemas.records import FactKind

MARGIN_M = 500.0
"""Features this far outside the regions are kept; a point further than this from all data is outside the map."""

_OSM = (".osm", ".osm.pbf", ".osm.bz2", ".osm.gz")
_JSON = (".json", ".geojson", ".json.gz", ".geojson.gz", ".json.bz2", ".geojson.bz2")
_PARQUET = (".parquet", ".geoparquet")


class MapFilesSource(FeatureMap):
    """Facts and chips from local map files, all held in memory.

    Threads may share it: nothing changes after it is made.
    """

    def __init__(self, name: str, config: MapFiles, regions: Sequence[Region]) -> None:
        """Read the files.

        Args:
            name: of the source in the configuration.
            config: its section.
            regions: only what lies within their bounds and 500 m around is kept.

        Raises:
            ConfigError: naming every file that cannot be read and what is wrong with it.
        """
        stated = Stated.of(name, config)
        super().__init__(name, config, stated.extracted_at)
        left_out: Counter[str] = Counter()
        charted: set[FactKind] = set()
        wanted = window.Window.of((region.bounds() for region in regions), MARGIN_M)
        found: dict[str, Feature] = {}
        dates: list[datetime] = []
        problems: list[Problem] = []
        digests: list[str] = []
        places: list[Any] = []
        for path in config.files:
            try:
                with reading(path, "a whole map file"):
                    extract = _read(path, wanted)
                    elements = list(extract.elements)
                    features = features_of(elements, wanted, left_out, self._trust(extract.extracted_at))
                    places += [] if found or features else [element.geometry for element in elements]
                    charted |= extract.charted | of_osm(features)
                    for feature in features:  # files may overlap: what has the same id is the same thing
                        found.setdefault(feature.feature_id, feature)
                    digests.append(_digest(path))
            except ConfigError as error:
                problems += error.problems
            else:
                dates += [extract.extracted_at] if extract.extracted_at else []
        problems += stated.problems
        if not found:
            problems += _elsewhere(places, regions, f"sources.map.{name}.files")
        if problems:
            raise ConfigError(problems)
        self._note(left_out)
        self._charted = frozenset(charted)
        # The oldest: the map is at least as new as this.
        self._extracted_at = min(dates) if dates else stated.extracted_at
        source_id = " ".join(path.name for path in config.files)
        try:
            self._store = FeatureStore(list(found.values()), self._extracted_at, source_id)
        except SiteError as error:
            raise ConfigError(
                [Problem(f"sources.map.{name}.files", error.detail, "map data as it is drawn")]
            ) from error
        # What is left out can depend on the day, where nobody says how old the map is.
        stated_keys = with_flat_credits(config.model_dump(mode="json", exclude={"files"}))
        settings = [VERSION, sorted(digests), stated_keys, wanted.boxes]
        settings.append(sorted(left_out.items()))
        self._fingerprint = hashlib.blake2b(json.dumps(settings).encode(), digest_size=16).hexdigest()

    def fingerprint(self) -> str:
        """Digest of the files' contents, the settings and the area kept; see `pipeline.sources.base.Source`."""
        return self._fingerprint

    def charted(self) -> frozenset[FactKind]:
        """By the files' types, and of OSM's formats by what is in them; see `pipeline.sources.base.MapSource`."""
        return self._charted

    def store(self, point: Point, radius_m: float) -> FeatureStore:  # noqa: ARG002 - all is held
        """All that the files hold."""
        return self._store

    def roads(self, region: Region) -> Iterator[Road]:
        """The roads of a region, by id; see `pipeline.sources.base.HasRoads`."""
        return roads_of(self._store.features, region)

    def _nothing(self, point: Point, width_m: float) -> SiteError:
        near = self._store.near(point, MARGIN_M)
        distances = shapely.distance(shapely.Point(0, 0), in_frame(near, LocalFrame(point.lat, point.lon)))
        if near and distances.min() <= MARGIN_M:
            return super()._nothing(point, width_m)
        return SiteError(Reason.NO_OVERLAP, f"{self.name}: no feature within {MARGIN_M:.0f} m of the site")


def _elsewhere(geometries: Sequence[Any], regions: Sequence[Region], where: str) -> list[Problem]:
    """The problem of map data that lies near none of the regions that use it; none where there is no data at all."""
    places = [geometry for geometry in geometries if geometry is not None and not geometry.is_empty]
    if not places or not regions:
        return []
    bounds = shapely.total_bounds(places)
    near = window.Window.of((region.bounds() for region in regions), MARGIN_M)
    if not np.isfinite(bounds).all() or near.meets(bounds[None])[0]:
        return []
    shown = ", ".join(f"{edge:.4f}" for edge in bounds)
    names = ", ".join(region.name for region in regions)
    return [Problem(where, f"map data within {shown} (west, south, east, north)", f"data near its regions ({names})")]


def _read(path: Path, wanted: window.Window) -> Extract:
    refused = refusal(str(path))
    if refused:
        raise ConfigError([Problem(str(path), refused, INSTEAD)])
    name = path.name.lower()
    if name.endswith(_OSM):
        check_unpacked(path)
        return read_osm(path)
    if name.endswith(_PARQUET):
        return read_geoparquet(path, wanted)
    if not name.endswith(_JSON):
        allowed = ", ".join(chain(_OSM, _JSON, _PARQUET))
        raise ConfigError([Problem(str(path), f"an unknown format ({''.join(path.suffixes) or 'no suffix'})", allowed)])
    document = _json(path)
    kind = document.get("type")  # Overpass JSON has none
    if kind == "Feature":
        document = {"features": [document]}
    elif isinstance(kind, str) and kind != "FeatureCollection":
        raise ConfigError([Problem(str(path), f"JSON of type {kind[:80]!r}", "Overpass JSON or a FeatureCollection")])
    return read_geojson(path, document) if kind else read_overpass(path, document)


def _json(path: Path) -> dict[str, Any]:
    try:
        document = from_json(in_utf8(read_unpacked(path)))
    except ValueError as error:
        raise ConfigError([Problem(str(path), f"broken JSON ({error})", "Overpass JSON or GeoJSON")]) from error
    if not isinstance(document, dict):
        raise ConfigError([Problem(str(path), f"JSON that is a {type(document).__name__}", "an object")])
    return document


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
