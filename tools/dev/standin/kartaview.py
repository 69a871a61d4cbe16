"""KartaView: photos by box or around a point (API 1.0), and the picture CDN.

Documented by its users: fields, numbers as strings, pages, `apiCode` 600, the CDN's addresses and that the storage
hosts themselves answer 502. Unchecked: `apiCode` 601 for no photos, the limits of `ipp`, the body of a refusal.
"""

import base64
import binascii
from typing import Any

from pipeline.geo.point import Point
from tools.dev.standin.faults import Fault, Part, Provider
from tools.dev.standin.library import Shot
from tools.dev.standin.web import HTML, Ask, Refused, Reply, Route, json_reply, numbers

ROOT = "/kartaview"
MOST_A_PAGE = 1_000
_PREFIX = "storage6/files/photo/"
_STORE = "https://storage6.openstreetcam.org/files/photo/"


def nearby_photos(ask: Ask) -> Reply:
    """A page of the flat photos in a box, or around a point."""
    form = ask.form
    per_page, page = numbers(form.get("ipp", "100"), 1), numbers(form.get("page", "1"), 1)
    if per_page is None or page is None or not 1 <= per_page[0] <= MOST_A_PAGE or page[0] < 1:
        raise _refusal("Invalid ipp or page")
    count, first = int(per_page[0]), (int(page[0]) - 1) * int(per_page[0])
    shots = ask.scene.told(ask.fault, Provider.KARTAVIEW, [shot for shot in _found(ask, form) if not shot.panorama])
    if ask.fault is Fault.PAGING_LOOP and shots:
        shown = [shots[n % len(shots)] for n in range(count)]
        return _page(shown, len(shots) + first + count)
    return _page(shots[first : first + count], len(shots))


def picture(ask: Ask) -> Reply:
    """A photo's bytes, by the CDN's proxy of the address where it is stored."""
    coded = ask.names["address"]
    try:
        address = base64.urlsafe_b64decode(coded + "=" * (-len(coded) % 4)).decode("ascii")
    except (binascii.Error, UnicodeDecodeError):
        address = ""
    photo_id = address.removeprefix(_STORE).removesuffix(".jpg").rpartition("_")[2]
    shot = ask.scene.library.get(f"kartaview/{photo_id}")
    if shot is None or not address.startswith(_STORE):
        raise Refused(Reply(b"Not Found", "text/plain", 404))
    return Reply(ask.scene.library.picture(shot), "image/jpeg", max_age_s=31_536_000)


def stored(_: Ask) -> Reply:
    """The storage host, which answers no more."""
    return Reply(b"<html><head><title>502 Bad Gateway</title></head></html>", HTML, 502)


def _found(ask: Ask, form: dict[str, str]) -> list[Shot]:
    if "bbTopLeft" in form:
        north_west = numbers(form["bbTopLeft"], 2)
        south_east = numbers(form.get("bbBottomRight", ""), 2)
        if north_west is None or south_east is None or north_west[0] <= south_east[0]:
            raise _refusal("Invalid bounding box")
        return ask.scene.library.within(north_west[1], south_east[0], south_east[1], north_west[0])
    place = numbers(f"{form.get('lat', '')},{form.get('lng', '')},{form.get('radius', '')}", 3)
    if place is None or abs(place[0]) > 90 or abs(place[1]) > 180 or not 0 < place[2] <= 10_000:
        raise _refusal("bbTopLeft and bbBottomRight, or lat, lng and radius, are required")
    return [shot for _, shot in ask.scene.library.near(Point(place[0], place[1]), place[2])]


def _page(shots: list[Shot], total: int) -> Reply:
    code, message = ("600", "The request has been processed without incidents") if shots else ("601", "Empty response")
    status = {"apiCode": code, "apiMessage": message, "httpCode": 200, "httpMessage": "Success"}
    items = [_item(shot) for shot in shots]
    document = {"status": status, "currentPageItems": items, "totalFilteredItems": [str(total)]}
    return json_reply(document)


def _item(shot: Shot) -> dict[str, Any]:
    taken = f"{shot.taken:%Y-%m-%d %H:%M:%S}"
    name = f"{shot.taken:%Y/%-m/%-d}/proc/{shot.kartaview_sequence}_{shot.kartaview_id}.jpg"
    item: dict[str, Any] = {
        "id": int(shot.kartaview_id) if shot.oddity is Fault.ID_TYPES else shot.kartaview_id,
        "sequence_id": shot.kartaview_sequence,
        "sequence_index": str(shot.rank),
        "lat": str(shot.lat),
        "lng": str(shot.lon),
        "name": _PREFIX + name,
        "lth_name": _PREFIX + name.replace("/proc/", "/lth/"),
        "th_name": _PREFIX + name.replace("/proc/", "/th/"),
        "date_added": taken,
        "shot_date": taken,
        "timestamp": taken,
        "heading": "" if shot.heading is None else str(shot.heading),
        "username": shot.author,
    }
    if shot.oddity is Fault.MISSING_KEYS:
        item = {key: item[key] for key in ("id", "lat", "lng", "name")}
    return item


def _refusal(message: str) -> Refused:
    status = {"apiCode": "400", "apiMessage": message, "httpCode": 400, "httpMessage": "Bad Request"}
    return Refused(json_reply({"status": status}, status=400))


ROUTES = [
    Route("POST", f"{ROOT}/1.0/list/nearby-photos/", Provider.KARTAVIEW, Part.LISTING, nearby_photos),
    Route("GET", f"{ROOT}/pr:sharp/{{address}}", Provider.KARTAVIEW, Part.PICTURE, picture),
    Route("GET", "/pr:sharp/{address}", Provider.KARTAVIEW, Part.PICTURE, picture, pictures=True),
    Route("GET", "/files/photo/{path:.+}", Provider.KARTAVIEW, Part.PICTURE, stored, pictures=True),
]
