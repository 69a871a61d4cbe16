import json

import numpy as np
import pytest

from pipeline.config.perception import OracleOcr as OcrConfig
from pipeline.config.perception import OracleSegments as SegmentsConfig
from pipeline.config.region import Region
from pipeline.config.sources import WorldStreet
from pipeline.errors import MachineError
from pipeline.imaging.types import Camera
from pipeline.perception.base import View
from pipeline.perception.oracle import OracleOcr, OracleSegmenter
from pipeline.sources.world import WorldStreetSource

OCR = OracleOcr(OcrConfig(engine="oracle"))
SEGMENTER = OracleSegmenter(SegmentsConfig(engine="oracle"))
TRUTH = {
    "texts": [
        {"text": "Café", "polygon": [2, 1, 6, 1, 6, 3, 2, 3], "lasting": True, "distance_m": 4.5, "script": "Latn"}
    ],
    "objects": [
        {
            "label": "house",
            "attribute": "red",
            "polygon": [1.0, 1.0, 5.0, 1.0, 5.0, 4.0, 1.0, 4.0],
            "lasting": True,
            "distance_m": 9.0,
            "bearing_deg": 12.0,
        },
        {
            "label": "sky",
            "attribute": None,
            "polygon": [0, 0, 8, 0, 8, 1],
            "lasting": True,
            "distance_m": None,
            "bearing_deg": 0.0,
        },
    ],
}


def view(truth: str | None) -> View:
    return View("0", np.zeros((6, 8, 3), np.uint8), truth)


def test_texts_are_read_as_they_are() -> None:
    (boxes,) = OCR.read([view(json.dumps(TRUTH))])
    assert [(box.text, box.confidence, box.script) for box in boxes] == [("Café", 1.0, "Latn")]
    assert boxes[0].polygon == (2.0, 1.0, 6.0, 1.0, 6.0, 3.0, 2.0, 3.0)


def test_masks_are_the_polygons() -> None:
    (segments,) = SEGMENTER.segment([view(json.dumps(TRUTH))])
    house, sky = segments
    expected = np.zeros((6, 8), bool)
    expected[1:4, 1:5] = True
    assert (house.label, house.attribute, house.distance_m, house.lasting) == ("house", "red", 9.0, True)
    assert house.mask[expected].all()
    assert house.mask.sum() <= 20  # a border pixel may count as inside
    assert sky.distance_m is None
    assert sky.mask.shape == (6, 8)


def test_views_keep_their_order() -> None:
    empty = json.dumps({"texts": [], "objects": []})
    views = [view(empty), view(json.dumps(TRUTH)), view(empty)]
    assert [len(found) for found in OCR.read(views)] == [0, 1, 0]
    assert [len(found) for found in SEGMENTER.segment(views)] == [0, 2, 0]
    assert OCR.read([]) == []


@pytest.mark.parametrize("truth", [None, "", "{}", '{"texts": [{"text": "x"}], "objects": []}', "[1, 2"])
def test_without_truth_the_machine_is_at_fault(truth: str | None) -> None:
    for work in (OCR.read, SEGMENTER.segment):
        with pytest.raises(MachineError, match="truth"):
            work([view(truth)])


def test_the_worlds_truth_is_understood() -> None:
    region = Region(name="oracle", centre=(48.0, 2.0), radius_m=80)
    source = WorldStreetSource("world", WorldStreet(type="world", panoramas=0.0), [region])
    photo = next(source.candidates(region))
    truth = source.truth(photo, Camera(photo.heading_deg or 0.0, 0.0, 80.0, 320, 240))
    (segments,) = SEGMENTER.segment([View("0", np.zeros((240, 320, 3), np.uint8), truth)])
    found = {segment.label: segment for segment in segments}
    assert {"sky", "road"} <= set(found)
    assert found["sky"].mask[:60].mean() > found["sky"].mask[160:].mean()
    assert found["road"].mask[160:].mean() > found["road"].mask[:60].mean()
