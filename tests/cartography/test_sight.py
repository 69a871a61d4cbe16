"""What stands in the line of sight, and in which direction roads run."""

import numpy as np
import pytest
import shapely

from pipeline.cartography.facts import facts
from pipeline.cartography.features import Feature
from pipeline.cartography.sight import Sight
from pipeline.geo.axis import axis_deg
from pipeline.geo.frame import LocalFrame
from pipeline.geo.point import Point
from schemas.records import FactKind

HERE = Point(52.0, 13.0)
FRAME = LocalFrame(HERE.lat, HERE.lon)


def feature(name: str, kind: FactKind, shape: shapely.Geometry) -> Feature:
    """A feature whose shape is given in metres east and north."""
    degrees = shapely.transform(shape, lambda xy: np.column_stack(FRAME.to_degrees(xy[:, 0], xy[:, 1])))
    return Feature(feature_id=name, geometry=degrees, kind=kind, category="x", name=name, name_en=None, told=True)


WALL = feature("wall", "building", shapely.box(-20, 20, 20, 30))


@pytest.mark.parametrize(
    ("x", "y", "seen"),
    [
        (0.0, 15.0, True),  # before it
        (0.0, 20.5, True),  # its own front
        (0.0, 40.0, False),  # behind it
        (60.0, 25.0, True),  # beside it
        (0.0, -40.0, True),  # the other way
    ],
)
def test_a_building_hides_what_is_behind_it(x: float, y: float, seen: bool) -> None:
    assert Sight.among([WALL], FRAME).reaches(x, y, "shop") is seen


def test_a_shop_deep_in_its_building_has_its_front_on_another_side() -> None:
    block = feature("block", "building", shapely.box(-20, 10, 20, 70))
    sight = Sight.among([block], FRAME)
    assert sight.reaches(0.0, 18.0, "shop") is True
    assert sight.reaches(0.0, 60.0, "shop") is False
    assert sight.reaches(0.0, 10.0, "block") is True


def test_a_map_without_buildings_says_nothing_and_a_building_around_the_site_hides_nothing() -> None:
    assert Sight.among([], FRAME).reaches(0.0, 40.0, "shop") is None
    around = feature("around", "building", shapely.box(-5, -5, 5, 5))
    assert Sight.among([around], FRAME).reaches(0.0, 40.0, "shop") is None
    assert Sight.among([around, WALL], FRAME).reaches(0.0, -40.0, "shop") is True


def test_facts_tell_what_is_in_sight_and_how_roads_and_buildings_run() -> None:
    road = feature("road", "road", shapely.LineString([(-50, -5), (50, 5)]))
    shop, hidden = feature("shop", "poi", shapely.Point(0, 15)), feature("hidden", "poi", shapely.Point(0, 45))
    found = {fact.fact_id: fact for fact in facts([WALL, road, shop, hidden], HERE, 80.0)}
    assert (found["shop"].in_sight, found["hidden"].in_sight) == (True, False)
    assert found["road"].axis_deg == pytest.approx(84.3, abs=0.5)
    # A shop runs as the building that it is in or before.
    assert found["shop"].axis_deg == pytest.approx(90.0, abs=0.5)
    assert found["wall"].axis_deg == pytest.approx(90.0, abs=0.5)
    assert found["hidden"].axis_deg is None
    assert [found[name].building_id for name in ("shop", "wall", "hidden", "road")] == ["wall", "wall", None, None]


@pytest.mark.parametrize(
    ("line", "at", "axis"),
    [
        ([(0, 0), (0, 50)], (3, 20), 0.0),
        ([(0, 50), (0, 0)], (3, 20), 0.0),
        ([(0, 0), (50, 50)], (20, 25), 45.0),
        ([(0, 0), (50, -50)], (20, -20), 135.0),
        ([(0, 0), (50, 0), (50, 50)], (55, 30), 0.0),
    ],
)
def test_a_line_runs_as_it_does_where_one_stands(
    line: list[tuple[float, float]], at: tuple[float, float], axis: float
) -> None:
    assert axis_deg(shapely.LineString(line), *at) == pytest.approx(axis, abs=1e-6)
    assert axis_deg(shapely.Point(0, 0), *at) is None
