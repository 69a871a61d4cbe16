import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.metrics.intervals import jackknife, mean, pair_mean, rate, share


def test_wilson_as_tabulated() -> None:
    found = rate(8, 10)
    assert found is not None
    assert (found.value, found.of) == (0.8, 10)
    assert found.low == pytest.approx(0.4902, abs=1e-4)
    assert found.high == pytest.approx(0.9433, abs=1e-4)
    none = rate(0, 30)
    assert none is not None
    assert none.low == 0.0
    assert none.high == pytest.approx(0.1135, abs=1e-4)
    assert rate(0, 0) is None


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_a_rate_lies_in_its_interval(case: tuple[int, int]) -> None:
    found = rate(*case)
    assert found is not None
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.low < found.high


def test_the_bootstrap_agrees_with_the_normal_approximation() -> None:
    values = np.random.default_rng(1).normal(50, 10, 400).tolist()
    found = mean(values)
    assert found is not None
    error = np.std(values, ddof=1) / 20
    assert found.value == pytest.approx(np.mean(values))
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * error, rel=0.1)
    assert found == mean(values)


def test_intervals_cover_what_they_should() -> None:
    random = np.random.default_rng(3)
    held = 0
    for _ in range(200):
        claims = random.integers(1, 12, 60)
        supported = random.binomial(claims, 0.9)
        found = share(supported.tolist(), claims.tolist())
        assert found is not None
        held += found.low <= 0.9 <= found.high
    assert held >= 180


def test_a_share_weighs_descriptions_by_their_claims() -> None:
    found = share([1, 9], [10, 10])
    assert found is not None
    assert (found.value, found.of) == (0.5, 20)
    assert (found.low, found.high) == (0.1, 0.9)
    assert share([], []) is None
    assert share([0, 0], [0, 0]) is None


def test_claims_that_all_agree_leave_doubt_as_many_descriptions_would() -> None:
    found, none = share([40] * 10 + [0], [40] * 10 + [0]), share([0] * 10, [40] * 10)
    assert found is not None
    assert none is not None
    assert (found.value, found.high, found.of) == (1.0, 1.0, 400)
    assert found.low == pytest.approx(0.7225, abs=1e-4)  # ten of ten descriptions, not 400 of 400 claims
    assert (none.value, none.low) == (0.0, 0.0)
    assert none.high == pytest.approx(0.2775, abs=1e-4)


def test_a_mean_of_pairs_leaves_out_the_diagonal() -> None:
    gram = np.array([[1.0, 0.2, 0.4], [0.2, 1.0, 0.6], [0.4, 0.6, 1.0]])
    found = pair_mean(gram)
    assert found is not None
    assert found.value == pytest.approx(0.4)
    assert 0.0 <= found.low <= 0.4 <= found.high <= 0.6
    assert pair_mean(np.ones((1, 1))) is None


def test_the_jackknife_of_a_mean_is_its_standard_error() -> None:
    values = np.random.default_rng(5).random(50)
    without = [(values.sum() - v) / 49 for v in values]
    found = jackknife(float(values.mean()), without)
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * values.std(ddof=1) / 50**0.5, rel=1e-3)
