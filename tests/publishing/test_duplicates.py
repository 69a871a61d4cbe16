import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.publishing.duplicates import near_duplicates, near_pairs

# Few base hashes with a few bits flipped: many near pairs at all distances.
HASHES = st.builds(
    lambda base, bits: base ^ sum(1 << bit for bit in bits),
    st.sampled_from([0, 2**64 - 1, 0x0123456789ABCDEF]),
    st.sets(st.integers(0, 63), max_size=6),
)


def bits(a: int, b: int) -> int:
    return (a ^ b).bit_count()


@given(st.lists(HASHES, max_size=40, unique=True), st.integers(1, 20))
def test_pairs_are_those_of_brute_force(hashes: list[int], min_distance: int) -> None:
    found = near_pairs(np.array(hashes, dtype=np.uint64), min_distance)
    pairs = itertools.combinations(range(len(hashes)), 2)
    assert found.tolist() == [[a, b] for a, b in pairs if bits(hashes[a], hashes[b]) < min_distance]


@given(st.lists(st.tuples(HASHES, st.integers(0, 4)), max_size=40), st.integers(0, 12))
def test_earlier_sites_of_other_units_take_precedence(sites: list[tuple[int, int]], min_distance: int) -> None:
    expected: list[bool] = []
    for phash, unit in sites:
        stayed = (site for site, out in zip(sites, expected, strict=False) if not out)
        expected.append(any(home != unit and bits(phash, other) < min_distance for other, home in stayed))
    hashes = np.array([site[0] for site in sites], dtype=np.uint64)
    units = np.array([site[1] for site in sites], dtype=np.int64)
    assert near_duplicates(hashes, units, min_distance).tolist() == expected


def test_a_hundred_thousand_hashes_take_no_time_and_the_planted_ones_are_found() -> None:
    rng = np.random.Generator(np.random.Philox(key=7))
    phash = rng.integers(0, 2**64, 100_000, dtype=np.uint64)
    phash[-100:] = phash[:100] ^ np.uint64(0b101 << 30)
    unit = np.arange(len(phash)) // 60
    assert np.flatnonzero(near_duplicates(phash, unit, 4)).tolist() == list(range(99_900, 100_000))
