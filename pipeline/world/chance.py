"""Random choices of the synthetic world: drawn from what a thing is, never from when it is asked for."""

from collections.abc import Sequence
from hashlib import blake2b
from typing import TypeVar

import numpy as np

T = TypeVar("T")


def draws(*key: object) -> np.random.Generator:
    """A counter-based generator for a key such as (seed, region name, "block", i, j): same key, same numbers."""
    digest = blake2b("\x1f".join(map(str, key)).encode(), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest, "little")))


def pick(generator: np.random.Generator, options: Sequence[T]) -> T:
    """One of the options, all equally likely."""
    return options[int(generator.random() * len(options))]
