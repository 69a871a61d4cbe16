"""Chips from a WMTS: documents as servers write them, matrices of their own, and what is refused."""

import math
import re
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
from pipeline.sources.aerial.capabilities import own_address
from pipeline.sources.aerial.wmts import WmtsSource
from pipeline.sources.base import Networked
from schemas.reasons import Reason
from tests.sources.aerial.tile_serving import CREDITS, FAST, GSD_M, SIZE_PX, ramp, worst_error_m

HERE = Point(48.1, 11.5)
CE = 2 * math.pi * 6378137
LEFT, TOP, TOP_SCALE = 1_000_000.0, 6_400_000.0, 4_000.0
"""A matrix set with a corner and scales of its own: 1.12 m a pixel of EPSG:3857, and halves of it."""


def document(base: str, **changes: str) -> str:
    """A document; `changes` replace parts of it."""
    parts = {
        "operations": f"""<ows:OperationsMetadata><ows:Operation name="GetTile"><ows:DCP><ows:HTTP>
          <ows:Get xlink:href="{base}wmts?"><ows:Constraint name="GetEncoding"><ows:AllowedValues>
          <ows:Value>KVP</ows:Value></ows:AllowedValues></ows:Constraint></ows:Get>
          </ows:HTTP></ows:DCP></ows:Operation></ows:OperationsMetadata>""",
        "resource": f"""<ResourceURL format="image/png" resourceType="tile"
          template="{base}own/{{Time}}/{{style}}/{{TileMatrixSet}}/{{TileMatrix}}/{{TileRow}}/{{TileCol}}.png"/>""",
        "format": "<Format>image/png</Format>",
        "bounds": "8 45 15 50",
        "limits": "",
        "matrices": "".join(
            f"""<TileMatrix><ows:Identifier>m:{n}</ows:Identifier>
            <ScaleDenominator>{TOP_SCALE / 2**n}</ScaleDenominator>
            <TopLeftCorner>{LEFT} {TOP}</TopLeftCorner><TileWidth>256</TileWidth><TileHeight>256</TileHeight>
            <MatrixWidth>{4000 * 2**n}</MatrixWidth><MatrixHeight>{4000 * 2**n}</MatrixHeight></TileMatrix>"""
            for n in (2, 0, 1, 3)
        ),
        "system": "urn:ogc:def:crs:EPSG::3857",
        "head": '<?xml version="1.0" encoding="UTF-8"?>',
    } | changes
    west, south, east, north = parts["bounds"].split()
    return f"""{parts["head"]}<Capabilities xmlns="http://www.opengis.net/wmts/1.0"
      xmlns:ows="http://www.opengis.net/ows/1.1" xmlns:xlink="http://www.w3.org/1999/xlink" version="1.0.0">
      {parts["operations"]}<Contents><Layer><ows:Title>Photos</ows:Title><ows:WGS84BoundingBox>
      <ows:LowerCorner>{west} {south}</ows:LowerCorner><ows:UpperCorner>{east} {north}</ows:UpperCorner>
      </ows:WGS84BoundingBox><ows:Identifier>photos</ows:Identifier>
      <Style><ows:Identifier>grey</ows:Identifier></Style>
      <Style isDefault="true"><ows:Identifier>plain</ows:Identifier></Style>{parts["format"]}
      <Dimension><ows:Identifier>Time</ows:Identifier><Default>2023</Default><Value>2021</Value><Value>2023</Value>
      </Dimension>
      <TileMatrixSetLink><TileMatrixSet>national</TileMatrixSet></TileMatrixSetLink>
      <TileMatrixSetLink><TileMatrixSet>web</TileMatrixSet>{parts["limits"]}</TileMatrixSetLink>{parts["resource"]}
      </Layer>
      <TileMatrixSet><ows:Identifier>national</ows:Identifier><ows:SupportedCRS>urn:ogc:def:crs:EPSG::25832
      </ows:SupportedCRS>{parts["matrices"]}</TileMatrixSet>
      <TileMatrixSet><ows:Identifier>web</ows:Identifier><ows:SupportedCRS>{parts["system"]}</ows:SupportedCRS>
      {parts["matrices"]}</TileMatrixSet></Contents></Capabilities>"""


