"""Panoramax: the federation's read API, and the picture hosts of its instances.

Shapes and limits: geovisio 2.15 and the federation's catalogue (documented). The list of instances beyond its ids,
names and addresses: (unchecked). Searches: `panoramax_search`.
"""

from typing import Any
from uuid import UUID

from tools.dev.standin import vector
from tools.dev.standin.faults import Fault, Part, Provider
from tools.dev.standin.library import INSTANCES, Shot, flawed
from tools.dev.standin.panoramax_search import refusal, wanted_by
from tools.dev.standin.scene import Scene
from tools.dev.standin.web import Ask, Reply, Route, json_reply

ROOT = "/panoramax/api"
SD_PX, THUMB_PX = 2_048, 500
GEOJSON = "application/geo+json"
_SIZES = {"hd": None, "sd": SD_PX, "thumb": THUMB_PX}
_UPDATED = "2025-06-01T08:00:00+00:00"


def root(ask: Ask) -> Reply:
    """The landing page of a STAC API."""
    here = ask.scene.api + ROOT
    links = [
        {"rel": "self", "type": "application/json", "href": f"{here}/"},
        {"rel": "root", "type": "application/json", "href": f"{here}/"},
        {"rel": "search", "type": GEOJSON, "href": f"{here}/search"},
        {"rel": "xyz", "type": "application/vnd.mapbox-vector-tile", "href": f"{here}/map/{{z}}/{{x}}/{{y}}.mvt"},
    ]
    return json_reply(
        {
            "stac_version": "1.0.0",
            "type": "Catalog",
            "id": "geoscribe-standin",
            "title": "A stand-in, not Panoramax: drawn pictures of made-up towns",
            "description": "A local server for tests",
            "conformsTo": [
                "https://api.stacspec.org/v1.0.0/core",
                "https://api.stacspec.org/v1.0.0/item-search",
                "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/geojson",
            ],
            "links": links,
        }
    )


def instances(ask: Ask) -> Reply:
    """The instances of the federation."""
    found = [
        {"id": _instance_id(name), "name": name, "url": _instance_url(ask.scene, name), "configuration": {}}
        for name in INSTANCES
    ]
    return json_reply({"instances": found})


def search(ask: Ask) -> Reply:
    """A search for photos."""
    wanted = wanted_by(ask)
    items = [
        _item(ask.scene, shot) for shot in ask.scene.told(ask.fault, Provider.PANORAMAX, wanted.shots)[: wanted.limit]
    ]
    links = [{"rel": "root", "type": "application/json", "href": f"{ask.scene.api}{ROOT}/"}]
    if ask.fault is Fault.PAGING_LOOP:
        query = "&".join(f"{name}={value}" for name, value in ask.query.items())
        links.append({"rel": "next", "type": GEOJSON, "href": f"{ask.scene.api}{ask.path}?{query}"})
    return json_reply({"type": "FeatureCollection", "features": items, "links": links}, content_type=GEOJSON)


def item(ask: Ask) -> Reply:
    """One photo."""
    shot = ask.scene.library.get(ask.names["item"])
    if shot is None or shot.collection != ask.names["collection"]:
        raise refusal("Item doesn't exist", 404)
    told = flawed(shot, ask.scene.dealer.item(Provider.PANORAMAX, shot.uuid))
    return json_reply(_item(ask.scene, told), content_type=GEOJSON)


def picture(ask: Ask) -> Reply:
    """A photo's bytes, at its instance."""
    name, _, suffix = ask.names["file"].partition(".")
    shot = ask.scene.library.get(ask.names["item"])
    if shot is None or shot.instance != ask.names["instance"] or name not in _SIZES or suffix != "jpg":
        raise refusal("Picture doesn't exist", 404)
    return Reply(ask.scene.library.picture(shot, _SIZES[name]), "image/jpeg", max_age_s=604_800)


def tile(ask: Ask) -> Reply:
    """A vector tile: pictures from zoom 15, sequences from 6, a grid below."""
    number = vector.tile_number(ask)
    if number is None or number.z > 15:
        raise refusal("Tile doesn't exist", 404)
    shots = [] if ask.fault is Fault.EMPTY else ask.scene.library.within(*vector.reach(number))
    layers: list[vector.Layer] = []
    if number.z >= 15:
        layers.append(("pictures", [(vector.point(shot.lon, shot.lat), _picture_tags(shot)) for shot in shots]))
    if number.z >= 6:
        drives = {shot.drive: shot for shot in shots}
        lines = [(vector.line(ask.scene.library.drive(name)), _sequence_tags(shot)) for name, shot in drives.items()]
        layers.append(("sequences", lines))
    elif shots:
        middle = vector.point(shots[0].lon, shots[0].lat)
        count = {"nb_pictures": len(shots), "nb_360_pictures": sum(shot.panorama for shot in shots)}
        layers.append(("grid", [(middle, count)]))
    return Reply(vector.encode(number, layers), "application/vnd.mapbox-vector-tile", max_age_s=3_600)


def _picture_tags(shot: Shot) -> vector.Tags:
    return {
        "id": shot.uuid,
        "ts": shot.taken.isoformat(),
        "heading": round(shot.heading or 0.0),
        "type": "equirectangular" if shot.panorama else "flat",
        "account_id": shot.account,
        "first_sequence": shot.collection,
        "model": "Stand-in",
    }


def _sequence_tags(shot: Shot) -> vector.Tags:
    return {"id": shot.collection, "account_id": shot.account, "date": shot.taken.date().isoformat()}


