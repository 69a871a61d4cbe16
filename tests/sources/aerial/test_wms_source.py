"""Chips from a WMS: both versions, the fixed grid, and documents and answers as servers write them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from pipeline.config import sources as config
from pipeline.config.imagery import Imagery
from pipeline.config.network import Network
from pipeline.config.region import Region
from pipeline.errors import ConfigError, MachineError, SiteError
from pipeline.geo.point import Point
from pipeline.net.client import HttpClient
from pipeline.sources.aerial.wms import WmsSource
from pipeline.sources.base import Networked
from schemas.reasons import Reason
from tests.sources.aerial.tile_serving import CREDITS, FAST, GSD_M, SIZE_PX, one_colour, ramp, worst_error_m

HERE = Point(60.2, 24.9)


def document(base: str, version: str = "1.3.0", system: str = "EPSG:3857", media: str = "image/png") -> str:
    new = version == "1.3.0"
    name, space = ("WMS_Capabilities", 'xmlns="http://www.opengis.net/wms"') if new else ("WMT_MS_Capabilities", "")
    kind = (
        "" if new else '<!DOCTYPE WMT_MS_Capabilities SYSTEM "http://schemas.opengis.net/wms/1.1.1/capabilities.dtd">'
    )
    box = (
        "<EX_GeographicBoundingBox><westBoundLongitude>20</westBoundLongitude><eastBoundLongitude>30</eastBoundLongitude>"
        "<southBoundLatitude>59</southBoundLatitude><northBoundLatitude>71</northBoundLatitude></EX_GeographicBoundingBox>"
        if new
        else '<LatLonBoundingBox minx="20" miny="59" maxx="30" maxy="71"/>'
    )
    key = "CRS" if new else "SRS"
    return f"""<?xml version="1.0"?>{kind}
      <{name} {space} xmlns:xlink="http://www.w3.org/1999/xlink" version="{version}">
      <Service><Name>WMS</Name><Title>Photos</Title></Service>
      <Capability><Request><GetMap><Format>image/tiff</Format><Format>{media}</Format><DCPType><HTTP><Get>
      <OnlineResource xlink:href="{base}wms?map=photos&amp;"/></Get></HTTP></DCPType></GetMap></Request>
      <Exception><Format>XML</Format></Exception>
      <Layer><Title>All</Title><{key}>{system}</{key}>{box}
      <Layer queryable="0"><Name>ortho</Name><Title>Ortho</Title></Layer>
      <Layer queryable="0"><Name>newer</Name><Title>Newer</Title></Layer></Layer></Capability></{name}>"""


class Server:
    def __init__(self, server: HTTPServer) -> None:
        self.base = server.url_for("/")
        self.asked: list[dict[str, str]] = []
        self.document = document(self.base)
        self.answer: Response | None = None
        server.expect_request("/wms").respond_with_handler(self._answer)

    def _answer(self, request: Request) -> Response:
        query = request.args.to_dict()
        assert query["map"] == "photos"
        if query["REQUEST"] == "GetCapabilities":
            return Response(self.document, mimetype="text/xml")
        self.asked.append(query)
        if self.answer is not None:
            return self.answer
        west, south, east, north = (float(edge) for edge in query["BBOX"].split(","))
        side = int(query["WIDTH"])
        assert north - south == pytest.approx(east - west)
        return Response(ramp(HERE, west, north, (east - west) / side, side), mimetype="image/png")


@pytest.fixture
def server(httpserver: HTTPServer) -> Server:
    return Server(httpserver)


@pytest.fixture
def client(tmp_path: Path) -> Iterator[HttpClient]:
    client = HttpClient(Network(allow_loopback=True, cache=str(tmp_path), contact="test@example.org", tries=1))
    yield client
    client.close()


def source(server: Server, client: HttpClient, layers: list[str] | None = None, **keys: Any) -> WmsSource:
    settings = {"type": "wms", "capabilities": server.base + "wms?map=photos", "layers": layers or ["ortho"],
                "credits": CREDITS, "rate": FAST, **keys}  # fmt: skip
    return WmsSource("ortho", config.WmsSource.model_validate(settings), [], client)


@pytest.mark.parametrize(("version", "key"), [("1.3.0", "CRS"), ("1.1.1", "SRS")])
def test_pixels_lie_where_pyproj_says_in_both_versions(
    server: Server, client: HttpClient, version: str, key: str
) -> None:
    server.document = document(server.base, version)
    chip = source(server, client, ["ortho", "newer"]).chip(HERE, SIZE_PX, GSD_M)
    assert chip.covered == 1.0
    assert worst_error_m(chip) < 0.1
    query = server.asked[0]
    assert (query[key], query["LAYERS"], query["STYLES"], query["VERSION"]) == (
        "EPSG:3857",
        "ortho,newer",
        ",",
        version,
    )
    assert (query["FORMAT"], query["TRANSPARENT"]) == ("image/png", "TRUE")


@pytest.mark.parametrize("system", ["EPSG:900913", "EPSG:102100", "ESRI:102113", "epsg:3857"])
@pytest.mark.parametrize("media", ["image/png", "image/png8", "image/vnd.jpeg-png", "image/png; mode=24bit"])
def test_other_names_of_web_mercator_and_of_formats(
    server: Server, client: HttpClient, system: str, media: str
) -> None:
    server.document = document(server.base, system=system, media=media)
    assert worst_error_m(source(server, client).chip(HERE, SIZE_PX, GSD_M)) < 0.1
    query = server.asked[0]
    assert (query["CRS"].lower(), query["FORMAT"], query["TRANSPARENT"]) == (system.lower(), media, "TRUE")


def test_neighbours_ask_for_the_same_pictures(server: Server, client: HttpClient) -> None:
    photos = source(server, client)
    assert isinstance(photos, Networked)
    for n in range(3):
        photos.chip(Point(HERE.lat, HERE.lon + n * 1e-5), SIZE_PX, GSD_M)
    boxes = [query["BBOX"] for query in server.asked]
    assert len(boxes) == len(set(boxes))
    assert len(boxes) <= photos.requests(np.full(3, HERE.lat), np.linspace(HERE.lon, HERE.lon + 2e-5, 3), Imagery())


@pytest.mark.parametrize(
    ("changes", "layers", "found"),
    [
        ({}, ["orto"], "'orto'; allowed: one of newer, ortho"),
        ({"system": "EPSG:25833"}, None, "EPSG:25833; allowed: EPSG:3857"),
        ({"version": "1.0.0"}, None, "WMS version 1.0.0"),
        ({"media": "image/gif"}, None, "image/gif"),
    ],
)
def test_what_the_document_does_not_have_stops_the_build_with_what_it_has(
    server: Server, client: HttpClient, changes: dict[str, str], layers: list[str] | None, found: str
) -> None:
    server.document = document(server.base, **changes)
    with pytest.raises(MachineError) as caught:
        source(server, client, layers).chip(HERE, SIZE_PX, GSD_M)
    assert found in str(caught.value)


FAULT = """<?xml version="1.0"?>
<ServiceExceptionReport version="1.3.0"><ServiceException>no</ServiceException></ServiceExceptionReport>"""


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Response(FAULT, mimetype="text/xml"), Reason.BAD_ANSWER),
        (Response(FAULT, mimetype="image/png"), Reason.BAD_ANSWER),
        (Response(FAULT, status=502, mimetype="text/xml"), Reason.SERVER_ERROR),
        (Response(one_colour((255, 255, 255), 512), mimetype="image/png"), Reason.BLANK_TILE),
        (Response(one_colour((255, 255, 255, 0), 512), mimetype="image/png"), Reason.ALL_NODATA),
    ],
)
def test_faults_and_empty_pictures(server: Server, client: HttpClient, answer: Response, reason: Reason) -> None:
    server.answer = answer
    with pytest.raises(SiteError) as caught:
        source(server, client).chip(HERE, SIZE_PX, GSD_M)
    assert caught.value.reason == reason
    assert len(server.asked) < 10  # an exception is final: not tried again


def test_a_document_that_is_an_exception_or_names_another_host(server: Server, client: HttpClient) -> None:
    server.document = FAULT
    with pytest.raises(SiteError) as caught:
        source(server, client).chip(HERE, SIZE_PX, GSD_M)
    assert caught.value.reason == Reason.BAD_ANSWER
    server.document = document("https://elsewhere.org/")
    with pytest.raises(SiteError, match=r"elsewhere\.org") as caught:
        source(server, client).chip(HERE, SIZE_PX, GSD_M)
    assert caught.value.reason == Reason.UNSAFE_ADDRESS


def test_outside_of_the_layers_nothing_is_asked(server: Server, client: HttpClient) -> None:
    with pytest.raises(SiteError) as caught:
        source(server, client).chip(Point(50.0, 24.9), SIZE_PX, GSD_M)
    assert caught.value.reason == Reason.NO_OVERLAP
    assert server.asked == []


def test_wrong_settings_and_probe(server: Server, client: HttpClient) -> None:
    with pytest.raises(ConfigError, match="key_env and no"):
        source(server, client, key_env="MY_KEY")
    with pytest.raises(ConfigError, match="no braces"):
        source(server, client, capabilities="https://e.org/{token}/wms")
    assert "m a pixel" in source(server, client).probe(Region(name="here", centre=(60.2, 24.9), radius_m=100))