class Server:
    def __init__(self, server: HTTPServer) -> None:
        self.base = server.url_for("/")
        self.asked: list[str] = []
        self.formats: list[str] = []
        self.document = document(self.base)
        self.answer: Response | None = None
        server.expect_request("/wmts/1.0.0/WMTSCapabilities.xml").respond_with_handler(
            lambda _: Response(self.document, mimetype="application/xml")
        )
        server.expect_request(re.compile("/own/.*")).respond_with_handler(self._resource)
        server.expect_request("/wmts").respond_with_handler(self._key_values)

    def _resource(self, request: Request) -> Response:
        self.asked.append(request.path)
        time, style, name, matrix, row, column = request.path.removesuffix(".png").split("/")[2:]
        assert (time, style, name) == ("2023", "plain", "web")
        return self._tile(matrix, int(row), int(column))

    def _key_values(self, request: Request) -> Response:
        query = {key.upper(): value for key, value in request.args.items()}
        self.asked.append(request.query_string.decode())
        if query["REQUEST"] == "GetCapabilities":
            return Response(self.document, mimetype="text/xml")
        known = ("LAYER", "STYLE", "TILEMATRIXSET", "TIME", "VERSION")
        assert [query[key] for key in known] == ["photos", "plain", "web", "2023", "1.0.0"]
        self.formats.append(query["FORMAT"])
        return self._tile(query["TILEMATRIX"], int(query["TILEROW"]), int(query["TILECOL"]))

    def _tile(self, matrix: str, row: int, column: int) -> Response:
        if self.answer is not None:
            return self.answer
        step = TOP_SCALE / 2 ** int(matrix.removeprefix("m:")) * 0.28e-3
        return Response(ramp(HERE, LEFT + column * 256 * step, TOP - row * 256 * step, step), mimetype="image/png")


@pytest.fixture
def server(httpserver: HTTPServer) -> Server:
    return Server(httpserver)


@pytest.fixture
def client(tmp_path: Path) -> Iterator[HttpClient]:
    client = HttpClient(Network(allow_loopback=True, cache=str(tmp_path), contact="test@example.org", tries=1))
    yield client
    client.close()


def source(
    server: Server, client: HttpClient, address: str = "wmts/1.0.0/WMTSCapabilities.xml", **keys: Any
) -> WmtsSource:
    settings = {"type": "wmts", "capabilities": server.base + address, "layer": "photos", "credits": CREDITS,
                "rate": FAST, **keys}  # fmt: skip
    return WmtsSource("ortho", config.WmtsSource.model_validate(settings), [], client)


def test_pixels_of_a_matrix_set_of_its_own_lie_where_pyproj_says(server: Server, client: HttpClient) -> None:
    photos = source(server, client)
    chip = photos.chip(HERE, SIZE_PX, GSD_M)
    assert chip.covered == 1.0
    assert worst_error_m(chip) < 0.1
    assert all("/web/m:2/" in path for path in server.asked)  # 0.28 m of EPSG:3857, 0.187 m on the ground
    asked = len(server.asked)
    photos.chip(HERE, SIZE_PX, GSD_M)
    assert len(server.asked) == asked
    assert isinstance(photos, Networked)


def test_key_value_requests_where_there_are_no_resources(server: Server, client: HttpClient) -> None:
    server.document = document(server.base, resource="")
    for address in ("wmts", "wmts?SERVICE=WMTS&REQUEST=GetCapabilities"):
        assert worst_error_m(source(server, client, address).chip(HERE, SIZE_PX, GSD_M)) < 0.1


@pytest.mark.parametrize(
    "system",
    [
        "EPSG:3857", "urn:ogc:def:crs:EPSG:6.18.3:3857", "http://www.opengis.net/def/crs/EPSG/0/3857",
        "http://www.opengis.net/gml/srs/epsg.xml#3857", "urn:ogc:def:crs:EPSG::900913", "EPSG:102100",
        "urn:ogc:def:crs:ESRI::102100", "OSGEO:41001", "urn:ogc:def:wkss:OGC:1.0:GoogleMapsCompatible", " epsg:3857 ",
    ],
)  # fmt: skip
def test_web_mercator_goes_by_many_names(server: Server, client: HttpClient, system: str) -> None:
    server.document = document(server.base, system=system)
    assert worst_error_m(source(server, client).chip(HERE, SIZE_PX, GSD_M)) < 0.1


@pytest.mark.parametrize("system", ["EPSG:25833857", "EPSG:3395", "EPSG:4326", "EPSG:13857", "EPSG:38570"])
def test_other_systems_are_not_web_mercator(server: Server, client: HttpClient, system: str) -> None:
    server.document = document(server.base, system=system)
    with pytest.raises(MachineError, match="a matrix set in EPSG:3857"):
        source(server, client).chip(HERE, SIZE_PX, GSD_M)


