"""Collars, alpha bands that nothing calls so, and stated masks bound the imagery; shadows, snow and water do not."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import mercantile
import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray
from PIL import Image
from pyproj import Transformer
from pytest_httpserver import HTTPServer

from pipeline.config import sources as config
from pipeline.config.network import Network
from pipeline.errors import ConfigError, SiteError
from pipeline.geo.point import Point
from pipeline.net.client import HttpClient
from pipeline.sources.aerial.cog import CogSource
from pipeline.sources.aerial.collar import clear_collars, find_collar
from pipeline.sources.aerial.raster import RasterSource
from pipeline.sources.aerial.xyz import XyzSource
from schemas.reasons import Reason
from tests.sources.aerial.range_serving import serve, write_cog
from tests.sources.aerial.tile_serving import CREDITS, FAST, TileServer

HERE = Point(48.1, 11.5)
SIDE = 400
Bands = NDArray[np.uint8]
TERMS = {"author": "nobody", "licence": "CC0-1.0", "link": "https://example.org"}


def ground(seed: int = 1, side_px: int = SIDE) -> Bands:
    """Something like imagery: smooth shapes, edges and noise, without extremes."""
    chance = np.random.Generator(np.random.Philox(key=seed))
    shapes = cv2.resize(chance.uniform(50, 190, (side_px // 20, side_px // 20, 3)), (side_px, side_px))
    levels: Bands = np.clip(shapes + chance.normal(0, 6, shapes.shape), 20, 235).astype(np.uint8)
    return levels.transpose(2, 0, 1).copy()


def beyond(angle_deg: float, share: float, side_px: int = SIDE) -> NDArray[np.bool_]:
    """About a share of a picture, on one side of a line."""
    y, x = (np.mgrid[:side_px, :side_px] + 0.5) / side_px - 0.5
    across = x * np.cos(np.radians(angle_deg)) + y * np.sin(np.radians(angle_deg))
    return np.asarray(across > np.quantile(across, 1 - share))


def write(path: Path, bands: NDArray[Any], **keys: Any) -> Path:
    """A GeoTIFF of 1 m pixels in UTM zone 32, centred on HERE."""
    x, y = Transformer.from_crs("OGC:CRS84", "EPSG:32632", always_xy=True).transform(HERE.lon, HERE.lat)
    count, height, width = bands.shape
    shape = {"count": count, "height": height, "width": width, "dtype": bands.dtype}
    transform = Affine(1, 0, x - width / 2, 0, -1, y + height / 2)
    with rasterio.open(path, "w", driver="GTiff", crs="EPSG:32632", transform=transform, **shape, **keys) as file:
        file.write(bands)
    return path


def source(path: Path, **keys: Any) -> RasterSource:
    settings = {"type": "raster", "path": path, "credits": TERMS, **keys}
    return RasterSource("photo", config.RasterSource.model_validate(settings), [])


def covered(path: Path, size_px: int = 256, gsd_m: float = 1.0, **keys: Any) -> float:
    return source(path, **keys).chip(HERE, size_px, gsd_m).covered


@pytest.mark.parametrize("value", [0, 2, 254, 255])
@pytest.mark.parametrize("angle_deg", [0.0, 37.0, 90.0, 200.0])
@pytest.mark.parametrize("keys", [{"compress": "deflate"}, {"compress": "jpeg", "jpeg_quality": 75}])
def test_a_black_or_white_collar_is_no_data(tmp_path: Path, value: int, angle_deg: float, keys: dict[str, Any]) -> None:
    bands, void = ground(), beyond(angle_deg, 0.45)
    bands[:, void] = value
    path = write(tmp_path / "a.tif", bands, **keys)
    middle = (~void)[72:328, 72:328].mean()
    assert covered(path) == pytest.approx(middle, abs=0.03 if "jpeg_quality" in keys else 0.01)
    assert covered(path, mask="file") == 1.0


@pytest.mark.parametrize("white", [False, True])
@pytest.mark.parametrize("angle_deg", [0.0, 37.0, 200.0])
def test_a_collar_with_the_noise_of_wavelets_is_no_data(tmp_path: Path, white: bool, angle_deg: float) -> None:
    chance = np.random.Generator(np.random.Philox(key=9))
    bands, void = ground(), beyond(angle_deg, 0.45)
    noise = np.clip(np.abs(chance.normal(0, 1.2, (3, int(void.sum())))), 0, 3).astype(np.uint8)
    bands[:, void] = 255 - noise if white else noise
    path = write(tmp_path / "a.tif", bands, compress="deflate")
    assert covered(path) == pytest.approx((~void)[72:328, 72:328].mean(), abs=0.01)


def test_a_collar_is_no_data_far_from_the_files_border_too(tmp_path: Path) -> None:
    """Of a large file: the chip lies within the collar's middle, and sees neither border nor imagery."""
    bands = np.zeros((3, 4000, 1200), np.uint8)
    bands[:, 3000:] = ground(2, 1200)[:, :1000, :]
    with pytest.raises(SiteError) as caught:
        covered(write(tmp_path / "a.tif", bands, compress="deflate"), 64)
    assert caught.value.reason == Reason.ALL_NODATA


