"""The synthetic world as a source: where its photos stand, that it repeats itself, that its views agree."""

import importlib
import json
import pkgutil
from collections.abc import Callable

import cv2
import numpy as np
import pytest

import pipeline.sources.world
import pipeline.world.scene
from pipeline.config.imagery import QualityGates
from pipeline.config.region import Region
from pipeline.config.sources import WorldAerial, WorldMap, WorldStreet
from pipeline.errors import SiteError
from pipeline.geo.frame import LocalFrame, bearing_deg
from pipeline.geo.point import Point
from pipeline.imaging.quality import gate, measure
from pipeline.imaging.types import Camera, Pixels
from pipeline.sources.base import KnowsTruth, Photo
from pipeline.sources.world import WorldAerialSource, WorldMapSource, WorldStreetSource
from pipeline.world.regions import within
from schemas.reasons import Reason

REGION = Region(name="harbour", centre=(52.37, 4.9), radius_m=260)
STREET = WorldStreetSource("street", WorldStreet(type="world", panoramas=0.4), [REGION])
AERIAL = WorldAerialSource("aerial", WorldAerial(type="world"), [REGION])
MAP = WorldMapSource("map", WorldMap(type="world", labels=False), [REGION])
PHOTOS = list(STREET.candidates(REGION))
FLAT = [photo for photo in PHOTOS if photo.projection == "perspective"]
ROUND = [photo for photo in PHOTOS if photo.projection == "equirectangular"]
ROAD_FILLS = {(255, 255, 255), (237, 237, 237), (247, 250, 191), (252, 214, 164), (96, 96, 96), (236, 236, 236)}
"""Colours of roads on the map chip, and of the rails on or across them."""
PARK_FILL = (200, 250, 204)


def decoded(data: bytes) -> Pixels:
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)


def forget_everything() -> None:
    """Empties all caches of the world, as a new process would have them."""
    for package in (pipeline.sources.world, pipeline.world):
        for module in pkgutil.iter_modules(package.__path__):
            for value in vars(importlib.import_module(f"{package.__name__}.{module.name}")).values():
                if hasattr(value, "cache_clear"):
                    value.cache_clear()
    assert pipeline.world.scene._cell_mesh.cache_info().currsize == 0


def test_photos_have_the_size_and_the_sharpness_of_photos() -> None:
    flat, whole = decoded(STREET.read(FLAT[3])), decoded(STREET.read(ROUND[3]))
    assert flat.shape == (768, 1024, 3)
    assert whole.shape == (1024, 2048, 3)
    for picture in (flat, whole):
        assert gate(measure(picture), QualityGates()) is None


def test_same_bytes_in_any_order_and_in_a_new_process() -> None:
    photos = [*FLAT[:2], ROUND[0]]
    calls: list[Callable[[], object]] = [
        *(lambda photo=photo: STREET.read(photo) for photo in photos),
        *(lambda photo=photo: AERIAL.chip(photo.position, 128, 0.6).pixels.tobytes() for photo in photos),
        *(lambda photo=photo: MAP.chip(photo.position, 128, 0.6).pixels.tobytes() for photo in photos),
        *(lambda photo=photo: MAP.around(photo.position, 60.0) for photo in photos),
        *(lambda photo=photo: STREET.truth(photo, Camera(20.0, 0.0, 80.0, 640, 480)) for photo in photos),
    ]
    first = [call() for call in calls]
    forget_everything()
    backwards = [call() for call in reversed(calls)]
    assert first == backwards[::-1]


def test_the_same_region_made_again_is_the_same_town() -> None:
    again = WorldStreetSource("other name", WorldStreet(type="world", panoramas=0.4), [REGION])
    assert list(again.candidates(REGION)) == PHOTOS


@pytest.mark.parametrize(
    ("name", "seed"), [("harbour", 1), ("elsewhere", 0)], ids=["another seed", "another region's name"]
)
def test_other_towns_differ(name: str, seed: int) -> None:
    other = Region(name=name, centre=REGION.centre, radius_m=260)
    source = WorldStreetSource("street", WorldStreet(type="world", seed=seed, panoramas=0.4), [other])
    assert {photo.position for photo in source.candidates(other)}.isdisjoint(photo.position for photo in PHOTOS)


