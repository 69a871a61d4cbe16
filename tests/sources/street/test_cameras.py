"""A red pole at a known azimuth, in photos of every camera that sources tell of: it comes out there, or nowhere."""

import io
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pytest_httpserver import HTTPServer
from werkzeug import Request

from pipeline.config.sources import Mapillary, Panoramax
from pipeline.engine.build_file import parse_build
from pipeline.errors import SiteError
from pipeline.imaging.types import Pixels
from pipeline.net.client import HttpClient
from pipeline.perception.base import TextBox
from pipeline.perception.cues import fuse
from pipeline.registry.registry import Registry
from pipeline.sources.base import Photo
from pipeline.sources.street.mapillary import MapillarySource
from pipeline.sources.street.panoramax import PanoramaxSource
from pipeline.stages.imagery import imagery
from pipeline.stages.street_views import views_of
from schemas.reasons import Reason
from schemas.records import ImageryRow, Site
from tests.engine.conftest import SMALL
from tests.sources.street.conftest import HERE, REGION, one
from tests.sources.street.test_mapillary import image
from tests.sources.street.test_panoramax import found, item

Serve = Callable[[str, Callable[[Request], Any]], None]
HEADING, POLE = 90.0, 120.0
FULL = (1024, 512)
RED = (225, 20, 20)


class Picture:
    """A source of one picture."""

    name = "photos"

    def __init__(self, pixels: Pixels, xmp: str = "") -> None:
        self.pixels, self.xmp = pixels, xmp

    def read(self, _photo: Photo) -> bytes:
        data = io.BytesIO()
        Image.fromarray(self.pixels).save(data, "JPEG", quality=92, xmp=self.xmp.encode())
        return data.getvalue()


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    raw = SMALL | {"imagery": SMALL["imagery"] | {"max_views": 4}}
    return Registry(parse_build(raw, base=tmp_path_factory.mktemp("build")))


@pytest.fixture(scope="module")
def row(registry: Registry) -> ImageryRow:
    (found,) = imagery([Site(site_id="one", region="north", unit="u", lat=59.33, lon=18.06, weight=1.0)], registry)
    return found.model_copy(update={"facts": []})


def azimuths(photo: Photo, picture: Picture, registry: Registry, row: ImageryRow) -> list[float]:
    """Bearings that the views of a photo give the pole."""
    views = views_of(photo, 1, HERE, picture, [photo], [], registry)  # type: ignore[arg-type]  # all that is called
    flat = [view for view in views if view.projection == "perspective"]
    texts = {view.view_id: box for view in flat if (box := _boxes(view.image.bytes))}
    cues = fuse(row.model_copy(update={"views": views}), texts, {}, "ocr", "none")
    return [cue.bearing_deg for cue in cues if cue.kind == "text" and cue.bearing_deg is not None]


def _boxes(data: bytes) -> list[TextBox]:
    pixels = np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)
    red = (pixels[..., 0] > 150) & (pixels[..., 1] < 90) & (pixels[..., 2] < 90)
    rows, columns = np.nonzero(red)
    if len(columns) < 20 or columns.min() == 0 or columns.max() == pixels.shape[1] - 1:
        return []
    x0, x1, y0, y1 = float(columns.min()), float(columns.max() + 1), float(rows.min()), float(rows.max() + 1)
    return [TextBox("POLE", 0.95, (x0, y0, x1, y0, x1, y1, x0, y1), "Latn")]


def sphere(turn_deg: float = POLE - HEADING) -> Pixels:
    """A sphere with the pole at a turn from its middle, and texture that no padding has."""
    random = np.random.default_rng(4)
    pixels = random.integers(90, 160, (FULL[1], FULL[0], 3)).astype(np.uint8)
    x = round((turn_deg + 180.0) % 360.0 / 360.0 * FULL[0])
    pixels[:, x - 4 : x + 4] = RED
    return pixels


PARTS = {
    "half of it": (256, 128, 512, 256),
    "to the right": (400, 100, 560, 300),
    "to the left": (60, 60, 640, 380),
    "all round": (0, 90, 1024, 300),
}
"""Left, top, width and height of what is shown."""