def test_beyond_a_collar_the_next_file_counts(tmp_path: Path) -> None:
    bands = ground(1)
    bands[:, beyond(0, 0.5)] = 255
    write(tmp_path / "a.tif", bands)
    write(tmp_path / "b.tif", np.full((3, SIDE, SIDE), 90, np.uint8))
    chip = source(tmp_path).chip(HERE, 128, 1.0)
    assert chip.covered == 1.0
    assert np.unique(chip.pixels[:, 70:]).tolist() == [90]


@pytest.mark.parametrize(("kind", "void"), [("uint16", 0), ("uint16", 65535), ("float32", 0.0), ("float32", -9999.0)])
@pytest.mark.parametrize("count", [1, 3])
def test_more_bits_and_one_band(tmp_path: Path, kind: str, void: float, count: int) -> None:
    bands = ground()[:count].astype(kind) * 7
    bands[:, beyond(30, 0.4)] = void
    path = write(tmp_path / "a.tif", bands)
    assert covered(path, scale=(0, 2000)) == pytest.approx((~beyond(30, 0.4))[72:328, 72:328].mean(), abs=0.01)


def test_water_that_the_scale_makes_black_is_data(tmp_path: Path) -> None:
    chance = np.random.Generator(np.random.Philox(key=3))
    bands = ground()[:1].astype(np.uint16) * 7
    water, void = beyond(0, 0.5), beyond(0, 0.2)
    bands[:, water] = chance.normal(100, 5, water.sum()).astype(np.uint16)
    bands[:, void] = 0
    path = write(tmp_path / "a.tif", bands)
    assert covered(path, scale=(200, 1600)) == pytest.approx((~void)[72:328, 72:328].mean(), abs=0.01)


def blurred(area: NDArray[Any], px: float) -> NDArray[np.float64]:
    return np.asarray(cv2.GaussianBlur(area.astype(np.float64), (0, 0), px), np.float64)


def scenes() -> dict[str, Bands]:
    """What lies at a file's border and corner, and is near black or white without being a collar."""
    chance = np.random.Generator(np.random.Philox(key=5))
    y, x = np.mgrid[:SIDE, :SIDE] / 25.0
    ragged = blurred(chance.normal(0, 1, (SIDE, SIDE)), 4) * 120 + 4 * np.sin(y) + 3 * np.sin(1.7 * x)
    corner = ragged + (SIDE - np.hypot(x * 25 - SIDE, y * 25 - SIDE) * 1.7) > 0
    noise = chance.normal(0, 1, (3, SIDE, SIDE))

    def laid(colour: float | tuple[float, ...], spread: float, edge_px: float = 1.5) -> Bands:
        share = blurred(corner, edge_px)
        there = np.reshape(colour, (-1, 1, 1)) + spread * noise
        return np.clip(np.rint(ground() * (1 - share) + there * share), 0, 255).astype(np.uint8)

    roof = ground()
    roof[:, 180:260, :50] = 255
    shed = ground()
    shed[:, 100:200, 100:200] = 0
    return {
        "shadow": laid(3, 2),
        "clipped shadow": laid(-4, 3),
        "deep shadow with soft edges": laid(-30, 3, edge_px=25),
        "water": laid((8, 20, 30), 1),
        "still black water": laid((2, 3, 4), 1),
        "snow": laid(250, 3),
        "clipped snow": laid(256, 3),
        "overexposed snow with soft edges": laid(300, 3, edge_px=25),
        "overexposed roof at the border": roof,
        "black roof in the middle": shed,
    }


@pytest.mark.parametrize("name", sorted(scenes()))
@pytest.mark.parametrize("keys", [{"compress": "deflate"}, {"compress": "jpeg", "jpeg_quality": 95}])
def test_shadows_snow_water_and_roofs_are_data(tmp_path: Path, name: str, keys: dict[str, Any]) -> None:
    assert covered(write(tmp_path / "a.tif", scenes()[name], **keys), SIDE - 20) == 1.0


