"""A stated heading against the picture's lines and the track of its capture."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pipeline.geo.frame import LocalFrame
from pipeline.geo.point import Point
from pipeline.imaging.vanishing import VanishingPoint
from pipeline.sources.base import Photo
from pipeline.stages.heading import CONFIRMED_ERROR_DEG, GUESSED_ERROR_DEG, settle
from schemas.records import MapFact

HERE = Point(52.0, 13.0)
START = datetime(2026, 5, 1, 12, tzinfo=UTC)


def drive(way_deg: float, *headings: float | None, sequence: str | None = "s") -> list[Photo]:
    """Photos 8 m apart along a direction, one second after the other."""
    import math

    frame = LocalFrame(HERE.lat, HERE.lon)
    photos = []
    for i, heading in enumerate(headings):
        step = 8.0 * (i - len(headings) // 2)
        lon, lat = frame.to_degrees([step * math.sin(math.radians(way_deg))], [step * math.cos(math.radians(way_deg))])
        photos.append(
            Photo(
                source_id=f"p{i}",
                position=Point(float(lat[0]), float(lon[0])),
                heading_deg=heading,
                hfov_deg=70.0,
                projection="perspective",
                captured_at=START + timedelta(seconds=i),
                author="a",
                licence="CC0-1.0",
                link="https://x.org",
                sequence=sequence,
            )
        )
    return photos


def road(axis_deg: float, distance_m: float = 2.0) -> MapFact:
    return MapFact(
        fact_id="r", kind="road", category="residential", name=None, name_en=None, distance_m=distance_m,
        bearing_deg=0.0, axis_deg=axis_deg,
    )  # fmt: skip


AHEAD = VanishingPoint(0.0, 0.5)


def settled(photos: list[Photo], facts: list[MapFact], lines: VanishingPoint | None) -> tuple[str | None, float | None]:
    found = settle(photos[len(photos) // 2], photos, facts, lines)
    return found.source, found.heading_deg


def guessed(photos: list[Photo], *which: int) -> list[Photo]:
    return [replace(photo, heading_guessed=i in which) for i, photo in enumerate(photos)]


def test_a_heading_that_the_server_guessed_is_used_only_where_street_and_track_agree() -> None:
    along = drive(65, 65.0, 65.0, 65.0, 65.0, 65.0)
    assert settled(along, [], None) == ("confirmed", 65.0)
    assert settled(guessed(along, 0, 1, 2, 3, 4), [], None) == ("guessed", 65.0)
    assert settled(guessed(along, 0, 1, 3, 4), [], None) == ("stated", 65.0), "others that are guessed are no witnesses"
    assert settled(guessed(along, 2), [], None) == ("guessed", 65.0), "nor is the track, which it was made of"
    for facts, lines, source, error in (
        ([], None, "guessed", 180.0),
        ([road(65.0)], None, "guessed", 180.0),
        ([road(65.0)], AHEAD, "guessed", 180.0),  # it may as well look back
        ([road(155.0)], AHEAD, "unreliable", 180.0),  # it looks across the road that it drives along
    ):
        photos = guessed(along, *range(5))
        got = settle(photos[2], photos, facts, lines)
        assert (got.heading_deg, got.source, got.error_deg) == (65.0, source, error)
    mounted = guessed(along, 2)
    got = settle(mounted[2], mounted, [road(65.0)], AHEAD)
    assert (got.source, got.error_deg) == ("confirmed", GUESSED_ERROR_DEG), "the others say that it looks ahead"
    assert GUESSED_ERROR_DEG > CONFIRMED_ERROR_DEG
    measured = settle(along[2], along, [road(65.0)], AHEAD)
    assert measured.error_deg == CONFIRMED_ERROR_DEG
    sideways = guessed(drive(65, 155.0, 155.0, 65.0, 155.0, 155.0), 2)
    assert settled(sideways, [], None)[0] == "unreliable", "the camera looks to the right"
    backwards = guessed(drive(65, 245.0, 245.0, 65.0, 245.0, 245.0), 2)
    turned = settle(backwards[2], backwards, [road(65.0)], AHEAD)
    assert turned.source == "corrected", "the others were measured"
    assert turned.heading_deg == pytest.approx(245.0, abs=2.0)


def test_where_no_witness_speaks_the_heading_stays_as_stated() -> None:
    assert settled(drive(0, 33.0, sequence=None), [], None) == ("stated", 33.0)
    assert settled(drive(0, 33.0, sequence=None), [], AHEAD) == ("stated", 33.0)  # no road on the map
    assert settled(drive(0, 33.0, sequence=None), [road(90.0, 40.0)], AHEAD) == ("stated", 33.0)  # nor near by
    assert settled(drive(0, None), [road(90.0)], AHEAD) == (None, None)


@pytest.mark.parametrize(("axis", "angle", "stated"), [(30.0, 0.0, 35.0), (30.0, 10.0, 200.0), (170.0, -20.0, 8.0)])
def test_a_heading_that_the_street_agrees_with_is_confirmed(axis: float, angle: float, stated: float) -> None:
    got = settle(drive(0, stated, sequence=None)[0], [], [road(axis)], VanishingPoint(angle, 0.5))
    assert (got.source, got.heading_deg) == ("confirmed", stated)
    assert got.error_deg is not None
    assert got.error_deg < 20


def test_where_roads_meet_one_that_agrees_is_enough() -> None:
    assert settled(drive(0, 92.0, sequence=None), [road(0.0), road(90.0)], AHEAD) == ("confirmed", 92.0)


def test_a_side_street_further_on_confirms_nothing() -> None:
    beside = settled(drive(0, 5.0, sequence=None), [road(90.0, 2.0), road(0.0, 9.0)], AHEAD)
    assert beside == ("unreliable", 5.0)


def place(wall_deg: float | None, building: str | None = None, distance_m: float = 15.0) -> MapFact:
    """A shop of a building whose walls run so; of one of its own, if none is named."""
    return MapFact(
        fact_id=f"p{wall_deg}", kind="poi", category="cafe", name="A", name_en=None, distance_m=distance_m,
        bearing_deg=0.0, axis_deg=wall_deg, building_id=building,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("stated", "angle", "walls", "source"),
    [
        (138.0, -1.0, [2.0, 91.0, 179.0], "unreliable"),  # along a street whose houses stand north to south
        (314.0, -2.0, [2.0, 91.0, 179.0, 90.0], "unreliable"),
        (178.0, -1.0, [2.0, 91.0, 179.0], "stated"),  # agreement proves nothing: it may be a quarter turn off
        (88.0, 3.0, [2.0, 91.0, 179.0], "stated"),
        (138.0, -1.0, [2.0, 91.0], "stated"),  # too few
        (138.0, -1.0, [2.0, 40.0, 70.0], "stated"),  # of several directions
        (138.0, -1.0, [None, None, None], "stated"),
    ],
)
def test_where_no_road_is_on_the_map_walls_may_speak_against_a_heading(
    stated: float, angle: float, walls: list[float | None], source: str
) -> None:
    lines = VanishingPoint(angle, 0.5)
    assert settled(drive(0, stated, sequence=None), [*map(place, walls)], lines) == (source, stated)
    far = [place(wall, distance_m=60.0) for wall in walls]
    assert settled(drive(0, stated, sequence=None), far, lines) == ("stated", stated)
    along = road((stated + angle) % 180.0)
    assert settled(drive(0, stated, sequence=None), [*map(place, walls), along], lines) == ("confirmed", stated)


def test_the_shops_of_one_building_are_one_wall() -> None:
    lines = VanishingPoint(0.0, 0.5)
    one = [place(wall, "block") for wall in (2.0, 2.0, 2.0)]
    assert settled(drive(0, 138.0, sequence=None), one, lines)[0] == "stated"
    three = [place(2.0, building) for building in ("block", "block", "house", "hall")]
    assert settled(drive(0, 138.0, sequence=None), three, lines)[0] == "unreliable"


def test_a_dash_camera_whose_compass_is_45_degrees_off_is_found_and_corrected() -> None:
    source, heading = settled(drive(20, 20.0, 20.0, 65.0, 20.0, 20.0), [road(20.0)], AHEAD)
    assert source == "corrected"
    assert heading == pytest.approx(20.0, abs=2.0)


def test_one_witness_against_it_makes_a_heading_unreliable() -> None:
    assert settled(drive(0, 65.0, sequence=None), [road(20.0)], AHEAD) == ("unreliable", 65.0)
    assert settled(drive(20, 20.0, 20.0, 65.0, 20.0, 20.0), [], None) == ("unreliable", 65.0)


def test_a_whole_drive_that_is_45_degrees_off_is_not_believed() -> None:
    assert settled(drive(20, 65.0, 65.0, 65.0, 65.0, 65.0), [road(20.0)], AHEAD)[0] == "unreliable"


def test_a_heading_half_a_turn_off_is_found_by_the_track() -> None:
    assert settled(drive(20, 20.0, 20.0, 200.0, 20.0, 20.0), [], None)[0] == "unreliable"
    source, heading = settled(drive(20, 20.0, 20.0, 200.0, 20.0, 20.0), [road(20.0)], AHEAD)
    assert source == "corrected"
    assert heading == pytest.approx(20.0, abs=2.0)


@pytest.mark.parametrize("mount", [90.0, 180.0, 270.0])
def test_a_camera_that_looks_to_the_side_or_back_is_no_fault(mount: float) -> None:
    looks = [(20.0 + mount) % 360.0] * 5
    assert settled(drive(20, *looks), [], None)[0] == "confirmed"


def test_a_walk_that_turns_to_all_sides_tells_nothing() -> None:
    assert settled(drive(20, 10.0, 130.0, 250.0, 60.0, 300.0), [], None)[0] == "stated"


def test_photos_that_stand_still_or_are_far_in_time_give_no_track() -> None:
    still = drive(20, 20.0, 20.0, 65.0, 20.0, 20.0)
    still = [Photo(**{**vars(photo), "position": HERE}) for photo in still]
    assert settled(still, [], None)[0] == "stated"
    slow = [
        Photo(**{**vars(photo), "captured_at": START + timedelta(hours=i)})
        for i, photo in enumerate(drive(20, 20.0, 20.0, 65.0, 20.0, 20.0))
    ]
    assert settled(slow, [], None)[0] == "stated"
