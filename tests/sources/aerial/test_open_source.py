"""The open sources together: which is asked for a place, and what happens where one has no imagery."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Response

from pipeline.config import sources as config
from pipeline.config.imagery import Imagery
from pipeline.config.network import Network
from pipeline.config.region import Region
from pipeline.errors import ConfigError, SiteError
from pipeline.geo.point import Point
from pipeline.net.client import HttpClient
from pipeline.sources.aerial import open as open_sources
from pipeline.sources.aerial import xyz
from pipeline.sources.aerial.open import OpenAerialSource
from pipeline.sources.base import Networked
from pipeline.sources.listing import Listed, Tiles
from schemas.reasons import Reason
from tests.sources.aerial.tile_serving import FAST, Paint, TileServer, noise, one_colour

HERE = Point(48.1, 11.5)
AROUND = (11.0, 48.0, 12.0, 49.0)


@pytest.fixture
def client(tmp_path: Path) -> Iterator[HttpClient]:
    client = HttpClient(Network(allow_loopback=True, cache=str(tmp_path), contact="test@example.org", tries=1))
    yield client
    client.close()


@pytest.fixture
def listed(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> TileServer:
    """Three listed sources on the test server: of its tiles the query says whose they are."""
    server = TileServer(httpserver, lambda *tile: noise(tile[1]))
    known: dict[str, tuple[Listed, Tiles]] = {}
    for name, box in (("fine", AROUND), ("coarse", AROUND), ("elsewhere", (20.0, 48.0, 21.0, 49.0))):
        tiles = Tiles(template=f"{server.template}?{name}", max_zoom=19)
        known[name] = Listed(
            name=name, kind="aerial", title=name, area="here", boxes=[box], author=name, licence="CC-BY-4.0",
            terms="https://e.org", per_s=999, at_once=9, checked_on="2026-11-21", checked="unchecked", tiles=tiles,
        ), tiles  # fmt: skip
    for module in (xyz, open_sources):
        monkeypatch.setattr(module, "presets", lambda: known)
    return server


def source(client: HttpClient, **keys: Any) -> OpenAerialSource:
    return OpenAerialSource("open", config.OpenAerial(type="open", rate=FAST, **keys), [], client)


def test_the_first_that_covers_a_place_gives_the_chip(listed: TileServer, client: HttpClient) -> None:
    chip = source(client).chip(HERE, 64, 0.3)
    assert chip.author == "fine"
    assert all(name.startswith("fine/") for name in chip.source_id.split())
    assert set(listed.queries) == {"fine"}
    assert source(client, presets=["coarse", "fine"]).chip(HERE, 64, 0.3).author == "coarse"
    assert source(client).chip(Point(48.5, 20.5), 64, 0.3).author == "elsewhere"


@pytest.mark.parametrize(
    "nothing", [lambda *_: Response(status=404), lambda *_: one_colour(), lambda *_: one_colour((0, 0, 0, 0))]
)
def test_the_next_is_asked_where_one_has_no_imagery(listed: TileServer, client: HttpClient, nothing: Paint) -> None:
    paint = listed.paint
    listed.paint = lambda *tile: nothing(*tile) if listed.queries[-1] == "fine" else paint(*tile)
    assert source(client).chip(HERE, 64, 0.3).author == "coarse"


def test_where_none_has_imagery_those_tried_are_named(listed: TileServer, client: HttpClient) -> None:
    listed.paint = lambda *_: one_colour()
    with pytest.raises(SiteError, match="tried fine: blank_tile, coarse: blank_tile") as caught:
        source(client).chip(HERE, 64, 0.3)
    assert caught.value.reason == Reason.NO_OVERLAP
    with pytest.raises(SiteError, match="no listed open source covers it") as caught:
        source(client).chip(Point(0.0, 0.0), 64, 0.3)
    assert caught.value.reason == Reason.NO_OVERLAP


def test_a_fault_that_may_pass_is_not_taken_for_no_imagery(listed: TileServer, client: HttpClient) -> None:
    listed.paint = lambda *_: Response(status=503)
    with pytest.raises(SiteError) as caught:
        source(client).chip(HERE, 64, 0.3)
    assert caught.value.reason == Reason.SERVER_ERROR
    assert set(listed.queries) == {"fine"}


def test_requests_and_probe(listed: TileServer, client: HttpClient) -> None:
    photos = source(client)
    assert isinstance(photos, Networked)
    assert photos.requests(np.array([0.0]), np.array([0.0]), Imagery()) == 0
    both = photos.requests_by_provider(np.array([48.5, HERE.lat]), np.array([20.5, HERE.lon]), Imagery())
    assert {provider.name for provider, count in both if count} == {"fine", "elsewhere"}  # the first that covers a site
    assert photos.requests(np.array([48.5]), np.array([20.5]), Imagery()) > 0
    assert photos.probe(Region(name="here", centre=(48.1, 11.5), radius_m=100)).startswith("fine answers")
    assert "get no aerial view" in photos.probe(Region(name="sea", centre=(0.0, 0.0), radius_m=100))
    assert [provider.name for provider in photos.providers()] == ["fine", "coarse", "elsewhere"]


def test_wrong_presets_are_listed_at_once(client: HttpClient) -> None:
    presets = ["usgs", "usgs", "linz", "nonsense", "esri-world-imagery"]
    with pytest.raises(ConfigError) as caught:
        OpenAerialSource("open", config.OpenAerial(type="open", presets=presets), [], client)
    text = str(caught.value)
    assert len(caught.value.problems) == 4
    assert all(part in text for part in ("usgs 2 times", "LINZ_API_KEY", "'nonsense'", "4.6.2"))


def test_a_region_that_none_covers_is_no_fault(client: HttpClient) -> None:
    fiji = Region(name="fiji", bbox=(179.0, -18.0, -179.0, -16.0))
    photos = OpenAerialSource("open", config.OpenAerial(type="open"), [fiji], client)
    assert photos.fingerprint() == source(client).fingerprint()
    assert photos.fingerprint() != source(client, presets=["usgs"]).fingerprint()
