"""Mapillary: the Graph API, its vector tiles, and picture addresses that expire.

Documented: fields, the area and number that a box search allows, that it does not page, code 190 under status 500, the
tiles' layers. Unchecked: the bodies for a box that is too large and for limits, status 400 with code 100, how long
picture addresses hold, and what they look like.
"""

import json
import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from tools.dev.standin import vector
from tools.dev.standin.faults import Fault, Part, Provider
from tools.dev.standin.library import Shot, flawed
from tools.dev.standin.scene import Scene
from tools.dev.standin.web import Ask, Refused, Reply, Route, json_reply, numbers

GRAPH, TILES = "/mapillary/graph", "/mapillary/tiles"
MOST = 2_000
MOST_DEG2 = 0.01
_SIZES: dict[str, int | None] = {"256": 256, "1024": 1_024, "2048": 2_048, "original": None}
_MVT = "application/x-protobuf"

Field = Callable[[Scene, Shot], Any]


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _point(shot: Shot) -> dict[str, Any]:
    return {"type": "Point", "coordinates": [shot.lon, shot.lat]}


def _focal(shot: Shot) -> float:
    """Focal length in units of the longer side, from the field of view."""
    return round(0.5 / math.tan(math.radians((shot.hfov or 70.0) / 2)), 4)


def _thumb(size: str) -> Field:
    return lambda scene, shot: scene.thumbs.address(scene.pictures, shot.mapillary_id, size)


_FIELDS: dict[str, Field] = {
    "id": lambda _, shot: int(shot.mapillary_id) if shot.oddity is Fault.ID_TYPES else shot.mapillary_id,
    "altitude": lambda _, shot: shot.altitude,
    "atomic_scale": lambda _scene, _shot: 1.0,
    "camera_parameters": lambda _, shot: None if shot.panorama else [_focal(shot), 0.0, 0.0],
    "camera_type": lambda _, shot: "spherical" if shot.panorama else "perspective",
    "captured_at": lambda _, shot: _milliseconds(shot.taken),
    "compass_angle": lambda _, shot: shot.heading,
    "computed_altitude": lambda _, shot: shot.altitude,
    "computed_compass_angle": lambda _, shot: shot.heading,
    "computed_geometry": lambda _, shot: _point(shot),
    "creator": lambda _, shot: {"username": shot.author, "id": str(sum(shot.author.encode()) + 10**14)},
    "exif_orientation": lambda _scene, _shot: 1,
    "geometry": lambda _, shot: _point(shot),
    "height": lambda _, shot: shot.height,
    "is_pano": lambda _, shot: shot.panorama,
    "make": lambda _scene, _shot: "geoscribe",
    "model": lambda _scene, _shot: "Stand-in",
    "quality_score": lambda _, shot: round(int(shot.mapillary_id) % 100 / 100, 2),
    "on_foot": lambda _scene, _shot: False,
    "sequence": lambda _, shot: shot.mapillary_sequence,
    "width": lambda _, shot: shot.width,
    **{f"thumb_{size}_url": _thumb(size) for size in _SIZES},
}
_ALWAYS_THERE = frozenset({"id", "geometry", "captured_at", "is_pano", "sequence"}) | {
    f"thumb_{size}_url" for size in _SIZES
}


def images(ask: Ask) -> Reply:
    """A search: by box without pages, or of one contributor with pages."""
    _authorise(ask)
    limit = numbers(ask.query.get("limit", str(MOST)), 1)
    if limit is None or not 1 <= limit[0] <= MOST:
        raise _refusal(400, 100, f"Invalid parameter: limit must be between 1 and {MOST}")
    count = int(limit[0])
    contributor = ask.query.get("creator_username")
    if "bbox" in ask.query:
        shots = ask.scene.library.within(*_box(ask.query["bbox"]))
    elif contributor is not None:
        shots = sorted(ask.scene.library.shots, key=lambda shot: shot.mapillary_id)
    else:
        raise _refusal(400, 100, "Invalid parameter: bbox or creator_username is required")
    found = [shot for shot in shots if _fits(ask, shot)]
    first = _first(ask) if "bbox" not in ask.query else 0
    page = ask.scene.told(ask.fault, Provider.MAPILLARY, found[first:])[:count]
    document: dict[str, Any] = {"data": [_shown(ask, shot) for shot in page]}
    if ask.fault is Fault.PAGING_LOOP:
        document["paging"] = _paging(ask, "again")
    elif "bbox" not in ask.query and first + count < len(found):
        document["paging"] = _paging(ask, str(first + count))
    return json_reply(document)


