"""Which rows make a batch: all of them, none twice, mixed, and hard where they should be."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tools.retrieval.data.order import Closeness, Hardness, Mixing, epoch_batches, hardness_at


def group_numbers(seed: int, count: int) -> np.ndarray:
    sizes = np.random.default_rng(seed).integers(1, 9, count)
    return np.repeat(np.random.default_rng(seed).permutation(count), sizes)


@given(st.integers(0, 1_000), st.integers(1, 20), st.integers(1, 4), st.integers(1, 5), st.integers(1, 6))
def test_an_epoch_has_each_row_once_and_lanes_of_one_length(
    seed: int, groups: int, lanes: int, window: int, batch: int
) -> None:
    numbers = group_numbers(seed, groups)
    mixing = Mixing(batch, window, lanes, seed)
    found = epoch_batches(numbers, 0, mixing)
    assert len(found) == lanes
    assert len({len(lane) for lane in found}) == 1
    rows = [row for lane in found for rows in lane for row in rows.tolist()]
    assert len(rows) == len(set(rows))
    assert all(len(rows) == batch for lane in found for rows in lane)
    if lanes == 1:
        assert len(numbers) - len(rows) < batch
    # A lane never shares a group with another one.
    homes = [{int(numbers[row]) for rows in lane for row in rows.tolist()} for lane in found]
    assert sum(len(home) for home in homes) == len(set().union(*homes))


def test_the_order_follows_from_seed_and_epoch_alone() -> None:
    numbers = group_numbers(1, 12)

    def order(epoch: int, seed: int) -> list[list[int]]:
        return [rows.tolist() for rows in epoch_batches(numbers, epoch, Mixing(4, 3, 1, seed))[0]]

    assert order(0, 1) == order(0, 1)
    assert order(0, 1) != order(1, 1) != order(1, 2)


def test_a_window_holds_few_groups_at_a_time() -> None:
    numbers = np.repeat(np.arange(40), 10)
    (lane,) = epoch_batches(numbers, 3, Mixing(20, 4, 1, 5))
    for batch in lane:
        assert 2 <= len(set(numbers[batch].tolist())) <= 8


def test_near_rows_share_a_batch_and_overlapping_ones_do_not() -> None:
    random = np.random.default_rng(0)
    town = np.repeat(np.arange(8), 40)
    places = np.column_stack([town * 50_000.0, np.zeros(320), np.zeros(320)])
    places[:, 1:] += random.uniform(0, 1_000, (320, 2))
    mixing = Mixing(batch=16, window=4, lanes=1, seed=1, cluster=4)
    groups = np.arange(320) // 10

    def mean_gap(batches: list[np.ndarray]) -> float:
        nearest = []
        for rows in batches:
            gaps = np.linalg.norm(places[rows][:, None] - places[rows], axis=2) + np.eye(len(rows)) * 1e9
            nearest.append(np.median(gaps.min(axis=1)))
        return float(np.mean(nearest))

    def close_pairs(batches: list[np.ndarray]) -> int:
        gaps = [np.linalg.norm(places[rows][:, None] - places[rows], axis=2) for rows in batches]
        return sum(int((gap < 150).sum()) - len(gap) for gap in gaps)

    easy = epoch_batches(groups, 0, mixing)[0]
    hard = epoch_batches(groups, 0, mixing, Closeness(places, 150.0), places)[0]
    assert mean_gap(hard) < 0.6 * mean_gap(easy)
    overlapping = epoch_batches(groups, 0, mixing, Closeness(places, 0.0), places)[0]
    assert close_pairs(hard) < 0.6 * close_pairs(overlapping)


def test_alike_rows_share_a_batch() -> None:
    random = np.random.default_rng(0)
    kind = random.permutation(np.repeat(np.arange(60), 4))
    vectors = random.standard_normal((60, 16))[kind] + 0.01 * random.standard_normal((240, 16))
    (lane,) = epoch_batches(np.arange(240) // 8, 0, Mixing(8, 30, 1, 1, cluster=4), Closeness(vectors))
    assert all(len(set(kind[rows].tolist())) == 2 for rows in lane)


def test_the_schedule() -> None:
    schedule: list[tuple[int, Hardness]] = [(2, "near"), (5, "alike")]
    assert [hardness_at(schedule, epoch) for epoch in (0, 1, 2, 4, 5, 9)] == [
        "random", "random", "near", "near", "alike", "alike"
    ]  # fmt: skip