def test_share_of_panoramas() -> None:
    region = Region(name="shares", centre=(10.0, 10.0), radius_m=300)

    def places(share: float) -> tuple[set[Point], set[Point]]:
        source = WorldStreetSource("street", WorldStreet(type="world", panoramas=share), [region])
        photos = list(source.candidates(region))
        whole = {photo.position for photo in photos if photo.hfov_deg == 360.0}
        return whole, {photo.position for photo in photos} - whole

    assert not places(0.0)[0]
    assert not places(1.0)[1]
    whole, flat = places(0.3)
    assert 0.2 < len(whole) / (len(whole) + len(flat)) < 0.4


def test_ids_are_unique_and_lead_back_to_the_photo() -> None:
    assert len({photo.source_id for photo in PHOTOS}) == len(PHOTOS)
    for photo in PHOTOS[:40]:
        found = STREET.near(photo.position, 1.0)
        assert photo in found
    assert isinstance(STREET, KnowsTruth)


def test_near_lists_all_photos_within_the_radius_nearest_first() -> None:
    centre = Point(52.37, 4.9)
    frame = LocalFrame(centre.lat, centre.lon)

    def distance(photo: Photo) -> float:
        x, y = (float(v) for v in frame.to_metres(photo.position.lon, photo.position.lat))
        return float(np.hypot(x, y))

    found = STREET.near(centre, 90.0)
    assert [distance(photo) for photo in found] == sorted(distance(photo) for photo in found)
    assert {photo.source_id for photo in found} == {p.source_id for p in PHOTOS if distance(p) <= 90.0}


@pytest.mark.parametrize(
    "source_id", ["harbour/0.0.0.99/0", "nowhere/0.0.0.1/0", "harbour/0.0.0.1", "", "harbour/0.0.0.1/p\n", "../../x"]
)
def test_an_id_of_no_photo_is_a_site_error(source_id: str) -> None:
    photo = FLAT[0]
    wrong = Photo(source_id, photo.position, 0.0, 80.0, "perspective", None, "", "", "")
    with pytest.raises(SiteError) as caught:
        STREET.read(wrong)
    assert caught.value.reason is Reason.READ_FAILED


def test_outside_of_all_regions_there_is_no_town() -> None:
    far = Point(0.0, 0.0)
    assert STREET.near(far, 50.0) == []
    assert MAP.around(far, 50.0) == []
    for source in (AERIAL, MAP):
        with pytest.raises(SiteError) as caught:
            source.chip(far, 64, 0.5)
        assert caught.value.reason is Reason.NO_OVERLAP


