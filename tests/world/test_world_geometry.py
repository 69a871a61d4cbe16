"""The world's geometry: the grid and its inverse, windows, boxes, homographies."""

import cv2
import numpy as np
import shapely
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.region import Region
from pipeline.geo.point import Point
from pipeline.world.above import paint_above
from pipeline.world.blocks import block
from pipeline.world.ground import Window
from pipeline.world.mesh import MeshBuilder, Thing, box
from pipeline.world.picture import to_picture
from pipeline.world.places import places_near
from pipeline.world.scene import Eye, clip_near
from pipeline.world.streets import ALONG_EAST, ALONG_NORTH, stretch
from pipeline.world.town import build_town, cells_near, locate, node, to_grid
from tests.examples import examples

TOWN = build_town(7, Region(name="geometry", centre=(40.0, -3.0), radius_m=500))
angles = st.floats(0, 360)
metres = st.floats(-3000, 3000)


@given(st.integers(-60, 60), st.integers(-60, 60))
def test_the_grid_can_be_inverted(i: int, j: int) -> None:
    u, v = to_grid(TOWN, *(np.array(value) for value in node(TOWN, i, j)))
    assert abs(u - i) <= 0.1501
    assert abs(v - j) <= 0.1501


@examples(30)
@given(metres, metres, st.floats(5, 150))
def test_no_cell_within_reach_is_missed(x: float, y: float, radius: float) -> None:
    cells = set(cells_near(TOWN, x, y, radius))
    wide = cells_near(TOWN, x, y, radius + 250)
    for i, j in wide:
        for family in (ALONG_EAST, ALONG_NORTH):
            line = stretch(TOWN, family, i, j).line
            if np.hypot(*(line - (x, y)).T).min() < radius:
                assert (i, j) in cells


@examples(20)
@given(metres, metres)
def test_places_keep_their_distance_from_buildings(x: float, y: float) -> None:
    for place in places_near(TOWN, x, y, 60.0)[:5]:
        for i, j in cells_near(TOWN, place.x, place.y, 20.0):
            for building in block(TOWN, i, j).buildings:
                assert np.hypot(*(building.footprint - (place.x, place.y)).T).min() > 2.0


def test_buildings_do_not_overlap_and_turn_the_right_way() -> None:
    for i in range(4):
        for j in range(4):
            shapes = [shapely.Polygon(building.footprint) for building in block(TOWN, i, j).buildings]
            assert all(shape.exterior.is_ccw for shape in shapes)
            for n, shape in enumerate(shapes[1:], 1):
                assert max(shape.intersection(other).area for other in shapes[:n]) < 0.5


@given(metres, metres, angles, st.floats(0.5, 8), st.floats(0.5, 8))
def test_all_faces_of_a_box_look_outwards(x: float, y: float, heading: float, length: float, width: float) -> None:
    builder = MeshBuilder()
    builder.start(Thing("box", "car", None, lasting=False, x=x, y=y))
    builder.add(box(x, y, heading, length, width, 0.5, 2.0), (1, 2, 3), (x, y))
    mesh = builder.build()
    middles = mesh.corners.mean(axis=1) - np.array([x, y, 1.25])
    assert (np.einsum("nk,nk->n", middles, mesh.normals) > 0).all()


@given(metres, metres, angles, angles, st.floats(-40, 40), st.tuples(st.floats(5, 40), st.floats(-0.8, 0.8)))
def test_the_ground_is_seen_where_the_camera_projects_it(
    x: float, y: float, up: float, heading: float, pitch: float, spot: tuple[float, float]
) -> None:
    """A ground point gets the same pixel by the homography as by projection."""
    eye = Eye(x, y, 2.4, heading, pitch, 600.0, 1024, 768)
    window = Window(x + 3, y - 5, up, 500, 10.0)
    distance, aside = spot
    h = np.radians(heading) + aside
    point = np.array([x + np.sin(h) * distance, y + np.cos(h) * distance])
    space = eye.camera_space(np.array([*point, 0.0]))
    if space[2] < 1.0:
        return
    pixel = window.matrix() @ [*point, 1.0] - 0.5
    mapped = to_picture(eye, window) @ [*pixel, 1.0]
    np.testing.assert_allclose(mapped[:2] / mapped[2], eye.pixels(space) - 0.5, atol=1e-4)


def test_a_view_has_north_up_and_east_to_the_right() -> None:
    window = Window(100.0, 200.0, 0.0, 50, 2.0)
    np.testing.assert_allclose(window.matrix() @ [105.0, 210.0, 1.0], [25 + 10, 25 - 20])
    eye = Eye(0.0, 0.0, 2.0, 0.0, 0.0, 500.0, 100, 80)
    right_and_up = eye.pixels(eye.camera_space(np.array([1.0, 10.0, 3.0])))
    np.testing.assert_allclose(right_and_up, [50 + 50, 40 - 50])


@given(st.lists(st.tuples(st.floats(-5, 5), st.floats(-5, 5), st.floats(-5, 5)), min_size=4, max_size=4))
def test_clipping_leaves_nothing_behind_the_eye(corners: list[tuple[float, float, float]]) -> None:
    polygon = np.array(corners)
    if not (polygon[:, 2] > 0.36).any():
        return
    assert (clip_near(polygon)[:, 2] > 0.349).all()


def test_true_north_turns_away_from_the_frames_north() -> None:
    """30 km east of the centre at 69 N, the meridians converge by about sin(lat) times the difference of longitude."""
    town = build_town(0, Region(name="far", centre=(69.0, 20.0), radius_m=40_000))
    here = locate(town, Point(69.0, 20.7))
    assert abs(here.north_deg + 0.7 * np.sin(np.radians(69.0))) < 0.01
    assert abs(locate(town, Point(69.0, 20.0)).north_deg) < 1e-6


def test_a_roof_is_in_a_chip_that_none_of_its_corners_is_near() -> None:
    town = build_town(3, Region(name="town-0", centre=(10.0, 20.0), radius_m=750))
    place = 12.653, 575.650, 89.372
    small, large = (paint_above(town, Window(*place, 256 * times, 256 / 20)) for times in (1, 5))
    one, other = (cv2.blur(pixels.astype(np.float32), (9, 9)) for pixels in (small, large[512:768, 512:768]))
    assert np.abs(one - other)[6:-6, 6:-6].mean() < 2  # the grain of the ground is the chip's own