def image_ids(ask: Ask) -> Reply:
    """The ids of a sequence's photos, in order."""
    _authorise(ask)
    wanted = ask.query.get("sequence_id")
    shots = [shot for shot in ask.scene.library.shots if shot.mapillary_sequence == wanted]
    return json_reply(
        {"data": [{"id": shot.mapillary_id} for shot in ask.scene.told(ask.fault, Provider.MAPILLARY, shots)]}
    )


def image(ask: Ask) -> Reply:
    """One photo."""
    _authorise(ask)
    shot = ask.scene.library.get(f"mapillary/{ask.names['id']}")
    if shot is None:
        message = f"Unsupported get request. Object with ID '{ask.names['id']}' does not exist"
        raise Refused(graph_error(400, 100, message, error_subcode=33))
    return json_reply(_shown(ask, flawed(shot, ask.scene.dealer.item(Provider.MAPILLARY, shot.mapillary_id))))


def tile(ask: Ask) -> Reply:
    """A vector tile: an overview up to zoom 5, sequences from 6 to 14, images at 14."""
    _authorise(ask)
    number = vector.tile_number(ask)
    if number is None or number.z > 14:
        return Reply(b"", "text/plain", 404)
    shots = [] if ask.fault is Fault.EMPTY else ask.scene.library.within(*vector.reach(number))
    layers: list[vector.Layer] = []
    if number.z <= 5:
        layers.append(("overview", [(vector.point(shot.lon, shot.lat), _tags(shot)) for shot in shots[:100]]))
    else:
        drives = {shot.drive: shot for shot in shots}
        lines = []
        for name, shot in drives.items():
            tags = {key: value for key, value in _tags(shot).items() if key not in {"sequence_id", "compass_angle"}}
            lines.append((vector.line(ask.scene.library.drive(name)), tags | {"id": shot.mapillary_sequence}))
        layers.append(("sequence", lines))
    if number.z == 14:
        layers.append(("image", [(vector.point(shot.lon, shot.lat), _tags(shot)) for shot in shots]))
    return Reply(vector.encode(number, layers), _MVT, max_age_s=3_600)


def thumb(ask: Ask) -> Reply:
    """A picture, as long as its address holds."""
    refused = ask.scene.thumbs.refusal(ask.names["name"], ask.query, ask.fault)
    if refused:
        return Reply(refused.encode(), "text/plain", 403)
    photo_id, _, size = ask.names["name"].removesuffix(".jpg").partition("_")
    shot = ask.scene.library.get(f"mapillary/{photo_id}")
    assert shot is not None  # the address is signed
    return Reply(ask.scene.library.picture(shot, _SIZES[size]), "image/jpeg", max_age_s=1_209_600)


def graph_error(status: int, code: int, message: str, **more: int) -> Reply:
    """An error of the Graph API."""
    error = {"message": message, "type": "MLYApiException", "code": code, **more, "fbtrace_id": "Astandin000000000000"}
    return json_reply({"error": error}, status=status, content_type="application/json; charset=UTF-8")


def _tags(shot: Shot) -> vector.Tags:
    return {
        "captured_at": _milliseconds(shot.taken),
        "compass_angle": shot.heading or 0.0,
        "id": int(shot.mapillary_id),
        "sequence_id": shot.mapillary_sequence,
        "is_pano": shot.panorama,
    }


