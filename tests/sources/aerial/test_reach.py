"""Where imagery lies: beyond 180 degrees, from 0 to 360, with rows from the south, or nowhere near a region."""

from pathlib import Path
from typing import Any

import mercantile
import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from pmtiles.tile import zxy_to_tileid
from pyproj import Transformer

from pipeline.config import sources as config
from pipeline.config.network import Network
from pipeline.config.region import Region
from pipeline.errors import ConfigError
from pipeline.geo.point import Point
from pipeline.net.client import HttpClient
from pipeline.sources.aerial.areas import grid_box
from pipeline.sources.aerial.layouts import Grid
from pipeline.sources.aerial.pmtiles import PmtilesAerialSource
from pipeline.sources.aerial.raster import RasterSource
from pipeline.sources.base import RasterChip
from tests.sources.aerial.range_serving import CREDITS, write_archive
from tests.sources.aerial.tile_serving import noise

SIZE_PX, GSD_M = 64, 0.25
RAMP_M = 12.0
LEVELS = (-2 * RAMP_M, 2 * RAMP_M)
"""Rasters hold metres east and north of the site, as floats; these become black and white."""


def source(path: Path, *regions: Region, **keys: Any) -> RasterSource:
    terms = {"author": "nobody", "licence": "CC0-1.0", "link": "https://example.org"}
    section = config.RasterSource.model_validate({"type": "raster", "path": path, "credits": terms, **keys})
    return RasterSource("photo", section, list(regions))


def around(lat: float, lon: float, radius_m: float = 200.0) -> Region:
    return Region(name="here", centre=(lat, lon), radius_m=radius_m)


def worst_error_m(chip: RasterChip) -> float:
    where = (np.arange(SIZE_PX) + 0.5 - SIZE_PX / 2) * GSD_M
    said = chip.pixels.astype(float) / 255 * 4 * RAMP_M - 2 * RAMP_M
    return float(max(np.abs(said[:, :, 0] - where[None, :]).max(), np.abs(said[:, :, 1] + where[:, None]).max()))


def write(path: Path, bands: NDArray[Any], transform: Affine, crs: str) -> Path:
    count, height, width = bands.shape
    shape = {"count": count, "height": height, "width": width, "dtype": bands.dtype}
    with rasterio.open(path, "w", driver="GTiff", crs=crs, transform=transform, **shape) as file:
        file.write(bands)
    return path


def ramp_in_degrees(path: Path, point: Point, west_of_m: float, shift_deg: float) -> Path:
    """A raster of some 0.2 m around a point, from so many metres west of it, its longitudes shifted."""
    step_lat = 0.2 / 111_000
    step = step_lat / np.cos(np.radians(point.lat))
    left, top = point.lon + shift_deg - west_of_m / 0.2 * step, point.lat + 90 * step_lat
    lon, lat = np.meshgrid(left + (np.arange(220) + 0.5) * step, top - (np.arange(180) + 0.5) * step_lat)
    frame = f"+proj=aeqd +lat_0={point.lat:.8f} +lon_0={point.lon:.8f} +datum=WGS84"
    east, north = Transformer.from_crs("OGC:CRS84", frame, always_xy=True).transform((lon + 180) % 360 - 180, lat)
    transform = Affine(step, 0, left, 0, -step_lat, top)
    return write(path, np.stack([east, north, east]).astype(np.float32), transform, "EPSG:4326")


@given(
    lat=st.floats(-60, 60),
    lon=st.one_of(st.floats(-180, 180), st.floats(179.9998, 180), st.floats(-180, -179.9998)),
    shifted=st.booleans(),
    west_of_m=st.sampled_from([14.0, 22.0, 30.0]),
)
@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_longitudes_may_go_on_beyond_180_or_count_from_0_to_360(
    tmp_path: Path, lat: float, lon: float, shifted: bool, west_of_m: float
) -> None:
    shift = shifted * (360.0 if lon < 0 else -360.0)
    path = ramp_in_degrees(tmp_path / "a.tif", Point(lat, lon), west_of_m, shift)
    photo = source(path, around(lat, lon), scale=LEVELS)
    chip = photo.chip(Point(lat, lon), SIZE_PX, GSD_M)
    assert chip.covered == 1.0
    assert worst_error_m(chip) < 0.25  # a level is 0.19 m
    assert chip.datum_accuracy_m == 0.0


@pytest.mark.parametrize("west", [-180.0, 0.0, -360.0, 100.0, -0.5])
def test_a_raster_of_the_whole_earth_may_begin_anywhere(tmp_path: Path, west: float) -> None:
    lon = (west + 0.25 + np.arange(720) * 0.5 + 180) % 360 - 180
    levels = np.broadcast_to(np.rint(125 + 100 * np.sin(np.radians(lon))), (3, 60, 720)).astype(np.uint8)
    path = write(tmp_path / "a.tif", levels, Affine(0.5, 0, west, 0, -0.5, 15), "EPSG:4326")
    for place in (-175.0, -90.0, -0.1, 0.1, 99.9, 100.1, 175.0, 180.0, -180.0):
        chip = source(path, around(0.0, place)).chip(Point(0.0, place), 33, 5_000.0)
        assert chip.covered == 1.0
        assert chip.pixels[16, 16, 0] == pytest.approx(125 + 100 * np.sin(np.radians(place)), abs=2)


