"""A zero-shot detector with masks by segment-anything. Random weights at small size: they find nothing right."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.config.perception import GroundedSegments
from pipeline.errors import ConfigError, MachineError
from pipeline.imaging.types import Pixels
from pipeline.perception.base import View
from pipeline.perception.cues import fuse
from pipeline.perception.masks import Bools
from pipeline.perception.open_vocabulary import Box, GroundedSegmenter, named
from tests.perception.models import TINY, grounding_dino, owlv2, register, sam_checkpoint
from tests.perception.test_cues import HEIGHT, WIDTH, site, text, view

pytestmark = pytest.mark.models

WORDS = "lasting: [{one: tower, many: towers}, {one: sky}]\npassing: [{one: car, many: cars}]"
ONE_WORD = "lasting: [{one: building, many: buildings}]\npassing: []"  # random weights see all words everywhere


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("models")
    register(made)
    sam_checkpoint(made / "sam.pth")
    owlv2(made / "owlv2")
    grounding_dino(made / "dino", ["building"])
    (made / "words.yaml").write_text(WORDS)
    (made / "word.yaml").write_text(ONE_WORD)
    return made


@pytest.fixture(scope="module")
def photo(corpus: Path) -> Pixels:
    with Image.open(corpus / "street" / "lund" / "09.jpg") as image:
        picture = image.convert("RGB")
    picture.thumbnail((192, 192))
    return np.asarray(picture)


def config(folder: Path, detector: str = "owlv2", words: str = "words.yaml", **more: object) -> GroundedSegments:
    values = {"detector": str(folder / detector), "checkpoint": folder / "sam.pth", "vocabulary": folder / words}
    made = GroundedSegments.model_validate({"engine": "grounded", "min_confidence": 0.0, "batch": 2, **values, **more})
    return made.model_copy(update={"model": TINY})


@pytest.mark.parametrize(("detector", "words"), [("owlv2", "words.yaml"), ("dino", "word.yaml")])
def test_what_is_found_is_in_the_vocabulary_and_apart(folder: Path, photo: Pixels, detector: str, words: str) -> None:
    segmenter = GroundedSegmenter(config(folder, detector, words))
    boxes = segmenter._detect([photo])[0]
    assert boxes
    height, width = photo.shape[:2]
    for box in boxes:
        left, top, right, bottom = box.corners
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height
    views = [View("0", photo, None), View("1", photo[:100], None), View("2", photo[:, :80], None)]
    found = segmenter.segment(views)
    assert any(found)
    for shown, segments in zip(views, found, strict=True):
        assert all(segment.mask.shape == shown.pixels.shape[:2] for segment in segments)
        assert not segments or np.sum([segment.mask for segment in segments], axis=0).max() == 1
        assert {(segment.label, segment.lasting) for segment in segments} <= {
            ("tower", True), ("sky", True), ("car", False), ("building", True),
        }  # fmt: skip
    again = segmenter.segment(views[2:])[0]
    assert [segment.label for segment in again] == [segment.label for segment in found[2]]
    assert detector in segmenter.fingerprint().replace("grounding-", "")


def test_text_on_a_detected_vehicle_is_passing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Boxes and masks are given, since random weights find no car; the rest is the engine's own way."""
    boxes = [Box("car", 0.9, (20, 60, 150, 160)), Box("tower", 0.8, (80, 70, 140, 110))]  # a board taken for a tower

    def masks(some: Sequence[Box], shape: tuple[int, ...]) -> list[Bools]:
        drawn = np.zeros((len(some), *shape), bool)
        for mask, box in zip(drawn, some, strict=True):
            left, top, right, bottom = map(int, box.corners)
            mask[top:bottom, left:right] = True
        return list(drawn)

    segmenter = GroundedSegmenter(config(folder))
    monkeypatch.setattr(segmenter, "_detect", lambda pictures: [boxes for _ in pictures])
    monkeypatch.setattr(segmenter, "_masks", masks)
    found = segmenter.segment([View("0", np.zeros((HEIGHT, WIDTH, 3), np.uint8), None)])[0]
    assert [segment.label for segment in found] == ["car"]
    texts = [text("CITY LINE", 110, 90), text("BAKERY", 205, 90)]
    cues = fuse(site(view()), {"0": texts}, {"0": found}, "r", "s")
    assert {cue.text: cue.lasting for cue in cues if cue.kind == "text"} == {"CITY LINE": False, "BAKERY": True}


def test_a_high_threshold_finds_nothing(folder: Path, photo: Pixels) -> None:
    segmenter = GroundedSegmenter(config(folder, "dino", "word.yaml", min_confidence=0.999))
    assert segmenter.segment([View("0", photo, None), View("1", photo, None)]) == [[], []]


@pytest.mark.parametrize(
    ("phrase", "label"),
    [
        ("traffic light", "traffic light"), ("traffic light.", "traffic light"), ("bus", "bus"),
        ("light", "traffic light"), ("bus stop", "bus stop"), ("traffic", None),
        ("car truck", None), ("", None), (".", None),
    ],
)  # fmt: skip
def test_a_phrase_stands_for_the_one_class_that_it_is_part_of(phrase: str, label: str | None) -> None:
    assert named(phrase, ["traffic light", "traffic sign", "bus", "bus stop", "car"]) == label


def problem(made: GroundedSegments) -> str:
    with pytest.raises(ConfigError) as caught:
        GroundedSegmenter(made)
    (found,) = caught.value.problems
    return str(found)


def broken(folder: Path, change: Callable[[Path], object]) -> str:
    shutil.rmtree(folder / "broken", ignore_errors=True)
    shutil.copytree(folder / "owlv2", folder / "broken")
    change(folder / "broken")
    return problem(config(folder, "broken"))


def another_architecture(where: Path) -> None:
    where.joinpath("config.json").write_text(json.dumps({"model_type": "bert", "architectures": ["BertModel"]}))


def another_size(where: Path) -> None:
    values = json.loads(where.joinpath("config.json").read_text())
    values["text_config"]["hidden_size"] = 32
    where.joinpath("config.json").write_text(json.dumps(values))


def more_layers(where: Path) -> None:
    values = json.loads(where.joinpath("config.json").read_text())
    values["vision_config"]["num_hidden_layers"] = 2
    where.joinpath("config.json").write_text(json.dumps(values))


@pytest.mark.parametrize(
    "change",
    [
        lambda where: where.joinpath("model.safetensors").unlink(),
        lambda where: where.joinpath("model.safetensors").write_bytes(b"<html>not found</html>"),
        lambda where: where.joinpath("model.safetensors").rename(where / "pytorch_model.bin"),
        lambda where: where.joinpath("config.json").unlink(),
        lambda where: where.joinpath("config.json").write_text("{"),
        another_architecture,
        another_size,
        more_layers,
    ],
    ids=["no weights", "no safetensors", "pickled", "no config", "damaged", "architecture", "size", "layers"],
)
def test_a_folder_without_a_usable_detector_is_named(folder: Path, change: Callable[[Path], object]) -> None:
    said = broken(folder, change)
    assert "perception.segmenters.detector" in said
    assert str(folder / "broken") in said


def test_an_absent_folder_and_an_unreachable_hub(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "no folder" in problem(config(folder).model_copy(update={"detector": "absent"}))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(folder / "cache"))
    with pytest.raises(MachineError, match="set detector to a folder"):
        GroundedSegmenter(config(folder, detector="x", revision="a" * 40).model_copy(update={"detector": "some/model"}))
