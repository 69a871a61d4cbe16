import itertools
from collections.abc import Sequence
from random import Random

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from pipeline.geo.overlaps import Chips
from pipeline.publishing.duplicates import (
    Likeness,
    alike_pairs,
    by_footprint,
    by_picture,
    by_text,
    left_out,
    near_pairs,
)
from pipeline.publishing.text_sketch import SKETCH, sketch, sketches

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


def none_alike(count: int) -> Likeness:
    return Likeness(np.full(count, -1, dtype=np.int64), np.empty((0, 2), dtype=np.int64))


@given(st.lists(st.tuples(HASHES, st.integers(0, 4)), max_size=40), st.integers(0, 12), st.randoms())
def test_earlier_sites_of_other_units_take_precedence(
    sites: list[tuple[int, int]], min_distance: int, random: Random
) -> None:
    order = list(range(len(sites)))
    random.shuffle(order)
    expected: dict[int, list[int]] = {}
    for at in order:
        phash, unit = sites[at]
        stayed = [other for other in expected if not expected[other]]
        expected[at] = [
            other for other in stayed if sites[other][1] != unit and bits(phash, sites[other][0]) < min_distance
        ]
    pictures = by_picture([f"{phash:016x}" for phash, _ in sites], min_distance)
    units = np.array([unit for _, unit in sites], dtype=np.int64)
    survivor, kind = left_out([none_alike(len(sites)), pictures], units, np.array(order, dtype=np.int64))
    for at, others in expected.items():
        assert (survivor[at] in others) if others else survivor[at] == -1
    assert kind.tolist() == [1 if out >= 0 else -1 for out in survivor.tolist()]


def test_a_hundred_thousand_hashes_take_no_time_and_the_planted_ones_are_found() -> None:
    rng = np.random.Generator(np.random.Philox(key=7))
    phash = rng.integers(0, 2**64, 100_000, dtype=np.uint64)
    phash[99_900:] = phash[:100] ^ np.uint64(0b101)  # two bits differ
    pictures = by_picture([f"{value:016x}" for value in phash.tolist()], 4)
    survivor, _ = left_out([pictures], np.arange(100_000), np.arange(100_000))
    assert np.flatnonzero(survivor >= 0).tolist() == list(range(99_900, 100_000))
    assert survivor[99_900:].tolist() == list(range(100))


def test_what_is_alike_in_any_respect_is_left_out_for_one_that_stays() -> None:
    """0 and 1 share a picture, 1 and 2 a text: 1 goes, so 2 stays; 3 shares the text with 2."""
    pictures = by_picture(["0" * 16, "0" * 16, "f" * 16, None], 4)
    texts = by_text(column([None, sketch(TEXT), sketch(TEXT), sketch(TEXT)]), 0.9)
    survivor, kind = left_out([pictures, texts], np.arange(4), np.arange(4))
    assert survivor.tolist() == [-1, 0, -1, 2]
    assert kind.tolist() == [-1, 0, -1, 1]


TEXT = (
    "I am at a crossing of two small streets. Behind me is a church with a red roof, and on my left a pharmacy with a "
    "green sign. Straight ahead the street leads to a square with four trees, past a bakery and a bicycle stand."
)


def column(found: Sequence[bytes | None]) -> pa.ChunkedArray:
    return pa.chunked_array([found[:2], found[2:]], SKETCH)


def jaccard(a: str, b: str) -> float:
    one, other = ({tuple(words[i : i + 3]) for i in range(len(words) - 2)} for words in (a.split(), b.split()))
    return len(one & other) / len(one | other)


@given(st.integers(1, 30), st.integers(0, 2**16))
def test_likeness_of_texts_is_that_of_their_trigrams(changes: int, seed: int) -> None:
    rng = np.random.Generator(np.random.Philox(key=seed))
    first = [f"w{n}" for n in rng.integers(0, 1_000, 100)]
    second = list(first)
    for at in rng.integers(0, 100, changes):
        second[at] = f"x{at}"
    a, b = sketches(pa.array([sketch(" ".join(words)) for words in (first, second)], SKETCH))
    assert abs(np.mean(a == b) - jaccard(" ".join(first), " ".join(second))) < 0.3


def test_texts_are_compared_by_words_alone() -> None:
    assert sketch(TEXT) == sketch(TEXT.upper().replace(".", "!"))
    assert sketch("Two words") is None
    texts = column([sketch(TEXT), sketch("Something else is here, and it is long enough."), sketch(TEXT), None, None])
    assert left_out([by_text(texts, 0.9)], np.arange(5), np.arange(5))[0].tolist() == [-1, -1, 0, -1, -1]
    assert left_out([by_text(texts, 1)], np.arange(5), np.arange(5))[0].tolist() == [-1] * 5


@given(st.lists(st.integers(0, 60), min_size=2, max_size=12), st.sampled_from([0.5, 0.8, 0.9]))
def test_pairs_of_texts_are_those_of_brute_force(changed: list[int], most: float) -> None:
    words = TEXT.split()
    texts = sorted({" ".join([*words[:n], f"x{n}", f"y{n}", *words[n:]]) for n in changed})
    of = sketches(pa.array([sketch(text) for text in texts], SKETCH))
    pairs = itertools.combinations(range(len(texts)), 2)
    expected = [[a, b] for a, b in pairs if np.mean(of[a] == of[b]) > most]
    found = alike_pairs(of, most).tolist()
    assert [pair for pair in found if pair not in expected] == []
    assert [pair for pair in expected if np.mean(of[pair[0]] == of[pair[1]]) > 0.8 and pair not in found] == []


def test_footprints_are_alike_where_chips_share_nearly_all() -> None:
    lat, lon = np.array([60.0, 60.0, 60.0]), np.array([10.0, 10.0 + 4 / 55_800, 10.0 + 30 / 55_800])
    chips = Chips(lat, lon, np.full(3, 150.0))
    assert left_out([by_footprint(chips, 0.9, np.arange(3))], np.arange(3), np.arange(3))[0].tolist() == [-1, 0, -1]
    assert left_out([by_footprint(chips, 0.9, np.zeros(3, np.int64))], np.zeros(3, np.int64), np.arange(3))[
        0
    ].tolist() == [-1, -1, -1]
    assert left_out([by_footprint(chips, 1, np.arange(3))], np.arange(3), np.arange(3))[0].tolist() == [-1, -1, -1]
