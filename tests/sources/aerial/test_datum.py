"""How well a raster's coordinate system is tied to WGS 84: noted, or refused with what mends or accepts it."""

import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from rasterio.transform import from_origin

from pipeline.config import sources as config
from pipeline.errors import ConfigError
from pipeline.geo.frame import LocalFrame
from pipeline.geo.point import Point
from pipeline.sources.aerial.datum import datum_accuracy_m, datum_fault, frames, once_around
from pipeline.sources.aerial.raster import RasterSource

OSTN15 = "uk_os_OSTN15_NTv2_OSGBtoETRS.tif"
"""The grid of Great Britain, some 40 MB, which no package brings."""


@pytest.mark.parametrize(
    ("crs", "lon", "lat", "accuracy"),
    [
        ("EPSG:4326", 8.5, 47.4, 0.0),
        ("EPSG:3857", 8.5, 47.4, 0.0),
        ("EPSG:32632", 9.0, 48.0, 0.0),
        ("EPSG:25832", 9.0, 48.0, 1.0),  # ETRS89
        ("EPSG:2154", 2.3, 48.9, 1.0),
        ("EPSG:2056", 8.5, 47.4, 1.0),
        ("EPSG:28992", 5.0, 52.0, 1.0),
        ("EPSG:6677", 139.7, 35.7, 1.0),
        ("EPSG:2961", -63.0, 44.0, 1.0),  # NAD83(CSRS)
        ("EPSG:4490", 116.4, 39.9, 1.0),  # CGCS2000
        ("EPSG:4549", 120.2, 30.3, 1.0),
        ("EPSG:4479", 116.4, 39.9, 1.0),
        (CRS.from_epsg(4549).to_wkt("WKT1_ESRI"), 120.2, 30.3, 1.0),
        ("+proj=utm +zone=31 +ellps=WGS84", 3.0, 45.0, None),
        ("+proj=utm +zone=31 +ellps=WGS84 +towgs84=0,0,0", 3.0, 45.0, None),
    ],
)
def test_systems_that_may_be_used(crs: str, lon: float, lat: float, accuracy: float | None) -> None:
    assert datum_accuracy_m(crs, lon, lat) == accuracy
    assert datum_fault(crs, lon, lat, 1.0) is None


COARSE = [
    ("EPSG:27700", 1.3, 52.6, 2.0, f"install {OSTN15} in "),
    ("EPSG:27700+5701", 1.3, 52.6, 2.0, OSTN15),
    ("EPSG:31467", 9.0, 52.0, 3.0, "install de_adv_BETA2007.tif in "),
    ("EPSG:23030", -3.7, 40.4, 1.5, "install es_ign_SPED2ETV2.tif in "),
    ("EPSG:26710", -121.5, 37.7, 7.0, "at best within 2.15 m, by us_noaa_cnhpgn.tif and us_noaa_conus.tif"),
    ("EPSG:26910", -121.5, 37.7, 4.0, "no shift grid brings it there (at best within 2 m, by us_noaa_cnhpgn.tif)"),
    ("EPSG:26913", -105.2, 40.0, 4.0, "no shift grid brings it there"),
    ("EPSG:6350", -105.2, 40.0, 2.0, "no shift grid brings it there; "),  # NAD83(2011)
    ("EPSG:7855", 145.0, -37.8, 3.0, "no shift grid brings it there; "),  # GDA2020
    ("EPSG:4301", 139.7, 35.7, 9.0, "no shift grid brings it there; "),
    (
        "+proj=tmerc +lon_0=-2 +ellps=airy +towgs84=446.4,-125.2,542.1,0.15,0.247,0.842,-20.49",
        *(-2.0, 52.0, None, "within 1 m: "),
    ),
    ("+proj=lcc +lat_1=40 +lat_2=50 +lat_0=0 +lon_0=3 +ellps=GRS80", 3.0, 45.0, None, "within 1 m: "),
    ("EPSG:4019", 3.0, 45.0, None, "within 1 m: "),  # unnamed, on GRS 80
    ("+proj=utm +zone=31 +ellps=GRS80 +towgs84=0,0,0", 3.0, 45.0, None, "within 1 m: "),
    ("EPSG:6783", -105.2, 40.0, None, "within 1 m: "),  # NAD83(CORS96)
]


@pytest.mark.parametrize(("crs", "lon", "lat", "accuracy", "said"), COARSE)
def test_systems_that_a_user_has_to_accept(crs: str, lon: float, lat: float, accuracy: float | None, said: str) -> None:
    fault = datum_fault(crs, lon, lat, 1.0)
    assert fault is not None
    assert said in fault[1]
    assert f"`max_datum_error_m: {'null' if accuracy is None else f'{accuracy:g}'}` accepts it" in fault[1]
    assert datum_accuracy_m(crs, lon, lat) == accuracy
    assert datum_fault(crs, lon, lat, accuracy) is None
    assert datum_fault(crs, lon, lat, None) is None


