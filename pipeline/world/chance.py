"""Random choices of the synthetic world: drawn from what a thing is, never from when it is asked for."""

from collections.abc import Sequence
from hashlib import blake2b
from typing import TypeVar, cast

import numpy as np
from numpy.random.bit_generator import ISeedSequence
from numpy.typing import DTypeLike, NDArray

T = TypeVar("T")


class _Key(ISeedSequence):
    """Gives a Philox generator its key. Given as `key`, it would first ask the system for a seed it has no use for."""

    def __init__(self, key: NDArray[np.uint64]) -> None:
        self._key = key

    def generate_state(self, _words: int, _dtype: DTypeLike = np.uint32) -> NDArray[np.uint64]:
        return self._key


def draws(*key: object) -> np.random.Generator:
    """A counter-based generator for a key such as (seed, region name, "block", i, j): same key, same numbers."""
    digest = blake2b("\x1f".join(map(str, key)).encode(), digest_size=16).digest()
    key_of_128_bits = _Key(np.frombuffer(digest, "<u8"))
    return np.random.Generator(np.random.Philox(cast(np.random.SeedSequence, key_of_128_bits)))


def pick(generator: np.random.Generator, options: Sequence[T]) -> T:
    """One of the options, all equally likely."""
    return options[int(generator.random() * len(options))]
