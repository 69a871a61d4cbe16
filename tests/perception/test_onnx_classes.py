"""The closed-set segmenter on a model that knows colours, and texts on what it calls a vehicle."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont

from pipeline.config.perception import OnnxSegments, RapidOcr
from pipeline.errors import ConfigError, MachineError
from pipeline.imaging.types import Pixels
from pipeline.perception.base import Segment, View
from pipeline.perception.cues import fuse
from pipeline.perception.onnx_classes import OnnxSegmenter, seen_size, shares_by_label
from pipeline.perception.rapidocr import RapidOcrEngine
from tests.perception.onnx_writer import Dimension, colour_model
from tests.perception.test_cues import site, view

COLOURS = {
    "sky": (150, 190, 235), "building": (120, 80, 60), "road": (100, 100, 105), "bus": (200, 20, 30),
    "person": (40, 160, 60),
}  # fmt: skip
WIDTH, HEIGHT = 768, 512


@pytest.fixture
def config(tmp_path: Path) -> OnnxSegments:
    return written(tmp_path)


def written(folder: Path, shape: tuple[Dimension, ...] = (1, 3, "height", "width"), **more: object) -> OnnxSegments:
    model, classes = folder / "colours.onnx", folder / "classes.yaml"
    model.write_bytes(colour_model(np.array([*COLOURS.values(), (0, 0, 0)]) / 255, shape=shape))
    classes.write_text("".join(f"- {name}\n" for name in COLOURS) + "- null\n")
    values = {"engine": "onnx", "model": model, "classes": classes, "mean": (0, 0, 0), "std": (1, 1, 1), **more}
    return OnnxSegments.model_validate(values)


def street(words: str = "", on: tuple[int, int] = (0, 0)) -> Pixels:
    """Sky, a building, a road, a bus and a person on it."""
    picture = Image.new("RGB", (WIDTH, HEIGHT), COLOURS["sky"])
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 120, WIDTH, 340), fill=COLOURS["building"])
    draw.rectangle((0, 340, WIDTH, HEIGHT), fill=COLOURS["road"])
    draw.rectangle((60, 260, 420, 420), fill=COLOURS["bus"])
    draw.rectangle((600, 300, 650, 430), fill=COLOURS["person"])
    draw.text(on, words, fill="white", font=ImageFont.load_default(48))
    return np.asarray(picture)


def segments(config: OnnxSegments, pixels: Pixels) -> list[Segment]:
    return OnnxSegmenter(config).segment([View("0", pixels, None)])[0]


def test_every_class_is_where_it_was_drawn(config: OnnxSegments) -> None:
    found = {segment.label: segment for segment in segments(config, street())}
    assert set(found) == set(COLOURS)
    for name, inside in {"sky": (40, 300), "building": (200, 20), "bus": (340, 200), "person": (380, 620)}.items():
        assert found[name].mask[inside], name
    bus = np.zeros((HEIGHT, WIDTH), bool)
    bus[260:421, 60:421] = True
    assert (found["bus"].mask & bus).sum() / (found["bus"].mask | bus).sum() > 0.95
    assert {name for name in found if not found[name].lasting} == {"bus", "person"}
    assert all(0.5 <= segment.confidence <= 1 for segment in found.values())
    assert np.sum([segment.mask for segment in found.values()], axis=0).max() == 1


def test_the_same_class_in_two_places_is_two_things_but_one_stretch(config: OnnxSegments) -> None:
    pixels = street().copy()
    pixels[300:430, 500:550] = COLOURS["person"]
    pixels[150:250, 600:700] = COLOURS["sky"]
    labels = [segment.label for segment in segments(config, pixels)]
    assert labels.count("person") == 2
    assert labels.count("sky") == 1


@pytest.mark.parametrize(
    ("words", "on", "lasting"),
    [("CITY LINE", (100, 300), False), ("BAKERY", (500, 180), True), ("CITY TOURS", (340, 300), True)],
    ids=["on the bus", "on the building", "mostly beside the bus"],
)
def test_text_on_a_vehicle_is_passing(config: OnnxSegments, words: str, on: tuple[int, int], *, lasting: bool) -> None:
    pixels = street(words, on)
    shown = [View("0", pixels, None)]
    texts = RapidOcrEngine(RapidOcr()).read(shown)[0]
    assert [box.text for box in texts] == [words]
    row = site(view().model_copy(update={"width": WIDTH, "height": HEIGHT}))
    cues = fuse(row, {"0": texts}, {"0": OnnxSegmenter(config).segment(shown)[0]}, "r", "s")
    assert [(cue.text, cue.lasting) for cue in cues if cue.kind == "text"] == [(words, lasting)]


def test_a_class_left_out_still_competes(config: OnnxSegments) -> None:
    dark = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    assert segments(config, dark) == []


@pytest.mark.parametrize("size", [(16, 16), (1, 1), (40, 1000), (1000, 33)])
def test_pictures_of_any_shape(config: OnnxSegments, size: tuple[int, int]) -> None:
    pixels = np.full((*size, 3), COLOURS["building"], np.uint8)
    (found,) = segments(config, pixels)
    assert found.mask.shape == size
    assert found.mask.all()


def test_a_model_of_a_fixed_size_sees_that_size(tmp_path: Path) -> None:
    found = {segment.label for segment in segments(written(tmp_path, (1, 3, 256, 384)), street())}
    assert found == set(COLOURS)


def test_the_threshold_is_the_configured_one(tmp_path: Path) -> None:
    blend = np.full((96, 96, 3), np.mean([COLOURS["road"], COLOURS["building"]], axis=0), np.uint8)
    assert len(segments(written(tmp_path, min_confidence=0.0), blend)) == 1
    assert segments(written(tmp_path, min_confidence=0.9), blend) == []


def test_a_gpu_asked_for_by_name_must_be_there(tmp_path: Path) -> None:
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        assert "CUDAExecutionProvider" in OnnxSegmenter(written(tmp_path, device="cuda")).fingerprint()
    else:
        assert "CPUExecutionProvider" in OnnxSegmenter(written(tmp_path)).fingerprint()
        with pytest.raises(MachineError, match="onnxruntime-gpu"):
            OnnxSegmenter(written(tmp_path, device="cuda"))


def test_what_changes_answers_changes_the_fingerprint(tmp_path: Path) -> None:
    before = OnnxSegmenter(written(tmp_path)).fingerprint()
    assert OnnxSegmenter(written(tmp_path, threads=2)).fingerprint() == before
    assert OnnxSegmenter(written(tmp_path, side_px=512)).fingerprint() != before
    config = written(tmp_path)
    config.classes.write_text(config.classes.read_text().replace("bus", "truck"))
    assert OnnxSegmenter(config).fingerprint() != before


def refused(config: OnnxSegments) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        OnnxSegmenter(config)
    return [str(problem) for problem in caught.value.problems]


def test_classes_that_the_vocabulary_lacks_are_all_named(config: OnnxSegments) -> None:
    config.classes.write_text("- sky\n- spaceship\n- 7\n- null\n- {a: b}\n")
    said = refused(config)
    assert [text.split(":")[1].strip() for text in said] == ["1", "2", "4"]
    assert "'spaceship'" in said[0]


@pytest.mark.parametrize("text", ["", "sky", "[sky", "{a: b}", "[]"])
def test_a_file_of_classes_that_is_no_list(config: OnnxSegments, text: str) -> None:
    config.classes.write_text(text)
    assert str(config.classes) in refused(config)[0]


def test_one_class_too_few_is_found_before_any_work(config: OnnxSegments) -> None:
    config.classes.write_text("- sky\n- road\n")
    (said,) = refused(config)
    assert "[1, 6, 16, 16]" in said
    assert "1 x 2 x height x width" in said


def test_a_model_of_another_input(tmp_path: Path) -> None:
    (said,) = refused(written(tmp_path, (1, 3, "length")))
    assert "colours.onnx" in said


@pytest.mark.parametrize("keep", [0.0, 0.3, 0.9])
def test_a_damaged_model_names_the_file(config: OnnxSegments, keep: float) -> None:
    data = config.model.read_bytes()
    config.model.write_bytes(data[: int(keep * len(data))])
    (said,) = refused(config)
    assert str(config.model) in said
    config.model.write_bytes(b"<html>not found</html>")
    assert str(config.model) in refused(config)[0]
    config.model.unlink()
    assert "no file" in refused(config)[0]


@given(st.integers(1, 5_000), st.integers(1, 5_000), st.integers(64, 4_096))
def test_the_size_that_a_model_sees(height: int, width: int, side: int) -> None:
    seen = seen_size(height, width, side)
    assert all(length % 32 == 0 and 32 <= length <= side + 16 for length in seen)
    assert abs(max(seen) - side) <= 32


def test_shares_of_one_label_are_added_up() -> None:
    scores = np.random.default_rng(1).normal(size=(4, 3, 2)).astype(np.float32)
    found = shares_by_label(scores, ["road", None, "road", "sky"])
    assert set(found) == {"road", None, "sky"}
    np.testing.assert_allclose(sum(found.values()), 1, rtol=1e-6)