def test_a_grid_that_mends_as_much_as_is_asked_for_is_named() -> None:
    fault = datum_fault("EPSG:26910", -121.5, 37.7, 2.0)
    assert fault is not None
    assert fault[1].startswith("within 2 m: install us_noaa_cnhpgn.tif in ")


def test_a_datum_that_is_unknown_cannot_be_accepted() -> None:
    fault = datum_fault("+proj=utm +zone=31 +ellps=bessel", 3.0, 50.0, None)
    assert fault is not None
    assert fault[1] == "one that leads to WGS 84"


@pytest.mark.parametrize(
    ("crs", "lon", "lat"),
    [
        ("EPSG:27700", 1.3, 52.6), ("EPSG:27572", 2.3, 48.9), ("EPSG:26910", -121.5, 37.7), ("EPSG:31467", 9.0, 52.0),
        ("EPSG:4301", 139.7, 35.7), ("EPSG:27700+5701", 1.3, 52.6), ("EPSG:2263", -74.0, 40.7),
        ("+proj=tmerc +lon_0=-2 +ellps=airy +towgs84=446.4,-125.2,542.1,0.15,0.247,0.842,-20.49", -2.0, 52.0),
    ],
)  # fmt: skip
def test_gdal_warps_to_where_pyproj_says(crs: str, lon: float, lat: float) -> None:
    frame = LocalFrame(lat, lon)
    own, local = frames(crs, frame)
    east, north = np.array([0.0, 75.0, -75.0, 30.0]), np.array([0.0, 75.0, 20.0, -75.0])
    x, y = Transformer.from_crs("OGC:CRS84", crs, always_xy=True).transform(*frame.to_degrees(east, north))
    by_gdal = np.array(rasterio.warp.transform(own, local, x.tolist(), y.tolist()))
    assert np.abs(by_gdal - [east, north]).max() < 0.02


@pytest.mark.parametrize(
    ("crs", "around"),
    [
        ("EPSG:4326", 360.0), ("EPSG:4807", 400.0), ("EPSG:3857", 2 * math.pi * 6378137),
        ("EPSG:3395", 2 * math.pi * 6378137), ("EPSG:32632", None), ("EPSG:3035", None), ("EPSG:2056", None),
    ],
)  # fmt: skip
def test_where_x_goes_on_around_the_earth(crs: str, around: float | None) -> None:
    assert once_around(crs) == (None if around is None else pytest.approx(around))


def marked(path: Path, crs: str, x: float, y: float) -> Path:
    """A grey raster of 0.25 m pixels with a white mark of 1.25 m at a place."""
    bands: NDArray[np.uint8] = np.full((3, 401, 401), 90, np.uint8)
    bands[:, 198:203, 198:203] = 250
    transform = Affine(0.25, 0, x - 401 / 8, 0, -0.25, y + 401 / 8)
    shape: dict[str, Any] = {"count": 3, "height": 401, "width": 401, "dtype": "uint8"}
    with rasterio.open(path, "w", driver="GTiff", crs=crs, transform=transform, **shape) as file:
        file.write(bands)
    return path


def source(path: Path, **keys: Any) -> RasterSource:
    credits_ = {"author": "a", "licence": "CC0-1.0", "link": "https://example.org"}
    settings = {"type": "raster", "path": path, "credits": credits_} | keys
    return RasterSource("photo", config.RasterSource.model_validate(settings), [])


def offset_m(path: Path, place: Point, **keys: Any) -> float:
    """How far the mark lies from where it should in a chip, in metres."""
    light = source(path, **keys).chip(place, 201, 0.1).pixels[:, :, 0].astype(float) - 90
    light[light < 20] = 0
    rows, columns = np.mgrid[:201, :201]
    x, y = ((axis * light).sum() / light.sum() - 100 for axis in (columns, rows))
    return math.hypot(x, y) * 0.1


def test_british_grid_without_its_shift_grid_is_refused(tmp_path: Path) -> None:
    path = marked(tmp_path / "norwich.tif", "EPSG:27700", 624_161.0, 308_459.0)
    with pytest.raises(ConfigError) as caught:
        source(path)
    (problem,) = caught.value.problems
    assert problem.where == str(path)
    assert "OSGB" in problem.found
    assert "within 2 m" in problem.found
    assert OSTN15 in problem.allowed


def test_nad83_is_refused_until_its_accuracy_is_accepted_and_then_noted(tmp_path: Path) -> None:
    path = marked(tmp_path / "naip.tif", "EPSG:26910", 632_000.0, 4_173_000.0)
    with pytest.raises(ConfigError) as caught:
        source(path)
    (problem,) = caught.value.problems
    assert problem.where == str(path)
    assert problem.found == "coordinate system NAD83 / UTM zone 10N, which can be brought to WGS 84 within 4 m only"
    assert "`max_datum_error_m: 4` accepts it" in problem.allowed
    lon, lat = Transformer.from_crs("EPSG:26910", "OGC:CRS84", always_xy=True).transform(632_000.0, 4_173_000.0)
    assert source(path, max_datum_error_m=4).chip(Point(lat, lon), 64, 0.25).datum_accuracy_m == 4.0
    assert offset_m(path, Point(lat, lon), max_datum_error_m=4) < 0.05