def test_a_picture_of_one_colour_that_is_not_extreme_is_data(tmp_path: Path) -> None:
    assert covered(write(tmp_path / "a.tif", np.full((3, SIDE, SIDE), 30, np.uint8))) == 1.0


@pytest.mark.parametrize("top", [1, 255])
@pytest.mark.parametrize("count", [2, 4])
def test_an_alpha_band_that_is_not_called_one_bounds_the_data(tmp_path: Path, count: int, top: int) -> None:
    bands = ground()[: count - 1]
    valid = ~beyond(20, 0.4)
    path = write(tmp_path / "a.tif", np.concatenate([bands, valid[None].astype(np.uint8) * top]), alpha="NO")
    with rasterio.open(path) as raster:
        assert raster.mask_flag_enums[0] == [rasterio.enums.MaskFlags.all_valid]
    assert covered(path) == pytest.approx(valid[72:328, 72:328].mean(), abs=0.01)
    assert covered(path, mask="file") == 1.0
    assert covered(path, mask=count) == pytest.approx(valid[72:328, 72:328].mean(), abs=0.01)


@pytest.mark.parametrize("top", [1, 255, 65_535])
def test_an_alpha_band_of_more_bits_that_is_not_called_one(tmp_path: Path, top: int) -> None:
    valid = ~beyond(20, 0.4)
    bands = np.concatenate([ground().astype(np.uint16) * 7, valid[None].astype(np.uint16) * top])
    path = write(tmp_path / "a.tif", bands, alpha="NO")
    assert covered(path, scale=(0, 1800)) == pytest.approx(valid[72:328, 72:328].mean(), abs=0.01)


def test_infrared_is_not_taken_for_alpha(tmp_path: Path) -> None:
    infrared = np.where(beyond(20, 0.4), 0, ground(7)[0])[None].astype(np.uint8)  # water is black in it
    assert covered(write(tmp_path / "a.tif", np.concatenate([ground(), infrared]), alpha="NO")) == 1.0


def test_a_stated_value_is_no_data_in_all_bands_together(tmp_path: Path) -> None:
    bands = ground()
    bands[:, beyond(0, 0.5)] = 77
    bands[0, :100] = 77  # in one band a colour
    path = write(tmp_path / "a.tif", bands)
    assert covered(path) == 1.0
    assert covered(path, nodata=77) == pytest.approx(0.5, abs=0.01)
    assert covered(path, 128, 2.5, nodata=77) == pytest.approx(0.5, abs=0.02)
    assert covered(path, nodata=78) == 1.0


