"""The drone view from OpenAerialMap: only fine imagery from low platforms, only under stated licences."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytest_httpserver import HTTPServer

from pipeline.config import sources as config
from pipeline.errors import SiteError
from pipeline.geo.point import Point
from pipeline.sources.aerial.openaerialmap import OpenAerialMapSource
from pipeline.sources.aerial.raster import RasterSource
from pipeline.sources.listing import listing
from schemas.reasons import Reason
from tests.sources.aerial.range_serving import HERE, MANILA, client, serve, write_cog
from tests.sources.aerial.stac_serving import StacApi, item


@pytest.fixture
def api(httpserver: HTTPServer) -> StacApi:
    return StacApi(serve(httpserver))


@pytest.fixture
def fine(api: StacApi, tmp_path: Path) -> str:
    bands = np.full((3, 500, 500), 120, np.uint8)
    return api.served.add("/files/fine.tif", write_cog(tmp_path / "fine.tif", bands, pixel_m=0.05))


def oam(api: StacApi, tmp_path: Path, **keys: Any) -> OpenAerialMapSource:
    settings = {"type": "openaerialmap", "endpoint": api.endpoint, "allowed_hosts": [api.served.host], **keys}
    settings.setdefault("rate", {"per_s": 1000, "at_once": 8})
    return OpenAerialMapSource("oam", config.OpenAerialMap.model_validate(settings), [], client(tmp_path / "cache"))


def test_a_drone_chip_of_a_real_orthophoto(api: StacApi, tmp_path: Path, corpus: Path) -> None:
    path = corpus / "aerial" / "manila_oam.tif"
    oam_says: dict[str, Any] = {"oam:platform_type": "uav", "oam:producer_name": "OpenAerialMap pilot", "gsd": 0.0969}
    api.items = [item("manila", api.served.add("/files/manila.tif", path), point=MANILA, **oam_says)]
    chip = oam(api, tmp_path).chip(MANILA, 512, 0.1)
    terms = {"author": "a", "licence": "CC0-1.0", "link": "https://example.org"}
    near = RasterSource("near", config.RasterSource(type="raster", path=path, credits=terms), []).chip(MANILA, 512, 0.1)
    assert chip.pixels.tobytes() == near.pixels.tobytes()
    assert chip.covered == 1
    assert (chip.author, chip.licence) == ("OpenAerialMap pilot", "CC-BY-4.0")


@pytest.mark.parametrize(
    ("properties", "reason"),
    [
        ({"oam:platform_type": "satellite"}, Reason.NO_OVERLAP),
        ({"oam:platform_type": "aircraft"}, Reason.NO_OVERLAP),
        ({"gsd": 0.3}, Reason.NO_OVERLAP),
        ({"license": None}, Reason.UNUSABLE_LICENCE),
        ({"providers": None}, Reason.UNUSABLE_LICENCE),
    ],
)
def test_what_is_no_drone_view_or_has_no_terms(
    api: StacApi, tmp_path: Path, fine: str, properties: dict[str, Any], reason: Reason
) -> None:
    api.items = [item("a", fine, **properties)]
    with pytest.raises(SiteError) as caught:
        oam(api, tmp_path).chip(HERE, 64, 0.1)
    assert caught.value.reason is reason
    assert api.collections_asked == 0


@pytest.mark.parametrize(
    ("stated", "licence"),
    [
        ("CC-BY-4.0", "CC-BY-4.0"),
        ("CC BY-NC 4.0", "CC-BY-NC-4.0"),
        ("CC-BY 4.0", "CC-BY-4.0"),
        ("ODbL-1.0", "ODbL-1.0"),
    ],
)
def test_the_items_licence_is_kept(api: StacApi, tmp_path: Path, fine: str, stated: str, licence: str) -> None:
    api.items = [item("a", fine, license=stated)]
    assert oam(api, tmp_path).chip(HERE, 64, 0.1).licence == licence


def test_platforms_are_checked_where_they_are_stated(api: StacApi, tmp_path: Path, fine: str) -> None:
    for stated in (None, "UAV", "kite"):
        api.items = [item("a", fine, **{"oam:platform_type": stated})]  # type: ignore[arg-type]  # a property
        assert oam(api, tmp_path / str(stated)).chip(HERE, 64, 0.1).covered == 1


@pytest.mark.parametrize("name", ["image", "orthophoto"])
def test_the_picture_may_be_called_otherwise(api: StacApi, tmp_path: Path, fine: str, name: str) -> None:
    api.items = [item("a", fine)]
    api.items[0]["assets"][name] = api.items[0]["assets"].pop("visual")
    assert oam(api, tmp_path).chip(HERE, 64, 0.1).covered == 1
    api.items[0]["assets"] |= {
        "second": api.items[0]["assets"].pop(name),
        "third": {"href": fine, "type": "image/tiff"},
    }
    with pytest.raises(SiteError, match="it has second, third, thumbnail"):
        oam(api, tmp_path / "again").chip(HERE, 64, 0.1)


def test_inverse_cropping_centres_the_chip_on_the_street_view(api: StacApi, tmp_path: Path) -> None:
    """A mark at the street view's position comes out at the middle of the drone chip."""
    bands = np.full((3, 1201, 1201), 220, np.uint8)
    bands[:, 598:603, 598:603] = 10
    api.items = [item("a", api.served.add("/files/m.tif", write_cog(tmp_path / "m.tif", bands, pixel_m=0.05)))]
    chip = oam(api, tmp_path).chip(HERE, 301, 0.1)
    assert (chip.pixels[150, 150] < 120).all()
    aside = oam(api, tmp_path).chip(Point(HERE.lat, HERE.lon + 10 / 74_400), 301, 0.1)
    assert (aside.pixels[150, 150] > 200).all()


def test_it_is_listed_and_keeps_its_limits(api: StacApi, tmp_path: Path) -> None:
    listed = listing()["openaerialmap"]
    assert listed.kind == "drone"
    provider = oam(api, tmp_path, rate=None).provider()
    assert (provider.name, provider.per_s, provider.at_once) == ("openaerialmap", listed.per_s, listed.at_once)
    assert provider.origins == (f"http://{api.served.host}",)
