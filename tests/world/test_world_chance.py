"""Random choices: the numbers of numpy's Philox under the key's hash, so that no town ever changes."""

from hashlib import blake2b

import numpy as np

from pipeline.world.chance import draws


def test_draws_are_those_of_philox_under_the_hash_of_the_key() -> None:
    digest = blake2b(b"4\x1fnorthport\x1fnode\x1f-1", digest_size=16).digest()
    philox = np.random.Generator(np.random.Philox(key=int.from_bytes(digest, "little")))
    assert np.array_equal(draws(4, "northport", "node", -1).random(9), philox.random(9))
