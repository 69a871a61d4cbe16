"""Google Street View: the metadata question, as its reference documents it (errors under status 200: unchecked)."""

from typing import Any

from pipeline.geo.point import Point
from tools.dev.standin.faults import Part, Provider
from tools.dev.standin.web import Ask, Reply, Route, json_reply, numbers

ROOT = "/google/maps/api/streetview"


def metadata(ask: Ask) -> Reply:
    """The panorama nearest to a place."""
    if ask.query.get("key") != ask.scene.key:
        return json_reply({"status": "REQUEST_DENIED", "error_message": "The provided API key is invalid."})
    place = numbers(ask.query.get("location", ""), 2)
    radius = numbers(ask.query.get("radius", "50"), 1)
    if place is None or radius is None or abs(place[0]) > 90 or abs(place[1]) > 180:
        return json_reply({"status": "INVALID_REQUEST"})
    near = ask.scene.library.near(Point(*place), radius[0])
    shot = next((shot for _, shot in near if shot.panorama), None)
    if shot is None:
        return json_reply({"status": "ZERO_RESULTS"})
    document: dict[str, Any] = {
        "copyright": "© geoscribe stand-in",
        "date": f"{shot.taken:%Y-%m}",
        "location": {"lat": shot.lat, "lng": shot.lon},
        "pano_id": shot.mapillary_sequence,
        "status": "OK",
    }
    return json_reply(document)


ROUTES = [Route("GET", f"{ROOT}/metadata", Provider.GOOGLE, Part.ENTITY, metadata)]
