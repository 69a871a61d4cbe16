"""Ranks against a plain reading of the definition, ties, overlapping chips, chance."""

from collections.abc import Set

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.geo.earth import haversine_km
from pipeline.geo.overlaps import Chips, Overlaps, find_overlaps, from_lists
from tools.retrieval.embeddings import Floats32
from tools.retrieval.evaluate.chance import of_query
from tools.retrieval.evaluate.ranking import TIE, rank

NONE = np.empty(0, np.int64), np.empty(0)


def vectors(seed: int, n: int, width: int = 8) -> Floats32:
    drawn = np.random.default_rng(seed).standard_normal((n, width)).astype(np.float32)
    return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True))


def chips(n: int, seed: int = 0) -> Chips:
    random = np.random.default_rng(seed)
    return Chips(52 + random.uniform(0, 0.02, n), 13 + random.uniform(0, 0.03, n), np.full(n, 120.0))


def no_overlaps(n: int) -> Overlaps:
    return from_lists([NONE] * n)


def plain_rank(scores: Floats32, own: int, left_out: Set[int] = frozenset()) -> float:
    others = [s for j, s in enumerate(scores) if j != own and j not in left_out]
    above = sum(s > scores[own] + TIE for s in others)
    level = sum(abs(s - scores[own]) <= TIE for s in others)
    return float(1 + above + level / 2)


@given(st.integers(0, 10_000), st.integers(1, 40), st.integers(1, 40), st.integers(200, 4_000))
def test_ranks_are_those_of_the_definition_whatever_the_block(seed: int, n: int, m: int, block: int) -> None:
    queries, gallery = vectors(seed, n), vectors(seed + 1, m)
    # Some chips look alike to the last bit: they tie.
    gallery[m // 2] = gallery[0]
    own = np.random.default_rng(seed).integers(0, m, n)
    near = find_overlaps(chips(m, seed), 0.25)
    found = rank(queries, gallery, own, chips(m, seed), near, block_bytes=block)
    scores = queries @ gallery.T
    for i in range(n):
        others = set(near.of(own[i]).tolist())
        assert found.wrong[i] == pytest.approx(plain_rank(scores[i], own[i]))
        assert found.ignored[i] == pytest.approx(plain_rank(scores[i], own[i], others))
        assert found.right[i] <= found.ignored[i] + 1e-9
        assert found.overlapping[i] == len(others)


def test_the_best_of_several_right_answers_counts() -> None:
    # One query along the first axis; scores 0.9, 0.8, 0.7, 0.6.
    gallery = np.array([[s, np.sqrt(1 - s * s)] for s in (0.6, 0.7, 0.8, 0.9)], np.float32)
    query = np.array([[1, 0]], np.float32)
    near = from_lists([(np.array([2]), np.array([0.5])), NONE, (np.array([0]), np.array([0.5])), NONE])
    found = rank(query, gallery, np.array([0]), chips(4), near)
    assert (found.wrong[0], found.ignored[0], found.right[0]) == (4, 3, 2)


def test_constant_embeddings_rank_in_the_middle() -> None:
    n = 301
    constant = np.full((n, 16), 0.25, np.float32)
    found = rank(constant, constant, np.arange(n), chips(n), no_overlaps(n), block_bytes=4 * n * 7)
    assert set(found.wrong.tolist()) == {(n + 1) / 2}
    place = chips(n)
    spread = haversine_km(place.lat[:, None], place.lon[:, None], place.lat, place.lon)
    assert found.deviation_km == pytest.approx(spread.mean(axis=1))
    assert found.within[50] == pytest.approx((spread <= 0.05).mean(axis=1))


def test_the_first_one_decides_the_distance() -> None:
    place = Chips(np.array([52.0, 52.0009, 52.01]), np.array([13.0, 13.0, 13.0]), np.full(3, 100.0))
    gallery = np.eye(3, dtype=np.float32)
    found = rank(gallery[[1, 2, 0]], gallery, np.array([0, 0, 0]), place, no_overlaps(3))
    assert found.deviation_km == pytest.approx([0.1001, 1.112, 0.0], abs=1e-3)
    assert found.within[50].tolist() == [0, 0, 1]
    assert found.within[150].tolist() == [1, 0, 1]


@settings(max_examples=10)
@given(st.integers(2, 300), st.integers(1, 8))
def test_chance_is_that_of_a_random_order(gallery: int, right: int) -> None:
    right = min(right, gallery - 1)
    found = of_query(gallery, right, (1, 5, 10))
    random = np.random.default_rng(gallery * 100 + right)
    first = np.array([random.permutation(gallery)[:right].min() + 1 for _ in range(3_000)])
    for k, reaches in zip((1, 5, 10), found.reaches, strict=True):
        assert reaches == pytest.approx((first <= k).mean(), abs=0.06)
    assert found.reciprocal == pytest.approx((1 / first).mean(), abs=0.05)
    assert found.median == pytest.approx(np.median(first), rel=0.25, abs=2)


def test_chance_of_one_right_answer_is_k_over_the_gallery() -> None:
    found = of_query(200, 1, (1, 5, 10))
    assert found.reaches == (1 / 200, 5 / 200, 10 / 200)
    assert found.median == 100.5
