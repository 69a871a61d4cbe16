"""The map chip lies pixel on pixel over the aerial chip, and is the same every time."""

import math
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from pyproj import Geod

from pipeline.cartography import style
from pipeline.cartography.draw import draw
from pipeline.cartography.sight import in_frame
from pipeline.cartography.text import label_of
from pipeline.errors import SiteError
from pipeline.geo.frame import LocalFrame
from pipeline.geo.point import Point
from pipeline.imaging.types import Pixels
from pipeline.sources.maps.files import MapFilesSource
from schemas.reasons import Reason
from tests.examples import examples

WriteTown = Callable[..., Path]
SourceOf = Callable[..., MapFilesSource]

HERE = Point(47.3769, 8.5417)
GEOD = Geod(ellps="WGS84")


def square(x: float, y: float, side: float) -> list[tuple[float, float]]:
    h = side / 2
    return [(x - h, y - h), (x + h, y - h), (x + h, y + h), (x - h, y + h), (x - h, y - h)]


def centre_of_water(pixels: Pixels) -> tuple[float, float]:
    """Centre of the water on bare land: x right and y down from the top left corner of the picture."""
    share = (pixels[:, :, 0].astype(float) - style.LAND[0]) / (style.WATER[0] - style.LAND[0])
    y, x = np.mgrid[: pixels.shape[0], : pixels.shape[1]] + 0.5
    return float((share * x).sum() / share.sum()), float((share * y).sum() / share.sum())


@pytest.mark.parametrize(
    "site",
    [HERE, Point(0.0, 0.0), Point(-54.8, -68.3), Point(78.2, 15.6), Point(-16.8, 179.99999), Point(-16.8, -179.9999)],
)
@pytest.mark.parametrize(("x", "y"), [(0.0, 0.0), (41.3, -27.6), (-55.0, 60.2)])
def test_a_known_point_lies_on_its_pixel(
    tmp_path: Path, write_town: WriteTown, source_of: SourceOf, site: Point, x: float, y: float
) -> None:
    things: list[Any] = [(square(x, y, 6.0), {"natural": "water"}, {})]
    source = source_of(write_town(tmp_path / "town.osm.pbf", site, things), middle=site)
    chip = source.chip(site, 512, 0.3)
    assert centre_of_water(chip.pixels) == pytest.approx((256 + x / 0.3, 256 - y / 0.3), abs=0.5)


@examples(25, suppress=[HealthCheck.function_scoped_fixture])
@given(st.floats(-80, 80), st.floats(-180, 180), st.floats(-40, 40), st.floats(-40, 40), st.sampled_from([0.2, 0.5]))
def test_pixels_are_where_the_geodesic_says(
    tmp_path: Path, write_town: WriteTown, source_of: SourceOf, lat: float, lon: float, x: float, y: float, gsd: float
) -> None:
    site = Point(lat, lon)
    far_lon, far_lat, _ = GEOD.fwd(lon, lat, math.degrees(math.atan2(x, y)), math.hypot(x, y))
    path = tmp_path / "town.osm.pbf"
    path.unlink(missing_ok=True)
    source = source_of(
        write_town(path, Point(far_lat, far_lon), [(square(0, 0, 5.0), {"natural": "water"}, {})]), middle=site
    )
    chip = source.chip(site, 512, gsd)
    assert centre_of_water(chip.pixels) == pytest.approx((256 + x / gsd, 256 - y / gsd), abs=0.5)


def test_a_road_is_as_wide_as_its_lanes(tmp_path: Path, write_town: WriteTown, source_of: SourceOf) -> None:
    road: Any = ([(-100.0, 0.0), (100.0, 0.0)], {"highway": "secondary", "lanes": "4"}, {})
    chip = source_of(write_town(tmp_path / "town.osm", HERE, [road]), middle=HERE).chip(HERE, 256, 0.25)
    fill = (np.abs(chip.pixels[:, 128].astype(int) - style.road("secondary").fill) <= 2).all(axis=1)
    assert fill.sum() * 0.25 == pytest.approx(4 * 3.2 + 1.0, abs=0.6)


def test_holes_stay_open_and_buildings_lie_on_parks(tmp_path: Path, write_town: WriteTown, source_of: SourceOf) -> None:
    things: list[Any] = [
        (square(0, 0, 60.0), {"leisure": "park"}, {}),
        (square(10, 10, 8.0), {"building": "yes"}, {}),
    ]
    chip = source_of(write_town(tmp_path / "town.osm", HERE, things), middle=HERE).chip(HERE, 256, 0.5)
    assert tuple(chip.pixels[108, 148]) == style.BUILDING
    assert tuple(chip.pixels[128, 128]) == style.green_colour("park")
    assert tuple(chip.pixels[10, 10]) == style.LAND


