"""Agreement against figures that others published, and against what must hold whatever people say."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.examples import examples
from tools.audit import agreement

# Twelve units judged by four people, some judgements missing: the worked example of Krippendorff (2011, "Computing
# Krippendorff's alpha-reliability", data of section C), with alpha 0.743; Gwet's AC1 of the same table is 0.775 (Gwet's
# handbook, table of his R package irrCAC).
UNITS = ["111", "2223", "3333", "3333", "2222", "1234", "4444", "1121", "2222", "555", "11", "3"]
PEOPLE = np.ones(len(UNITS))
TABLE = agreement.table_of([list(unit) for unit in UNITS], list("12345"))


def test_krippendorffs_own_example() -> None:
    assert agreement.alpha(TABLE, PEOPLE) == pytest.approx(0.743, abs=0.0005)


def test_gwets_figure_for_it() -> None:
    assert agreement.ac1(TABLE, PEOPLE) == pytest.approx(0.77544, abs=0.00005)
    assert agreement.raw(TABLE, PEOPLE) == pytest.approx(0.81818, abs=0.00005)


def test_cohens_kappa_by_hand() -> None:
    # 20 yes by both, 15 no by both, 5 and 10 apart: agreement 0.7, by chance 0.5 (Cohen's kappa 0.4).
    first = [0] * 20 + [0] * 5 + [1] * 10 + [1] * 15
    second = [0] * 20 + [1] * 5 + [0] * 10 + [1] * 15
    found = agreement.kappa(first, second, 2)
    assert found is not None
    assert found.value == pytest.approx(0.4)
    assert found.low < 0.4 < found.high


def test_ac1_stands_where_nearly_all_is_accepted_and_kappa_falls() -> None:
    judged = [["accept", "accept"]] * 95 + [["accept", "reject"]] * 3 + [["reject", "accept"]] * 2
    table = agreement.table_of(judged, ["accept", "edit", "reject"])
    ones = np.ones(100)
    assert agreement.raw(table, ones) == 0.95
    assert agreement.alpha(table, ones) < 0.0
    assert agreement.ac1(table, ones) > 0.9


def test_where_nothing_varies_alpha_and_kappa_are_not_defined_and_ac1_is_one() -> None:
    table = agreement.table_of([["accept", "accept"]] * 10, ["accept", "edit", "reject"])
    assert agreement.estimate(agreement.alpha, table) is None
    assert agreement.kappa([0] * 10, [0] * 10, 3) is None
    found = agreement.estimate(agreement.ac1, table)
    assert found is not None
    assert found.value == 1.0


judgements = st.lists(st.lists(st.sampled_from("abc"), min_size=0, max_size=5), min_size=1, max_size=15)


@examples(20)
@given(judgements, st.integers(0, 2**32))
def test_order_and_names_do_not_matter_and_nothing_exceeds_one(judged: list[list[str]], seed: int) -> None:
    shuffled = judged[:]
    random.Random(seed).shuffle(shuffled)
    renamed = [["cab"["abc".index(said)] for said in reversed(item)] for item in shuffled]
    for statistic in (agreement.raw, agreement.alpha, agreement.ac1):
        ours = statistic(agreement.table_of(judged, "abc"), np.ones(len(judged)))
        theirs = statistic(agreement.table_of(renamed, "abc"), np.ones(len(judged)))
        assert ours == pytest.approx(theirs, nan_ok=True)
        assert np.isnan(ours) or ours <= 1.0 + 1e-9


def test_chance_gives_nothing_and_its_interval_says_so() -> None:
    draw = random.Random(5)
    judged = [[draw.choice("ab"), draw.choice("ab")] for _ in range(400)]
    for statistic in (agreement.alpha, agreement.ac1):
        found = agreement.estimate(statistic, agreement.table_of(judged, "ab"))
        assert found is not None
        assert found.low < 0.0 < found.high
        assert found.high - found.low < 0.25
