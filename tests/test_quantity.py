"""Counts in words."""

from pipeline.quantity import quantity


def test_a_count_agrees_with_its_noun() -> None:
    assert [quantity(n, "row group") for n in (0, 1, 2, 2_000)] == [
        "0 row groups",
        "1 row group",
        "2 row groups",
        "2,000 row groups",
    ]
