"""Positions of photos: brought into range, doubted where impossible, sorted by distance."""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice

import numpy as np
from pyproj import Geod

from pipeline.config.region import Region
from pipeline.geo.point import Point
from pipeline.sources.base import Photo
from schemas.reasons import Reason

log = logging.getLogger(__name__)

FAR_M = 1_000.0
"""A photo this much further off than what was asked for is not where the source says. Nearer ones are what providers
give when they round a box; they are left out without a word."""
_AT_ONCE = 10_000
"""A city's photos are millions: so many are looked at together."""

_GEOD = Geod(ellps="WGS84")

Fault = tuple[Reason, str]


def position(lat: float, lon: float) -> tuple[Point, Fault | None]:
    """A position as a source gives it, its longitude, if a turn off, brought back, and what is wrong with it.

    A latitude or longitude that no place has leaves the position at 0, 0.
    """
    if abs(lat) > 90 or abs(lon) > 540:
        return Point(0.0, 0.0), (Reason.BAD_POSITION, f"{lat:g}, {lon:g} is no place")
    if lat == 0 and lon == 0:
        return Point(0.0, 0.0), (Reason.BAD_POSITION, "0, 0")
    return Point(lat, lon if abs(lon) <= 180 else (lon + 180.0) % 360.0 - 180.0), None


def near_first(photos: Iterable[Photo], point: Point, radius_m: float) -> list[Photo]:
    """Photos within a radius in metres, nearest first, ties by id, each id once.

    Those that the source places where they cannot be stay, as unusable.
    """
    found = list(photos)
    lat = np.array([photo.position.lat for photo in found], float)
    lon = np.array([photo.position.lon for photo in found], float)
    distances = _GEOD.inv(np.full_like(lon, point.lon), np.full_like(lat, point.lat), lon, lat)[2]
    kept: dict[str, Photo] = {}
    for _, _, i in sorted((distance, found[i].source_id, i) for i, distance in enumerate(distances.tolist())):
        photo, distance = found[i], float(distances[i])
        if photo.unusable is None and distance > radius_m + FAR_M:
            photo = replace(photo, unusable=(Reason.BAD_POSITION, _far(photo.position, point, distance)))
        misplaced = photo.unusable is not None and photo.unusable[0] is Reason.BAD_POSITION
        if distance <= radius_m or misplaced:
            kept.setdefault(photo.source_id, photo)
    return list(kept.values())


def of_region(photos: Iterable[Photo], region: Region, source: str) -> Iterator[Photo]:
    """Photos that lie in a region, each id once. Those placed where they cannot be are logged."""
    asked, misplaced = 0, 0
    seen: set[str] = set()
    rest = iter(photos)
    while part := list(islice(rest, _AT_ONCE)):
        asked += len(part)
        misplaced += sum(photo.unusable is not None for photo in part)
        lon = np.array([photo.position.lon for photo in part], float)
        inside = region.contains(lon, np.array([photo.position.lat for photo in part], float))
        for photo, there in zip(part, inside.tolist(), strict=True):
            if there and photo.unusable is None and photo.source_id not in seen:
                seen.add(photo.source_id)
                yield photo
    if misplaced:
        message = "%s: %d of %d photos requested in %s have an impossible position"
        log.warning(message, source, misplaced, asked, region.name)


def _far(position: Point, point: Point, distance: float) -> str:
    text = f"{position.lat:g}, {position.lon:g}, {distance / 1000:,.0f} km from what was asked for"
    if abs(position.lon) <= 90 and _GEOD.inv(point.lon, point.lat, position.lat, position.lon)[2] <= FAR_M:
        text += "; latitude and longitude are swapped"
    return text
