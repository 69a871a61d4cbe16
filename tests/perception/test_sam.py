"""segment-anything, named by open_clip or transformers. Random weights at small size name nothing right (`models`)."""

import json
import random
import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from pipeline.config.perception import OpenClipLabels, SamSegments, TransformersLabels
from pipeline.errors import ConfigError, MachineError
from pipeline.imaging.types import Pixels
from pipeline.perception.base import Segment, View
from pipeline.perception.cues import fuse
from pipeline.perception.namer import Namer, blur, crop
from pipeline.perception.sam import SamSegmenter
from pipeline.perception.vocabulary import Term, vocabulary
from tests.perception.models import TINY, clip, clip_checkpoint, register, sam_checkpoint, siglip, torch
from tests.perception.test_cues import HEIGHT, WIDTH, site, text, view

pytestmark = pytest.mark.models


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("models")
    register(made)
    sam_checkpoint(made / "sam.pth")
    clip_checkpoint(made / "clip.pt")
    clip(made / "clip")
    siglip(made / "siglip")
    return made


LIBRARIES = ["open_clip", "clip", "siglip"]
"""Where the namer comes from: open_clip, and two models of transformers."""


def labels_of(folder: Path, name: str) -> OpenClipLabels | TransformersLabels:
    if name == "open_clip":
        return OpenClipLabels(model=TINY, weights=str(folder / "clip.pt"))
    return TransformersLabels(library="transformers", model=str(folder / name))


def config(folder: Path, **more: object) -> SamSegments:
    labels = {"library": "open_clip", "model": TINY, "weights": str(folder / "clip.pt")}
    values = {"engine": "sam", "checkpoint": folder / "sam.pth", "labels": labels, "points_per_side": 4, **more}
    return SamSegments.model_validate({"min_confidence": 0.0, "batch": 8, **values}).model_copy(update={"model": TINY})


@pytest.fixture(scope="module")
def segmenter(folder: Path) -> SamSegmenter:
    return SamSegmenter(config(folder))


@pytest.fixture(scope="module")
def photo(corpus: Path) -> Pixels:
    with Image.open(corpus / "street" / "lund" / "09.jpg") as image:
        picture = image.convert("RGB")
    picture.thumbnail((192, 192))
    return np.asarray(picture)


def plain(found: list[Segment]) -> list[tuple[str, float, bytes]]:
    return [(segment.label, segment.confidence, segment.mask.tobytes()) for segment in found]


def test_masks_are_named_with_the_vocabulary_s_classes(segmenter: SamSegmenter, photo: Pixels) -> None:
    (found,) = segmenter.segment([View("0", photo, None)])
    assert found
    for segment in found:
        assert segment.mask.shape == photo.shape[:2]
        assert segment.lasting == vocabulary()[segment.label].lasting
        assert 1 / len(vocabulary()) <= segment.confidence <= 1
        assert (segment.attribute, segment.distance_m) == (None, None)


def test_neither_batches_nor_order_change_anything(segmenter: SamSegmenter, photo: Pixels, folder: Path) -> None:
    views = [View("a", photo, None), View("b", photo[:, ::-1].copy(), None)]
    alone = [plain(segmenter.segment([view])[0]) for view in views]
    assert [plain(found) for found in segmenter.segment(views[::-1])] == alone[::-1]
    other = SamSegmenter(config(folder, batch=3))
    assert [[label for label, *_ in plain(found)] for found in other.segment(views)] == [
        [label for label, *_ in found] for found in alone
    ]
    assert other.fingerprint() == segmenter.fingerprint()


@pytest.mark.parametrize("shape", [(1, 1), (8, 300), (128, 128)])
@pytest.mark.parametrize("value", [0, 255])
def test_black_white_and_odd_pictures_do_no_harm(segmenter: SamSegmenter, shape: tuple[int, int], value: int) -> None:
    for segment in segmenter.segment([View("0", np.full((*shape, 3), value, np.uint8), None)])[0]:
        assert segment.mask.shape == shape


def test_nothing_is_sure_enough_for_a_high_threshold(folder: Path, photo: Pixels) -> None:
    assert SamSegmenter(config(folder, min_confidence=0.99)).segment([View("0", photo, None)]) == [[]]