def _gps(shot: Shot) -> dict[str, str]:
    """Tags of position and direction, as the photo has them."""
    found = {"Exif.GPSInfo.GPSLatitudeRef": "N" if shot.lat >= 0 else "S"}
    return found if shot.heading is None else found | {"Exif.GPSInfo.GPSImgDirection": f"{shot.heading * 100:.0f}/100"}


def _item(scene: Scene, shot: Shot) -> dict[str, Any]:
    here, instance = scene.api + ROOT, _instance_url(scene, shot.instance)
    collection, self_link = f"{here}/collections/{shot.collection}", f"collections/{shot.collection}/items/{shot.uuid}"
    pictures = f"{instance}/api/pictures/{shot.uuid}"
    old = shot.instance == "old-server"
    properties: dict[str, Any] = {
        "datetime": shot.taken.isoformat(),
        "datetimetz": shot.taken.isoformat(),
        "created": _UPDATED,
        "updated": _UPDATED,
        "license": shot.licence,
        "view:azimuth": shot.heading,
        "pers:interior_orientation": {
            "camera_manufacturer": "geoscribe",
            "camera_model": "Stand-in",
            "field_of_view": None if shot.hfov is None else round(shot.hfov),
            "sensor_array_dimensions": [shot.width, shot.height],
        },
        "pers:pitch": 0.0,
        "pers:roll": 0.0,
        "geovisio:status": "ready",
        "geovisio:producer": shot.author,
        "geovisio:rank_in_collection": shot.rank,
        "geovisio:image": f"{pictures}/hd.jpg",
        "geovisio:thumbnail": f"{pictures}/thumb.jpg",
        "original_file:name": f"{shot.rank:05d}.jpg",
        "panoramax:horizontal_pixel_density": round(shot.width / shot.hfov) if shot.hfov else None,
        "exif": {"Exif.Image.Make": "geoscribe", "Exif.Image.Model": "Stand-in", **_gps(shot)},
        "quality:horizontal_accuracy": 4.0,
        "semantics": [],
        "annotations": [],
    }
    if shot.oddity is Fault.MISSING_KEYS:
        kept = ("datetime", "license", "geovisio:producer", "pers:interior_orientation")
        properties = {key: properties[key] for key in kept}
        properties["pers:interior_orientation"] = {"field_of_view": 360} if shot.panorama else {}
    position = [shot.lon, shot.lat]
    sizes = {"hd": "Photo, as it was taken", "sd": f"{SD_PX} px wide", "thumb": f"{THUMB_PX} px wide"}
    roles = {"hd": "data", "sd": "visual", "thumb": "thumbnail"}
    document = {
        "type": "Feature",
        "stac_version": "1.0.0-rc.2" if old else "1.0.0",
        "stac_extensions": [
            "https://stac-extensions.github.io/view/v1.0.0/schema.json",
            "https://stac-extensions.github.io/perspective-imagery/v1.0.0/schema.json",
        ],
        "id": shot.uuid,
        "geometry": {"type": "Point", "coordinates": position},
        "bbox": position * 2,
        "collection": shot.collection,
        "providers": [{"name": shot.author, "roles": ["producer"], "id": shot.account}],
        "properties": _without_null(properties),
        "assets": {
            name: {
                "title": title,
                "description": title,
                "roles": [roles[name]],
                "type": "image/jpeg",
                "href": f"{pictures}/{name}.jpg",
            }
            for name, title in sizes.items()
        },
        "links": [
            {"rel": "root", "type": "application/json", "href": f"{here}/"},
            {"rel": "parent", "type": "application/json", "href": collection},
            {"rel": "self", "type": GEOJSON, "href": f"{here}/{self_link}"},
            {"rel": "collection", "type": "application/json", "href": collection},
            {
                "rel": "via",
                "type": "application/json",
                "href": instance,
                "instance_name": shot.instance,
            },
        ],
    }
    if shot.oddity is Fault.MISSING_KEYS:
        for key in ("bbox", "providers"):
            del document[key]
    return document


def _without_null(document: dict[str, Any]) -> dict[str, Any]:
    found = {key: _without_null(value) if isinstance(value, dict) else value for key, value in document.items()}
    return {key: value for key, value in found.items() if value is not None}


def _instance_id(name: str) -> str:
    return str(UUID(int=list(INSTANCES).index(name) + 1))


def _instance_url(scene: Scene, name: str) -> str:
    return f"{scene.pictures}/{name}"


ROUTES = [
    Route("GET", ROOT, Provider.PANORAMAX, Part.DOCUMENT, root),
    Route("GET", f"{ROOT}/", Provider.PANORAMAX, Part.DOCUMENT, root),
    Route("GET", f"{ROOT}/instances", Provider.PANORAMAX, Part.DOCUMENT, instances),
    Route("GET", f"{ROOT}/search", Provider.PANORAMAX, Part.LISTING, search),
    Route("POST", f"{ROOT}/search", Provider.PANORAMAX, Part.LISTING, search),
    Route("GET", f"{ROOT}/collections/{{collection}}/items/{{item}}", Provider.PANORAMAX, Part.ENTITY, item),
    Route("GET", f"{ROOT}/map/{{z}}/{{x}}/{{y}}.mvt", Provider.PANORAMAX, Part.VECTOR, tile),
    Route("GET", "/{instance}/api/pictures/{item}/{file}", Provider.PANORAMAX, Part.PICTURE, picture, pictures=True),
]
