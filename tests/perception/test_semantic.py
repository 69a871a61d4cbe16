"""The semantic engine on a model that knows colours, in every form that models come in, and on a real one."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from PIL import Image, ImageDraw, ImageFont

from pipeline.config.perception import PictureInput, RapidOcr, SemanticSegments
from pipeline.errors import ConfigError, MachineError
from pipeline.imaging.types import Pixels
from pipeline.perception.base import Segment, View
from pipeline.perception.cues import fuse
from pipeline.perception.model_input import ModelInput
from pipeline.perception.rapidocr import RapidOcrEngine
from pipeline.perception.runtime import load_runtime
from pipeline.perception.semantic import SemanticSegmenter, shares_by_label
from tests.perception.onnx_writer import Dimension, colour_model, constant_model
from tests.perception.test_cues import site, view

COLOURS = {
    "sky": (150, 190, 235), "building": (120, 80, 60), "road": (100, 100, 105), "bus": (200, 20, 30),
    "person": (40, 160, 60),
}  # fmt: skip
WIDTH, HEIGHT = 768, 512


PLAIN = {"scale": 1, "mean": (0, 0, 0), "std": (1, 1, 1)}
UNIT = {"mean": (0, 0, 0), "std": (1, 1, 1)}


@pytest.fixture
def config(tmp_path: Path) -> SemanticSegments:
    return written(tmp_path)


def written(
    folder: Path,
    shape: tuple[Dimension, ...] = (1, 3, "height", "width"),
    spec: dict[str, Any] | None = None,
    form: dict[str, Any] | None = None,
    **more: object,
) -> SemanticSegments:
    model, classes = folder / "colours.onnx", folder / "classes.yaml"
    references = np.array([*COLOURS.values(), (0, 0, 0)]) / 255
    model.write_bytes(colour_model(references, shape=shape, **(form or {})))
    classes.write_text("".join(f"- theirs {name}: {name}\n" for name in COLOURS) + "- nothing:\n")
    values = {"engine": "semantic", "model": model, "spec": {"classes": classes, "input": UNIT, **(spec or {})}, **more}
    return SemanticSegments.model_validate(values)


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


def segments(config: SemanticSegments, pixels: Pixels) -> list[Segment]:
    return SemanticSegmenter(config).segment([View("0", pixels, None)])[0]


def test_every_class_is_where_it_was_drawn(config: SemanticSegments) -> None:
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


def test_the_same_class_in_two_places_is_two_things_but_one_stretch(config: SemanticSegments) -> None:
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
def test_text_on_a_vehicle_is_passing(
    config: SemanticSegments, words: str, on: tuple[int, int], *, lasting: bool
) -> None:
    pixels = street(words, on)
    shown = [View("0", pixels, None)]
    texts = RapidOcrEngine(RapidOcr()).read(shown)[0]
    assert [box.text for box in texts] == [words]
    row = site(view().model_copy(update={"width": WIDTH, "height": HEIGHT}))
    cues = fuse(row, {"0": texts}, {"0": SemanticSegmenter(config).segment(shown)[0]}, "r", "s")
    assert [(cue.text, cue.lasting) for cue in cues if cue.kind == "text"] == [(words, lasting)]


def test_a_class_left_out_still_competes(config: SemanticSegments) -> None:
    dark = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    assert segments(config, dark) == []


@pytest.mark.parametrize("size", [(16, 16), (1, 1), (40, 1000), (1000, 33)])
def test_pictures_of_any_shape(config: SemanticSegments, size: tuple[int, int]) -> None:
    pixels = np.full((*size, 3), COLOURS["building"], np.uint8)
    (found,) = segments(config, pixels)
    assert found.mask.shape == size
    assert found.mask.all()


FORMS: dict[str, tuple[tuple[Dimension, ...], dict[str, Any], dict[str, Any]]] = {
    "fixed size": ((1, 3, 256, 384), {}, {}),
    "channels last": ((1, "height", "width", 3), {"last": True}, {}),
    "channels last, scores first": ((1, 256, 384, 3), {}, {}),
    "half precision": ((1, 3, 256, 384), {"kind": "float16"}, {}),
    "bytes": ((1, 256, 384, 3), {"kind": "uint8"}, {"input": PLAIN}),
    "classes without scores": ((1, 3, 256, 384), {"class_map": True}, {"certainty": 0.7}),
    "bytes in, classes out": ((1, 256, 384, 3), {"kind": "uint8", "class_map": True}, {"input": PLAIN}),
    "other scaling": ((1, 3, 256, 384), {}, {"input": {"scale": 1 / 51, "mean": (1, 1, 1), "std": (5, 5, 5)}}),
    "in proportion at the top left": ((1, 3, 384, 384), {}, {"input": {**UNIT, "fit": "top-left"}}),
    "in proportion in the middle": ((1, 3, 384, 512), {}, {"input": {**UNIT, "fit": "centre", "fill": 0}}),
}


@pytest.mark.parametrize("form", FORMS)
def test_models_as_they_come(tmp_path: Path, form: str) -> None:
    shape, made, spec = FORMS[form]
    if form == "other scaling":  # (x / 51 - 1) / 5 is x / 255 - 0.2: the model must be fed what its spec says
        shifted = np.array([*COLOURS.values(), (0, 0, 0)]) / 255 - 0.2
        config = written(tmp_path, shape, spec)
        assert isinstance(config.model, Path)
        config.model.write_bytes(colour_model(shifted, shape=shape))
    else:
        config = written(tmp_path, shape, spec, made)
    found = {segment.label: segment for segment in segments(config, street())}
    assert set(found) == set(COLOURS)
    for name, inside in {"sky": (40, 300), "building": (200, 20), "bus": (340, 200), "person": (380, 620)}.items():
        assert found[name].mask[inside], name
    bus = np.zeros((HEIGHT, WIDTH), bool)
    bus[260:421, 60:421] = True
    assert (found["bus"].mask & bus).sum() / (found["bus"].mask | bus).sum() > 0.9
    if "class_map" in made:
        assert {segment.confidence for segment in found.values()} == {spec.get("certainty", 0.6)}


def test_colours_are_fed_in_the_order_that_the_model_wants(tmp_path: Path) -> None:
    config = written(tmp_path, spec={"input": {**UNIT, "colours": "bgr"}})
    assert "bus" in {segment.label for segment in segments(config, np.ascontiguousarray(street()[:, :, ::-1]))}
    assert "bus" not in {segment.label for segment in segments(config, street())}


def test_shares_are_taken_as_they_are(tmp_path: Path) -> None:
    """Shares of 0.9 and 0.1 would be 0.69 and 0.31 if they were taken for any numbers."""
    shares = np.full((1, 6, 8, 8), 0.02, np.float32)
    shares[:, 1] = 0.9
    for scores, confidence in (("shares", 0.9), ("logits", 0.32)):
        config = written(tmp_path, spec={"scores": scores}, min_confidence=0.1)
        assert isinstance(config.model, Path)
        config.model.write_bytes(constant_model(shares, (1, 3, 64, 64)))
        (found,) = segments(config, np.full((80, 60, 3), 200, np.uint8))
        assert found.label == "building"
        assert found.confidence == pytest.approx(confidence, abs=0.02)


def test_what_the_spec_leaves_out_is_not_told_and_still_competes(tmp_path: Path) -> None:
    found = {segment.label for segment in segments(written(tmp_path, spec={"leave_out": ["bus"]}), street())}
    assert found == set(COLOURS) - {"bus"}


def test_a_real_model_names_a_street(corpus: Path) -> None:
    """DeepLabv3 on ADE20K in ONNX: a row of houses on either side, of which it makes one mask."""
    values = {
        "engine": "semantic", "model": corpus / "weights" / "ade20k_mnv2_513.onnx",
        "spec": {
            "classes": "ade20k", "background": True,
            "input": {"scale": 1 / 127.5, "mean": (1, 1, 1), "std": (1, 1, 1)},
        },
    }  # fmt: skip
    with Image.open(corpus / "street" / "lund" / "05.jpg") as image:
        photo = np.asarray(image.convert("RGB").resize((512, 384)))
    segmenter = SemanticSegmenter(SemanticSegments.model_validate(values))
    assert segmenter.name == "semantic ade20k_mnv2_513 fd43aa78741d"
    (found,) = segmenter.segment([View("0", photo, None)])
    labels = [segment.label for segment in found]
    assert {"sky", "road", "building"} <= set(labels)
    assert labels.count("building") == 2
    left, right = sorted(
        (segment for segment in found if segment.label == "building"), key=lambda s: np.nonzero(s.mask)[1].mean()
    )
    assert np.nonzero(left.mask)[1].max() < 512 * 0.65
    assert np.nonzero(right.mask)[1].min() > 512 * 0.35


def test_the_threshold_is_the_configured_one(tmp_path: Path) -> None:
    blend = np.full((96, 96, 3), np.mean([COLOURS["sky"], COLOURS["road"]], axis=0), np.uint8)
    assert len(segments(written(tmp_path, min_confidence=0.0), blend)) == 1
    assert segments(written(tmp_path, min_confidence=0.9), blend) == []


def test_a_gpu_asked_for_by_name_must_be_there(tmp_path: Path) -> None:
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        assert "CUDAExecutionProvider" in SemanticSegmenter(written(tmp_path, device="cuda")).fingerprint()
    else:
        assert "CPUExecutionProvider" in SemanticSegmenter(written(tmp_path)).fingerprint()
        with pytest.raises(MachineError, match="onnxruntime-gpu"):
            SemanticSegmenter(written(tmp_path, device="cuda"))


def test_what_changes_answers_changes_the_fingerprint(tmp_path: Path) -> None:
    before = SemanticSegmenter(written(tmp_path)).fingerprint()
    assert SemanticSegmenter(written(tmp_path, threads=2)).fingerprint() == before
    assert SemanticSegmenter(written(tmp_path, spec={"input": {**UNIT, "side_px": 512}})).fingerprint() != before
    config = written(tmp_path)
    classes = tmp_path / "classes.yaml"
    classes.write_text(classes.read_text().replace(": bus", ": truck"))
    assert SemanticSegmenter(config).fingerprint() != before


def refused(config: SemanticSegments) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        SemanticSegmenter(config)
    return [str(problem) for problem in caught.value.problems]


def test_classes_that_the_vocabulary_lacks_are_all_named(config: SemanticSegments, tmp_path: Path) -> None:
    (tmp_path / "classes.yaml").write_text("- their: sky\n- their: spaceship\n- 7\n- null\n- {a: b, c: d}\n")
    said = refused(config)
    assert [text.split(":")[1].strip() for text in said] == ["1", "2", "4"]
    assert "spaceship" in said[0]


@pytest.mark.parametrize("text", ["", "sky", "[sky", "{a: b}", "[]", "- a: sky\n  a: road"])
def test_a_file_of_classes_that_is_no_list(config: SemanticSegments, tmp_path: Path, text: str) -> None:
    (tmp_path / "classes.yaml").write_text(text)
    assert str(tmp_path / "classes.yaml") in refused(config)[0]


def test_one_class_too_few_is_found_before_any_work(config: SemanticSegments, tmp_path: Path) -> None:
    (tmp_path / "classes.yaml").write_text("- a: sky\n- b: road\n")
    (said,) = refused(config)
    assert "[1, 6, 16, 16]" in said
    assert "scores of 2 classes" in said


@pytest.mark.parametrize(
    ("shape", "form", "spec", "words"),
    [
        ((1, 3, "length"), {}, {}, "a model in ONNX"),
        ((2, 3, 64, 64), {}, {}, "one picture"),
        ((1, 4, 64, 64), {}, {}, "1 x 3 x height x width"),
        ((1, 64, 64, 3), {"kind": "uint8"}, {}, "scale: 1"),
        ((1, 3, 64, 64), {}, {"input": {**UNIT, "layout": "nhwc"}}, "as nhwc"),
        (("n", "c", "h", "w"), {}, {}, "spec.input.layout says which"),
    ],
)
def test_a_model_of_another_input_is_refused_in_words(
    tmp_path: Path, shape: tuple[Dimension, ...], form: dict[str, Any], spec: dict[str, Any], words: str
) -> None:
    assert any(words in said for said in refused(written(tmp_path, shape, spec, form)))


def test_a_model_that_does_not_say_which_axis_is_which_is_told(tmp_path: Path) -> None:
    config = written(tmp_path, ("n", "c", "h", "w"), {"input": {**UNIT, "layout": "nchw"}})
    assert {segment.label for segment in segments(config, street())} == set(COLOURS)


@pytest.mark.parametrize("keep", [0.0, 0.3, 0.9])
def test_a_damaged_model_names_the_file(config: SemanticSegments, keep: float) -> None:
    assert isinstance(config.model, Path)
    data = config.model.read_bytes()
    config.model.write_bytes(data[: int(keep * len(data))])
    (said,) = refused(config)
    assert str(config.model) in said
    config.model.write_bytes(b"<html>not found</html>")
    assert str(config.model) in refused(config)[0]
    config.model.unlink()
    assert "no file" in refused(config)[0]


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>", b"\x00\x00\x00\x00TFL3" + bytes(200)])
def test_a_damaged_tflite_model_names_the_file(config: SemanticSegments, tmp_path: Path, content: bytes) -> None:
    pytest.importorskip("ai_edge_litert", reason="the extra litert is not installed")
    model = tmp_path / "model.tflite"
    model.write_bytes(content)
    (said,) = refused(config.model_copy(update={"model": model}))
    assert str(model) in said


def test_tflite_and_onnx_of_one_model_agree(corpus: Path) -> None:
    pytest.importorskip("ai_edge_litert", reason="the extra litert is not installed")
    with Image.open(corpus / "street" / "lund" / "05.jpg") as image:
        photo = np.asarray(image.convert("RGB").resize((256, 192)))
    answers = []
    for suffix in ("onnx", "tflite"):
        runtime = load_runtime(corpus / "weights" / f"ade20k_mnv2_513.{suffix}", "cpu", 1, "model")
        spec = PictureInput(scale=1 / 127.5, mean=(1, 1, 1), std=(1, 1, 1))
        answers.append(runtime.run(ModelInput(runtime.input, spec, "spec").show(photo).fed)[0])
    assert (answers[0].argmax(axis=-1) == answers[1].argmax(axis=-1)).mean() > 0.98


def test_shares_of_one_label_are_added_up() -> None:
    scores = np.random.default_rng(1).normal(size=(3, 2, 4)).astype(np.float32)
    scores[0, 0, 1] = scores[1, 1, 3] = 9.0  # each label is the likeliest somewhere, or it would be left out
    found = shares_by_label(scores, ["road", None, "road", "sky"], softmax=True)
    assert set(found) == {"road", None, "sky"}
    np.testing.assert_allclose(sum(found.values()), 1, rtol=1e-5)
