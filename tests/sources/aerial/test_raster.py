"""Chips from local rasters: where their pixels are, what counts as covered, and what is refused up front."""

import math
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import mercantile
import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from pyproj import CRS, Transformer

from pipeline.config import sources as config
from pipeline.errors import ConfigError, SiteError
from pipeline.geo.point import Point
from pipeline.sources.aerial.raster import RasterSource
from pipeline.sources.base import RasterChip
from schemas.reasons import Reason
from tests.examples import examples

HERE = Point(48.1, 11.5)
SIZE_PX, GSD_M = 64, 0.25
RAMP_M = 8.5
"""Synthetic rasters hold metres east and north of the site; -8.5 m becomes black and +8.5 m white: 6.7 cm a level."""


def source(path: Path, **keys: Any) -> RasterSource:
    terms = {"author": "nobody", "licence": "CC0-1.0", "link": "https://example.org"}
    return RasterSource("photo", config.RasterSource(type="raster", path=path, credits=terms, **keys), [])


def to_local(point: Point) -> Transformer:
    """WGS84 degrees to metres east and north, made here independently of the code under test."""
    return Transformer.from_crs("OGC:CRS84", f"+proj=aeqd +lat_0={point.lat:.8f} +lon_0={point.lon:.8f} +datum=WGS84")


def write(path: Path, bands: NDArray[Any], transform: Affine | None, crs: str | None, **keys: Any) -> Path:
    count, height, width = bands.shape
    shape = {"count": count, "height": height, "width": width, "dtype": bands.dtype}
    with rasterio.open(path, "w", driver="GTiff", crs=crs, transform=transform, **shape, **keys) as file:
        file.write(bands)
    return path


def grey(path: Path, value: int, *, offset_m: float = 0.0, side_px: int = 100, **keys: Any) -> Path:
    """A single-coloured 8-bit raster of 1 m pixels in UTM, centred `offset_m` east of HERE."""
    x, y = Transformer.from_crs("OGC:CRS84", "EPSG:32632", always_xy=True).transform(HERE.lon, HERE.lat)
    transform = Affine(1, 0, x - side_px / 2 + offset_m, 0, -1, y + side_px / 2)
    return write(path, np.full((3, side_px, side_px), value, np.uint8), transform, "EPSG:32632", **keys)


def ramp(point: Point, crs: str, transform: Affine, side_px: int) -> NDArray[np.float64]:
    """Metres east and north of a point at each pixel's centre."""
    columns, rows = np.meshgrid(np.arange(side_px) + 0.5, np.arange(side_px) + 0.5)
    x = transform.a * columns + transform.b * rows + transform.c
    y = transform.d * columns + transform.e * rows + transform.f
    lon, lat = Transformer.from_crs(crs, "OGC:CRS84", always_xy=True).transform(x, y)
    east, north = to_local(point).transform(lon, lat)
    return np.stack([east, north, east])


def worst_error_m(chip: RasterChip) -> float:
    """Between what the chip's pixels say of their place and where they are."""
    where = (np.arange(SIZE_PX) + 0.5 - SIZE_PX / 2) * GSD_M
    said = chip.pixels.astype(float) / 255 * 2 * RAMP_M - RAMP_M
    return float(max(np.abs(said[:, :, 0] - where[None, :]).max(), np.abs(said[:, :, 1] + where[:, None]).max()))