@pytest.mark.parametrize(
    "region",
    [
        Region(name="north", centre=(69.65, 18.96), radius_m=400),
        Region(name="dateline", bbox=(179.996, -16.504, -179.996, -16.496)),
        Region(name="wide", bbox=(24.0, 59.9, 24.01, 59.905)),
    ],
    ids=lambda region: region.name,
)
def test_photos_lie_in_the_region_and_on_a_road(region: Region) -> None:
    street = WorldStreetSource("street", WorldStreet(type="world"), [region])
    plan = WorldMapSource("map", WorldMap(type="world", labels=False), [region])
    photos = list(street.candidates(region))
    assert len(photos) > 60
    assert all(within(region, photo.position) for photo in photos)
    for photo in photos[:: len(photos) // 12]:
        middle = plan.chip(photo.position, 65, 0.3).pixels[32, 32]
        assert tuple(int(v) for v in middle) in ROAD_FILLS
        assert street.near(photo.position, 5.0)


def test_overlapping_regions_share_the_ground_without_disagreeing() -> None:
    first = Region(name="first", centre=(45.0, 7.0), radius_m=200)
    second = Region(name="second", centre=(45.0, 7.003), radius_m=200)
    source = WorldStreetSource("street", WorldStreet(type="world"), [first, second])
    photos = list(source.candidates(second))
    assert photos
    assert not any(within(first, photo.position) for photo in photos)
    assert all(photo in source.near(photo.position, 1.0) for photo in photos[:30])


def test_aerial_and_map_overlay() -> None:
    """Roads of the map are grey from above, its parks green."""
    grey, green, parks = [], [], 0
    for photo in PHOTOS[::12]:
        above = AERIAL.chip(photo.position, 256, 0.5).pixels.astype(int)
        plan = MAP.chip(photo.position, 256, 0.5).pixels
        spread = above.max(axis=2) - above.min(axis=2)
        road = np.isin(
            plan[..., 0].astype(int) << 16 | plan[..., 1].astype(int) << 8 | plan[..., 2],
            [0xFFFFFF, 0xFCD6A4, 0xF7FABF],
        )
        grey.append((spread[road] < 32).mean())
        park = (plan == PARK_FILL).all(axis=2)
        if park.sum() > 2000:
            parks += 1
            green.append(((above[..., 1] >= above[..., 0]) & (above[..., 1] > above[..., 2]))[park].mean())
    assert np.mean(grey) > 0.8
    assert parks == 0 or np.mean(green) > 0.8


def test_a_shop_lies_where_the_map_says() -> None:
    """Seen from the camera, the middle of a sign's polygon has the bearing of the map's shop."""
    compared = 0
    for photo in FLAT:
        assert photo.heading_deg is not None
        assert photo.hfov_deg is not None
        camera = Camera(photo.heading_deg, 0.0, photo.hfov_deg, 1024, 768)
        texts = json.loads(STREET.truth(photo, camera))["texts"]
        shops = [fact for fact in MAP.around(photo.position, 60.0) if fact.kind == "poi"]
        for text in texts:
            same = [shop for shop in shops if shop.name == text["text"]]
            if len(same) != 1 or not text["lasting"]:
                continue
            middle = np.mean(text["polygon"][0::2])
            focal = 512 / np.tan(np.radians(photo.hfov_deg / 2))
            bearing = photo.heading_deg + np.degrees(np.arctan((middle - 512) / focal))
            off = abs((bearing - same[0].bearing_deg + 180) % 360 - 180)
            # A sign that sticks out stands up to half a shop's width from its middle.
            assert off < 2.0 + np.degrees(np.arctan(5.0 / max(same[0].distance_m, 5.0)))
            compared += 1
        if compared >= 12:
            break
    assert compared >= 8


def test_map_facts_are_measured_from_the_point() -> None:
    photo = PHOTOS[10]
    facts = MAP.around(photo.position, 80.0)
    assert [fact.distance_m for fact in facts] == sorted(fact.distance_m for fact in facts)
    assert facts[0].kind == "road"
    assert facts[0].distance_m < 8.0
    assert len({fact.fact_id for fact in facts}) == len(facts)
    # The same thing from 30 m further north.
    frame = LocalFrame(photo.position.lat, photo.position.lon)
    lon, lat = frame.to_degrees(0.0, 30.0)
    there = {fact.fact_id: fact for fact in MAP.around(Point(float(lat), float(lon)), 120.0)}
    for fact in facts:
        if fact.kind in ("poi", "junction", "crossing", "stop"):
            angle = np.radians(fact.bearing_deg)
            x, y = fact.distance_m * np.sin(angle), fact.distance_m * np.cos(angle) - 30.0
            assert there[fact.fact_id].distance_m == pytest.approx(float(np.hypot(x, y)), abs=0.1)
            assert bearing_deg(x, y) == pytest.approx(there[fact.fact_id].bearing_deg, abs=1.0) or np.hypot(x, y) < 1.0


def test_fingerprints_tell_settings_apart() -> None:
    other = WorldStreetSource("street", WorldStreet(type="world", seed=3), [REGION])
    assert other.fingerprint() != STREET.fingerprint()
    assert len({source.fingerprint() for source in (STREET, AERIAL, MAP)}) == 3
    named = WorldAerialSource("second", AERIAL._config, [REGION])
    assert named.fingerprint() == AERIAL.fingerprint()
    assert all(source.synthetic for source in (STREET, AERIAL, MAP))
