"""Hashes of the same picture stay near each other, those of different pictures do not."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.config.imagery import ImageLimits
from pipeline.imaging.decode import decode
from pipeline.imaging.encode import encode_jpeg, fit
from pipeline.imaging.phash import distance, phash


def test_distance_counts_bits() -> None:
    assert distance("0000000000000000", "ffffffffffffffff") == 64
    assert distance("8000000000000001", "0000000000000001") == 1


def test_even_pictures_have_one_hash() -> None:
    assert {phash(np.full((300, 400, 3), level, np.uint8)) for level in (0, 77, 255)} == {"0" * 16}


def test_hash_survives_encoding_and_scaling_and_tells_photos_apart(corpus: Path) -> None:
    paths = [
        *sorted((corpus / "street/boulder_co").glob("*.jpg"))[::12],
        *sorted((corpus / "street/seoul_jongno").glob("*")),
    ]
    hashes = []
    for path in paths:
        pixels = decode(path.read_bytes(), ImageLimits())
        worse = np.asarray(Image.open(io.BytesIO(encode_jpeg(fit(pixels, 400), 60))))
        hashes.append(phash(pixels))
        assert len(hashes[-1]) == 16
        assert distance(hashes[-1], phash(worse)) <= 4, path
        assert distance(hashes[-1], phash(np.ascontiguousarray(pixels[:, ::-1]))) > 10, path
    apart = [distance(a, b) for i, a in enumerate(hashes) for b in hashes[:i]]
    assert min(apart) >= 8
    assert np.mean(apart) > 28