@pytest.mark.parametrize("library", LIBRARIES)
def test_the_right_class_wins_where_the_model_tells_them_apart(folder: Path, library: str) -> None:
    """The texts' embeddings are replaced by those of four colours: then a crop's name is its colour."""
    words = dict(list(vocabulary().items())[:4])
    namer = coloured(labels_of(folder, library), words, (250, 0, 0), (0, 250, 0), (0, 0, 250), (9, 9, 9))
    found = namer.names([flat(colour) for colour in ((250, 0, 0), (0, 250, 0), (0, 0, 250), (9, 9, 9))])
    assert [label for label, _ in found] == list(words)
    assert all(0 < confidence <= 1 for _, confidence in found)


def flat(colour: tuple[int, int, int]) -> Pixels:
    return np.full((40, 30, 3), colour, np.uint8)


def coloured(
    labels: OpenClipLabels | TransformersLabels, words: Mapping[str, Term], *colours: tuple[int, int, int]
) -> Namer:
    """A namer that calls the colours by the words, in their order."""
    namer = Namer(labels, words, "cpu", 2)
    with torch.inference_mode():
        namer._texts = namer._model.pictures([Image.fromarray(flat(colour)) for colour in colours])
    namer._model.sharpness = 1_000.0
    return namer


@pytest.mark.parametrize("library", ["clip", "siglip"])
def test_masks_are_named_by_a_model_of_transformers(folder: Path, photo: Pixels, library: str) -> None:
    labels = {"library": "transformers", "model": str(folder / library)}
    segmenter = SamSegmenter(config(folder, labels=labels))
    (found,) = segmenter.segment([View("0", photo, None)])
    assert found
    assert {segment.label for segment in found} <= set(vocabulary())
    texts = segmenter._namer._texts
    assert texts.shape[0] == len(vocabulary())
    torch.testing.assert_close(texts.norm(dim=1), torch.ones(len(texts)))
    assert "transformers" in segmenter.fingerprint()


