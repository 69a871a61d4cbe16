"""Which objects are told, and as what."""

import pytest

from pipeline.captioning.composer.objects import told_as
from tests.captioning.composer.made import cue


@pytest.mark.parametrize(
    ("label", "confidence", "share", "told"),
    [
        ("building", 0.8, 0.2, "building"), ("building", 0.7, 0.2, None),
        ("tree", 0.85, 0.1, "tree"), ("tree", 0.78, 0.1, "vegetation"), ("tree", 0.72, 0.1, None),
        ("pavement", 0.85, 0.2, "pavement"), ("pavement", 0.75, 0.2, "paved ground"),
        ("road", 0.75, 0.2, "paved ground"), ("road", 0.95, 0.2, "road"),
        ("road", 0.95, 0.02, None), ("paved ground", 0.9, 0.01, None),
        ("bench", 0.75, 0.005, None), ("bench", 0.85, 0.005, "bench"), ("bench", 0.75, 0.02, "bench"),
    ],
)  # fmt: skip
def test_what_is_less_sure_or_small_is_told_as_something_more_general_or_not(
    label: str, confidence: float, share: float, told: str | None
) -> None:
    seen = cue("o1", "object", label, confidence=confidence, area_share=share, seen_by=["one"])
    found = told_as(seen, 0.7)
    assert (found and found.label) == told


def test_what_two_engines_saw_may_be_small() -> None:
    seen = cue("o1", "object", "bench", confidence=0.75, area_share=0.005, seen_by=["one", "other"])
    assert told_as(seen, 0.7) == seen