@pytest.mark.parametrize(
    ("offered", "asked_for"),
    [
        (["image/png8"], "image/png8"),
        (["image/tiff", "image/png; mode=8bit"], "image/png; mode=8bit"),
        (["image/vnd.jpg-png"], "image/vnd.jpg-png"),
        (["image/jpgpng", "image/png"], "image/png"),
        (["IMAGE/PNG", "image/gif"], "IMAGE/PNG"),
        (["image/pjpeg"], "image/pjpeg"),
    ],
)
def test_formats_that_can_be_decoded_go_by_many_names(
    server: Server, client: HttpClient, offered: list[str], asked_for: str
) -> None:
    formats = "".join(f"<Format>{name}</Format>" for name in offered)
    server.document = document(server.base, format=formats, resource="")
    assert worst_error_m(source(server, client).chip(HERE, SIZE_PX, GSD_M)) < 0.1
    assert set(server.formats) == {asked_for}


def test_a_resource_whose_format_is_spelt_otherwise_is_used(server: Server, client: HttpClient) -> None:
    server.document = document(server.base, format="<Format>image/jpg</Format>", operations="")
    assert worst_error_m(source(server, client).chip(HERE, SIZE_PX, GSD_M)) < 0.1


def test_the_style_asked_for_is_used(server: Server, client: HttpClient) -> None:
    server.document = document(server.base, resource="").replace("plain", "other").replace("grey", "plain")
    assert source(server, client, style="plain").chip(HERE, SIZE_PX, GSD_M).covered == 1.0


def test_http_in_the_document_of_an_https_service_is_put_right_and_the_key_taken_out() -> None:
    configured = "https://maps.example.org/wmts?token={key}"
    assert own_address("http://maps.example.org:8080/t/{TileRow}", configured) == "https://maps.example.org/t/{TileRow}"
    echoed = "http://maps.example.org/t?Token=s3cret&LAYER=a:b&r={TileRow}"
    assert own_address(echoed, configured) == "https://maps.example.org/t?LAYER=a:b&r={TileRow}"


