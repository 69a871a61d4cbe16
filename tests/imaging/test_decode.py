"""Pictures from outside: what is let in, what is refused, and that colours come out right."""

import io
import struct
import time
import warnings
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.ImageFile import ImageFile

from pipeline.config.imagery import ImageLimits
from pipeline.errors import SiteError
from pipeline.imaging.decode import decode, decode_rgba
from pipeline.imaging.jpeg_scans import count_scans
from schemas.reasons import Reason
from tests.examples import examples

LIMITS = ImageLimits()
SMALL = ImageLimits(min_side_px=16)


def encoded(image: Image.Image, kind: str = "PNG", **keys: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **keys)
    return buffer.getvalue()


def noise(side: int = 256, mode: str = "RGB") -> Image.Image:
    values = np.random.Generator(np.random.Philox(key=7)).integers(0, 256, (side, side, 3), np.uint8)
    return Image.fromarray(values).convert(mode)


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_header(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))


def reason_of(data: bytes, limits: ImageLimits = LIMITS) -> Reason:
    with pytest.raises(SiteError) as caught:
        decode(data, limits)
    return caught.value.reason


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_the_three_formats_are_decoded(kind: str) -> None:
    image = Image.linear_gradient("L").convert("RGB")
    pixels = decode(encoded(image, kind), LIMITS)
    assert pixels.shape == (256, 256, 3)
    assert pixels.dtype == np.uint8
    assert pixels.flags.writeable
    assert np.abs(pixels.astype(int) - np.asarray(image)).max() <= 3


@pytest.mark.parametrize("data", [b"", b"\0" * 5000, b"<!DOCTYPE html><html>429 Too Many Requests</html>", b"\xff\xd8"])
def test_what_is_no_picture_is_told_as_such(data: bytes) -> None:
    assert reason_of(data) == Reason.NOT_AN_IMAGE


@pytest.mark.parametrize("kind", ["GIF", "BMP", "TIFF", "PPM", "ICO", "EPS"])
def test_other_formats_are_not_even_tried(kind: str) -> None:
    assert reason_of(encoded(noise(), kind)) == Reason.NOT_AN_IMAGE


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.7, 0.99])
def test_cut_pictures_are_refused(kind: str, share: float) -> None:
    data = encoded(noise(), kind)
    assert reason_of(data[: int(len(data) * share)]) == Reason.IMAGE_TRUNCATED


@pytest.mark.parametrize("scaled", [None, 64])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_cut_jpeg_that_was_closed_is_refused_and_a_grey_one_is_not(mode: str, scaled: int | None) -> None:
    """libjpeg makes up what is missing, in grey."""
    data = encoded(noise(mode=mode), "JPEG")
    for share in (0.1, 0.5, 0.8):
        with pytest.raises(SiteError, match=r"image_truncated.*its end is missing"):
            decode(data[: int(len(data) * share)] + b"\xff\xd9", LIMITS, long_side_px=scaled)
    padded = noise(mode=mode)
    padded.paste(128 if mode == "L" else (128, 128, 128), (0, 100, 256, 256))
    for picture in (padded, Image.new(mode, (256, 256), 128 if mode == "L" else (128, 128, 128))):
        for more in ({}, {"progressive": True}, {"restart_marker_rows": 1}):
            assert decode(encoded(picture, "JPEG", **more), LIMITS, long_side_px=scaled)[-1].tolist()[0] == [128] * 3


@pytest.mark.parametrize("exif", [b"junk", b"", b"II*\0\xff\xff\xff\xff", b"II*\0\x08\0\0\0\xff\xff"])
def test_tags_that_are_damaged_leave_a_png_as_it_is(exif: bytes) -> None:
    data = encoded(noise())
    place = data.index(b"IDAT") - 4
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Pillow
        pixels = decode(data[:place] + png_chunk(b"eXIf", exif) + data[place:], LIMITS)
    np.testing.assert_array_equal(pixels, np.asarray(noise()))


def test_progressive_jpeg_cut_between_scans_is_refused() -> None:
    data = encoded(noise(), "JPEG", progressive=True)
    last_scan = data.rfind(b"\xff\xda")
    assert reason_of(data[:last_scan]) == Reason.IMAGE_TRUNCATED


def test_too_many_bytes_are_refused_unread() -> None:
    assert reason_of(b"\xff\xd8\xff" + b"\0" * LIMITS.max_bytes) == Reason.IMAGE_TOO_LARGE


def bomb_12000() -> bytes:
    """12000 x 12000 pixels of black in 17 KB."""
    row = b"\0" + b"\0" * 1500
    packer = zlib.compressobj(9)
    body = b"".join(packer.compress(row) for _ in range(12000)) + packer.flush()
    head = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", struct.pack(">IIBBBBB", 12000, 12000, 1, 0, 0, 0, 0))
    return head + png_chunk(b"IDAT", body) + png_chunk(b"IEND", b"")