@pytest.mark.parametrize(
    ("crs", "transform", "box"),
    [
        ("EPSG:4326", Affine(0.1, 0, 179.5, 0, -0.1, -16), (179.5, -17.0, -179.5, -16.0)),
        ("EPSG:4326", Affine(0.1, 0, 254.0, 0, -0.1, 41), (-106.0, 40.0, -105.0, 41.0)),
        ("EPSG:4326", Affine(36, 0, 0, 0, -9, 45), (-180.0, -45.0, 180.0, 45.0)),
        ("EPSG:32760", Affine(20_000, 0, 700_000, 0, -20_000, 8_200_000), (178.87, -18.06, -179.19, -16.27)),
        ("EPSG:3857", Affine(2e6, 0, 1.9e7, 0, -2e6, 1e7), (170.68, -66.45, -9.66, 66.45)),
    ],
)
def test_the_box_of_a_grid(crs: str, transform: Affine, box: tuple[float, ...]) -> None:
    side = 10
    found = grid_box(Grid("a", crs, transform, side, side))
    assert found == pytest.approx(box, abs=0.05)


def test_imagery_that_reaches_no_region_is_refused_with_its_bounds(tmp_path: Path) -> None:
    path = ramp_in_degrees(tmp_path / "a.tif", Point(48.1, 11.5), 22.0, 360.0)
    source(path, around(48.1, 11.5), around(50, 11.5), scale=LEVELS)
    with pytest.raises(ConfigError) as caught:
        source(path, around(50, 11.5), around(48.1, 12.5), scale=LEVELS)
    (problem,) = caught.value.problems
    assert problem.where == "sources.aerial.photo.path"
    assert problem.found.startswith("imagery within 11.4997, 48.0998, 11.5003, 48.1002")


def tiles(folder: Path, point: Point, zoom: int, *, tms: bool, colour: int = 90) -> Path:
    """A 3 x 3 block of tiles, a lighter one in the middle, where the point lies."""
    middle = mercantile.tile(point.lon, point.lat, zoom)
    for x in range(middle.x - 1, middle.x + 2):
        for y in range(middle.y - 1, middle.y + 2):
            row = 2**zoom - 1 - y if tms else y
            path = folder / str(zoom) / str(x) / f"{row}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (256, 256), (colour + 60 * ((x, y) == (middle.x, middle.y)),) * 3).save(path)
    return folder


def test_folders_whose_numbers_begin_with_zeros_are_no_tiles(tmp_path: Path) -> None:
    point = Point(48.1, 11.5)
    (column, *_) = (tiles(tmp_path / "t", point, 15, tms=False) / "15").iterdir()
    column.rename(column.with_name(f"0{column.name}"))
    source(tmp_path / "t", around(48.1, 11.5), layout="xyz")
    for column in (tmp_path / "t" / "15").iterdir():
        column.rename(column.with_name(f"0{column.name}"))
    with pytest.raises(ConfigError, match=r"found no tile .*/15/x/y\.jpg"):
        source(tmp_path / "t", around(48.1, 11.5), layout="xyz")


def centre(point: Point, zoom: int) -> Point:
    bounds = mercantile.bounds(mercantile.tile(point.lon, point.lat, zoom))
    return Point((bounds.south + bounds.north) / 2, (bounds.west + bounds.east) / 2)


@pytest.mark.parametrize("tms", [False, True])
@pytest.mark.parametrize("lat", [48.1, -33.9])
def test_rows_that_count_from_the_south_are_recognised_by_the_regions(
    tmp_path: Path, tms: bool, lat: float, caplog: pytest.LogCaptureFixture
) -> None:
    point = centre(Point(lat, 11.5), 18)
    folder = tiles(tmp_path, point, 18, tms=tms)
    region = around(point.lat, point.lon)
    for stated in ({}, {"tms": tms}):
        chip = source(folder, region, layout="xyz", **stated).chip(point, SIZE_PX, GSD_M)
        assert np.unique(chip.pixels).tolist() == [150]
    assert ["TMS" in message for message in caplog.messages] == [True] * tms
    with pytest.raises(ConfigError, match=r"rows count from the (north|south); allowed: tiles that reach one of its"):
        source(folder, region, layout="xyz", tms=not tms)


def test_a_folder_that_reaches_no_region_either_way_is_refused_with_both_bounds(tmp_path: Path) -> None:
    folder = tiles(tmp_path, Point(48.1, 11.5), 18, tms=False)
    with pytest.raises(ConfigError) as caught:
        source(folder, around(50.0, 11.5), layout="xyz")
    assert [problem.where for problem in caught.value.problems] == ["sources.aerial.photo.path"]
    found = caught.value.problems[0].found
    assert "48.09" in found
    assert "-48.1" in found


def test_a_folder_that_reaches_regions_both_ways_must_say_which(tmp_path: Path) -> None:
    folder = tiles(tmp_path, Point(30.0, 11.5), 18, tms=False)
    both = around(30.0, 11.5), around(-30.0, 11.5)
    with pytest.raises(ConfigError, match=r"photo\.tms: .*allowed: true \(TMS"):
        source(folder, *both, layout="xyz")
    source(folder, *both, layout="xyz", tms=False)


def test_an_archive_on_disk_that_reaches_no_region_is_refused(tmp_path: Path) -> None:
    path = write_archive(tmp_path / "a.pmtiles", {zxy_to_tileid(15, 16384, 16384): noise(1)}, min_zoom=15, max_zoom=15)
    section = config.PmtilesAerial.model_validate({"type": "pmtiles", "archive": str(path), "credits": CREDITS})
    client = HttpClient(Network(cache=str(tmp_path / "cache"), contact="a@example.org"))
    try:
        PmtilesAerialSource("tiles", section, [around(1.0, 1.0), around(48.0, 11.0)], client)
        with pytest.raises(ConfigError, match=r"archive: found imagery within -10\.0000, -5\.0000, 10\.0000, 5\.0000"):
            PmtilesAerialSource("tiles", section, [around(48.0, 11.0)], client)
    finally:
        client.close()
