"""Pixels to bytes for the layers: no metadata, the same bytes for the same pixels."""

import io

import cv2
import numpy as np
from PIL import Image

from pipeline.imaging.types import Pixels


def encode_jpeg(pixels: Pixels, quality: int) -> bytes:
    """Baseline JPEG with 4:2:0 chroma; `quality` is libjpeg's, 1 to 100."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality, subsampling="4:2:0")
    return buffer.getvalue()


def encode_png(pixels: Pixels) -> bytes:
    """Lossless 8-bit RGB PNG."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def fit(pixels: Pixels, long_side_px: int) -> Pixels:
    """Scale down (by area) to a longer side of `long_side_px`; smaller pictures stay as they are."""
    height, width = pixels.shape[:2]
    if max(height, width) <= long_side_px:
        return pixels
    scale = long_side_px / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