@pytest.mark.parametrize("filtered", ["error", "always"])
def test_bombs_are_refused_from_the_header_whatever_the_warning_filters(
    filtered: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unpacked(*_: Any) -> None:
        raise RuntimeError("the pixels were read")  # no error of damaged pictures

    monkeypatch.setattr(ImageFile, "load", unpacked)
    bombs = [bomb_12000(), png_header(20000, 20000) + png_chunk(b"IDAT", zlib.compress(b""))]
    assert len(bombs[0]) < 20_000
    with warnings.catch_warnings():
        warnings.simplefilter(filtered)
        assert [reason_of(bomb) for bomb in bombs] == [Reason.IMAGE_TOO_LARGE] * 2
        with pytest.raises(RuntimeError, match="the pixels were read"):
            decode(encoded(noise()), LIMITS)


def test_the_limit_is_ours_and_not_pillows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)  # as for a picture of 200 MP under Pillow's own 179 MP
    assert decode(encoded(noise()), LIMITS).shape == (256, 256, 3)


def test_oversized_webp_header_costs_no_memory() -> None:
    data = bytearray(encoded(noise(16), "WEBP", lossless=True))
    place = data.find(b"VP8L") + 9
    bits = int.from_bytes(data[place : place + 4], "little") & ~0xFFFFFFF | 16383 | 16383 << 14
    data[place : place + 4] = bits.to_bytes(4, "little")
    assert reason_of(bytes(data)) == Reason.IMAGE_TOO_LARGE


@pytest.mark.parametrize("size", [(1, 1), (4000, 1), (199, 400)])
def test_too_small_is_told(size: tuple[int, int]) -> None:
    assert reason_of(encoded(Image.new("RGB", size))) == Reason.IMAGE_TOO_SMALL


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_animations_are_refused(kind: str) -> None:
    frames = [Image.new("RGB", (256, 256), (shade, 0, 0)) for shade in (10, 200)]
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=100)
    assert reason_of(data) == Reason.IMAGE_ANIMATED


def test_a_phones_jpeg_with_a_preview_inside_is_its_first_picture() -> None:
    data = encoded(Image.new("RGB", (256, 256), (200, 0, 0)), "MPO", save_all=True, append_images=[noise()])
    assert decode(data, LIMITS)[0, 0, 0] > 190


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation: int) -> None:
    """The picture is stored turned so that, shown by the EXIF standard's rule, red is at the top left, green right."""
    upright = np.zeros((240, 320, 3), np.uint8)
    upright[:120, :160], upright[:120, 160:], upright[120:, :160] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),  # row 0 of what is stored is the right side of what is shown
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    for kind in ("JPEG", "PNG", "WEBP"):
        pixels = decode(encoded(Image.fromarray(np.ascontiguousarray(stored)), kind, exif=exif.tobytes()), LIMITS)
        assert pixels.shape == (240, 320, 3)
        assert np.abs(pixels[60::120, 80::160].astype(int) - upright[60::120, 80::160]).max() < 8, kind


def test_exif_that_cannot_be_written_back_does_no_harm() -> None:
    tiff = b"II*\0\x08\0\0\0\x02\0"
    tiff += struct.pack("<HHII", 0x0112, 3, 1, 6)
    tiff += struct.pack("<HHII", 0x010F, 2, 4000, 9_999_999)  # a maker's name beyond the data's end
    assert decode(
        encoded(Image.new("RGB", (300, 200)), "JPEG", exif=b"Exif\0\0" + tiff + b"\0\0\0\0"), LIMITS
    ).shape == (
        300,
        200,
        3,
    )


def test_cmyk_colours_are_right() -> None:
    inks = {
        (0, 255, 255, 0): (255, 0, 0),
        (255, 0, 255, 0): (0, 255, 0),
        (0, 0, 0, 255): (0, 0, 0),
        (0,) * 4: (255,) * 3,
    }
    for cmyk, rgb in inks.items():
        data = encoded(Image.new("CMYK", (256, 256), cmyk), "JPEG", quality=100)
        assert b"Adobe" in data[:200]
        assert np.abs(decode(data, LIMITS)[128, 128].astype(int) - rgb).max() <= 3


def test_16_bit_grey_is_scaled_and_not_clipped() -> None:
    ramp = np.linspace(0, 65535, 256).astype(np.uint16)
    image = Image.fromarray(np.tile(ramp, (256, 1)))
    assert image.mode == "I;16"
    pixels = decode(encoded(image), LIMITS)
    assert pixels[0, :, 0].tolist() == list(range(256))
    assert (pixels[:, :, 0] == pixels[:, :, 2]).all()


def test_16_bit_colour_is_scaled() -> None:
    rows = np.zeros((256, 256, 3), ">u2")
    rows[:, :, 0], rows[:, :, 1] = 65535, 32896
    body = b"".join(b"\0" + row.tobytes() for row in rows)
    head = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", struct.pack(">IIBBBBB", 256, 256, 16, 2, 0, 0, 0))
    pixels = decode(head + png_chunk(b"IDAT", zlib.compress(body)) + png_chunk(b"IEND", b""), LIMITS)
    assert pixels[7, 7].tolist() == [255, 128, 0]


