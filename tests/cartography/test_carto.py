"""The carto style looks as a zoom 19 tile does, at any scale and latitude; roads are given to sample along."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.cartography import carto_style as style
from pipeline.config.region import Region
from pipeline.errors import ConfigError
from pipeline.geo.point import Point
from pipeline.imaging.types import Pixels
from pipeline.sources.base import HasRoads
from pipeline.sources.maps.files import MapFilesSource

WriteTown = Callable[..., Path]
SourceOf = Callable[..., MapFilesSource]

HERE = Point(47.3769, 8.5417)
TILE_M = 76.437


def tile_gsd(lat: float, size_px: int = 512) -> float:
    """Metres a pixel of a chip that shows as much as one tile of zoom 19."""
    return TILE_M * math.cos(math.radians(lat)) / size_px


def run(pixels: Pixels, colour: tuple[int, int, int], column: int) -> int:
    return int((np.abs(pixels[:, column].astype(int) - colour) <= 3).all(axis=1).sum())


@pytest.mark.parametrize("lat", [0.0, 47.4, -64.0])
@pytest.mark.parametrize(("category", "width"), [("primary", 27), ("residential", 17), ("service", 11)])
def test_a_road_is_as_wide_as_on_the_tile(
    tmp_path: Path, write_town: WriteTown, source_of: SourceOf, lat: float, category: str, width: int
) -> None:
    site = Point(lat, 8.5)
    road: Any = ([(-200.0, 0.0), (200.0, 0.0)], {"highway": category}, {})
    source = source_of(write_town(tmp_path / "town.osm", site, [road]), middle=site, style="carto", labels=False)
    chip = source.chip(site, 512, tile_gsd(lat))
    drawn = style._ROADS[category]
    fill = run(chip.pixels, drawn.fill, 200)
    assert fill == pytest.approx(2 * (width - 2 * drawn.casing_width), abs=2)
    half = source.chip(site, 512, 2 * tile_gsd(lat))
    assert run(half.pixels, drawn.fill, 200) == pytest.approx(fill / 2, abs=2)


def test_the_ground_has_the_colours_that_the_style_is_known_by(
    tmp_path: Path, write_town: WriteTown, source_of: SourceOf
) -> None:
    def square(x: float, y: float, side: float) -> list[tuple[float, float]]:
        h = side / 2
        return [(x - h, y - h), (x + h, y - h), (x + h, y + h), (x - h, y + h), (x - h, y - h)]

    things: list[Any] = [
        (square(0, 0, 60.0), {"landuse": "residential"}, {}),
        (square(-15, 15, 20.0), {"leisure": "park"}, {}),
        (square(15, 15, 20.0), {"natural": "water"}, {}),
        (square(15, -15, 20.0), {"building": "yes", "addr:housenumber": "12b"}, {}),
        (square(-15, -15, 20.0), {"amenity": "parking"}, {}),
    ]
    path = write_town(tmp_path / "town.osm.pbf", HERE, things)
    pixels = source_of(path, middle=HERE, style="carto", labels=False).chip(HERE, 256, 0.5).pixels
    found = {
        tuple(pixels[128 - dy, 128 + dx].tolist()) for dx, dy in ((0, 0), (-30, 30), (30, 30), (30, -30), (-30, -30))
    }
    assert found == {(224, 223, 223), (200, 250, 204), (170, 211, 223), (217, 208, 201), (238, 238, 238)}
    assert tuple(pixels[4, 4]) == (242, 239, 233)
    named = source_of(path, middle=HERE, style="carto").chip(HERE, 256, 0.5).pixels
    assert (named[150:166, 150:166] != pixels[150:166, 150:166]).any()  # the house number


def test_ground_alone_is_an_empty_map(tmp_path: Path, write_town: WriteTown, source_of: SourceOf) -> None:
    ring = [(-90.0, -90.0), (90.0, -90.0), (90.0, 90.0), (-90.0, 90.0), (-90.0, -90.0)]
    source = source_of(
        write_town(tmp_path / "town.osm.pbf", HERE, [(ring, {"landuse": "residential"}, {})]),
        middle=HERE,
        style="carto",
    )
    with pytest.raises(Exception, match="no feature within the"):
        source.chip(HERE, 256, 0.3)


def test_labels_can_be_left_out_and_signs_stay(tmp_path: Path, write_town: WriteTown, source_of: SourceOf) -> None:
    path = write_town(tmp_path / "town.osm", HERE)
    with_names, without = (
        source_of(path, middle=HERE, style="carto", labels=labels).chip(HERE, 512, 0.3).pixels
        for labels in (True, False)
    )
    assert (with_names != without).any()
    cafe = np.abs(without.astype(int) - style.ORANGE).max(axis=2) < 8
    y, x = np.nonzero(cafe)
    assert (x.mean(), y.mean()) == pytest.approx((256 + 15 / 0.3, 256 - 6 / 0.3), abs=3)


def test_the_same_town_gives_the_same_pixels(tmp_path: Path, write_town: WriteTown, source_of: SourceOf) -> None:
    path = write_town(tmp_path / "town.osm", HERE)
    one, two = (source_of(path, middle=HERE, style="carto").chip(HERE, 256, tile_gsd(HERE.lat, 256)) for _ in range(2))
    assert np.array_equal(one.pixels, two.pixels)


def test_the_style_is_part_of_the_fingerprint(tmp_path: Path, write_town: WriteTown, source_of: SourceOf) -> None:
    path = write_town(tmp_path / "town.osm", HERE)
    house, carto = (source_of(path, middle=HERE, style=name) for name in ("house", "carto"))
    assert house.fingerprint() != carto.fingerprint()


@pytest.mark.parametrize("suffix", [".osm", ".json", ".parquet"])
def test_roads_are_those_of_the_region_by_id(
    tmp_path: Path, write_town: WriteTown, source_of: SourceOf, suffix: str
) -> None:
    lanes: list[Any] = [
        ([(0.0, 0.0), (50.0, 0.0)], {"highway": "tertiary", "name": "A"}, {"subtype": "road", "class": "tertiary"}),
        ([(0.0, 9.0), (50.0, 9.0)], {"highway": "footway", "footway": "sidewalk"},
         {"subtype": "road", "class": "footway", "subclass": "sidewalk"}),
        ([(0.0, 900.0), (50.0, 900.0)], {"highway": "service"}, {"subtype": "road", "class": "service"}),
    ]  # fmt: skip
    if suffix == ".parquet":
        lanes[1][2].pop("subclass")
        lanes.pop(1)
    source = source_of(write_town(tmp_path / f"town{suffix}", HERE, lanes), middle=HERE)
    assert isinstance(source, HasRoads)
    small = Region(name="town", centre=(HERE.lat, HERE.lon), radius_m=100)
    (road,) = source.roads(small)
    assert road.category == "tertiary"
    assert len(road.lon) == len(road.lat) == 2
    large = Region(name="town", centre=(HERE.lat, HERE.lon), radius_m=1_000)
    assert [r.road_id for r in source.roads(large)] == sorted(r.road_id for r in source.roads(large))


def test_files_on_the_public_tile_server_are_refused(source_of: SourceOf) -> None:
    with pytest.raises(ConfigError, match="forbids bulk download"):
        source_of(Path("https://tile.openstreetmap.org/18/1/1.png"), middle=HERE)
