import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.metrics.variety import (
    common_openings,
    distinct,
    near_duplicates,
    opening,
    self_bleu,
    similarities,
    type_token_ratio,
    words_of,
)

TEXTS = st.lists(st.lists(st.sampled_from("abcd"), max_size=12), min_size=2, max_size=8)


def test_words() -> None:
    found = words_of("The red-brick HOUSE, Bob's 25 m away!")
    assert found == ["the", "red-brick", "house", "bob's", "25", "m", "away"]
    assert words_of("") == []


def test_ratios_by_hand() -> None:
    texts = [words_of(text) for text in ("The red house. The red door!", "the red roof", "")]
    assert [type_token_ratio(words) for words in texts] == [pytest.approx(4 / 6), 1.0, 0.0]
    one, two = distinct(texts, 1), distinct(texts, 2)
    assert one is not None
    assert two is not None
    assert one.value == pytest.approx(5 / 9)
    assert two.value == pytest.approx(5 / 7)  # the-red three times; red-house, house-the, red-door, red-roof
    assert one.low <= one.value <= one.high
    assert distinct([[]], 1) is None


def test_distinct_is_judged_with_each_text_left_out() -> None:
    found = distinct([["a", "b"], ["a", "c"], ["a", "a"]], 1)
    assert found is not None
    without = [2 / 4, 2 / 4, 3 / 4]
    middle = sum(without) / 3
    spread = math.sqrt(2 / 3 * sum((value - middle) ** 2 for value in without))
    assert found.high == pytest.approx(min(1.0, 0.5 + 1.96 * spread), abs=1e-4)


def test_self_bleu_by_hand() -> None:
    texts = [["the", "cat", "sat", "on", "the", "mat"], ["the", "cat", "sat", "on", "a", "mat"], ["a", "dog", "ran"]]
    scores = self_bleu(texts)
    # The first: one `the` of two is matched, so 5 of 6 words; the-cat, cat-sat, sat-on of 5 pairs; two of 4; one of 3.
    assert scores[0] == pytest.approx((5 / 6 * 3 / 5 * 2 / 4 * 1 / 3) ** 0.25)
    # The second: `a` stands in the third text, so all six words are matched.
    assert scores[1] == pytest.approx((6 / 6 * 3 / 5 * 2 / 4 * 1 / 3) ** 0.25)
    # The third: `a` of three words; no pair, no triple, nothing of four; the nearest length is 6.
    expected = (1 / 3 * 0.1 / 2 * 0.1 / 1 * 0.1 / 1) ** 0.25 * math.exp(1 - 6 / 3)
    assert scores[2] == pytest.approx(expected)
    assert self_bleu([["a"]]) == []


@given(TEXTS)
def test_self_bleu_is_that_of_its_definition(texts: list[list[str]]) -> None:
    def count(words: list[str], gram: tuple[str, ...]) -> int:
        return sum(tuple(words[i : i + len(gram)]) == gram for i in range(len(words) - len(gram) + 1))

    for i, (text, score) in enumerate(zip(texts, self_bleu(texts), strict=True)):
        others = texts[:i] + texts[i + 1 :]
        expected = 1.0
        for n in range(1, 5):
            kinds = {tuple(text[k : k + n]) for k in range(len(text) - n + 1)}
            matched = sum(min(count(text, gram), max(count(other, gram) for other in others)) for gram in kinds)
            expected *= ((matched or 0.1) / max(len(text) - n + 1, 1)) ** 0.25
        nearest = min((abs(len(other) - len(text)), len(other)) for other in others)[1]
        if len(text) < nearest:
            expected *= math.exp(1 - nearest / max(len(text), 1))
        assert score == pytest.approx(expected)


@given(TEXTS)
def test_near_duplicates_are_those_of_all_pairs(texts: list[list[str]]) -> None:
    sets = [{tuple(words[i : i + 3]) for i in range(len(words) - 2)} for words in texts]
    expected = [
        any(i != j and one & other and len(one & other) / len(one | other) >= 0.8 for j, other in enumerate(sets))
        for i, one in enumerate(sets)
    ]
    assert near_duplicates(texts) == expected


def test_one_word_changed_in_a_long_text_is_a_near_duplicate() -> None:
    words = [f"w{i}" for i in range(60)]
    changed = [*words[:30], "other", *words[31:]]
    shuffled = random.Random(1).sample(words, 60)
    assert near_duplicates([words, shuffled, changed]) == [True, False, True]


def test_openings_count_only_where_they_recur() -> None:
    texts = [words_of(text) for text in ("On my left is a bar.", "On my left is a house.", "Ahead I see a sign.", "")]
    assert common_openings(texts) == {("on", "my", "left", "is")}
    assert opening(texts[2]) == ("ahead", "i", "see", "a")
    many = [[str(i % 30), "b", "c", "d"] for i in range(90)]
    assert len(common_openings(many)) == 20


def test_similarity_is_that_of_words_not_of_their_order() -> None:
    found = similarities([["red", "house"], ["house", "red"], ["green", "hedge"], []])
    assert found[0, 1] == pytest.approx(1.0)
    assert found[0, 2] == found[0, 3] == 0.0
    weight_a, weight_b = math.log(3 / 3) + 1, math.log(3 / 2) + 1
    pair = similarities([["a", "b"], ["a", "c"]])
    assert pair[0, 1] == pytest.approx(weight_a**2 / (weight_a**2 + weight_b**2), rel=1e-5)