def _authorise(ask: Ask) -> None:
    scheme, _, token = ask.headers.get("authorization", "").partition(" ")
    given = token if scheme == "OAuth" else ask.query.get("access_token", "")
    if given != ask.scene.key:
        raise _refusal(500, 190, "Invalid OAuth 2.0 Access Token")


def _box(text: str) -> tuple[float, ...]:
    box = numbers(text, 4)
    if box is None or box[0] >= box[2] or box[1] >= box[3] or max(map(abs, box[::2])) > 180 or max(map(abs, box)) > 180:
        raise _refusal(400, 100, "Invalid parameter: bbox must be minLon,minLat,maxLon,maxLat")
    if (box[2] - box[0]) * (box[3] - box[1]) >= MOST_DEG2:
        raise _refusal(400, 100, f"Invalid parameter: the area of bbox must be smaller than {MOST_DEG2} square degrees")
    return box


def _fits(ask: Ask, shot: Shot) -> bool:
    query = ask.query
    since, until = _moment(query.get("start_captured_at")), _moment(query.get("end_captured_at"))
    return (
        ("is_pano" not in query or (query["is_pano"] == "true") == shot.panorama)
        and ("creator_username" not in query or query["creator_username"] == shot.author)
        and ("sequence_ids" not in query or shot.mapillary_sequence in query["sequence_ids"].split(","))
        and (since is None or shot.taken >= since)
        and (until is None or shot.taken <= until)
    )


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise _refusal(400, 100, "Invalid parameter: captured_at must be ISO 8601") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _first(ask: Ask) -> int:
    after = ask.query.get("after", "0")
    if not after.isdecimal():
        raise _refusal(400, 100, "Invalid parameter: after")
    return int(after)


def _paging(ask: Ask, after: str) -> dict[str, Any]:
    """The next page's address carries the key, as the real one may: clients must not store it."""
    query = {name: value for name, value in ask.query.items() if name not in {"after", "access_token"}}
    query |= {"access_token": ask.scene.key, "after": after}
    address = f"{ask.scene.api}{ask.path}?" + "&".join(f"{name}={value}" for name, value in query.items())
    return {"cursors": {"before": ask.query.get("after", "0"), "after": after}, "next": address}


def _shown(ask: Ask, shot: Shot) -> dict[str, Any]:
    """The fields that are asked for, and the id. A missing one is no key."""
    wanted = ["id", *(name.strip().partition("{")[0] for name in ask.query.get("fields", "").split(","))]
    shown = {name: _FIELDS[name](ask.scene, shot) for name in wanted if name in _FIELDS}
    if shot.oddity is Fault.MISSING_KEYS:
        shown = {name: value for name, value in shown.items() if name in _ALWAYS_THERE}
    return {name: value for name, value in shown.items() if value is not None}


def _meant_by_thumb(ask: Ask) -> str:
    return f"mapillary picture {ask.names['name']}"


def _meant_by_search(ask: Ask) -> str:
    """The search without its page: the pages of a loop are one request."""
    return json.dumps(
        sorted((name, value) for name, value in ask.query.items() if name not in {"after", "access_token"})
    )


def _refusal(status: int, code: int, message: str) -> Refused:
    return Refused(graph_error(status, code, message))


ROUTES = [
    Route("GET", f"{GRAPH}/images", Provider.MAPILLARY, Part.LISTING, images, _meant_by_search),
    Route("GET", f"{GRAPH}/image_ids", Provider.MAPILLARY, Part.LISTING, image_ids),
    Route("GET", f"{GRAPH}/{{id}}", Provider.MAPILLARY, Part.ENTITY, image),
    Route("GET", f"{TILES}/maps/vtp/mly1_public/2/{{z}}/{{x}}/{{y}}", Provider.MAPILLARY, Part.VECTOR, tile),
    Route("GET", "/fbcdn/v/{name}", Provider.MAPILLARY, Part.PICTURE, thumb, _meant_by_thumb, pictures=True),
]
