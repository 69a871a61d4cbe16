"""What the world says is in a view: that it is in the picture, and only what can be seen."""

import json
import unicodedata
from functools import cache
from typing import Any

import cv2
import numpy as np
import pytest

from pipeline.config.region import Region
from pipeline.config.sources import WorldMap, WorldStreet
from pipeline.imaging.panorama import cut
from pipeline.imaging.types import Camera, Pixels
from pipeline.perception.vocabulary import vocabulary
from pipeline.sources.base import Photo
from pipeline.sources.world import WorldMapSource, WorldStreetSource
from pipeline.sources.world.street import _eye, _light, _north, _passing
from pipeline.world.picture import paint_view
from pipeline.world.places import place_at
from pipeline.world.scene import Eye

REGION = Region(name="harbour", centre=(52.37, 4.9), radius_m=260)
STREET = WorldStreetSource("street", WorldStreet(type="world", panoramas=0.4), [REGION])
MAP = WorldMapSource("map", WorldMap(type="world", labels=False), [REGION])
PHOTOS = list(STREET.candidates(REGION))
FLAT = [photo for photo in PHOTOS if photo.projection == "perspective"]
ROUND = [photo for photo in PHOTOS if photo.projection == "equirectangular"]


def decoded(data: bytes) -> Pixels:
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)


def own_camera(photo: Photo) -> Camera:
    assert photo.heading_deg is not None
    assert photo.hfov_deg is not None
    return Camera(photo.heading_deg, 0.0, photo.hfov_deg, 1024, 768)


@cache
def truth(photo: Photo, camera: Camera) -> Any:
    """What is told of a view, which takes long to find out."""
    return json.loads(STREET.truth(photo, camera))


def views(step: int = 9) -> list[tuple[Photo, Camera]]:
    """Photos with their own cameras, and panoramas with cameras that look anywhere."""
    found = [(photo, own_camera(photo)) for photo in FLAT[::step]]
    for n, photo in enumerate(ROUND[::step]):
        found.append((photo, Camera((n * 77.0) % 360.0, (-15.0, 0.0, 10.0)[n % 3], 90.0, 800, 600)))
    return found


def test_polygons_lie_in_the_picture_and_labels_in_the_vocabulary() -> None:
    known = {label: term.lasting for label, term in vocabulary().items()}
    for photo, camera in views():
        told = truth(photo, camera)
        for thing in told["objects"]:
            assert known[thing["label"]] is thing["lasting"]
            assert 0 <= thing["bearing_deg"] < 360
        for thing in told["objects"] + told["texts"]:
            x, y = np.array(thing["polygon"][0::2]), np.array(thing["polygon"][1::2])
            assert x.min() >= 0
            assert y.min() >= 0
            assert x.max() <= camera.width
            assert y.max() <= camera.height
            assert thing["distance_m"] is None or 0 <= thing["distance_m"] < 260


def test_bearings_fit_the_polygons() -> None:
    for photo, camera in views():
        if camera.pitch_deg:
            continue
        for thing in truth(photo, camera)["objects"]:
            focal = camera.width / 2 / np.tan(np.radians(camera.hfov_deg / 2))
            x = np.array(thing["polygon"][0::2]) - camera.width / 2
            low, high = camera.heading_deg + np.degrees(np.arctan(np.array([x.min(), x.max()]) / focal))
            assert (thing["bearing_deg"] - low + 1.0) % 360.0 <= high - low + 2.0


def test_what_is_hidden_is_not_told() -> None:
    """A label painted last hides what is behind it: pixels of two objects never coincide."""
    for photo, camera in views(step=18):
        cover = np.zeros((camera.height, camera.width), np.int32)
        for thing in truth(photo, camera)["objects"]:
            if thing["label"] in ("car", "van", "bus", "person", "house", "shop", "church", "lamp"):
                mask = np.zeros(cover.shape, np.uint8)
                points = np.rint(np.array(thing["polygon"]).reshape(-1, 2) - 0.5).astype(np.int32)
                cover += np.asarray(cv2.erode(cv2.fillPoly(mask, [points], 1), np.ones((5, 5), np.uint8)), np.int32)
        # An outline may run around a thing that stands before it (a car before a house), but not around many.
        assert (cover > 2).mean() < 0.01


def test_text_on_vans_does_not_last() -> None:
    texts = [(text, photo) for photo in FLAT[::3] for text in truth(photo, own_camera(photo))["texts"]]
    assert any(text["lasting"] for text, _ in texts)
    names = {fact.name for _, photo in texts[:40] for fact in MAP.around(photo.position, 150.0)}
    passing = [text["text"] for text, _ in texts if not text["lasting"]]
    assert passing
    assert not set(passing) & names


def test_a_cut_of_a_panorama_shows_what_a_camera_there_would_see() -> None:
    photo = ROUND[5]
    assert photo.heading_deg is not None
    panorama = decoded(STREET.read(photo))
    town, place, _ = STREET._parse(photo.source_id)
    assert place == place_at(town, *place.key)
    for camera in (Camera(33.0, 0.0, 90.0, 512, 384), Camera(250.0, -20.0, 80.0, 512, 384)):
        north = float(_north(town, [place])[0])
        eye: Eye = _eye(
            place, camera.heading_deg + north, camera.pitch_deg, camera.hfov_deg, camera.width, camera.height
        )
        direct = paint_view(town, eye, _light(town, place), _passing(town, place)).astype(int)
        difference = np.abs(direct - cut(panorama, photo.heading_deg, camera).astype(int)).mean()
        shifted = np.abs(np.roll(direct, 25, axis=1) - cut(panorama, photo.heading_deg, camera).astype(int)).mean()
        assert difference < 12.0
        assert difference < 0.7 * shifted


def letters(text: str) -> str:
    return "".join(char for char in unicodedata.normalize("NFKD", text).casefold() if char.isalnum())


def test_a_real_ocr_reads_the_large_signs() -> None:
    rapidocr = pytest.importorskip("rapidocr")
    candidates = []
    for photo in FLAT[::3]:
        texts = truth(photo, own_camera(photo))["texts"]
        large = [text for text in texts if text["polygon"][7] - text["polygon"][1] > 16]
        candidates.append((len(large), photo.source_id, photo, large))
    candidates.sort(key=lambda entry: (-entry[0], entry[1]))
    engine = rapidocr.RapidOCR()
    read, total = 0, 0
    for _, _, photo, large in candidates[:3]:
        found = engine(decoded(STREET.read(photo))[..., ::-1]).txts or ()
        everything = letters(" ".join(found))
        total += len(large)
        read += sum(letters(text["text"]) in everything for text in large)
    assert total >= 4
    assert read / total >= 0.7
