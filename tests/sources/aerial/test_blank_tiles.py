"""Placeholders are told from imagery that is nearly of one colour."""

import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from PIL import Image

from pipeline.imaging.decode import decode_rgba
from pipeline.sources.aerial.blank import is_blank
from pipeline.sources.aerial.service import LIMITS


def blank(body: bytes, known: frozenset[str] = frozenset()) -> bool:
    return is_blank(body, decode_rgba(body, LIMITS).transpose(2, 0, 1), known)


def encoded(pixels: NDArray[np.uint8] | Image.Image, kind: str, **keys: int) -> bytes:
    file = io.BytesIO()
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.save(file, kind, **keys)
    return file.getvalue()


@pytest.mark.parametrize("colour", [(255, 255, 255), (0, 0, 0), (204, 204, 204), (13, 37, 91), (240, 240, 240)])
@pytest.mark.parametrize(
    ("kind", "keys"), [("PNG", {}), ("JPEG", {"quality": 40}), ("JPEG", {"quality": 95}), ("WEBP", {})]
)
def test_one_colour_is_blank_in_every_format(colour: tuple[int, int, int], kind: str, keys: dict[str, int]) -> None:
    if kind != "WEBP" or len(set(colour)) == 1:  # see `_NOISE`
        assert blank(encoded(Image.new("RGB", (256, 256), colour), kind, **keys))
    assert blank(encoded(Image.new("RGB", (256, 256), colour).quantize(8), "PNG"))


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize(("level", "spread"), [(246, 1.5), (40, 1.0), (205, 2.0)])
def test_snow_water_and_desert_are_imagery(kind: str, level: int, spread: float) -> None:
    noise = np.random.default_rng(1).normal(level, spread, (64, 64, 3)).repeat(4, 0).repeat(4, 1)
    assert not blank(encoded(np.clip(noise, 0, 255).astype(np.uint8), kind))


def test_a_known_placeholder_is_blank_whatever_is_drawn_on_it() -> None:
    body = encoded(np.random.default_rng(2).integers(0, 255, (256, 256, 3), np.uint8), "JPEG")
    assert not blank(body)
    assert blank(body, frozenset({hashlib.sha256(body).hexdigest()}))
    assert not blank(body + b"\0", frozenset({hashlib.sha256(body).hexdigest()}))


def test_a_transparent_tile_says_itself_that_it_has_no_data() -> None:
    assert not blank(encoded(Image.new("RGBA", (256, 256), (255, 255, 255, 0)), "PNG"))
    half = Image.new("RGBA", (256, 256), (90, 90, 90, 0))
    half.paste((90, 90, 90, 255), (0, 0, 128, 256))
    assert blank(encoded(half, "PNG"))  # what it shows is of one colour


@pytest.mark.parametrize(
    "name", ["kampala_z20_east.tif", "goias_oam.tif", "neon_osbs.tif", "neon_sjer.tif", "manila_oam.tif"]
)
def test_no_tile_of_real_imagery_is_blank(corpus: Path, name: str) -> None:
    with rasterio.open(corpus / "aerial" / name) as raster:
        pixels = raster.read([1, 2, 3])
    tried = 0
    for top in range(0, pixels.shape[1] - 255, 128):
        for left in range(0, pixels.shape[2] - 255, 128):
            tile = pixels[:, top : top + 256, left : left + 256]
            if tile.dtype == np.uint8 and (tile.max(axis=0) > 0).all():
                tried += 1
                assert not blank(encoded(np.ascontiguousarray(tile.transpose(1, 2, 0)), "JPEG", quality=60))
    assert tried > 0
