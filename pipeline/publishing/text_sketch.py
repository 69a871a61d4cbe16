"""MinHash sketches of texts: how alike two texts are in their word trigrams, without the texts.

Broder, "On the resemblance and containment of documents" (1997).
"""

import re

import numpy as np
import pyarrow as pa
import xxhash
from numpy.typing import NDArray

Sketches = NDArray[np.uint32]

SIZE = 64
"""Numbers in a sketch: the standard error of a likeness of 0.9 is 0.04."""
SKETCH = pa.binary(SIZE * 4)
"""Arrow type of a sketch."""
_WORD = re.compile(r"[^\W_]+(?:['\u2019-][^\W_]+)*")
_SHINGLE = 3
_DRAWN = np.random.Generator(np.random.Philox(key=1997)).integers(0, 2**63, (2, SIZE), dtype=np.uint64)
_FACTORS, _ADDED = _DRAWN[0] * np.uint64(2) + np.uint64(1), _DRAWN[1]


def sketch(text: str) -> bytes | None:
    """The sketch of a text, `SIZE` little-endian numbers of four bytes; None for a text of fewer than three words."""
    words = _WORD.findall(text.casefold())
    shingles = {" ".join(words[i : i + _SHINGLE]) for i in range(len(words) - _SHINGLE + 1)}
    if not shingles:
        return None
    hashes = np.array([xxhash.xxh3_64_intdigest(shingle.encode()) for shingle in shingles], dtype=np.uint64)
    mixed = (hashes[:, None] * _FACTORS + _ADDED) >> np.uint64(32)  # multiply-shift hashing
    found: bytes = mixed.min(axis=0).astype("<u4").tobytes()
    return found


def sketches(found: pa.FixedSizeBinaryArray) -> Sketches:
    """Sketches as an array, a row each. None is null."""
    return np.frombuffer(found.buffers()[1], "<u4").reshape(-1, SIZE)[found.offset :][: len(found)]
