"""segment-anything with names by open_clip. Random weights at small size: they name nothing right (see `models`)."""

import random
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.config_perception import ClipLabels, SamSegments
from pipeline.errors import ConfigError, MachineError
from pipeline.perception.base import Segment, View
from pipeline.perception.sam import SamSegmenter
from pipeline.perception.torch_models import ClipNamer, blur, crop
from pipeline.perception.vocabulary import vocabulary
from pipeline.sources.base import Pixels
from tests.perception.models import TINY, clip_checkpoint, register, sam_checkpoint, torch


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("models")
    register(made)
    sam_checkpoint(made / "sam.pth")
    clip_checkpoint(made / "clip.pt")
    return made


def config(folder: Path, **more: object) -> SamSegments:
    labels = {"model": TINY, "weights": str(folder / "clip.pt")}
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


def test_the_right_class_wins_where_the_model_tells_them_apart(folder: Path) -> None:
    """The texts' embeddings are replaced by those of four colours: then a crop's name is its colour."""
    words = dict(list(vocabulary().items())[:4])
    namer = ClipNamer(ClipLabels(model=TINY, weights=str(folder / "clip.pt")), words, "cpu", 2)
    crops = [np.full((40, 30, 3), colour, np.uint8) for colour in ((250, 0, 0), (0, 250, 0), (0, 0, 250), (9, 9, 9))]
    with torch.inference_mode():
        pictures = torch.stack([namer._prepare(Image.fromarray(picture)) for picture in crops])
        namer._texts = namer._model.encode_image(pictures, normalize=True)
    assert [label for label, _ in namer.names(crops)] == list(words)


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
        {"labels": {"model": TINY, "weights": str(folder / "other.pt")}},
        {"vocabulary": folder / "words.yaml"},
        {"min_confidence": 0.5},
        {"points_per_side": 5},
    ]
    prints = [SamSegmenter(config(folder, **change)).fingerprint() for change in changes]
    assert len({segmenter.fingerprint(), *prints}) == len(changes) + 1


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
        assert "broken.pt" in refused(config(folder, labels={"model": TINY, "weights": str(broken)}))


def test_unknown_models_and_tags(folder: Path) -> None:
    assert "list_models" in refused(config(folder, labels={"model": "hf-hub:somebody/something"}))
    said = refused(config(folder, labels={"model": "ViT-B-32", "weights": "no_such_tag"}))
    assert "laion2b_s34b_b79k" in said


def test_weights_that_cannot_be_downloaded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(folder / "cache"))
    with pytest.raises(MachineError, match=r"labels\.weights to a local file"):
        SamSegmenter(config(folder, labels={"model": "ViT-B-32", "weights": "laion2b_s34b_b79k"}))