def test_settings_of_masks_are_checked(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", ground())
    with pytest.raises(ConfigError, match=r"3 bands, without \[4\]"):
        source(path, mask=4)
    with pytest.raises(ConfigError, match=r"tms: found True; allowed: nothing where layout is files"):
        source(path, tms=True)
    folder = tiles(tmp_path / "tiles", "PNG")
    with pytest.raises(ConfigError) as caught:
        source(folder, layout="xyz", nodata=0, mask=4)
    assert [problem.where.rpartition(".")[2] for problem in caught.value.problems] == ["nodata", "mask"]
    assert len({source(path, **keys).fingerprint() for keys in ({}, {"mask": "file"}, {"nodata": 3.0})}) == 3


ZOOM = 19
MIDDLE = mercantile.tile(HERE.lon, HERE.lat, ZOOM)
EDGE = Point(mercantile.bounds(MIDDLE).south, (mercantile.bounds(MIDDLE).west + mercantile.bounds(MIDDLE).east) / 2)
"""The middle of the lower edge of a tile; the imagery ends in the middle of that tile and its neighbours."""


def half_blank(x: int, y: int, kind: str, value: int) -> bytes:
    """Tiles of a layer that ends 128 pixels above EDGE: blank to the north, imagery to the south."""
    pixels = ground(x * 7 + y, 256)
    if y == MIDDLE.y:
        pixels[:, :128] = value
    file = io.BytesIO()
    Image.fromarray(pixels.transpose(1, 2, 0)).save(file, kind, quality=80)
    return file.getvalue()


def tiles(folder: Path, kind: str, value: int = 255) -> Path:
    for x in range(MIDDLE.x - 2, MIDDLE.x + 3):
        for y in range(MIDDLE.y, MIDDLE.y + 3):
            path = folder / str(ZOOM) / str(x) / f"{y}.{'jpg' if kind == 'JPEG' else 'png'}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(half_blank(x, y, kind, value))
    return folder


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize("value", [0, 255])
def test_half_blank_tiles_at_the_edge_are_no_data(tmp_path: Path, kind: str, value: int) -> None:
    chip = source(tiles(tmp_path, kind, value), layout="xyz").chip(EDGE, 256, 0.2)
    side_m = mercantile.CE / 2**ZOOM * np.cos(np.radians(EDGE.lat))
    assert chip.covered == pytest.approx(0.5 + side_m / 2 / 51.2, abs=0.02)
    assert source(tmp_path, layout="xyz", mask="file").chip(EDGE, 256, 0.2).covered > 0.95


@pytest.fixture
def client(tmp_path: Path) -> Iterator[HttpClient]:
    made = HttpClient(Network(allow_loopback=True, cache=str(tmp_path / "cache"), contact="a@example.org", tries=1))
    yield made
    made.close()


def test_half_blank_tiles_of_a_server_are_no_data(httpserver: HTTPServer, client: HttpClient) -> None:
    server = TileServer(httpserver, lambda _z, x, y: half_blank(x, y, "PNG", 255))
    settings = {"type": "xyz", "template": server.template, "credits": CREDITS, "max_zoom": ZOOM, "rate": FAST}
    chip = XyzSource("tiles", config.XyzSource.model_validate(settings), [], client).chip(EDGE, 256, 0.2)
    side_m = mercantile.CE / 2**ZOOM * np.cos(np.radians(EDGE.lat))
    assert chip.covered == pytest.approx(0.5 + side_m / 2 / 51.2, abs=0.02)


def test_a_remote_file_has_the_collar_of_the_same_file_on_disk(
    httpserver: HTTPServer, client: HttpClient, tmp_path: Path
) -> None:
    bands = ground()
    bands[:, beyond(37, 0.45)] = 0
    path = write_cog(tmp_path / "a.tif", bands, HERE)
    url = serve(httpserver).add("/files/a.tif", path)
    settings = {"type": "cog", "urls": [url], "credits": CREDITS, "rate": FAST}
    far = CogSource("far", config.CogSource.model_validate(settings), [], client).chip(HERE, 256, 1.0)
    near = source(path).chip(HERE, 256, 1.0)
    assert near.covered < 0.8
    assert (far.covered, far.pixels.tobytes()) == (near.covered, near.pixels.tobytes())


def test_nothing_but_collars_is_cleared() -> None:
    for seed in range(8):
        picture = np.concatenate([ground(seed, 128), np.full((1, 128, 128), 255, np.uint8)])
        clear_collars(picture)
        assert picture[3].all()
    blank = np.full((4, 64, 64), 255, np.uint8)
    clear_collars(blank)
    assert not blank[3].any()
    void = np.zeros((3, 64, 64), np.uint8)
    assert find_collar(void, void, np.zeros((64, 64), bool)) is None, "what is no data is no collar"


@pytest.mark.parametrize(
    ("name", "keys", "place", "expected"),
    [
        ("manila_oam.tif", {}, Point(14.596529, 120.981811), 0.53),
        ("rotterdam_pan2.tif", {"scale": (0, 800)}, None, 0.7),
        ("goias_oam.tif", {}, None, 1.0),
        ("kampala_z20_east.tif", {}, None, 1.0),
        ("neon_sjer.tif", {}, None, 1.0),
        ("rotterdam_pan1.tif", {"scale": (0, 800)}, None, 1.0),
        ("rotterdam_ms1.tif", {"scale": (0, 800), "bands": (3, 2, 1)}, None, 1.0),
        ("atlanta_pan.tif", {"scale": (0, 1200)}, None, 1.0),
    ],
)
def test_real_imagery(corpus: Path, name: str, keys: dict[str, Any], place: Point | None, expected: float) -> None:
    path = corpus / "aerial" / name
    with rasterio.open(path) as raster:
        x, y = raster.transform @ (raster.width / 2, raster.height / 2)
        inwards = Transformer.from_crs(raster.crs.to_wkt(), "OGC:CRS84", always_xy=True).transform(x, y)
        side_m = min(raster.height, raster.width) * raster.transform.a
    point = place or Point(inwards[1], inwards[0])
    size_px = 512 if expected < 1 else 256
    chip = source(path, **keys).chip(point, size_px, 0.3 if expected < 1 and place else min(0.5, side_m * 0.7 / 256))
    if expected == 1.0:
        assert chip.covered > 0.999
    else:
        assert chip.covered == pytest.approx(expected, abs=0.05)
        black = (chip.pixels.max(axis=2) <= 4).mean()
        assert black == pytest.approx(1 - chip.covered, abs=0.01), "all that is black is not covered"
