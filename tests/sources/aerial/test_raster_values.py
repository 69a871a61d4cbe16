"""Which values of a GeoTIFF are colours of the ground: bands, blocks left out, and pixels that are made up."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.enums import ColorInterp

from pipeline.errors import ConfigError, SiteError
from schemas.reasons import Reason
from tests.sources.aerial.test_raster import HERE, SIZE_PX, grey, source, write


@pytest.mark.parametrize(
    ("called", "bands", "expected"),
    [
        (("red", "green", "blue"), None, [10, 20, 30]),
        (("blue", "green", "red"), None, [30, 20, 10]),
        (("undefined", "red", "green", "blue"), None, [20, 30, 40]),
        (("blue", "green", "red", "undefined"), (1, 2, 3), [10, 20, 30]),
        (("red", "red", "blue"), None, [10, 20, 30]),
        (("gray", "undefined", "undefined"), None, [10, 20, 30]),
    ],
)
def test_bands_are_those_that_the_file_calls_red_green_and_blue(
    tmp_path: Path, called: tuple[str, ...], bands: tuple[int, int, int] | None, expected: list[int]
) -> None:
    with rasterio.open(grey(tmp_path / "place.tif", 1)) as file:
        place = file.transform
    values = (
        np.full((len(called), 100, 100), 0, np.uint8)
        + 10 * np.arange(1, len(called) + 1, dtype=np.uint8)[:, None, None]
    )
    path = write(tmp_path / "a.tif", values, place, "EPSG:32632", photometric="minisblack")
    with rasterio.open(path, "r+") as file:
        file.colorinterp = [ColorInterp[name] for name in called]
    chip = source(path, **({"bands": bands} if bands else {})).chip(HERE, SIZE_PX, 1.0)
    assert chip.pixels[SIZE_PX // 2, SIZE_PX // 2].tolist() == expected


@pytest.mark.parametrize(
    ("keys", "called", "said"),
    [
        ({"nbits": 4}, None, r"values of 4 bits; allowed: scale: \[0, 15\]"),
        ({}, ("hue", "lightness", "saturation"), "bands of hue, lightness, saturation; allowed: red, green and blue"),
        ({}, ("Y", "Cb", "Cr"), "bands of Cb, Cr, Y"),
    ],
)
def test_values_that_are_no_colours_are_refused(
    tmp_path: Path, keys: dict[str, int], called: tuple[str, ...] | None, said: str
) -> None:
    path = grey(tmp_path / "a.tif", 7, photometric="minisblack", **keys)
    if called:
        with rasterio.open(path, "r+") as file:
            file.colorinterp = [ColorInterp[name] for name in called]
    with pytest.raises(ConfigError, match=said):
        source(path)
    if keys:
        assert source(path, scale=(0, 15)).chip(HERE, SIZE_PX, 1.0).pixels.max() == 119


@pytest.mark.parametrize("filled", [b"\0\0", b"\xff\xff", b"\xff\xd9"])
def test_a_jpeg_that_is_cut_within_a_file_is_no_picture(tmp_path: Path, filled: bytes) -> None:
    """GDAL takes what libjpeg makes up, and says so in its log only."""
    noise = np.random.default_rng(3).integers(0, 256, (3, 256, 256), np.uint8)
    with rasterio.open(grey(tmp_path / "place.tif", 1, side_px=256)) as file:
        place = file.transform
    path = write(
        tmp_path / "a.tif", noise, place, "EPSG:32632", compress="jpeg", photometric="ycbcr", interleave="pixel"
    )
    assert source(path).chip(HERE, 200, 1.0).covered == 1
    with rasterio.open(path) as file:
        row = file.height // file.block_shapes[0][0] // 2
        first, length = (int(file.get_tag_item(f"BLOCK_{what}_0_{row}", "TIFF", bidx=1)) for what in ("OFFSET", "SIZE"))
    data = bytearray(path.read_bytes())
    half = length // 4 * 2
    data[first + half : first + length] = (filled * length)[: length - half]
    path.write_bytes(data)
    with pytest.raises(SiteError, match=r"read_failed.*a\.tif: damaged pixels \(JPEGLib:") as caught:
        source(path).chip(HERE, 200, 1.0)
    assert caught.value.reason == Reason.READ_FAILED


@pytest.mark.parametrize(("gsd_m", "least", "most"), [(1.0, 0.74, 0.76), (2.5, 0.6, 0.76)])
def test_blocks_that_a_sparse_file_leaves_out_are_uncovered_and_black_ones_are_not(
    tmp_path: Path, gsd_m: float, least: float, most: float
) -> None:
    """In the middle, where no collar is: GDAL gives 0 for both."""
    kept = {"tiled": True, "blockxsize": 64, "blockysize": 64, "compress": "deflate"}
    values = np.random.default_rng(3).integers(1, 256, (3, 512, 512), np.uint8)
    values[:, 192:320, 192:320] = 0
    with rasterio.open(grey(tmp_path / "place.tif", 1, side_px=512)) as file:
        place = file.transform
    (tmp_path / "files").mkdir()
    for sparse in (False, True):
        path = write(tmp_path / "files" / "a.tif", values, place, "EPSG:32632", SPARSE_OK=sparse, **kept)
        chip = source(path).chip(HERE, int(256 / gsd_m), gsd_m)
        assert (least < chip.covered < most) if sparse else chip.covered == 1
        assert source(path, mask="file").chip(HERE, int(256 / gsd_m), gsd_m).covered == 1