def test_a_key_goes_with_every_request_and_stands_nowhere(
    server: Server, client: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TILE_KEY", "s3cret")
    server.document = document(server.base, resource="").replace("wmts?", "wmts?token=s3cret&amp;")
    photos = source(server, client, "wmts?token={key}", key_env="TILE_KEY")
    assert photos.chip(HERE, SIZE_PX, GSD_M).covered == 1.0
    assert all(query.count("s3cret") == 1 for query in server.asked)
    assert "s3cret" not in photos._layer()[0].template


def test_tiles_on_another_host_are_refused(server: Server, client: HttpClient) -> None:
    server.document = document("https://tiles.elsewhere.org/")
    with pytest.raises(SiteError, match=r"name tiles\.elsewhere\.org") as caught:
        source(server, client).chip(HERE, SIZE_PX, GSD_M)
    assert caught.value.reason == Reason.UNSAFE_ADDRESS


@pytest.mark.parametrize(
    ("keys", "changes", "found"),
    [
        ({"layer": "fotos"}, {}, "layer: found 'fotos'; allowed: one of photos"),
        ({"style": "red"}, {}, "'red'; allowed: one of grey, plain"),
        ({"matrix_set": "3857"}, {}, "'3857'; allowed: one of national, web"),
        ({"matrix_set": "national"}, {}, "25832; allowed: a matrix set in EPSG:3857"),
        ({}, {"system": "urn:ogc:def:crs:EPSG::4326"}, "a matrix set in EPSG:3857"),
        ({}, {"format": "<Format>image/tiff</Format>"}, "image/tiff"),
        ({}, {"format": "<Format>image/jpeg2000</Format><Format>image/svg+xml</Format>"}, "image/jpeg2000"),
        ({}, {"resource": "", "operations": ""}, "no address"),
        (
            {},
            {"resource": '<ResourceURL format="image/png" resourceType="tile" template="http://x/{Elevation}"/>'},
            "Elevation",
        ),
    ],
)
def test_what_the_document_does_not_have_stops_the_build_with_what_it_has(
    server: Server, client: HttpClient, keys: dict[str, str], changes: dict[str, str], found: str
) -> None:
    server.document = document(server.base, **changes)
    with pytest.raises(MachineError) as caught:
        source(server, client, **keys).chip(HERE, SIZE_PX, GSD_M)
    assert found in str(caught.value)


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'


@pytest.mark.parametrize(
    "text",
    [
        document("http://127.0.0.1/", head=BOMB).replace("Photos", "&b;"),
        document("http://127.0.0.1/", head='<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>').replace(
            "Photos", "&e;"
        ),
        document("http://127.0.0.1/")[:900],
        "not xml",
        "<Capabilities/>",
        document("http://127.0.0.1/").replace("<TileWidth>256</TileWidth>", ""),
        document("http://127.0.0.1/").replace("<TileWidth>256", "<TileWidth>1e9"),
        document("http://127.0.0.1/").replace("<TileWidth>256", "<TileWidth>100000"),
        document("http://127.0.0.1/").replace("<ScaleDenominator>", "<ScaleDenominator>-"),
        document("http://127.0.0.1/").replace(f"{LEFT} {TOP}", "nan inf"),
        document("http://127.0.0.1/", matrices=""),
        "<html><body>Service moved</body></html>",
    ],
)
def test_a_hostile_or_odd_document_is_a_bad_answer(server: Server, client: HttpClient, text: str) -> None:
    server.document = text
    with pytest.raises(SiteError) as caught:
        source(server, client).chip(HERE, SIZE_PX, GSD_M)
    assert caught.value.reason == Reason.BAD_ANSWER


def test_a_fault_of_the_document_is_tried_again_with_the_next_chip(server: Server, client: HttpClient) -> None:
    good, server.document = server.document, "not xml"
    photos = source(server, client, "wmts")
    with pytest.raises(SiteError):
        photos.chip(HERE, SIZE_PX, GSD_M)
    server.document = good
    assert photos.chip(HERE, SIZE_PX, GSD_M).covered == 1.0


def test_outside_of_the_layer_and_of_its_limits_nothing_is_asked(server: Server, client: HttpClient) -> None:
    photos = source(server, client)
    with pytest.raises(SiteError) as caught:
        photos.chip(Point(52.0, 11.5), SIZE_PX, GSD_M)
    assert caught.value.reason == Reason.NO_OVERLAP
    limits = "".join(
        f"""<TileMatrixLimits><TileMatrix>m:{n}</TileMatrix><MinTileRow>0</MinTileRow><MaxTileRow>3</MaxTileRow>
        <MinTileCol>0</MinTileCol><MaxTileCol>3</MaxTileCol></TileMatrixLimits>"""
        for n in (0, 2)
    )
    server.document = document(server.base, limits=f"<TileMatrixSetLimits>{limits}</TileMatrixSetLimits>")
    photos = source(server, client, "wmts")
    with pytest.raises(SiteError) as caught:
        photos.chip(HERE, SIZE_PX, GSD_M)
    assert caught.value.reason == Reason.NO_OVERLAP
    assert [matrix.z for matrix in photos._layer()[0].matrices] == [0, 2]
    assert not any("/own/" in path or "GetTile" in path for path in server.asked)


REPORT = """<?xml version="1.0"?><ExceptionReport xmlns="http://www.opengis.net/ows/1.1">
<Exception exceptionCode="{}"/></ExceptionReport>"""


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Response(REPORT.format("TileOutOfRange"), status=400, mimetype="text/xml"), Reason.NO_OVERLAP),
        (Response(REPORT.format("NoApplicableCode"), mimetype="image/png"), Reason.BAD_ANSWER),
        (Response(REPORT.format("NoApplicableCode"), status=503, mimetype="text/xml"), Reason.SERVER_ERROR),
        (Response(status=404), Reason.NO_OVERLAP),
    ],
)
def test_exception_reports_count_before_the_status(
    server: Server, client: HttpClient, answer: Response, reason: Reason
) -> None:
    server.answer = answer
    with pytest.raises(SiteError) as caught:
        source(server, client).chip(HERE, SIZE_PX, GSD_M)
    assert caught.value.reason == reason


def test_wrong_settings_are_refused_up_front(client: HttpClient) -> None:
    settings = config.WmtsSource(
        type="wmts", capabilities="https://services.arcgisonline.com/wmts?key={key}", layer="x", captured_on="now",
        credits=config.Credits(author="a", licence="proprietary", link="https://e.org"),
    )  # fmt: skip
    with pytest.raises(ConfigError) as caught:
        WmtsSource("ortho", settings, [], client)
    assert [problem.where.removeprefix("sources.aerial.ortho.") for problem in caught.value.problems] == [
        "capabilities", "credits.licence", "capabilities", "captured_on",
    ]  # fmt: skip


def test_estimate_and_probe(server: Server, client: HttpClient) -> None:
    photos = source(server, client)
    assert 4 < photos.requests(np.array([HERE.lat]), np.array([HERE.lon]), Imagery()) < 30
    assert server.asked == []
    assert "m a pixel" in photos.probe(Region(name="here", centre=(48.1, 11.5), radius_m=100))