def gpano(left: int, top: int, width: int, height: int, form: str = "attributes", **more: object) -> str:
    tags = {
        "FullPanoWidthPixels": FULL[0], "FullPanoHeightPixels": FULL[1], "CroppedAreaLeftPixels": left,
        "CroppedAreaTopPixels": top, "CroppedAreaImageWidthPixels": width, "CroppedAreaImageHeightPixels": height,
    } | more  # fmt: skip
    space = 'xmlns:GPano="http://ns.google.com/photos/1.0/panorama/"'
    if form == "attributes":
        within = f"{space} " + " ".join(f'GPano:{name}="{value}"' for name, value in tags.items()) + "/>"
    else:
        said = "".join(f"<GPano:{name}>{value}</GPano:{name}>" for name, value in tags.items())
        within = f"{space}>{said}</rdf:Description>"
    return f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><rdf:Description {within}</rdf:RDF></x:xmpmeta>'


def panorama(heading: float | None = HEADING) -> Photo:
    return Photo("1", HERE, heading, 360.0, "equirectangular", None, "ana", "CC-BY-SA-4.0", "https://example.org")


def right(found: list[float]) -> bool:
    return all(abs(azimuth - POLE) < 1.0 for azimuth in found)


@pytest.mark.parametrize(("part", "form"), [*((part, "attributes") for part in PARTS), ("to the right", "elements")])
def test_a_part_of_a_sphere_by_its_own_tags(part: str, form: str, registry: Registry, row: ImageryRow) -> None:
    left, top, width, height = PARTS[part]
    # Where a viewer is to look first says nothing of where the picture was taken to look.
    xmp = gpano(*PARTS[part], form=form, InitialViewHeadingDegrees=200, PoseHeadingDegrees=HEADING)
    cropped = sphere()[top : top + height, left : left + width]
    resized = np.asarray(Image.fromarray(cropped).resize((width * 5 // 4, height * 5 // 4), Image.Resampling.BILINEAR))
    for pixels in (cropped, resized):
        got = azimuths(panorama(), Picture(pixels, xmp), registry, row)
        assert got
        assert right(got)


def test_a_part_that_is_narrower_than_a_view_is_refused(registry: Registry, row: ImageryRow) -> None:
    narrow = (512, 96, 250, 320)
    with pytest.raises(SiteError, match="too little to cut a view from"):
        azimuths(panorama(), Picture(sphere()[96:416, 512:762], gpano(*narrow)), registry, row)


@pytest.mark.parametrize("colour", [0, 255])
@pytest.mark.parametrize("part", ["half of it", "to the right"])
def test_a_part_that_somebody_has_padded_to_the_sphere_is_one(
    part: str, colour: int, registry: Registry, row: ImageryRow
) -> None:
    left, top, width, height = PARTS[part]
    padded = np.full((FULL[1], FULL[0], 3), colour, np.uint8)
    padded[top : top + height, left : left + width] = sphere()[top : top + height, left : left + width]
    got = azimuths(panorama(), Picture(padded, gpano(*PARTS[part])), registry, row)
    assert got
    assert right(got)


def test_a_picture_of_other_proportions_than_its_tags_say_is_refused(registry: Registry, row: ImageryRow) -> None:
    cut = Picture(sphere()[100:300, 256:768], gpano(*PARTS["half of it"]))
    with pytest.raises(SiteError, match="said to be a part of 512 x 256") as raised:
        azimuths(panorama(), cut, registry, row)
    assert raised.value.reason is Reason.WRONG_ASPECT


def test_without_a_heading_no_bearing_is_told(registry: Registry, row: ImageryRow) -> None:
    left, top, width, height = PARTS["half of it"]
    cropped = sphere()[top : top + height, left : left + width]
    assert azimuths(panorama(None), Picture(cropped, gpano(*PARTS["half of it"])), registry, row) == []


@pytest.mark.parametrize(
    ("part", "view_deg"),
    [*((part, "whole") for part in PARTS), ("half of it", "of the part"), ("half of it", "none")],
)
def test_a_part_of_a_sphere_by_what_panoramax_says(
    part: str,
    view_deg: str,
    registry: Registry,
    row: ImageryRow,
    httpserver: HTTPServer,
    client: HttpClient,
    serve: Serve,
) -> None:
    left, top, width, height = PARTS[part]
    view = {"whole": 360, "of the part": round(360 * width / FULL[0]), "none": None}[view_deg]
    camera = {
        "field_of_view": view,
        "sensor_array_dimensions": list(FULL),
        "visible_area": [left, str(top), FULL[0] - left - width, FULL[1] - top - height],  # a text, as some write
    }
    photo = told(camera, httpserver, client, serve)
    got = azimuths(photo, Picture(sphere()[top : top + height, left : left + width]), registry, row)
    assert got
    assert right(got)


def told(camera: dict[str, Any], httpserver: HTTPServer, client: HttpClient, serve: Serve) -> Photo:
    source = PanoramaxSource(
        "photos", Panoramax(type="panoramax", endpoint=httpserver.url_for("/api")), [REGION], client
    )
    stated = {"pers:interior_orientation": camera, "view:azimuth": HEADING}
    serve("/api/search", found(item(properties=stated)))
    return one(source.near(HERE, 20))


@pytest.mark.parametrize("view_deg", [360, 80])
@pytest.mark.parametrize(
    "strange",
    [
        {"visible_area": [900, 0, 900, 0]},  # more than there is
        {"visible_area": [-5, 0, 0, 0]},
        {"sensor_array_dimensions": [4000, 3000], "visible_area": [10, 0, 10, 0]},  # no sphere
        {"sensor_array_dimensions": None, "visible_area": [10, 0, 10, 0]},
        {"visible_area": [10, 0, 10]},
        {"visible_area": ["left", 0, 10, 0]},
        {"visible_area": [math.inf, 0, 10, 0]},
        {"visible_area": {"left": 10}},
    ],
)
def test_a_part_that_cannot_be_is_refused_or_gives_no_bearing(
    strange: dict[str, Any], view_deg: float, registry: Registry, row: ImageryRow, httpserver: HTTPServer,
    client: HttpClient, serve: Serve,
) -> None:  # fmt: skip
    camera = {"field_of_view": view_deg, "sensor_array_dimensions": list(FULL)} | strange
    photo = told(camera, httpserver, client, serve)
    if view_deg == 360:
        assert photo.unusable is not None
        assert photo.unusable[0] is Reason.WRONG_ASPECT
    else:  # cut by somebody who left the field of view as it was
        assert photo.unusable is None
        assert azimuths(photo, Picture(pinhole(30.0, 80.0, 640, 480)), registry, row) == []


def test_a_visible_area_that_misses_nothing_is_a_whole_sphere(
    registry: Registry, row: ImageryRow, httpserver: HTTPServer, client: HttpClient, serve: Serve
) -> None:
    camera = {"field_of_view": 360, "sensor_array_dimensions": list(FULL), "visible_area": [0, 0, 0, 0]}
    got = azimuths(told(camera, httpserver, client, serve), Picture(sphere()), registry, row)
    assert got
    assert right(got)


def pinhole(turn_deg: float, long_hfov_deg: float, width: int, height: int) -> Pixels:
    """A pinhole's photo of the pole, its field of view along the longer side."""
    pixels = np.random.default_rng(5).integers(90, 160, (height, width, 3)).astype(np.uint8)
    focal = max(width, height) / 2 / math.tan(math.radians(long_hfov_deg) / 2)
    x = round(width / 2 + focal * math.tan(math.radians(turn_deg)))
    pixels[height // 8 : height - height // 8, max(0, x - 3) : x + 3] = RED
    return pixels


@pytest.mark.parametrize(("size", "turn"), [((640, 480), 25.0), ((480, 640), -12.0), ((360, 640), 17.0)])
def test_an_upright_photo_s_field_of_view_is_along_its_long_side(
    size: tuple[int, int], turn: float, registry: Registry, row: ImageryRow, httpserver: HTTPServer, client: HttpClient,
    serve: Serve,
) -> None:  # fmt: skip
    photo = replace(told({"field_of_view": 70}, httpserver, client, serve), heading_deg=POLE - turn)
    got = azimuths(photo, Picture(pinhole(turn, 70.0, *size)), registry, row)
    assert got
    assert right(got)


def fisheye(turn_deg: float, radius: Callable[[float], float], width: int = 800, height: int = 600) -> Pixels:
    """A fisheye's photo of a short pole at the horizon; `radius` of an angle in radians is in longer sides."""
    pixels = np.random.default_rng(6).integers(90, 160, (height, width, 3)).astype(np.uint8)
    x = round(width / 2 + math.copysign(radius(math.radians(abs(turn_deg))) * width, turn_deg))
    pixels[height // 2 - 12 : height // 2 + 12, x - 4 : x + 4] = RED
    return pixels


def equidistant(focal: float, k1: float = 0.0, k2: float = 0.0) -> Callable[[float], float]:
    return lambda t: focal * t * (1 + k1 * t**2 + k2 * t**4)


@pytest.mark.parametrize(
    ("parameters", "turn"),
    [([0.38, 0.0, 0.0], -55.0), ([0.33, 0.01, -0.002], 38.0), ([0.45, -0.02, 0.0], 0.0), ([0.38], -20.0)],
)
def test_a_fisheye_by_what_mapillary_says(
    parameters: list[float], turn: float, registry: Registry, row: ImageryRow, httpserver: HTTPServer,
    client: HttpClient, serve: Serve, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    photo = of_mapillary("fisheye", parameters, POLE - turn, httpserver, client, serve, monkeypatch)
    got = azimuths(photo, Picture(fisheye(turn, equidistant(*parameters))), registry, row)
    assert got
    assert right(got)


@pytest.mark.parametrize(
    ("kind", "parameters"),
    [
        ("fisheye", []),
        ("fisheye", [0.0, 0.0, 0.0]),
        ("fisheye_opencv", [0.38, 0.0, 0.0, 0.0]),  # models that OpenSfM has and Mapillary does not document
        ("fisheye62", [0.38, 0.38, 0.5, 0.5, 0, 0, 0, 0]),
        ("fisheye_equisolid", [0.38, 0.0, 0.0]),
        (None, [0.38, 0.0, 0.0]),
    ],
)
def test_a_lens_that_nobody_knows_gives_no_bearing(
    kind: str | None, parameters: list[float], registry: Registry, row: ImageryRow, httpserver: HTTPServer,
    client: HttpClient, serve: Serve, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    photo = of_mapillary(kind, parameters, HEADING, httpserver, client, serve, monkeypatch)
    drawn = fisheye(POLE - HEADING, lambda t: 2 * 0.38 * math.sin(t / 2))
    assert azimuths(photo, Picture(drawn), registry, row) == []


def of_mapillary(
    kind: str | None,
    parameters: list[float],
    heading: float,
    httpserver: HTTPServer,
    client: HttpClient,
    serve: Serve,
    monkeypatch: pytest.MonkeyPatch,
) -> Photo:
    monkeypatch.setenv("MAPILLARY_TOKEN", "MLY|1234567890|0123456789abcdef0123456789abcdef")
    url = httpserver.url_for("").rstrip("/")
    hosts = [f"{httpserver.host}:{httpserver.port}"]
    config = Mapillary(type="mapillary", endpoint=url, tiles_endpoint=url, allowed_hosts=hosts)
    stated = image(camera_type=kind, camera_parameters=parameters, compass_angle=heading, width=800, height=600)
    serve("/images", lambda _: {"data": [stated]})
    return one(MapillarySource("photos", config, [REGION], client).near(HERE, 20))


@pytest.mark.parametrize(
    ("k1", "k2", "told_at_all"), [(0.0, 0.0, True), (-0.02, 0.0, True), (0.02, 0.003, True), (-0.25, 0.05, False)]
)
@pytest.mark.parametrize("turn", [-35.0, 12.0, 28.0])
def test_a_pinhole_with_distortion_is_within_a_degree_or_gives_no_bearing(
    k1: float, k2: float, told_at_all: bool, turn: float, registry: Registry, row: ImageryRow, httpserver: HTTPServer,
    client: HttpClient, serve: Serve, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    photo = of_mapillary("perspective", [0.6, k1, k2], POLE - turn, httpserver, client, serve, monkeypatch)
    drawn = fisheye(turn, lambda t: 0.6 * math.tan(t) * (1 + k1 * math.tan(t) ** 2 + k2 * math.tan(t) ** 4))
    got = azimuths(photo, Picture(drawn), registry, row)
    assert bool(got) == told_at_all
    assert right(got)


def test_a_photo_that_is_said_to_see_wider_than_flat_ones_do_gives_no_bearing(
    registry: Registry, row: ImageryRow, httpserver: HTTPServer, client: HttpClient, serve: Serve
) -> None:
    photo = told({"field_of_view": 150}, httpserver, client, serve)
    assert azimuths(photo, Picture(fisheye(30.0, equidistant(0.38))), registry, row) == []