def test_text_on_what_is_called_a_vehicle_is_passing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The masks are given, the namer knows colours: a bus with a window and a board, which a mask of the bus lacks."""
    words = {label: vocabulary()[label] for label in ("bus", "building", "window", "sign")}
    colours = ((200, 20, 30), (120, 80, 60), (20, 40, 200), (240, 240, 240))
    segmenter = SamSegmenter(config(folder))
    segmenter._namer = coloured(labels_of(folder, "open_clip"), words, *colours)
    pixels = np.full((HEIGHT, WIDTH, 3), colours[1], np.uint8)
    window, board = np.zeros((2, HEIGHT, WIDTH), bool)
    bus = np.zeros((HEIGHT, WIDTH), bool)
    bus[60:160, 20:150] = True
    window[70:100, 30:60] = True
    board[70:110, 80:140] = True
    for colour, mask in zip((colours[0], colours[2], colours[3]), (bus, window, board), strict=True):
        pixels[mask] = colour
    masks = [~bus, bus & ~window & ~board, window, board]
    monkeypatch.setattr(segmenter, "_masks", lambda _: masks)  # random weights would find no bus
    found = segmenter.segment([View("0", pixels, None)])[0]
    assert {segment.label for segment in found} == {"building", "bus"}
    boxes = [text("CITY LINE", 110, 90), text("BAKERY", 205, 90)]
    cues = fuse(site(view()), {"0": boxes}, {"0": found}, "r", "s")
    assert {cue.text: cue.lasting for cue in cues if cue.kind == "text"} == {"CITY LINE": False, "BAKERY": True}


def test_threads_share_one_segmenter(segmenter: SamSegmenter, photo: Pixels) -> None:
    views = [View(str(i), np.ascontiguousarray(photo[: 90 + 10 * i]), None) for i in range(4)]
    alone = [plain(segmenter.segment([view])[0]) for view in views]
    with ThreadPoolExecutor(4) as pool:
        assert [plain(found[0]) for found in pool.map(lambda view: segmenter.segment([view]), views)] == alone


def test_a_crop_shows_the_mask_sharp_and_its_surroundings_blurred() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (100, 100, 3), np.uint8)
    mask = np.zeros((100, 100), bool)
    mask[40:60, 30:70] = True
    shown = crop(pixels, blur(pixels), mask)
    assert shown.shape == (32, 52, 3)  # the box and a margin of 6 on each side
    np.testing.assert_array_equal(shown[6:26, 6:46], pixels[40:60, 30:70])
    assert shown[:5].std() < pixels[34:39].std() / 4


def test_weights_vocabulary_and_settings_are_in_the_fingerprint(segmenter: SamSegmenter, folder: Path) -> None:
    sam_checkpoint(folder / "other.pth", seed=1)
    clip_checkpoint(folder / "other.pt", seed=1)
    (folder / "words.yaml").write_text("lasting: [{one: tree}]\npassing: []")
    changes: list[dict[str, object]] = [
        {"checkpoint": folder / "other.pth"},
        {"labels": {"library": "open_clip", "model": TINY, "weights": str(folder / "other.pt")}},
        {"vocabulary": folder / "words.yaml"},
        {"min_confidence": 0.5},
        {"points_per_side": 5},
    ]
    prints = [SamSegmenter(config(folder, **change)).fingerprint() for change in changes]
    assert len({segmenter.fingerprint(), *prints}) == len(changes) + 1


def test_a_namer_of_transformers_that_is_none(folder: Path) -> None:
    def said(model: str, **more: str) -> str:
        return refused(config(folder, labels={"library": "transformers", "model": model, **more}))

    assert "no folder" in said("absent")
    shutil.copytree(folder / "clip", folder / "cut")
    (folder / "cut" / "model.safetensors").write_bytes((folder / "clip" / "model.safetensors").read_bytes()[:5_000])
    assert str(folder / "cut") in said(str(folder / "cut"))
    (folder / "cut" / "config.json").write_text(json.dumps({"model_type": "bert", "architectures": ["BertModel"]}))
    assert "perception.segmenters.labels.model" in said(str(folder / "cut"))
    with pytest.raises(ValidationError, match="needs its revision"):
        config(folder, labels={"library": "transformers", "model": "openai/clip-vit-base-patch32"})


def refused(made: SamSegments) -> str:
    with pytest.raises(ConfigError) as caught:
        SamSegmenter(made)
    (problem,) = caught.value.problems
    return str(problem)


def test_a_checkpoint_that_is_none(folder: Path) -> None:
    assert "no file" in refused(config(folder, checkpoint=folder / "absent.pth"))
    torch.save({"weights": torch.zeros(3)}, folder / "strange.pth")
    torch.save([1, 2], folder / "list.pth")
    for name in ("strange.pth", "list.pth", "clip.pt"):
        said = refused(config(folder, checkpoint=folder / name))
        assert name in said
        assert "segment-anything's tiny" in said


def test_a_checkpoint_of_another_size(folder: Path) -> None:
    said = refused(config(folder).model_copy(update={"model": "vit_b"}))
    assert "sam.pth: other tensors than vit_b has" in said


def test_damaged_files_are_named_whatever_is_wrong_with_them(folder: Path) -> None:
    data = (folder / "clip.pt").read_bytes()
    rng = random.Random(1)
    broken = folder / "broken.pt"
    samples = [b"", b"<html>", data[:100], data[: len(data) // 2], data[:-1]]
    for _ in range(10):
        changed = bytearray(data)
        for _ in range(40):
            changed[rng.randrange(4_000)] = rng.randrange(256)
        samples.append(bytes(changed))
    for sample in samples:
        broken.write_bytes(sample)
        assert "broken.pt" in refused(config(folder, checkpoint=broken))
        assert "broken.pt" in refused(
            config(folder, labels={"library": "open_clip", "model": TINY, "weights": str(broken)})
        )


def test_unknown_models_and_tags(folder: Path) -> None:
    assert "list_models" in refused(
        config(folder, labels={"library": "open_clip", "model": "hf-hub:somebody/something"})
    )
    said = refused(config(folder, labels={"library": "open_clip", "model": "ViT-B-32", "weights": "no_such_tag"}))
    assert "laion2b_s34b_b79k" in said


def test_weights_that_cannot_be_downloaded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(folder / "cache"))
    with pytest.raises(MachineError, match=r"labels\.weights to a local file"):
        SamSegmenter(
            config(folder, labels={"library": "open_clip", "model": "ViT-B-32", "weights": "laion2b_s34b_b79k"})
        )
