"""The segmenter without weights: right on plain pictures, silent on hard ones."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from pipeline.config.perception import Superpixels
from pipeline.imaging.types import Pixels
from pipeline.perception.base import Segment, View
from pipeline.perception.superpixels import CEILING, SuperpixelSegmenter
from pipeline.perception.vocabulary import vocabulary

WIDTH, HEIGHT = 640, 480


@pytest.fixture(scope="module")
def segmenter() -> SuperpixelSegmenter:
    return SuperpixelSegmenter(Superpixels())


def segments(segmenter: SuperpixelSegmenter, pixels: Pixels) -> list[Segment]:
    return segmenter.segment([View("0", pixels, None)])[0]


def photo(path: Path) -> Pixels:
    with Image.open(path) as image:
        picture = image.convert("RGB")
    picture.thumbnail((1024, 1024))
    return np.asarray(picture)


def country_road() -> Pixels:
    """Blue sky, grass with blades, and a grey road that runs to the horizon."""
    noise = np.random.default_rng(1)
    picture = Image.new("RGB", (WIDTH, HEIGHT), (120, 170, 230))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 250, WIDTH, HEIGHT), fill=(95, 140, 60))
    draw.polygon([(300, 250), (340, 250), (600, HEIGHT), (40, HEIGHT)], fill=(125, 125, 128))
    pixels = np.asarray(picture).astype(int)
    return np.clip(pixels + noise.normal(0, 4, pixels.shape), 0, 255).astype(np.uint8)


def at(found: list[Segment], x: int, y: int) -> list[str]:
    return [segment.label for segment in found if segment.mask[y, x]]


def test_a_plain_scene_is_named_right(segmenter: SuperpixelSegmenter) -> None:
    found = segments(segmenter, country_road())
    assert at(found, 320, 60) == ["sky"]
    assert at(found, 60, 330) == ["grass"]
    assert at(found, 600, 340) == ["grass"]
    assert at(found, 320, 430) == ["road"]
    assert {segment.label for segment in found} == {"sky", "grass", "road"}


def test_segments_are_masks_of_the_view_apart_from_each_other(segmenter: SuperpixelSegmenter) -> None:
    found = segments(segmenter, country_road())
    assert {segment.mask.shape for segment in found} == {(HEIGHT, WIDTH)}
    assert np.sum([segment.mask for segment in found], axis=0).max() == 1
    for segment in found:
        assert 0.5 <= segment.confidence <= CEILING[segment.label] <= 0.75
        assert segment.lasting == vocabulary()[segment.label].lasting


def test_the_same_picture_gives_the_same_segments(segmenter: SuperpixelSegmenter) -> None:
    first, second = segmenter.segment([View("a", country_road(), None), View("b", country_road(), None)])
    assert [(s.label, s.confidence, s.mask.tobytes()) for s in first] == [
        (s.label, s.confidence, s.mask.tobytes()) for s in second
    ]


@pytest.mark.parametrize("value", [0, 12, 128, 255])
def test_a_picture_of_one_colour_says_nothing(segmenter: SuperpixelSegmenter, value: int) -> None:
    assert segments(segmenter, np.full((HEIGHT, WIDTH, 3), value, np.uint8)) == []


@pytest.mark.parametrize("shape", [(480, 640), (640, 200), (40, 1024), (2, 2), (1, 1)])
def test_noise_says_nothing_in_any_shape(segmenter: SuperpixelSegmenter, shape: tuple[int, int]) -> None:
    pixels = np.random.default_rng(7).integers(0, 256, (*shape, 3)).astype(np.uint8)
    assert segments(segmenter, pixels) == []


def test_a_night_scene_says_nothing(segmenter: SuperpixelSegmenter) -> None:
    assert segments(segmenter, (country_road() // 6).astype(np.uint8)) == []


def test_the_threshold_is_the_configured_one() -> None:
    assert SuperpixelSegmenter(Superpixels(min_confidence=0.9)).segment([View("0", country_road(), None)]) == [[]]


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("lund/09.jpg", {"sky", "road", "vegetation", "building"}),
        ("lund/07.jpg", {"sky", "vegetation", "building"}),
        ("boulder_co/1423209108850236.jpg", {"sky", "road", "vegetation", "building"}),
        ("boulder_co/474970253723202.jpg", {"building"}),
        # A shop at night, the inside of a car under a blue sky, a wall of brick.
        ("boulder_co/4399645880353246.jpg", set()),
        ("boulder_co/1085849966903887.jpg", {"sky"}),
        ("seoul_jongno/c18063659.jpg", {"sky"}),
    ],
)
def test_street_photos(segmenter: SuperpixelSegmenter, corpus: Path, name: str, labels: set[str]) -> None:
    assert {segment.label for segment in segments(segmenter, photo(corpus / "street" / name))} == labels


def test_no_street_photo_has_water(segmenter: SuperpixelSegmenter, corpus: Path) -> None:
    rows = [json.loads(line) for line in (corpus / "MANIFEST.jsonl").read_text(encoding="utf-8").splitlines()]
    paths = [row["path"] for row in rows if row["kind"] == "street" and row["projection"] == "perspective"]
    assert len(paths) > 100
    for path in paths[::6]:
        assert "water" not in {segment.label for segment in segments(segmenter, photo(corpus / path))}
