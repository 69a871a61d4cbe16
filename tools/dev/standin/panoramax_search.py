"""Reads what a search of Panoramax asks for, by query or by JSON body.

After geovisio 2.15 (documented). The width of `place_fov_tolerance` on each side, and boxes across the antimeridian
(west > east): (unchecked).
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import shapely
from shapely.errors import GEOSException

from pipeline.geo.frame import LocalFrame, bearing_deg
from pipeline.geo.point import Point
from tools.dev.standin.library import Shot, distances_m
from tools.dev.standin.scene import Scene
from tools.dev.standin.web import Ask, Refused, Reply, json_reply, numbers

MOST = 10_000
_DISTANCE_M, _TOLERANCE_DEG = "3-15", 30.0


@dataclass(frozen=True)
class Wanted:
    """Photos that a search is for."""

    shots: list[Shot]
    """Nearest to the middle first, where a place is named."""
    limit: int


def wanted_by(ask: Ask) -> Wanted:
    """Read what a search wants.

    Raises:
        Refused: it cannot be understood.
    """
    if ask.method == "POST":
        if ask.headers.get("content-type") != "application/json":
            raise refusal("Search using POST method should have a JSON body")
        try:
            params = json.loads(ask.body)
        except ValueError:
            raise refusal("Search using POST method should have a JSON body") from None
        if not isinstance(params, dict):
            raise refusal("Search using POST method should have a JSON body")
    else:
        params = dict(ask.query)
    try:
        limit = int(params.get("limit", 10))
    except (TypeError, ValueError):
        limit = 0
    if not 1 <= limit <= MOST:
        raise refusal(f"limit parameter should be an integer between 1 and {MOST}")
    shots, centre = _placed(ask.scene, params)
    shots = _among(shots, params)
    if centre is not None:
        distances = distances_m(centre, shots)
        shots = [shots[n] for n in sorted(range(len(shots)), key=lambda n: (distances[n], shots[n].uuid))]
    return Wanted(shots, limit)


def _placed(scene: Scene, params: dict[str, Any]) -> tuple[list[Shot], Point | None]:
    """Photos of the place that is asked for, and its centre."""
    if "bbox" in params:
        box = _numbers(params["bbox"], 4)
        if box is None or box[1] > box[3] or max(abs(box[0]), abs(box[2])) > 180 or max(abs(box[1]), abs(box[3])) > 90:
            raise refusal("Parameter bbox must be in format [minX, minY, maxX, maxY]")
        west, south, east, north = box
        middle = west + ((east - west) % 360.0) / 2
        return scene.library.within(*box), Point((south + north) / 2, (middle + 180.0) % 360.0 - 180.0)
    if "intersects" in params:
        text = params["intersects"]
        try:
            shape = shapely.from_geojson(text if isinstance(text, str) else json.dumps(text))
        except (GEOSException, TypeError):
            raise refusal("Parameter intersects should contain a valid GeoJSON Geometry") from None
        shots = scene.library.within(*shape.bounds)
        inside = [shot for shot in shots if shape.intersects(shapely.Point(shot.lon, shot.lat))]
        return inside, Point(shape.centroid.y, shape.centroid.x)
    if "place_position" in params:
        return _looking_at(scene, params)
    return list(scene.library.shots), None


def _looking_at(scene: Scene, params: dict[str, Any]) -> tuple[list[Shot], Point]:
    """Photos that look at a place: within a distance, and towards it or all around."""
    place = _numbers(params["place_position"], 2)
    nearest, _, furthest = str(params.get("place_distance", _DISTANCE_M)).partition("-")
    reach = numbers(f"{nearest},{furthest or nearest}", 2)
    tolerance = numbers(str(params.get("place_fov_tolerance", _TOLERANCE_DEG)), 1)
    if place is None or abs(place[0]) > 180 or abs(place[1]) > 90 or reach is None:
        raise refusal("Parameter place_position must be in format [lon, lat]")
    if tolerance is None or not 2 <= tolerance[0] <= 180:
        raise refusal("Parameter place_fov_tolerance must be between 2 and 180 degrees")
    point = Point(place[1], place[0])
    found = []
    for distance, shot in scene.library.near(point, reach[1] if furthest else reach[0]):
        if furthest and distance < reach[0]:
            continue
        x, y = LocalFrame(shot.lat, shot.lon).to_metres(point.lon, point.lat)
        off = None if shot.heading is None else (bearing_deg(float(x), float(y)) - shot.heading + 180) % 360 - 180
        if shot.panorama or (off is not None and abs(off) <= tolerance[0] / 2):
            found.append(shot)
    return found, point


def _among(shots: list[Shot], params: dict[str, Any]) -> list[Shot]:
    """The photos with the ids, sequences and dates that are asked for."""
    ids, collections = _names(params.get("ids")), _names(params.get("collections"))
    since, until = _interval(params.get("datetime"))
    return [
        shot
        for shot in shots
        if (ids is None or shot.uuid in ids)
        and (collections is None or shot.collection in collections)
        and (since is None or shot.taken >= since)
        and (until is None or shot.taken <= until)
    ]


def _names(value: Any) -> set[str] | None:
    if value is None:
        return None
    names = value if isinstance(value, list) else str(value).strip("[]").replace('"', "").split(",")
    try:
        return {str(UUID(str(name).strip())) for name in names}
    except ValueError:
        raise refusal("Parameter ids and collections should be lists of UUIDs") from None


def _interval(value: Any) -> tuple[datetime | None, datetime | None]:
    if value is None:
        return None, None
    start, slash, end = str(value).partition("/")
    try:
        moments = [_moment(start), _moment(end if slash else start)]
    except ValueError:
        raise refusal("Parameter datetime is no date or interval") from None
    return moments[0], moments[1]


def _moment(text: str) -> datetime | None:
    if text in {"", ".."}:
        return None
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _numbers(value: Any, count: int) -> tuple[float, ...] | None:
    return numbers(",".join(map(str, value)) if isinstance(value, list) else str(value).strip("[]"), count)


def error(message: str, status: int) -> Reply:
    """An error of the API."""
    return json_reply({"message": message, "status_code": status}, status=status)


def refusal(message: str, status: int = 400) -> Refused:
    """An error to be raised."""
    return Refused(error(message, status))