def test_cgcs2000_is_where_wgs84_is_and_a_stricter_limit_refuses_it(tmp_path: Path) -> None:
    path = marked(tmp_path / "hangzhou.tif", "EPSG:4549", 520_000.0, 3_350_000.0)
    as_wgs84 = "+proj=tmerc +lon_0=120 +x_0=500000 +ellps=GRS80 +towgs84=0,0,0"
    lon, lat = Transformer.from_crs(as_wgs84, "OGC:CRS84", always_xy=True).transform(520_000.0, 3_350_000.0)
    assert source(path).chip(Point(lat, lon), 64, 0.25).datum_accuracy_m == 1.0
    assert offset_m(path, Point(lat, lon)) < 0.05
    with pytest.raises(ConfigError, match=r"within 1 m only.*`max_datum_error_m: 1` accepts it"):
        source(path, max_datum_error_m=0.5)


def test_an_unnamed_datum_is_refused_until_it_is_accepted(tmp_path: Path) -> None:
    path = marked(tmp_path / "plain.tif", "+proj=utm +zone=31 +ellps=GRS80", 500_000.0, 5_000_000.0)
    with pytest.raises(ConfigError, match=r"unknown accuracy.*`max_datum_error_m: null` accepts it"):
        source(path)
    lon, lat = Transformer.from_crs("EPSG:32631", "OGC:CRS84", always_xy=True).transform(500_000.0, 5_000_000.0)
    assert source(path, max_datum_error_m=None).chip(Point(lat, lon), 64, 0.25).datum_accuracy_m is None
    assert offset_m(path, Point(lat, lon), max_datum_error_m=None) < 0.05


def test_accepting_a_datum_changes_no_chip_and_so_no_recipe(tmp_path: Path) -> None:
    path = marked(tmp_path / "plain.tif", "EPSG:32610", 632_000.0, 4_173_000.0)
    assert source(path).fingerprint() == source(path, max_datum_error_m=4).fingerprint()


SHIFT_LAT_S, SHIFT_LON_S = 1.5, -6.0


def shift_grid(path: Path) -> None:
    """A grid as PROJ has them (https://proj.org/specifications/geodetictiffgrids.html), the same shift all over it."""
    side = 25
    flat = np.ones((side, side), np.float32)
    shape: dict[str, Any] = {"width": side, "height": side, "count": 2, "dtype": "float32", "crs": "EPSG:4277"}
    path.parent.mkdir(parents=True)
    with rasterio.open(path, "w", driver="GTiff", transform=from_origin(0.5, 53.5, 0.1, 0.1), **shape) as file:
        file.write(np.stack([flat * SHIFT_LAT_S, flat * SHIFT_LON_S]))
        for band, name in enumerate(("latitude_offset", "longitude_offset"), 1):
            file.set_band_description(band, name)
            file.set_band_unit(band, "arc-second")
        file.update_tags(2, positive_value="east")
        file.update_tags(TYPE="HORIZONTAL_OFFSET", AREA_OR_POINT="Point", grid_name="test", target_crs_epsg_code="4258")


def test_a_grid_that_is_installed_is_used_by_the_warp_as_well(tmp_path: Path) -> None:
    """PROJ looks for grids once a process, so the chip is made in another; GDAL's own PROJ does not find the grid."""
    shift_grid(tmp_path / "data" / "proj" / OSTN15)
    path = marked(tmp_path / "norwich.tif", "EPSG:27700", 624_161.0, 308_459.0)
    lon, lat = Transformer.from_crs("EPSG:27700", "EPSG:4277", always_xy=True).transform(624_161.0, 308_459.0)
    where = Point(lat + SHIFT_LAT_S / 3600, lon + SHIFT_LON_S / 3600)
    code = (
        "from pathlib import Path; from pipeline.geo.point import Point; from tests.sources.aerial import test_datum\n"
        f"path, where = Path({str(path)!r}), Point({where.lat!r}, {where.lon!r})\n"
        "print(test_datum.offset_m(path, where), test_datum.source(path).chip(where, 64, 1.0).datum_accuracy_m)"
    )
    here = str(Path(__file__).resolve().parents[3])
    env = {**os.environ, "XDG_DATA_HOME": str(tmp_path / "data"), "PYTHONPATH": here}
    done = subprocess.run([sys.executable, "-c", code], env=env, cwd=here, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    off, accuracy = map(float, done.stdout.split())
    assert off < 0.05
    assert accuracy == 1.0
