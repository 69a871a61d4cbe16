"""The LRU memo: what is expensive is made once and not kept for ever."""

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from pipeline.memo import LruMemo


def test_many_threads_make_a_value_once() -> None:
    made: list[str] = []
    gate = threading.Barrier(8)

    def make(key: str) -> str:
        made.append(key)
        return key * 2

    memo: LruMemo[str, str] = LruMemo(100, len)

    def ask(_: int) -> str:
        gate.wait()
        return memo.get("a", lambda: make("a"))

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(ask, range(8))) == {"aa"}
    assert made == ["a"]


def test_the_least_recently_used_go_first_and_the_last_one_stays() -> None:
    made: list[int] = []

    def make(key: int) -> list[int]:
        made.append(key)
        return [0] * key

    memo: LruMemo[int, list[int]] = LruMemo(10, len)
    for key in (4, 5, 4, 6, 4, 5):
        memo.get(key, partial(make, key))
    assert made == [4, 5, 6, 5]
    assert len(memo.get(50, lambda: make(50))) == 50
    assert memo.get(50, lambda: make(50)) is memo.get(50, lambda: make(50))


def test_a_failure_is_not_kept() -> None:
    faults = [ValueError("once")]

    def make(key: str) -> str:
        if faults:
            raise faults.pop()
        return key

    memo: LruMemo[str, str] = LruMemo(10, len)
    with pytest.raises(ValueError, match="once"):
        memo.get("a", lambda: make("a"))
    assert memo.get("a", lambda: make("a")) == "a"
