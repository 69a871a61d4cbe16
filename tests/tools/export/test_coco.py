"""Read back with pycocotools."""

import json
from pathlib import Path

import numpy as np
import pytest

from pipeline.perception.rle import decode
from schemas.records import Sample
from tests.tools.export.conftest import Exported

coco = pytest.importorskip("pycocotools.coco")


def test_pycocotools_reads_masks_texts_and_captions(exported: Exported, folder: Path, varied: list[Sample]) -> None:
    exported("coco")
    by_id = {sample.sample_id: sample for sample in varied}
    seen = set()
    for split in ("train", "test"):
        masks = coco.COCO(str(folder / f"annotations/instances_{split}.json"))
        texts = coco.COCO(str(folder / f"annotations/text_{split}.json"))
        captions = coco.COCO(str(folder / f"annotations/captions_{split}.json"))
        for image in masks.loadImgs(masks.getImgIds()):
            sample = by_id[image["sample_id"]]
            seen.add(sample.sample_id)
            assert sample.split == split
            assert (folder / "images" / image["file_name"]).read_bytes() == sample.street.bytes
            (mask,) = masks.loadAnns(masks.getAnnIds(imgIds=image["id"]))
            (cue,) = (cue for cue in sample.cues if cue.mask)
            assert cue.mask is not None
            assert np.array_equal(masks.annToMask(mask).astype(bool), decode(cue.mask))
            assert mask["area"] == decode(cue.mask).sum() == 14_000
            assert mask["bbox"] == [10, 120, 140, 100]
            assert masks.loadCats(mask["category_id"])[0]["name"] == "hedge"
            (text,) = texts.loadAnns(texts.getAnnIds(imgIds=image["id"]))
            assert (text["utf8_string"], text["bbox"], text["area"]) == ("BAKERY", [80, 60, 80, 60], 4_800)
            assert texts.annToMask(text).sum() == pytest.approx(4_800, rel=0.05)
            (caption,) = captions.loadAnns(captions.getAnnIds(imgIds=image["id"]))
            assert caption["caption"] == sample.description
    assert seen == by_id.keys()


def test_licences_and_authors_stand_with_the_pictures(exported: Exported, folder: Path) -> None:
    exported("coco", split="test")
    content = json.loads((folder / "annotations/instances_test.json").read_text())
    assert content["licenses"] == [{"id": 1, "name": "CC-BY-4.0", "url": ""}]
    assert {image["license"] for image in content["images"]} == {1}
    assert all(image["author"].startswith("Author ") for image in content["images"])
