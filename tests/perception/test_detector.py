"""Boxes of a detector of the YOLOX kind: decoded, put back into the picture, the surest of each thing."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from pipeline.config.perception import DetectorSegments
from pipeline.errors import ConfigError
from pipeline.perception.base import Segment, View
from pipeline.perception.detector import STRIDES, DetectorSegmenter, cell_grid, decode
from tests.perception.onnx_writer import constant_model

SIDE = 64
CELLS = sum((SIDE // stride) ** 2 for stride in STRIDES[0])
CLASSES = ["car", "bench", "train", None]
PLAIN = {"scale": 1, "mean": [0, 0, 0], "std": [1, 1, 1], "fit": "top-left"}

Box = tuple[float, float, float, float, int, float]
"""Left, top, right, bottom in what the model sees, class, confidence."""


def undecoded(boxes: list[Box]) -> NDArray[np.float32]:
    """The output that stands for boxes: each in the cell of the finest grid that holds its middle."""
    output = np.zeros((1, CELLS, 5 + len(CLASSES)), np.float32)
    for left, top, right, bottom, which, confidence in boxes:
        x, y, stride = (left + right) / 2, (top + bottom) / 2, STRIDES[0][0]
        cell = int(y // stride) * (SIDE // stride) + int(x // stride)
        output[0, cell, :4] = (
            x / stride - x // stride, y / stride - y // stride,
            np.log((right - left) / stride), np.log((bottom - top) / stride),
        )  # fmt: skip
        output[0, cell, 4] = 1.0
        output[0, cell, 5 + which] = confidence
    return output


def found(folder: Path, output: NDArray[np.float32], size: tuple[int, int], **more: Any) -> list[Segment]:
    model, classes = folder / "boxes.onnx", folder / "classes.yaml"
    model.write_bytes(constant_model(output, (1, 3, SIDE, SIDE)))
    classes.write_text("".join(f"- their {name}: {name or ''}\n" for name in CLASSES))
    spec = {"classes": classes, "input": PLAIN, **more.pop("spec", {})}
    config = DetectorSegments.model_validate({"engine": "detector", "model": model, "spec": spec, **more})
    return DetectorSegmenter(config).segment([View("0", np.zeros((*size, 3), np.uint8), None)])[0]


def corners(segment: Segment) -> tuple[int, int, int, int]:
    rows, columns = np.nonzero(segment.mask)
    assert segment.mask.sum() == (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1


@given(st.floats(0, 62), st.floats(0, 62), st.floats(1, 60), st.floats(1, 60))
def test_decoding_gives_back_what_was_encoded(x: float, y: float, width: float, height: float) -> None:
    box = (x - width / 2, y - height / 2, x + width / 2, y + height / 2, 0, 0.9)
    output = undecoded([box])[0]
    cell = int(output[:, 4].argmax())
    np.testing.assert_allclose(decode(output[:, :4], (SIDE, SIDE))[cell], (x, y, width, height), rtol=1e-4, atol=1e-3)


def test_the_grids_of_the_published_models() -> None:
    assert len(cell_grid((416, 416), STRIDES[0])[0]) == 3549
    assert len(cell_grid((640, 640), STRIDES[0])[0]) == 8400


def test_a_box_is_put_back_into_the_picture(tmp_path: Path) -> None:
    """A picture of twice the width fills the upper half of what the model sees."""
    (car,) = found(tmp_path, undecoded([(8, 4, 40, 24, 0, 0.9)]), (SIDE, 2 * SIDE))
    assert corners(car) == (16, 8, 80, 48)
    assert (car.label, round(car.confidence, 3), car.lasting, car.box) == ("car", 0.9, False, True)


def test_a_box_that_goes_beyond_the_picture_is_cut_and_one_without_is_left_out(tmp_path: Path) -> None:
    output = undecoded([(-20, -20, 30, 30, 0, 0.9), (10, 50, 30, 60, 0, 0.8)])
    (car,) = found(tmp_path, output, (SIDE, 2 * SIDE))
    assert corners(car) == (0, 0, 60, 60)


def test_of_two_boxes_of_one_thing_the_surer_stays_and_other_classes_are_apart(tmp_path: Path) -> None:
    boxes: list[Box] = [
        (0, 0, 40, 40, 0, 0.7), (4, 4, 44, 44, 0, 0.9), (0, 0, 50, 42, 2, 0.6), (44, 44, 60, 60, 0, 0.5),
        (0, 50, 20, 60, 3, 0.99),
    ]  # fmt: skip
    segments = found(tmp_path, undecoded(boxes), (SIDE, SIDE))
    assert [(s.label, round(s.confidence, 2)) for s in segments] == [("car", 0.9), ("train", 0.6), ("car", 0.5)]


def test_what_may_be_described_needs_more(tmp_path: Path) -> None:
    boxes: list[Box] = [(0, 0, 20, 20, 1, 0.5), (30, 30, 50, 50, 1, 0.7), (0, 30, 20, 50, 0, 0.45)]
    assert [s.label for s in found(tmp_path, undecoded(boxes), (SIDE, SIDE))] == ["bench", "car"]
    assert len(found(tmp_path, undecoded(boxes), (SIDE, SIDE), min_confidence_lasting=0.4)) == 3


def test_boxes_that_are_decoded_already(tmp_path: Path) -> None:
    output = np.zeros((1, 7, 5 + len(CLASSES)), np.float32)
    output[0, 3] = (24, 14, 32, 20, 1.0, 0.9, 0, 0, 0)
    (car,) = found(tmp_path, output, (SIDE, 2 * SIDE), spec={"decoded": True})
    assert corners(car) == (16, 8, 80, 48)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e30, -1e30])
def test_numbers_without_sense_find_nothing_that_is_not_there(tmp_path: Path, value: float) -> None:
    output = undecoded([(8, 4, 40, 24, 0, 0.9)])
    output[0, :, :4] = value
    for segment in found(tmp_path, output, (50, 70)):
        assert segment.mask.shape == (50, 70)
        assert 0 <= segment.confidence <= 1
    assert found(tmp_path, np.full_like(output, np.nan), (50, 70)) == []


def test_another_output_is_refused_in_words(tmp_path: Path) -> None:
    for output in (undecoded([])[:, :-1], undecoded([])[..., :-1], undecoded([])[0]):
        with pytest.raises(ConfigError, match=r"1 x boxes x 9") as caught:
            found(tmp_path, output, (SIDE, SIDE))
        assert f"{CELLS} or" in str(caught.value)


def test_a_real_model_finds_the_cars(corpus: Path) -> None:
    """YOLOX nano on a street with parked cars."""
    values = {
        "engine": "detector", "model": corpus / "weights" / "yolox_nano_416.onnx",
        "spec": {"classes": "coco", "input": {**PLAIN, "colours": "bgr", "fill": 114}},
    }  # fmt: skip
    with Image.open(corpus / "street" / "boulder_co" / "1085948643725037.jpg") as image:
        photo = np.asarray(image.convert("RGB").resize((1024, 768)))
    segmenter = DetectorSegmenter(DetectorSegments.model_validate(values))
    assert segmenter.name == "detector yolox_nano_416 695e750a5d57"
    (segments,) = segmenter.segment([View("0", photo, None)])
    assert {segment.label for segment in segments} == {"car"}
    surest = corners(segments[0])
    assert surest == pytest.approx((740, 510, 1024, 745), abs=40)
