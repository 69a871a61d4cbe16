"""Providers' answers in their documented shapes, served on this machine and asked through the real client."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mapbox_vector_tile
import mercantile
import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from pipeline.config.network import Network
from pipeline.config.region import Region
from pipeline.geo.point import Point
from pipeline.net.client import HttpClient
from pipeline.sources.base import Photo

JPEG = b"\xff\xd8\xff\xe0 not decoded here"
HERE = Point(48.8566, 2.3522)
REGION = Region(name="paris", centre=(HERE.lat, HERE.lon), radius_m=400)

Answer = Callable[[Request], Any]
Spots = list[tuple[float, float, dict[str, Any]]]
"""Latitude, longitude, properties."""


@pytest.fixture
def client(tmp_path: Path) -> Iterator[HttpClient]:
    made = HttpClient(
        Network(
            allow_loopback=True, cache=str(tmp_path / "cache"), contact="test@example.org", tries=3, max_wait_s=0.05
        )
    )
    yield made
    made.close()


@pytest.fixture
def serve(httpserver: HTTPServer) -> Callable[[str, Answer], None]:
    """Answers a path with what a function returns: a response as it is, all else as JSON. Other paths are not there."""
    httpserver.no_handler_status_code = 404

    def at(path: str, answer: Answer) -> None:
        def handle(request: Request) -> Response:
            found = answer(request)
            if isinstance(found, Response):
                return found
            return Response(json.dumps(found), content_type="application/json")

        httpserver.expect_request(path).respond_with_handler(handle)

    return at


def asked(httpserver: HTTPServer, path: str) -> list[Request]:
    """The requests for a path, in order."""
    return [request for request, _ in httpserver.log if request.path == path]


def jpeg(_: Request) -> Response:
    return Response(JPEG, content_type="image/jpeg")


def vector_tile(tile: mercantile.Tile, layer: str, spots: Spots) -> bytes:
    """A tile with points, in the margin too, as providers have them."""
    west, south, east, north = mercantile.xy_bounds(tile)
    features = []
    for lat, lon, properties in spots:
        x, y = mercantile.xy(lon, lat)
        pixels = (x - west) / (east - west) * 4096, (y - south) / (north - south) * 4096
        if all(-64 <= pixel <= 4160 for pixel in pixels):
            features.append({"geometry": f"POINT ({pixels[0]} {pixels[1]})", "properties": properties})
    line = {"geometry": "LINESTRING (0 0, 100 100)", "properties": {"id": "s"}}
    encoded: bytes = mapbox_vector_tile.encode(
        [{"name": "sequence", "features": [line]}, {"name": layer, "features": features}]
    )
    return encoded


def one(photos: list[Photo]) -> Photo:
    (photo,) = photos
    return photo
