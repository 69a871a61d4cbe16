"""What is told as a road: ground that something drives on, or with lines."""

import numpy as np
import pytest

from pipeline.captioning.composer.roads import with_driven_roads
from pipeline.perception import rle
from schemas.records import Cue, Look
from tests.captioning.composer.made import cue


def seen(label: str, rows: slice, *, view_id: str = "v0", disputed: bool = False, line: bool = False) -> Cue:
    mask = np.zeros((100, 100), bool)
    mask[rows, 20:60] = True
    looks = [Look(kind="marking", value="yellow", confidence=0.9)] if line else []
    return cue(label, "object", label, view_id=view_id, mask=rle.encode(mask), disputed=disputed, looks=looks)


ROAD = seen("road", slice(60, 100))


@pytest.mark.parametrize(
    ("others", "told"),
    [
        ([], "paved ground"),
        ([seen("car", slice(50, 60))], "road"),
        ([seen("car", slice(30, 40))], "paved ground"),
        ([seen("bicycle", slice(50, 60))], "paved ground"),
        ([seen("car", slice(50, 60), disputed=True)], "paved ground"),
        ([seen("car", slice(50, 60), view_id="v1")], "paved ground"),
    ],
    ids=["nothing", "a car on it", "a car beyond it", "a bicycle", "a car that may be none", "a car in another view"],
)
def test_a_road_is_what_something_drives_on(others: list[Cue], told: str) -> None:
    assert [found.label for found in with_driven_roads([ROAD, *others])] == [told, *(other.label for other in others)]


def test_lines_make_a_road() -> None:
    road = seen("road", slice(60, 100), line=True)
    assert with_driven_roads([road]) == [road]
    pavement = seen("pavement", slice(60, 100))
    assert with_driven_roads([pavement]) == [pavement]