def systems(point: Point) -> dict[str, str]:
    zone = int((point.lon + 180) // 6) % 60 + 1
    return {
        "geographic": "EPSG:4326",
        "web mercator": "EPSG:3857",
        "world mercator": "EPSG:3395",
        "utm": f"EPSG:{(32600 if point.lat >= 0 else 32700) + zone}",
        "lambert": f"+proj=lcc +lat_1={point.lat - 1} +lat_2={point.lat + 2} +lat_0=0 +lon_0={point.lon - 3}",
        "etrs, feet": f"+proj=tmerc +lon_0={point.lon + 1} +ellps=GRS80 +units=us-ft",
    }


@given(
    lat=st.floats(-70, 70),
    lon=st.floats(-179, 179),
    system=st.sampled_from(sorted(systems(HERE))),
    turn=st.sampled_from([0.0, 0.0, 33.0, 90.0, 180.0]),
    flip=st.booleans(),
    pixel_m=st.sampled_from([0.05, 0.13, 0.24, 0.5, 1.0]),
)
@examples(12, suppress=[HealthCheck.function_scoped_fixture])
def test_chip_pixels_lie_where_pyproj_says(
    tmp_path: Path, lat: float, lon: float, system: str, turn: float, flip: bool, pixel_m: float
) -> None:
    point, crs = Point(lat, lon), systems(Point(lat, lon))[system]
    unit = CRS.from_user_input(crs).axis_info[0].unit_conversion_factor * (6_371_000 if system == "geographic" else 1)
    stretch = 1 / math.cos(math.radians(lat)) if "mercator" in system else 1.0
    step = pixel_m / unit * stretch
    side_px = int(36 / pixel_m / (0.3 if system == "geographic" and abs(lat) > 60 else 1)) + 16
    x, y = Transformer.from_crs("OGC:CRS84", crs, always_xy=True).transform(lon, lat)
    rotation = Affine.rotation(turn) @ Affine.scale(step, step if flip else -step)
    transform = Affine.translation(x, y) @ rotation @ Affine.translation(-side_px / 2, -side_px / 2)
    path = write(tmp_path / "ramp.tif", ramp(point, crs, transform, side_px), transform, crs)
    chip = source(path, scale=(-RAMP_M, RAMP_M), max_datum_error_m=None).chip(point, SIZE_PX, GSD_M)
    assert chip.covered == 1.0
    if system != "geographic":  # whose pixels are not square on the ground
        assert chip.native_gsd_m == pytest.approx(pixel_m, rel=0.02)
    assert worst_error_m(chip) < 0.1


def tiles_around(folder: Path, point: Point, zoom: int) -> Path:
    """PNG tiles that hold the ramp, all that touch the chip."""
    half = mercantile.CE / 2
    step = mercantile.CE / (256 * 2**zoom)
    reach = 0.0003 / math.cos(math.radians(point.lat))
    west, east = (point.lon - reach + 180) % 360 - 180, (point.lon + reach + 180) % 360 - 180
    for tile in mercantile.tiles(west, point.lat - 0.0003, east, point.lat + 0.0003, zoom):
        transform = Affine(step, 0, tile.x * 256 * step - half, 0, -step, half - tile.y * 256 * step)
        metres = ramp(point, "EPSG:3857", transform, 256)
        levels = np.clip(np.rint((metres + RAMP_M) / (2 * RAMP_M) * 255), 0, 255).astype(np.uint8)
        path = folder / str(zoom) / str(tile.x) / f"{tile.y}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(levels.transpose(1, 2, 0)).save(path)
    return folder


@pytest.mark.parametrize(("lat", "lon"), [(0.0, 0.0), (40.75, -74.0), (-33.9, 151.2), (64.1, -21.9), (69.9, 18.9)])
def test_tiles_lie_where_pyproj_says(tmp_path: Path, lat: float, lon: float) -> None:
    chip = source(tiles_around(tmp_path, Point(lat, lon), 19), layout="xyz").chip(Point(lat, lon), SIZE_PX, GSD_M)
    assert chip.covered == 1.0
    assert worst_error_m(chip) < 0.1
    assert all(name.startswith("19/") for name in chip.source_id.split())


def test_tiles_join_across_the_antimeridian(tmp_path: Path) -> None:
    point = Point(-16.8, 179.99999)
    chip = source(tiles_around(tmp_path, point, 19), layout="xyz").chip(point, SIZE_PX, GSD_M)
    assert chip.covered == 1.0
    assert worst_error_m(chip) < 0.15  # at the seam the cubic kernel has one half only


def test_deepest_zoom_is_read_and_absent_tiles_are_not_covered(tmp_path: Path) -> None:
    parent = mercantile.tile(HERE.lon, HERE.lat, 17)
    tile = mercantile.Tile(2 * parent.x + 1, 2 * parent.y + 1, 18)
    others = ((2023, tile.x, tile.y), (18, 10**9, tile.y), (18, tile.x, 10**30))  # numbers that are no places
    for zoom, x, y in ((17, tile.x // 2, tile.y // 2), (18, tile.x, tile.y), *others):
        path = tmp_path / str(zoom) / str(x) / f"{y}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (256, 256), (zoom % 256, zoom % 256, zoom % 256)).save(path, quality=100)
    bounds = mercantile.bounds(tile)
    corner = Point(bounds.north, bounds.west)
    chip = source(tmp_path, layout="xyz").chip(corner, SIZE_PX, GSD_M)
    assert chip.covered == pytest.approx(0.25, abs=0.02)
    assert chip.pixels[-1, -1].tolist() == [18, 18, 18]
    assert chip.pixels[0, 0].tolist() == [0, 0, 0]
    assert source(tmp_path, layout="xyz", zoom=17).chip(corner, SIZE_PX, GSD_M).covered == 1.0


def test_transparent_tile_is_no_data(tmp_path: Path) -> None:
    tile = mercantile.tile(HERE.lon, HERE.lat, 15)
    path = tmp_path / "15" / str(tile.x) / f"{tile.y}.png"
    path.parent.mkdir(parents=True)
    Image.new("RGBA", (256, 256), (200, 10, 10, 0)).save(path)
    with pytest.raises(SiteError) as caught:
        source(tmp_path, layout="xyz").chip(HERE, SIZE_PX, GSD_M)
    assert caught.value.reason == Reason.ALL_NODATA


def test_damaged_or_odd_tile_fails_the_site_and_says_which(tmp_path: Path) -> None:
    tile = mercantile.tile(HERE.lon, HERE.lat, 15)
    good = tmp_path / "15" / str(tile.x - 1) / "1.png"
    bad = tmp_path / "15" / str(tile.x) / f"{tile.y}.png"
    for path, side in ((good, 256), (bad, 512)):
        path.parent.mkdir(parents=True)
        Image.new("RGB", (side, side)).save(path)
    tiles = source(tmp_path, layout="xyz")
    for content in (bad.read_bytes(), b"<html>429</html>"):
        bad.write_bytes(content)
        with pytest.raises(SiteError, match=rf"15/{tile.x}/{tile.y}\.png") as caught:
            tiles.chip(HERE, SIZE_PX, GSD_M)
        assert caught.value.reason == Reason.READ_FAILED


def test_first_file_by_name_that_holds_data_counts(tmp_path: Path) -> None:
    grey(tmp_path / "b.tif", 100)
    grey(tmp_path / "a.tif", 50, offset_m=50)  # reaches from HERE eastwards
    grey(tmp_path / "c.tif", 150)
    chip = source(tmp_path).chip(HERE, SIZE_PX, GSD_M)
    assert chip.covered == 1.0
    assert set(chip.pixels[:, :31].ravel()) == {100}
    assert set(chip.pixels[:, 33:].ravel()) == {50}
    assert chip.source_id == "a.tif b.tif"


def test_holes_of_one_file_are_filled_from_the_next(tmp_path: Path) -> None:
    path = grey(tmp_path / "a.tif", 50, nodata=0)
    with rasterio.open(path, "r+") as file:
        values = file.read()
        values[:, 40:60, 40:50] = 0
        file.write(values)
    grey(tmp_path / "b.tif", 100)
    chip = source(tmp_path).chip(HERE, SIZE_PX, GSD_M)
    assert set(np.unique(chip.pixels)) == {50, 100}  # and nothing mixed with the hole's zero


def test_the_native_gsd_is_that_of_the_coarsest_file_that_gave_a_pixel(tmp_path: Path) -> None:
    coarse = grey(tmp_path / "b.tif", 10, nodata=0)
    assert source(coarse).chip(HERE, SIZE_PX, GSD_M).native_gsd_m == pytest.approx(1.0, rel=0.01)
    x, y = Transformer.from_crs("OGC:CRS84", "EPSG:32632", always_xy=True).transform(HERE.lon, HERE.lat)
    fine = np.full((3, 200, 200), 10, np.uint8)
    write(tmp_path / "a.tif", fine, Affine(0.2, 0, x - 20, 0, -0.2, y + 20), "EPSG:32632", nodata=0)
    assert source(tmp_path).chip(HERE, SIZE_PX, GSD_M).native_gsd_m == pytest.approx(0.2, rel=0.01)
    fine[:, 90:110, 90:110] = 0
    write(tmp_path / "a.tif", fine, Affine(0.2, 0, x - 20, 0, -0.2, y + 20), "EPSG:32632", nodata=0)
    assert source(tmp_path).chip(HERE, SIZE_PX, GSD_M).native_gsd_m == pytest.approx(1.0, rel=0.01)


def test_a_colour_with_one_nodata_valued_band_is_a_colour(tmp_path: Path) -> None:
    path = grey(tmp_path / "a.tif", 80, nodata=0)
    with rasterio.open(path, "r+") as file:
        file.write(np.zeros((100, 100), np.uint8), 2)
    chip = source(path).chip(HERE, SIZE_PX, GSD_M)
    assert chip.covered == 1.0
    assert chip.pixels[32, 32].tolist() == [80, 0, 80]


@pytest.mark.parametrize("kind", ["mask", "alpha"])
def test_masks_and_alpha_bands_bound_the_data(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.tif"
    valid = np.full((100, 100), 255, np.uint8)
    valid[:, :50] = 0
    if kind == "mask":
        with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
            grey(path, 120)
            with rasterio.open(path, "r+") as file:
                file.write_mask(valid)
    else:
        grey(tmp_path / "plain.tif", 120)
        with rasterio.open(tmp_path / "plain.tif") as plain:
            bands, transform = plain.read(), plain.transform
        write(path, np.concatenate([bands, valid[None]]), transform, "EPSG:32632", photometric="RGB", alpha="YES")
    chip = source(path).chip(HERE, SIZE_PX, GSD_M)
    assert chip.covered == pytest.approx(0.5, abs=0.03)
    assert chip.pixels[32, 60].tolist() == [120, 120, 120]


def test_16_bit_single_band_is_scaled_to_grey(tmp_path: Path) -> None:
    with rasterio.open(grey(tmp_path / "rgb.tif", 1)) as file:
        transform = file.transform
    path = write(tmp_path / "pan.tif", np.full((1, 100, 100), 600, np.uint16), transform, "EPSG:32632")
    chip = source(path, scale=(200, 1000)).chip(HERE, SIZE_PX, GSD_M)
    assert np.unique(chip.pixels).tolist() == [128]


def test_fine_raster_is_averaged_not_sampled(tmp_path: Path) -> None:
    with rasterio.open(grey(tmp_path / "rgb.tif", 1)) as file:
        transform = file.transform @ Affine.scale(0.05)
    checks = np.indices((2000, 2000)).sum(axis=0) % 2 * 255
    path = write(tmp_path / "fine.tif", np.stack([checks] * 3).astype(np.uint8), transform, "EPSG:32632")
    chip = source(path).chip(HERE, 64, 1.0)
    assert abs(chip.pixels.astype(int) - 127).max() <= 2


def test_no_overlap_and_all_nodata_are_told_apart(tmp_path: Path) -> None:
    grey(tmp_path / "far.tif", 50, offset_m=5000)
    with pytest.raises(SiteError) as caught:
        source(tmp_path).chip(HERE, SIZE_PX, GSD_M)
    assert caught.value.reason == Reason.NO_OVERLAP
    grey(tmp_path / "void.tif", 0, nodata=0)
    with pytest.raises(SiteError) as caught:
        source(tmp_path).chip(HERE, SIZE_PX, GSD_M)
    assert caught.value.reason == Reason.ALL_NODATA


def test_damaged_pixels_fail_the_site_and_name_the_file(tmp_path: Path) -> None:
    path = grey(tmp_path / "cut.tif", 50, side_px=600)
    raster = source(path)
    path.write_bytes(path.read_bytes()[:200_000])
    with pytest.raises(SiteError, match=r": cut\.tif: cut\.tif, band 1: IReadBlock failed") as caught:
        raster.chip(HERE, SIZE_PX, GSD_M)
    assert caught.value.reason == Reason.READ_FAILED


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_all_unusable_files_are_listed_at_once(tmp_path: Path) -> None:
    with rasterio.open(grey(tmp_path / "good.tif", 1)) as file:
        transform = file.transform
    plain = np.zeros((1, 8, 8), np.uint8)
    write(tmp_path / "nocrs.tif", plain, transform, None)
    write(tmp_path / "noplace.tif", plain, None, "EPSG:32632")
    write(tmp_path / "sixteen.tif", plain.astype(np.uint16), transform, "EPSG:32632")
    write(tmp_path / "float.tif", plain.astype(np.float64), transform, "EPSG:32632")
    write(tmp_path / "complex.tif", plain.astype(np.complex64), transform, "EPSG:32632")
    write(tmp_path / "flat.tif", plain, Affine(1, 0, 5, 0, 0, 5), "EPSG:32632")
    (tmp_path / "html.tif").write_text("<html>404</html>")
    (tmp_path / "empty.tif").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("not a raster, and not called one")
    with pytest.raises(ConfigError) as caught:
        source(tmp_path)
    told = {Path(problem.where).name: problem.found for problem in caught.value.problems}
    assert set(told) == {
        f"{n}.tif" for n in ("nocrs", "noplace", "sixteen", "float", "complex", "flat", "html", "empty")
    }
    assert "no coordinate system" in told["nocrs.tif"]
    assert "no georeference" in told["noplace.tif"]
    assert "no scale" in told["sixteen.tif"]
    assert "float64 pixels and no scale" in told["float.tif"]
    assert "without area" in told["flat.tif"]


def test_impossible_settings_are_listed_at_once(tmp_path: Path) -> None:
    path = grey(tmp_path / "a.tif", 1)
    with pytest.raises(ConfigError) as caught:
        source(path, bands=(1, 2, 4), zoom=3, captured_on="June", scale=(5, 5))
    where = [problem.where.removeprefix("sources.aerial.photo.") for problem in caught.value.problems]
    assert where == ["captured_on", "zoom", "scale", str(path)]
    (tmp_path / "tiles").mkdir()
    with pytest.raises(ConfigError) as caught:
        source(tmp_path / "tiles", layout="xyz", bands=(1, 2, 3))
    assert [problem.where.rsplit(".", 1)[1] for problem in caught.value.problems] == ["bands", "path"]
    with pytest.raises(ConfigError, match="no raster"):
        source(tmp_path / "tiles")


def test_a_negative_is_refused_until_its_scale_is_given(tmp_path: Path) -> None:
    with rasterio.open(grey(tmp_path / "rgb.tif", 1)) as file:
        transform = file.transform
    values = np.full((1, 100, 100), 40, np.uint8)
    path = write(tmp_path / "negative.tif", values, transform, "EPSG:32632", photometric="miniswhite")
    with pytest.raises(ConfigError, match="MINISWHITE"):
        source(path)
    assert (source(path, scale=(255, 0)).chip(HERE, 16, 1.0).pixels == 215).all()


def test_palette_raster_is_refused(tmp_path: Path) -> None:
    with rasterio.open(grey(tmp_path / "rgb.tif", 1)) as file:
        transform = file.transform
    path = write(
        tmp_path / "palette.tif", np.zeros((1, 8, 8), np.uint8), transform, "EPSG:32632", photometric="palette"
    )
    with rasterio.open(path, "r+") as file:
        file.write_colormap(1, {0: (1, 2, 3, 255)})
    with pytest.raises(ConfigError, match="palette"):
        source(path)


@pytest.fixture
def visitors() -> Any:
    """A server on this machine that notes who comes: its port, and the list of visits."""
    visits: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        stop = threading.Event()

        def serve() -> None:
            while not stop.is_set():
                try:
                    connection, _ = server.accept()
                except TimeoutError:
                    continue
                with connection:
                    visits.append(connection.recv(200))

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1], visits
        stop.set()
        thread.join()


def test_a_raster_cannot_send_gdal_to_the_network(tmp_path: Path, visitors: Any) -> None:
    port, visits = visitors
    url = f"http://127.0.0.1:{port}/x.tif"
    vrt = '<VRTDataset rasterXSize="9" rasterYSize="9"><VRTRasterBand dataType="Byte" band="1"><SimpleSource>'
    vrt += f"<SourceFilename>/vsicurl/{url}</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>"
    (tmp_path / "vrt.tif").write_text(vrt)
    wms = f'<GDAL_WMS><Service name="TMS"><ServerUrl>{url}</ServerUrl></Service><DataWindow><SizeX>9</SizeX>'
    (tmp_path / "wms.tif").write_text(wms + "<SizeY>9</SizeY></DataWindow></GDAL_WMS>")
    for name, target in (("curl.tif", f"/vsicurl/{url}"), ("plain.tif", url)):
        with rasterio.open(grey(tmp_path / name, 7, side_px=2000), "r+") as file:
            file.update_tags(ns="OVERVIEWS", OVERVIEW_FILE=target)
    with pytest.raises(ConfigError) as caught:
        source(tmp_path)
    assert len(caught.value.problems) == 4
    path = grey(tmp_path / "beside.tif", 7, side_px=2000)
    size = "<SizeX>1000</SizeX><SizeY>1000</SizeY><TileLevel>0</TileLevel>"
    (tmp_path / "beside.tif.ovr").write_text(
        f'<GDAL_WMS><Service name="TMS"><ServerUrl>{url}</ServerUrl></Service><DataWindow><UpperLeftX>0</UpperLeftX>'
        f"<UpperLeftY>0</UpperLeftY><LowerRightX>9</LowerRightX><LowerRightY>9</LowerRightY>{size}</DataWindow>"
        "<BandsCount>3</BandsCount></GDAL_WMS>"
    )
    (tmp_path / "beside.tif.aux.xml").write_text(
        f'<PAMDataset><Metadata domain="OVERVIEWS"><MDI key="OVERVIEW_FILE">{url}</MDI></Metadata></PAMDataset>'
    )
    assert source(path).chip(HERE, 64, 10.0).pixels[32, 32].tolist() == [7, 7, 7]
    assert visits == []


def test_a_mask_beside_the_file_is_not_silently_left_out(tmp_path: Path) -> None:
    path = grey(tmp_path / "a.tif", 7)
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=False), rasterio.open(path, "r+") as file:
        file.write_mask(np.zeros((100, 100), bool))
    assert (tmp_path / "a.tif.msk").exists()
    with pytest.raises(ConfigError, match="mask file beside it"):
        source(path)


def test_fingerprint_follows_content_and_settings(tmp_path: Path) -> None:
    path = grey(tmp_path / "a.tif", 50)
    first = source(tmp_path).fingerprint()
    assert source(tmp_path).fingerprint() == first
    assert source(tmp_path, bands=(1, 1, 1)).fingerprint() != first
    grey(path, 51)
    second = source(tmp_path).fingerprint()
    assert second != first
    path.rename(tmp_path / "b.tif")
    assert source(tmp_path).fingerprint() != second


def test_threads_get_the_same_chips(tmp_path: Path) -> None:
    raster = source(tiles_around(tmp_path, HERE, 19), layout="xyz")
    points = [Point(HERE.lat + i * 1e-5, HERE.lon) for i in range(4)] * 4
    alone = [raster.chip(point, SIZE_PX, GSD_M).pixels.tobytes() for point in points]
    with ThreadPoolExecutor(4) as pool:
        together = [chip.pixels.tobytes() for chip in pool.map(lambda p: raster.chip(p, SIZE_PX, GSD_M), points)]
    assert together == alone


def test_kampala_tiles_and_geotiff_coincide(corpus: Path) -> None:
    """The same imagery as z20 tiles and as a GeoTIFF: chips differ by less than 3 cm."""
    folder, file = (
        source(corpus / "aerial" / "kampala_xyz", layout="xyz", zoom=20),
        corpus / "aerial/kampala_z20_east.tif",
    )
    with rasterio.open(file) as raster:
        bounds = raster.bounds
    to_degrees = Transformer.from_crs("EPSG:3857", "OGC:CRS84")
    lon, lat = to_degrees.transform((bounds.left + bounds.right) / 2, (bounds.bottom + bounds.top) / 2)
    chips = [s.chip(Point(lat, lon), 256, 0.15) for s in (folder, source(file))]
    one, other = (cv2.cvtColor(chip.pixels, cv2.COLOR_RGB2GRAY).astype(np.float32) for chip in chips)
    (east, south), response = cv2.phaseCorrelate(one, other, cv2.createHanningWindow((256, 256), cv2.CV_32F))
    assert response > 0.9
    assert math.hypot(east, south) * 0.15 < 0.03


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("atlanta_pan.tif", {"scale": (0, 1200)}),
        ("goias_oam.tif", {}),
        ("manila_oam.tif", {}),
        ("neon_osbs.tif", {}),
        ("neon_sjer.tif", {}),
        ("rotterdam_ms1.tif", {"scale": (0, 800), "bands": (3, 2, 1)}),
        ("rotterdam_pan1.tif", {"scale": (0, 800)}),
    ],
)
def test_real_imagery_gives_a_chip(corpus: Path, name: str, keys: dict[str, Any]) -> None:
    with rasterio.open(corpus / "aerial" / name) as raster:
        bounds, crs = raster.bounds, raster.crs.to_wkt()
    to_degrees = Transformer.from_crs(crs, "OGC:CRS84", always_xy=True)
    lon, lat = to_degrees.transform((bounds.left + bounds.right) / 2, (bounds.bottom + bounds.top) / 2)
    chip = source(corpus / "aerial" / name, **keys).chip(Point(lat, lon), 128, 0.3)
    assert chip.covered > 0.98
    assert chip.pixels.std() > 4
