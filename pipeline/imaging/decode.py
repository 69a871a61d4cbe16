"""The one decoder for pictures that come from outside. Bytes in, 8-bit RGB out, or a reason why not."""

import io
import math
import struct
import zlib
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from pipeline.config.imagery import ImageLimits
from pipeline.errors import SiteError
from pipeline.imaging import jpeg_end, png_end, webp_end
from pipeline.imaging.jpeg_scans import count_scans
from pipeline.imaging.types import Pixels
from schemas.reasons import Reason

# What Pillow raises on damaged data, found by reading its plugins and by fuzzing (tests/imaging/test_decode.py).
# Warning: a process may have turned Pillow's warnings (odd EXIF) into exceptions.
_DAMAGED = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    LookupError,
    TypeError,
    AssertionError,
    ArithmeticError,
    struct.error,
    zlib.error,
    Warning,
)
_MOST_SCANS = 64
"""Of a JPEG; progressive ones have about ten."""
_FREE_PIXELS = 4_000_000
_MOST_PIXELS_A_BYTE = 250
"""Of a larger JPEG. One of a single colour has up to 170; one of which most is missing has more."""
_TO_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def decode(data: bytes, limits: ImageLimits, *, long_side_px: int | None = None) -> Pixels:
    """Decode a JPEG, PNG or WebP picture.

    Upright (EXIF orientation applied), alpha laid on white, 16-bit values scaled to 8, CMYK taken as Adobe writes it
    (inverted) and converted without its colour profile. Colour profiles of RGB pictures are ignored, too.

    Args:
        data: the encoded picture.
        limits: what it may be, in its own size.
        long_side_px: what it will be scaled down to. A JPEG may then come at a half, a quarter or an eighth of its
            size, never smaller than this: the cosine transform skips what would be thrown away.

    Returns:
        Height x width x 3, RGB. Nothing of the file's metadata is left.

    Raises:
        SiteError: NOT_AN_IMAGE, IMAGE_TRUNCATED, IMAGE_TOO_LARGE, IMAGE_TOO_SMALL or IMAGE_ANIMATED.
    """
    return _decode(data, limits, _rgb, long_side_px)


def decode_rgba(data: bytes, limits: ImageLimits) -> NDArray[np.uint8]:
    """As `decode`, but height x width x 4 with straight alpha: for map tiles, where transparent means no data."""
    return _decode(data, limits, _rgba, None)


def _decode(
    data: bytes, limits: ImageLimits, convert: Callable[[Image.Image], NDArray[np.uint8]], long_side_px: int | None
) -> NDArray[np.uint8]:
    if len(data) > limits.max_bytes:
        raise SiteError(Reason.IMAGE_TOO_LARGE, f"{len(data)} bytes, at most {limits.max_bytes} allowed")
    try:
        with _opener(data)(io.BytesIO(data)) as image:
            _check_header(image, limits)
            if isinstance(image, JpegImageFile):
                _check_effort(image, data)
            if long_side_px is not None and max(image.size) > long_side_px:
                scale = long_side_px / max(image.size)
                image.draft(None, (math.ceil(image.width * scale), math.ceil(image.height * scale)))
            image.load()
            if _ends_early(image, data):
                raise SiteError(Reason.IMAGE_TRUNCATED, f"{len(data)} bytes: its end is missing")
            return convert(_upright(image))
    except _DAMAGED as error:
        raise SiteError(Reason.IMAGE_TRUNCATED, f"{len(data)} bytes: {type(error).__name__}: {error}") from error


def _opener(data: bytes) -> Callable[[io.BytesIO], ImageFile]:
    """The plugin for the signature.

    Not `Image.open`: that applies Pillow's own pixel limit, which is process-wide and partly a mere warning, and takes
    the previews in a phone's JPEG for further frames.
    """
    if data.startswith(b"\xff\xd8\xff"):
        return JpegImageFile
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return PngImageFile
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return WebPImageFile
    raise SiteError(Reason.NOT_AN_IMAGE, f"{len(data)} bytes that start with {data[:12]!r}")


def _check_header(image: ImageFile, limits: ImageLimits) -> None:
    width, height = image.size
    if width * height > limits.max_pixels:
        raise SiteError(Reason.IMAGE_TOO_LARGE, f"{width} x {height} pixels, at most {limits.max_pixels} allowed")
    if min(width, height) < limits.min_side_px:
        raise SiteError(Reason.IMAGE_TOO_SMALL, f"{width} x {height} pixels, sides of {limits.min_side_px} required")
    if getattr(image, "is_animated", False):
        raise SiteError(Reason.IMAGE_ANIMATED, f"{getattr(image, 'n_frames', 'several')} frames")


def _check_effort(jpeg: JpegImageFile, data: bytes) -> None:
    """Refuse what takes work or memory out of all proportion to its bytes: missing data is made up without a word."""
    pixels = jpeg.width * jpeg.height
    if pixels > _FREE_PIXELS and pixels > _MOST_PIXELS_A_BYTE * len(data):
        raise SiteError(Reason.IMAGE_TRUNCATED, f"{len(data)} bytes for {jpeg.width} x {jpeg.height} pixels")
    if count_scans(data, _MOST_SCANS) > _MOST_SCANS:
        raise SiteError(Reason.IMAGE_TOO_LARGE, f"more than {_MOST_SCANS} scans")


def _ends_early(image: ImageFile, data: bytes) -> bool:
    """Whether a picture that was decoded without an error lacks its end all the same."""
    if isinstance(image, JpegImageFile):
        return jpeg_end.ends_early(image, data)
    if isinstance(image, PngImageFile):
        return png_end.ends_early(image, data)
    return isinstance(image, WebPImageFile) and webp_end.ends_early(image, data)


def _upright(image: Image.Image) -> Image.Image:
    # Not `ImageOps.exif_transpose`: that writes the EXIF anew, which fails on what some cameras put there.
    try:
        told = image.getexif().get(ExifTags.Base.Orientation, 1)
    except _DAMAGED:  # of the tags, not of the picture
        told = 1
    turn = _TO_UPRIGHT.get(told)
    return image if turn is None else image.transpose(turn)


def _rgb(image: Image.Image) -> Pixels:
    if not (image.has_transparency_data or image.mode.startswith("I")):
        return np.array(image if image.mode == "RGB" else image.convert("RGB"))  # `convert` copies in any case
    white = Image.new("RGBA", image.size, "white")
    white.alpha_composite(Image.fromarray(_rgba(image)))
    return np.array(white.convert("RGB"))


def _rgba(image: Image.Image) -> NDArray[np.uint8]:
    if not image.mode.startswith("I"):
        return np.array(image.convert("RGBA"))
    values = np.asarray(image).astype(np.int64)  # 16-bit greyscale; Pillow reads 16-bit colour as its upper 8 bits
    grey = ((values + 128) // 257).astype(np.uint8)  # linear: 65535 becomes 255
    alpha = np.where(values == image.info.get("transparency", -1), 0, 255).astype(np.uint8)
    return np.dstack([grey, grey, grey, alpha])
