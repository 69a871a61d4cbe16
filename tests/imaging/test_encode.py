"""What is written: the same bytes each time, nothing but pixels, never scaled up."""

import io

import numpy as np
import pytest
from PIL import Image

from pipeline.imaging.encode import encode_jpeg, encode_png, fit

RAMP = np.dstack([np.tile(np.arange(200, dtype=np.uint8), (150, 1))] * 3)


def test_png_keeps_every_pixel() -> None:
    assert (np.asarray(Image.open(io.BytesIO(encode_png(RAMP)))) == RAMP).all()


def test_jpeg_is_close_deterministic_and_bare() -> None:
    data = encode_jpeg(RAMP, 90)
    assert data == encode_jpeg(RAMP.copy(), 90)
    image = Image.open(io.BytesIO(data))
    assert np.abs(np.asarray(image).astype(int) - RAMP).max() <= 4
    assert not image.getexif()
    assert set(image.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    assert len(encode_jpeg(RAMP, 50)) < len(data)


@pytest.mark.parametrize(("shape", "side", "expected"), [((300, 400), 200, (150, 200)), ((999, 10), 100, (100, 1))])
def test_fit_scales_the_long_side_down(shape: tuple[int, int], side: int, expected: tuple[int, int]) -> None:
    assert fit(np.zeros((*shape, 3), np.uint8), side).shape == (*expected, 3)


def test_fit_leaves_small_pictures_alone_and_does_not_alias() -> None:
    assert fit(RAMP, 200) is RAMP
    checks = np.dstack([(np.indices((512, 512)).sum(axis=0) % 2 * 255).astype(np.uint8)] * 3)
    assert np.abs(fit(checks, 100).astype(int) - 127).max() < 10
