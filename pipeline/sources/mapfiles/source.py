"""The map source of `type: files`."""

import bz2
import gzip
import hashlib
import json
import logging
import zlib
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from pipeline.config import Region
from pipeline.config_sources import MapFiles
from pipeline.errors import ConfigError, Problem, SiteError
from pipeline.imaging.frame import LocalFrame
from pipeline.sources.base import Point, RasterChip
from pipeline.sources.mapfiles import window
from pipeline.sources.mapfiles.draw import draw
from pipeline.sources.mapfiles.facts import facts, in_frame, without_crowds
from pipeline.sources.mapfiles.features import Extract, Feature, as_utc, features_of
from pipeline.sources.mapfiles.junctions import junctions
from pipeline.sources.mapfiles.read_geo import read_geojson, read_geoparquet
from pipeline.sources.mapfiles.read_osm import read_osm
from pipeline.sources.mapfiles.read_overpass import read_overpass
from schemas.reasons import Reason
from schemas.records import MapFact

log = logging.getLogger(__name__)

VERSION = 1
"""Raised whenever the same files would give other facts or another picture."""
MARGIN_M = 500.0
"""Features this far outside the regions are kept; a point further than this from all data is outside the map."""

_OSM = (".osm", ".osm.pbf", ".osm.bz2", ".osm.gz")
_JSON = (".json", ".geojson", ".json.gz", ".geojson.gz", ".json.bz2", ".geojson.bz2")
_PARQUET = (".parquet", ".geoparquet")


class MapFilesSource:
    """Facts and chips from local map files, all held in memory. Threads may share it: nothing changes after it is made.

    `skipped` counts the map objects that could not be used, by what is wrong with them.
    """

    synthetic = False

    def __init__(self, name: str, config: MapFiles, regions: Sequence[Region]) -> None:
        """Read the files.

        Args:
            name: of the source in the configuration.
            config: its section.
            regions: only what lies within their bounds and 500 m around is kept.

        Raises:
            ConfigError: naming every file that cannot be read and what is wrong with it.
        """
        self.name = name
        self.skipped: Counter[str] = Counter()
        self._config = config
        wanted = window.Window.of_regions(regions, MARGIN_M)
        found: dict[str, Feature] = {}
        dates: list[datetime] = []
        problems: list[Problem] = []
        digests: list[str] = []
        for path in config.files:
            try:
                extract = _read(path, wanted)
                # Files may overlap: what has the same id is the same thing.
                for feature in features_of(extract.elements, wanted, self.skipped):
                    found.setdefault(feature.feature_id, feature)
                digests.append(_digest(path))
            except ConfigError as error:
                problems += error.problems
            else:
                dates += [extract.extracted_at] if extract.extracted_at else []
        stated = as_utc(config.extracted_on) if config.extracted_on else None
        if config.extracted_on and stated is None:
            problems.append(
                Problem(f"sources.map.{name}.extracted_on", repr(config.extracted_on), "a date such as 2026-07-20")
            )
        if problems:
            raise ConfigError(problems)
        if self.skipped:
            log.warning(
                "map source %s: left out %s", name, ", ".join(f"{n} ({why})" for why, n in self.skipped.items())
            )
        self._extracted_at = min(dates) if dates else stated  # the oldest: the map is at least as new as this
        self._features = without_crowds([*found.values(), *junctions(list(found.values()))])
        self._tree = shapely.STRtree([feature.geometry for feature in self._features])
        settings = [VERSION, sorted(digests), config.model_dump(mode="json", exclude={"files"}), wanted.boxes]
        self._fingerprint = hashlib.blake2b(json.dumps(settings).encode(), digest_size=16).hexdigest()

    def fingerprint(self) -> str:
        """Of the files' contents, the settings and the area kept; see `pipeline.sources.base.Source`."""
        return self._fingerprint

    def around(self, point: Point, radius_m: float) -> list[MapFact]:
        """Things within a radius, nearest first; see `pipeline.sources.base.MapSource`."""
        return facts(self._near(point, radius_m), point, radius_m)

    def chip(self, point: Point, size_px: int, gsd_m: float) -> RasterChip:
        """The map drawn in the aerial chip's frame and scale; see `pipeline.sources.base.MapSource`.

        Raises:
            SiteError: EMPTY_MAP if no feature lies in the chip, NO_OVERLAP if none lies within 500 m of the point.
        """
        half = size_px * gsd_m / 2
        near = self._near(point, half * np.sqrt(2.0))
        shapes = in_frame(near, LocalFrame(point.lat, point.lon)) if near else []
        frame = shapely.box(-half, -half, half, half)
        seen = shapely.intersects(np.array(shapes, dtype=object), frame)
        visible = [i for i in np.flatnonzero(seen) if near[i].kind != "junction"]
        if not visible:
            raise self._nothing(point, size_px * gsd_m)
        pixels = draw(
            [near[i] for i in visible], [shapes[i] for i in visible], size_px, gsd_m, labels=self._config.labels
        )
        return RasterChip(
            pixels=pixels,
            covered=1.0,
            source_id=" ".join(path.name for path in self._config.files),
            author=self._config.author,
            licence=self._config.licence,
            link=self._config.link,
            captured_at=self._extracted_at,
        )

    def _near(self, point: Point, radius_m: float) -> list[Feature]:
        """Features whose bounds come near a point, in the order they were read."""
        boxes = [shapely.box(*box) for box in window.around(point.lat, point.lon, radius_m)]
        return [self._features[i] for i in np.unique(self._tree.query(boxes)[1])]

    def _nothing(self, point: Point, width_m: float) -> SiteError:
        near = self._near(point, MARGIN_M)
        distances = shapely.distance(shapely.Point(0, 0), in_frame(near, LocalFrame(point.lat, point.lon)))
        if near and distances.min() <= MARGIN_M:
            return SiteError(Reason.EMPTY_MAP, f"{self.name}: no feature within the {width_m:.0f} m wide chip")
        return SiteError(Reason.NO_OVERLAP, f"{self.name}: no feature within {MARGIN_M:.0f} m of the site")


def _read(path: Path, wanted: window.Window) -> Extract:
    name = path.name.lower()
    if name.endswith(_OSM):
        return read_osm(path)
    if name.endswith(_PARQUET):
        return read_geoparquet(path, wanted)
    if not name.endswith(_JSON):
        allowed = ", ".join(chain(_OSM, _JSON, _PARQUET))
        raise ConfigError([Problem(str(path), f"an unknown format ({''.join(path.suffixes) or 'no suffix'})", allowed)])
    document = _json(path)
    return (
        read_geojson(path, document) if document.get("type") == "FeatureCollection" else read_overpass(path, document)
    )


def _json(path: Path) -> dict[str, Any]:
    opener: Any = {".gz": gzip.open, ".bz2": bz2.open}.get(path.suffix.lower(), open)
    try:
        with opener(path, "rb") as file:
            document = json.load(file)
    except (OSError, EOFError, zlib.error) as error:
        raise ConfigError([Problem(str(path), f"a file that cannot be read ({error})", "a whole file")]) from error
    except (ValueError, RecursionError) as error:
        raise ConfigError([Problem(str(path), f"broken JSON ({error})", "Overpass JSON or GeoJSON")]) from error
    if not isinstance(document, dict):
        raise ConfigError([Problem(str(path), f"JSON that is a {type(document).__name__}", "an object")])
    return document


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
