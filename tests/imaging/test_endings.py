"""PNGs and WebPs that end before their picture does, which their decoders take for whole ones."""

import struct
import zlib

import pytest
from PIL import Image

from pipeline.errors import SiteError
from pipeline.imaging.decode import decode
from schemas.reasons import Reason
from tests.imaging.test_decode import LIMITS, encoded, noise, png_chunk, reason_of


def png_of(rows: list[bytes], depth: int, colours: int, *, interlaced: bool, side: int = 256) -> bytes:
    """A sound PNG in every way, but for the rows that its closed stream holds."""
    header = struct.pack(">IIBBBBB", side, side, depth, colours, 0, 0, interlaced)
    palette = png_chunk(b"PLTE", bytes(range(255, -1, -1)) * 3) if colours == 3 else b""
    stream = png_chunk(b"IDAT", zlib.compress(b"".join(rows)))
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + palette + stream + png_chunk(b"IEND", b"")


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize(("depth", "colours", "samples"), [(8, 2, 3), (8, 6, 4), (16, 2, 3), (8, 0, 1), (1, 3, 1)])
def test_a_png_of_too_few_rows_is_refused_and_one_that_ends_in_black_is_not(
    depth: int, colours: int, samples: int, interlaced: bool
) -> None:
    """Pillow leaves black what is missing, where the stream says that it is whole."""
    passes = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
    sizes = [(256 // dx, 256 // dy) for _, _, dx, dy in passes] if interlaced else [(256, 256)]
    rows = [b"\0" + bytes([201] * -(-columns * depth * samples // 8)) for columns, count in sizes for _ in range(count)]
    for kept in (len(rows) - 1, len(rows) // 2, 1):
        with pytest.raises(SiteError, match=r"image_truncated.*its end is missing"):
            decode(png_of(rows[:kept], depth, colours, interlaced=interlaced), LIMITS)
    black = [row if n < len(rows) // 2 else bytes(len(row)) for n, row in enumerate(rows)]
    for whole in (rows, black):
        assert decode(png_of(whole, depth, colours, interlaced=interlaced), LIMITS).shape == (256, 256, 3)


@pytest.mark.parametrize("alpha", [False, True])
def test_a_lossy_webp_whose_end_is_nought_is_refused_and_one_that_ends_in_one_colour_is_not(alpha: bool) -> None:
    """A download that had its space set aside; the decoder smears what is above."""
    picture = noise(mode="RGBA" if alpha else "RGB")
    if alpha:
        picture.putalpha(Image.linear_gradient("L"))
    data = encoded(picture, "WEBP")
    for share in (0.5, 0.9, 0.98):
        kept = int(len(data) * share)
        assert reason_of(data[:kept] + bytes(len(data) - kept)) == Reason.IMAGE_TRUNCATED
    for colour in ("black", "white"):
        ends = Image.new("RGB", (2000, 2000), colour)
        ends.paste(noise(), (0, 0))
        assert encoded(ends, "WEBP", quality=90).endswith(bytes(64))
        assert decode(encoded(ends, "WEBP", quality=90), LIMITS).shape == (2000, 2000, 3)