def test_what_alpha_hides_stays_hidden() -> None:
    secret = noise().convert("RGBA")
    secret.putalpha(0)
    half = Image.new("RGBA", (256, 256), (0, 0, 0, 128))
    for kind in ("PNG", "WEBP"):
        keys = {"lossless": True, "exact": True} if kind == "WEBP" else {}
        assert (decode(encoded(secret, kind, **keys), LIMITS) == 255).all()
        assert decode(encoded(half, kind, **keys), LIMITS)[0, 0].tolist() == [127, 127, 127]


def test_transparent_colours_of_png_become_white() -> None:
    palette = Image.new("P", (256, 256), 1)
    palette.putpalette([10, 20, 30, 200, 100, 50])
    assert decode(encoded(palette), LIMITS)[0, 0].tolist() == [200, 100, 50]
    assert (decode(encoded(palette, transparency=1), LIMITS) == 255).all()
    assert (decode(encoded(Image.new("L", (256, 256), 40), transparency=40), LIMITS) == 255).all()
    assert (decode(encoded(Image.new("RGB", (256, 256), (1, 2, 3)), transparency=(1, 2, 3)), LIMITS) == 255).all()
    assert (decode(encoded(Image.new("I;16", (256, 256), 40), transparency=40), LIMITS) == 255).all()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA"])
def test_all_modes_become_rgb(mode: str) -> None:
    image = noise(mode=mode)
    expected = np.asarray(image.convert("RGB"))
    assert (decode(encoded(image), LIMITS) == expected).all()
    assert (decode_rgba(encoded(image), LIMITS)[:, :, :3] == expected).all()


@given(st.data())
@examples(150)
def test_damage_gives_pixels_or_a_reason(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(["JPEG", "PNG", "WEBP", "palette", "exif"]))
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "maker"
    if kind == "palette":
        good = encoded(noise(24, "P"), transparency=3)
    elif kind == "exif":
        good = encoded(noise(24), "JPEG", exif=exif.tobytes())
    else:
        good = encoded(noise(24), kind)
    bad = bytearray(good)
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, min(len(bad), 300) - 1))
        bad[place] = data.draw(st.integers(0, 255))
    try:
        pixels = decode(bytes(bad), SMALL)
    except SiteError:
        return
    assert pixels.ndim == 3
    assert pixels.dtype == np.uint8


def test_corpus_photos_are_decoded(corpus: Any) -> None:
    for path in sorted((corpus / "street").rglob("*.jpg"))[::20]:
        with Image.open(path) as image:
            assert (decode(path.read_bytes(), LIMITS) == np.asarray(image.convert("RGB"))).all()


def with_size(jpeg: bytes, width: int, height: int) -> bytes:
    """A JPEG whose header tells of another size."""
    header = jpeg.index(b"\xff\xc0") + 5
    return jpeg[:header] + struct.pack(">HH", height, width) + jpeg[header + 4 :]


def test_a_jpeg_of_a_few_bytes_that_says_it_is_huge_is_refused() -> None:
    data = with_size(encoded(noise(), "JPEG"), 9_000, 9_000)
    assert reason_of(data) == Reason.IMAGE_TRUNCATED


def test_a_large_jpeg_of_one_colour_is_a_picture() -> None:
    for keys in ({}, {"progressive": True}, {"optimize": True, "quality": 1}):
        data = encoded(Image.new("RGB", (3_000, 2_000), (120, 130, 140)), "JPEG", **keys)
        assert decode(data, LIMITS).shape == (2_000, 3_000, 3)


def test_scans_without_end_are_refused_undecoded() -> None:
    data = encoded(noise(), "JPEG", progressive=True)
    scan = data[data.rindex(b"\xff\xda") : -2]
    assert reason_of(data[:-2] + 100 * scan + data[-2:]) == Reason.IMAGE_TOO_LARGE
    assert decode(data[:-2] + 20 * scan + data[-2:], LIMITS).shape == (256, 256, 3)


@pytest.mark.parametrize("behind", [b"\xff\xda" * 1_000, b"\xff" * 1_000, b"\xff\xe0\xff\xff", b"x" * 1_000])
def test_only_the_first_picture_s_scans_are_counted(behind: bytes) -> None:
    """A film behind the picture, as phones write it, has the marker by chance."""
    data = encoded(noise(), "JPEG", exif=b"Exif\0\0" + b"\xff\xda" * 1_000)
    assert decode(data + behind, LIMITS).shape == (256, 256, 3)
    assert count_scans(data + behind, 64) == 1


def test_a_long_run_of_fill_bytes_is_gone_through_once() -> None:
    fill, started = b"\xff" * 2_000_000, time.process_time()
    assert count_scans(b"\xff\xd8" + fill, 64) == 0
    assert count_scans(b"\xff\xd8" + fill + b"\xda\0\x02" + fill + b"\0", 64) == 1
    assert time.process_time() - started < 2.0  # an hour where each byte of the run begins a search to its end


@given(st.binary(max_size=400))
def test_counting_scans_takes_any_bytes(data: bytes) -> None:
    assert 0 <= count_scans(data, 8) <= 9
