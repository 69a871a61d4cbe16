"""Base of the map sources: features held in memory, and facts, chips and roads made from them."""

import logging
import threading
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import shapely

from pipeline.cartography.carto import draw_carto
from pipeline.cartography.draw import draw
from pipeline.cartography.existence import Trust
from pipeline.cartography.facts import facts, without_crowds
from pipeline.cartography.features import Feature, as_utc
from pipeline.cartography.junctions import junctions
from pipeline.cartography.sight import in_frame
from pipeline.config.region import Region
from pipeline.config.sources import MapFiles, Overpass, Overture, PmtilesMap
from pipeline.errors import Problem, SiteError
from pipeline.geo import window
from pipeline.geo.frame import LocalFrame
from pipeline.geo.point import Point
from pipeline.sources.base import RasterChip, Road
from schemas.reasons import Reason
from schemas.records import FactKind, MapFact

log = logging.getLogger(__name__)

VERSION = 5
"""Raised whenever the same features would give other facts or another picture."""

MapSection = MapFiles | Overture | Overpass | PmtilesMap


class FeatureStore:
    """Features of some area, with the junctions among them. Nothing changes after it is made."""

    def __init__(self, features: Sequence[Feature], extracted_at: datetime | None, source_id: str) -> None:
        """Find the junctions and build the index.

        Args:
            features: each once.
            extracted_at: date of the data, if it says so.
            source_id: what the features come from, for the chip's credits.
        """
        self.extracted_at = extracted_at
        self.source_id = source_id
        self.features = without_crowds([*features, *junctions(features)])
        self._tree = shapely.STRtree([feature.geometry for feature in self.features])

    def __len__(self) -> int:
        return len(self.features)

    def near(self, point: Point, radius_m: float) -> list[Feature]:
        """Features whose bounds come near a point, in the order they were given."""
        boxes = [shapely.box(*box) for box in window.around(point.lat, point.lon, radius_m)]
        return [self.features[i] for i in np.unique(self._tree.query(boxes)[1])]


@dataclass(frozen=True)
class Stated:
    """The configuration's statements about a map."""

    extracted_at: datetime | None
    problems: tuple[Problem, ...]

    @classmethod
    def of(cls, name: str, section: MapSection) -> "Stated":
        """Read `extracted_on`."""
        if section.extracted_on is None:
            return cls(None, ())
        date = as_utc(section.extracted_on)
        where = f"sources.map.{name}.extracted_on"
        return cls(date, () if date else (Problem(where, repr(section.extracted_on), "a date such as 2026-07-20"),))


class FeatureMap(ABC):
    """A map source whose features are held in memory, all of them or those around the last points asked for."""

    synthetic = False

    def __init__(self, name: str, section: MapSection, extracted_at: datetime | None) -> None:
        """Keep what all have.

        Args:
            name: of the source in the configuration.
            section: its section.
            extracted_at: date of the map's data where the data does not say it.
        """
        self.name = name
        self.left_out: Counter[str] = Counter()
        """Features that were read and not used, by why. One in several cells that were read counts in each."""
        self._section = section
        self._extracted_at = extracted_at
        self._counting = threading.Lock()

    @abstractmethod
    def store(self, point: Point, radius_m: float) -> FeatureStore:
        """A store with at least all features that come within a radius of a point.

        Raises:
            SiteError: NO_OVERLAP where the map ends before the point, or a reason of the network.
        """

    @abstractmethod
    def charted(self) -> frozenset[FactKind]:
        """The kinds of fact that it has a layer of; see `pipeline.sources.base.MapSource`."""

    def around(self, point: Point, radius_m: float) -> list[MapFact]:
        """Things within a radius, nearest first; see `pipeline.sources.base.MapSource`."""
        return facts(self.store(point, radius_m).near(point, radius_m), point, radius_m)

    def chip(self, point: Point, size_px: int, gsd_m: float) -> RasterChip:
        """The map in the frame and at the scale asked for; see `pipeline.sources.base.MapSource`.

        Raises:
            SiteError: EMPTY_MAP if no feature lies in the chip, NO_OVERLAP if the map does not reach it.
        """
        half = size_px * gsd_m / 2
        store = self.store(point, half * np.sqrt(2.0))
        near = [feature for feature in store.near(point, half * np.sqrt(2.0)) if feature.kind != "junction"]
        shapes = in_frame(near, LocalFrame(point.lat, point.lon)) if near else []
        seen = shapely.intersects(np.array(shapes, dtype=object), shapely.box(-half, -half, half, half))
        visible = np.flatnonzero(seen).tolist()
        if all(near[i].background for i in visible):
            raise self._nothing(point, size_px * gsd_m)
        drawn = [near[i] for i in visible], [shapes[i] for i in visible]
        labels = self._section.labels
        if self._section.style == "carto":
            pixels = draw_carto(*drawn, size_px, gsd_m, lat=point.lat, labels=labels)
        else:
            pixels = draw(*drawn, size_px, gsd_m, labels=labels)
        credits_ = self._section.credits
        return RasterChip(
            pixels=pixels,
            covered=1.0,
            source_id=store.source_id,
            author=credits_.author,
            licence=credits_.licence,
            link=credits_.link,
            captured_at=store.extracted_at or self._extracted_at,
        )

    def _trust(self, extracted_at: datetime | None) -> Trust:
        """How far data of some date is believed; `None` is the date that is stated for the whole map, or else today."""
        as_of = extracted_at or self._extracted_at or datetime.now(UTC)
        section = self._section
        return Trust(as_of.date(), section.min_confidence if isinstance(section, MapFiles | Overture) else 0.0)

    def _note(self, left_out: Counter[str]) -> None:
        """Count what was left out, and log each reason once."""
        with self._counting:
            new = sorted(left_out.keys() - self.left_out.keys())
            self.left_out.update(left_out)
        if new:
            told = ", ".join(f"{left_out[why]} ({why})" for why in new)
            log.warning("map source %s: left out %s", self.name, told)

    def _nothing(self, _: Point, width_m: float) -> SiteError:
        """Why a chip would be empty."""
        return SiteError(Reason.EMPTY_MAP, f"{self.name}: no feature within the {width_m:.0f} m wide chip")


def roads_of(features: Iterable[Feature], region: Region) -> Iterator[Road]:
    """The roads that come near a region's bounds, by id. Sidewalks, crossings, driveways and aisles are left out.

    A road of several pieces gives one `Road` a piece: `osm:w12`, `osm:w12#1`, ...
    """
    known = sorted(
        (feature for feature in features if feature.kind == "road" and feature.shape == "line" and feature.told),
        key=lambda feature: feature.feature_id,
    )
    if not known:
        return
    bounds = shapely.bounds([feature.geometry for feature in known])
    inside = window.Window.of([region.bounds()], 0.0).meets(bounds)
    for i in np.flatnonzero(inside):
        for piece, line in enumerate(shapely.get_parts(known[i].geometry)):
            lon, lat = shapely.get_coordinates(line).T
            road_id = f"{known[i].feature_id}#{piece}" if piece else known[i].feature_id
            yield Road(road_id, known[i].category, np.ascontiguousarray(lon), np.ascontiguousarray(lat))
