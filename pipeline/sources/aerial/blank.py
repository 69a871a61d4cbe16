"""Tiles that stand for `no imagery here`."""

import hashlib
from collections.abc import Collection

from pipeline.sources.aerial.layouts import RGBA

_NOISE = 0.5
"""Standard deviation in levels, of 255.

One colour decodes to exactly that from PNG and JPEG, and mostly from WebP (some dark or saturated colours come back
with up to 1.1: list their digests). Of real tiles the flattest that we have, calm water at JPEG quality 60, has 3.8.
"""


def is_blank(body: bytes, rgba: RGBA, known: Collection[str]) -> bool:
    """Whether a tile is a placeholder.

    Snow, water and desert are near to one colour and still have noise, so only what is one colour but for the codec's
    own noise counts, and the digests of placeholders with writing on them. A wholly transparent tile is no placeholder:
    it says itself that it has no data.

    Args:
        body: The tile as it came.
        rgba: 4 x height x width, decoded.
        known: SHA-256 digests of the source's placeholders, in hexadecimal.
    """
    if known and hashlib.sha256(body).hexdigest() in known:
        return True
    opaque = rgba[3] > 0
    if not opaque.any():
        return False
    colours = rgba[:3].reshape(3, -1) if opaque.all() else rgba[:3, opaque]  # the first is far quicker
    return bool((colours.std(axis=1) < _NOISE).all())
