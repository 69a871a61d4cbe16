"""Counting where outlines meet, before an overlay is paid for."""

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import SiteError
from pipeline.geo.crossings import check_meetings, count_meetings

WHOLE = 10**9


def scribble(corners: int) -> shapely.Polygon:
    return shapely.Polygon(np.random.default_rng(corners).integers(0, 4_096, (corners, 2)))


def test_honest_shapes_meet_in_few_places() -> None:
    angle = np.linspace(0, 2 * np.pi, 1_000, endpoint=False)
    circle = shapely.Polygon(np.column_stack([np.cos(angle), np.sin(angle)]))
    assert count_meetings([circle], WHOLE) == 1 + 1_000 // 64  # where the ring closes, and for the sorting
    assert count_meetings([shapely.LineString([(0, 0), (1, 1), (2, 0)])], WHOLE) == 0
    assert count_meetings([shapely.Point(1, 1), shapely.MultiPoint([(1, 1), (2, 2)])], WHOLE) == 0
    assert count_meetings([], WHOLE) == 0


def test_a_scribble_meets_itself_all_over_and_counting_ends_early() -> None:
    assert count_meetings([scribble(600)], WHOLE) > 30_000
    assert 1_000 < count_meetings([scribble(600)], 1_000) < 30_000


def test_all_parts_of_collections_count() -> None:
    one, other = shapely.LineString([(0, 0), (2, 2)]), shapely.LineString([(0, 2), (2, 0)])
    assert count_meetings([one, other], WHOLE) == count_meetings([shapely.MultiLineString([one, other])], WHOLE) == 1
    holed = shapely.box(0, 0, 9, 9) - shapely.box(1, 1, 2, 2)
    assert count_meetings([holed, shapely.LineString([(1.5, -1), (1.5, 10)])], WHOLE) == 2 + 4


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=4, max_size=12, unique=True))
def test_lines_without_meetings_are_simple(places: list[tuple[int, int]]) -> None:
    line = shapely.LineString(places)
    if count_meetings([line], WHOLE) == 0:
        assert line.is_simple or shapely.node(line).length < line.length  # it may run back on itself


def test_what_takes_too_much_work_is_a_bad_answer() -> None:
    check_meetings([scribble(20)], 1_000, "outlines")
    with pytest.raises(SiteError, match="outlines cross each other in more than 1,000 places"):
        check_meetings([scribble(200)], 1_000, "outlines")
