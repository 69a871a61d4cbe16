"""`coco`: street views with the masks and texts found in them, and descriptions, as JSON of the COCO API.

    images/ID-street.jpg
    annotations/instances_train.json    masks of objects: run lengths, as the cues have them
    annotations/text_train.json         text read: polygon and `utf8_string`, as COCO-Text has it
    annotations/captions_train.json     the street description, or else the description

A class that an engine named is a category, whichever vocabulary it is from; categories are in the order of their names
and the same in all splits.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import numpy as np

from pipeline.perception.rle import decode
from pipeline.publishing.samples import Role
from schemas.records import Cue, Mask, Sample, StreetInfo
from tools.export.base import Export, Target, named_pictures, suffix

_TEXT = {"id": 1, "name": "text"}


class Coco(Export):
    """Masks, texts and captions for the COCO API."""

    roles: ClassVar[frozenset[Role]] = frozenset({"street", "other"})

    def write(self, samples: Iterable[Sample], target: Target) -> None:
        """Write pictures as they come, then the annotations of each split."""
        splits: dict[str, _Annotations] = defaultdict(_Annotations)
        for sample in samples:
            found = splits[sample.split]
            for name, _, image, info in named_pictures(sample, self.roles):
                assert isinstance(info, StreetInfo)  # by the roles
                file_name = f"{sample.sample_id}-{name}{suffix(image)}"
                target.write(f"images/{file_name}", image.bytes)
                number = found.add_image(file_name, sample, info)
                found.add_cues(number, [cue for cue in sample.cues if cue.view_id == info.view_id])
                if name == "street":
                    found.captions.append(
                        {
                            "id": len(found.captions) + 1,
                            "image_id": number,
                            "caption": sample.description_street or sample.description,
                        }
                    )
            target.take(sample, self.roles)
        labels = sorted({cue["category"] for found in splits.values() for cue in found.instances})
        number_of = {label: number for number, label in enumerate(labels, start=1)}
        licences = sorted({image["licence"] for found in splits.values() for image in found.images})
        for split, found in splits.items():
            shared = {
                "info": {"description": target.manifest.name, "version": target.manifest.digest},
                "licenses": [{"id": at, "name": name, "url": ""} for at, name in enumerate(licences, start=1)],
                "images": [
                    {name: value for name, value in image.items() if name != "licence"}
                    | {"license": licences.index(image["licence"]) + 1}
                    for image in found.images
                ],
            }
            instances = [
                {name: value for name, value in one.items() if name != "category"}
                | {"category_id": number_of[one["category"]]}
                for one in found.instances
            ]
            for kind, annotations, categories in (
                ("instances", instances, [{"id": number, "name": label} for label, number in number_of.items()]),
                ("text", found.texts, [_TEXT]),
                ("captions", found.captions, None),
            ):
                content = shared | {"annotations": annotations}
                content |= {"categories": categories} if categories is not None else {}
                data = json.dumps(content, ensure_ascii=False).encode()
                target.write(f"annotations/{kind}_{split}.json", data)


class _Annotations:
    """The content of a split's JSON files."""

    def __init__(self) -> None:
        self.images: list[dict[str, Any]] = []
        self.instances: list[dict[str, Any]] = []
        self.texts: list[dict[str, Any]] = []
        self.captions: list[dict[str, Any]] = []

    def add_image(self, file_name: str, sample: Sample, view: StreetInfo) -> int:
        """Add a picture; returns its id."""
        self.images.append(
            {
                "id": len(self.images) + 1,
                "file_name": file_name,
                "width": view.width,
                "height": view.height,
                "date_captured": view.captured_at.isoformat() if view.captured_at else "",
                "licence": view.licence,
                "author": view.author,
                "link": view.link,
                "sample_id": sample.sample_id,
            }
        )
        return len(self.images)

    def add_cues(self, image: int, cues: Sequence[Cue]) -> None:
        """Add the masks and texts of a picture."""
        for cue in cues:
            if cue.kind == "object" and cue.mask is not None:
                size = [cue.mask.height, cue.mask.width]
                shape = {"segmentation": {"size": size, "counts": cue.mask.counts}, **_extent(cue.mask)}
                self.instances.append(
                    _annotation(len(self.instances) + 1, image, cue) | shape | {"category": cue.label}
                )
            elif cue.kind == "text" and cue.polygon is not None:
                x, y = cue.polygon[::2], cue.polygon[1::2]
                box = [min(x), min(y), max(x) - min(x), max(y) - min(y)]
                outline = {"segmentation": [cue.polygon], "bbox": box, "area": _area(x, y)}
                extra = {"utf8_string": cue.text, "script": cue.script, "category_id": _TEXT["id"]}
                self.texts.append(_annotation(len(self.texts) + 1, image, cue) | outline | extra)


def _annotation(number: int, image: int, cue: Cue) -> dict[str, Any]:
    return {"id": number, "image_id": image, "iscrowd": 0, "score": cue.confidence, "lasting": cue.lasting}


def _extent(mask: Mask) -> dict[str, Any]:
    """Box (left, top, width, height) and area of a mask, pixels."""
    rows, columns = np.nonzero(decode(mask))
    if not len(rows):
        return {"bbox": [0, 0, 0, 0], "area": 0}
    left, top = int(columns.min()), int(rows.min())
    return {"bbox": [left, top, int(columns.max()) - left + 1, int(rows.max()) - top + 1], "area": len(rows)}


def _area(x: Sequence[float], y: Sequence[float]) -> float:
    """Area of a polygon, pixels squared (the shoelace formula)."""
    return abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))) / 2
