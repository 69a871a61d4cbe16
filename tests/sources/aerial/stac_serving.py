"""A STAC API for tests, in the shapes that stac-fastapi answers in, and items that lead to served files."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from werkzeug import Request, Response

from pipeline.geo.point import Point
from tests.sources.aerial.range_serving import HERE, Served

COG = "image/tiff; application=geotiff; profile=cloud-optimized"
PRODUCER = {"name": "Jane Doe", "roles": ["producer", "licensor"]}


def item(
    name: str,
    href: str,
    *,
    point: Point = HERE,
    reach_deg: float = 0.01,
    taken: str | None = "2024-05-01T10:00:00Z",
    **properties: Any,
) -> dict[str, Any]:
    """An item around a point. A property that is None is left out."""
    west, south, east, north = (
        point.lon - reach_deg,
        point.lat - reach_deg,
        point.lon + reach_deg,
        point.lat + reach_deg,
    )
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    said = {
        "datetime": taken,
        "license": "CC-BY-4.0",
        "providers": [PRODUCER],
        "gsd": 0.05,
        "title": name,
        **properties,
    }
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "stac_extensions": [],
        "id": name,
        "collection": "openaerialmap",
        "bbox": [west, south, east, north],
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "properties": {key: value for key, value in said.items() if value is not None},
        "assets": {
            "visual": {"href": href, "type": COG, "roles": ["data"]},
            "thumbnail": {"href": href + ".png", "type": "image/png", "roles": ["thumbnail"]},
        },
        "links": [],
    }


@dataclass
class StacApi:
    """Answers searches by box, in pages."""

    served: Served
    items: list[Any] = field(default_factory=list)
    collection: dict[str, Any] = field(default_factory=lambda: {"id": "openaerialmap", "license": "CC-BY-4.0"})
    page: int = 100
    searches: list[dict[str, str]] = field(default_factory=list)
    collections_asked: int = 0
    spoil: Callable[[dict[str, str]], Response | None] | None = None
    method: str = "GET"
    """Of the link to the next page."""

    def __post_init__(self) -> None:
        self.served.server.expect_request("/stac/search").respond_with_handler(self._search)
        self.served.server.expect_request("/stac/collections/openaerialmap").respond_with_handler(self._collection)

    @property
    def endpoint(self) -> str:
        return self.served.url("/stac")

    def _collection(self, _request: Request) -> Response:
        self.collections_asked += 1
        return answer(self.collection)

    def _search(self, request: Request) -> Response:
        asked = {str(k): str(v) for k, v in (json.loads(request.data) if request.data else request.args).items()}
        self.searches.append(asked)
        if self.spoil is not None and (spoilt := self.spoil(asked)) is not None:
            return spoilt
        west, south, east, north = (float(edge) for edge in asked["bbox"].strip("[]").split(","))
        assert west <= east
        hit = [one for one in self.items if not isinstance(one, dict) or _meets(one, west, south, east, north)]
        start = int(asked.get("token", "0"))
        return answer(page_of(hit[start : start + self.page], self._next(asked, start, len(hit))))

    def _next(self, asked: dict[str, str], start: int, found: int) -> dict[str, Any] | None:
        if start + self.page >= found:
            return None
        following = {**asked, "token": str(start + self.page)}
        if self.method == "POST":
            return {"rel": "next", "method": "POST", "href": f"{self.endpoint}/search", "body": following}
        return {"rel": "next", "method": "GET", "href": f"{self.endpoint}/search?{urlencode(following)}"}


def page_of(features: list[Any], link: dict[str, Any] | None = None) -> dict[str, Any]:
    root = {"rel": "root", "type": "application/json", "href": "https://example.org/stac/"}
    return {"type": "FeatureCollection", "features": features, "links": [root, link] if link else [root]}


def answer(value: Any) -> Response:
    return Response(json.dumps(value), content_type="application/geo+json")


def _meets(one: dict[str, Any], west: float, south: float, east: float, north: float) -> bool:
    box = one.get("bbox")
    if not isinstance(box, list) or len(box) != 4 or not all(isinstance(edge, int | float) for edge in box):
        return True
    return bool(box[0] <= east and west <= box[2] and box[1] <= north and south <= box[3])