def test_the_picture_depends_on_the_features_and_not_on_their_order(
    tmp_path: Path, write_town: WriteTown, source_of: SourceOf
) -> None:
    source = source_of(write_town(tmp_path / "town.osm", HERE), middle=HERE)
    features = source.store(HERE, 0.0).near(HERE, 150.0)
    features = [feature for feature in features if feature.kind != "junction"]
    random.Random(1).shuffle(features)
    shuffled = draw(features, in_frame(features, LocalFrame(HERE.lat, HERE.lon)), 256, 0.5, labels=True)
    assert np.array_equal(shuffled, source.chip(HERE, 256, 0.5).pixels)


def test_threads_get_the_same_pictures(tmp_path: Path, write_town: WriteTown, source_of: SourceOf) -> None:
    source = source_of(write_town(tmp_path / "town.osm", HERE), middle=HERE)
    sites = [Point(HERE.lat + i * 1e-4, HERE.lon) for i in range(8)]
    alone = [source.chip(site, 256, 0.5).pixels for site in sites]
    again = source_of(tmp_path / "town.osm", middle=HERE)
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda site: again.chip(site, 256, 0.5).pixels, sites * 3))
    assert all(np.array_equal(one, alone[i % 8]) for i, one in enumerate(together))


def test_labels_can_be_left_out(tmp_path: Path, write_town: WriteTown, source_of: SourceOf) -> None:
    path = write_town(tmp_path / "town.osm", HERE)
    with_names, without = (source_of(path, middle=HERE, labels=labels) for labels in (True, False))
    assert (with_names.chip(HERE, 256, 0.5).pixels != without.chip(HERE, 256, 0.5).pixels).any()
    assert with_names.fingerprint() != without.fingerprint()


@pytest.mark.parametrize(
    ("name", "name_en", "written"),
    [
        ("종로", "Jongno", "종로"),
        ("Świętokrzyska", None, "Świętokrzyska"),
        ("ถนนสุขุมวิท", "Sukhumvit Road", "Sukhumvit Road"),
        ("ถนนสุขุมวิท", None, None),
        ("Vitamin Cottage Natural Foods Markets", None, "Vitamin Cottage Natural Foo…"),
        (None, None, None),
    ],
)
def test_a_label_is_the_name_if_the_font_has_it(
    tmp_path: Path,
    write_town: WriteTown,
    source_of: SourceOf,
    name: str | None,
    name_en: str | None,
    written: str | None,
) -> None:
    tags = {"highway": "residential"} | ({"name": name} if name else {}) | ({"name:en": name_en} if name_en else {})
    road: Any = ([(-50.0, 0.0), (50.0, 0.0)], tags, {})
    (feature,) = (
        source_of(write_town(tmp_path / "town.osm", HERE, [road]), middle=HERE).store(HERE, 0.0).near(HERE, 10.0)
    )
    assert label_of(feature) == written


@pytest.mark.parametrize(("away", "reason"), [(300.0, Reason.EMPTY_MAP), (700.0, Reason.NO_OVERLAP)])
def test_chips_without_features_say_why(
    tmp_path: Path, write_town: WriteTown, source_of: SourceOf, away: float, reason: Reason
) -> None:
    source = source_of(
        write_town(tmp_path / "town.osm", HERE, [(square(0, 0, 9.0), {"natural": "water"}, {})]), middle=HERE
    )
    lon, lat, _ = GEOD.fwd(HERE.lon, HERE.lat, 30.0, away)
    with pytest.raises(SiteError) as error:
        source.chip(Point(lat, lon), 256, 0.3)
    assert error.value.reason is reason


def test_the_fingerprint_follows_the_content_and_not_the_name(
    tmp_path: Path, write_town: WriteTown, source_of: SourceOf
) -> None:
    one, two = write_town(tmp_path / "a.json", HERE), write_town(tmp_path / "b.json", HERE)
    assert source_of(one, middle=HERE).fingerprint() == source_of(two, middle=HERE).fingerprint()
    two.write_text(two.read_text().replace("Mill Lane", "Mill Road"))
    assert source_of(one, middle=HERE).fingerprint() != source_of(two, middle=HERE).fingerprint()


def test_streets_that_cross_themselves_without_end_are_refused_at_once(
    tmp_path: Path, write_town: WriteTown, source_of: SourceOf
) -> None:
    """To put together the pieces of such a street takes minutes, and gigabytes."""
    draw_place = random.Random(0)
    scribble = [(draw_place.uniform(-90, 90), draw_place.uniform(-90, 90)) for _ in range(1_500)]
    things: list[Any] = [(scribble, {"highway": "residential", "name": "Long Way Round"}, {})]
    with pytest.raises(SiteError, match="cross each other") as caught:
        source_of(write_town(tmp_path / "town.osm", HERE, things), middle=HERE).chip(HERE, 256, 1.0)
    assert caught.value.reason == Reason.BAD_ANSWER
