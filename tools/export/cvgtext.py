"""`cvgtext`: the folders and JSON files that CVG-Text's own code reads (github.com/yejy53/CVG-Text), in either layout.

    layout    repository                           release
    chips     V-satellite/NAME  V-OSM/NAME         reference/V-satellite/NAME  reference/V-OSM/NAME
    ground    V-ground/NAME                        data/query/V-ground/NAME
    texts     CVG-text/V/train.json test.json      annotation/V/train.json test.json

A version V is a region's samples with a panorama, `V-photos` those with single views only: no sample is in both, for
their evaluation of both together would count the twin as wrong. Where a version has more test samples than their
evaluation takes, the rest are versions of their own, `V2` and so on. Queries and gallery are the same rows there, so
each sample has all chips. What their code reads out of names, and what breaks it, is in `tools.export.cvgtext_names`.
"""

import io
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import PIL.Image
import yaml
from pydantic import Field

from pipeline.captioning.tokens import count_clip_tokens
from pipeline.errors import ConfigError, Problem
from pipeline.publishing.samples import Role
from schemas.records import Image, Sample
from tools.dataset import Dataset
from tools.export.base import Export, Target
from tools.export.cvgtext_names import (
    PHOTOS,
    check_root,
    coordinate,
    panorama_name,
    photo_name,
    version_of,
)

MOST_TOKENS = 300
"""CLIP tokens of a text: their tokeniser cuts what is longer, without a word."""
MOST_AT_A_PLACE = 100
"""Texts at one coordinate: they rank the 100 nearest chips, and of more the right one may not be among them."""

_Chip = Literal["satellite", "OSM"]
_CHIPS: dict[_Chip, Literal["aerial", "map"]] = {"satellite": "aerial", "OSM": "map"}


class CvgText(Export):
    """Folders and JSON files for CVG-Text's training and evaluation code."""

    roles: ClassVar[frozenset[Role]] = frozenset({"street", "panorama", "aerial", "map"})

    layout: Literal["repository", "release"] = "repository"
    """As their code expects it (`config.yaml` comes with it), or as their release on Hugging Face has it."""
    text: Literal["description", "description_short", "description_street"] = "description"
    """Which description."""
    chips: Annotated[tuple[_Chip, ...], Field(min_length=1)] = ("satellite", "OSM")
    """Which chips a sample must have."""
    max_test: Annotated[int, Field(ge=1)] = 2_000
    """Test samples of a version: their evaluation takes time by the square, some minutes for 2,000."""

    def check(self, dataset: Dataset, out: Path) -> None:
        """Refuse a folder whose path their code misreads, and a place with more texts than they rank chips."""
        check_root(out)
        places: Counter[tuple[str, str, str]] = Counter()
        regions: dict[str, str] = {}
        for row in dataset.rows(["sample_id", "region", "split", "lat", "lon"]):
            regions.setdefault(row["region"], version_of(row["region"]))
            places[row["region"], _split(row["split"]), coordinate(row["lat"], row["lon"])] += 1
        crowded = [(place, count) for (_, _, place), count in places.items() if count > MOST_AT_A_PLACE]
        problems = [
            Problem("export", f"{count} texts at {place}", f"up to {MOST_AT_A_PLACE} at one coordinate")
            for place, count in crowded
        ]
        names = Counter(regions.values())
        problems += [
            Problem("region", f"{region!r}, which becomes {name}", "names that differ in letters and digits")
            for region, name in regions.items()
            if names[name] > 1
        ]
        if problems:
            raise ConfigError(problems)

    def write(self, samples: Iterable[Sample], target: Target) -> None:
        """Write pictures as they come, then the JSON files of each version."""
        texts: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
        for sample in samples:
            reason = self._unfit(sample)
            if reason is not None:
                target.leave_out(sample, reason)
                continue
            split = _split(sample.split)
            version, name = self._version(sample, split, texts), self._name(sample)
            texts[version, split][name] = getattr(sample, self.text)
            for path, image in self._pictures(sample, version):
                target.write(f"{path}/{name}", _png(image))
            target.take(sample, self.roles)
        versions = sorted({version for version, _ in texts})
        for version in versions:
            splits = {split for other, split in texts if other == version} | {"train", "test"}
            for split in sorted(splits):  # both that their code opens, though one may be empty
                text = json.dumps(texts.get((version, split), {}), ensure_ascii=False, indent=1)
                target.write(f"{self._annotations(version)}/{split}.json", text.encode())
        if self.layout == "repository":
            target.write("config.yaml", _their_config().encode())
            target.write("checkpoints/README.txt", _CHECKPOINTS.encode())

    def _unfit(self, sample: Sample) -> str | None:
        text = getattr(sample, self.text)
        if not text:
            return f"no {self.text}"
        if count_clip_tokens(text) > MOST_TOKENS:
            return f"{self.text} of more than {MOST_TOKENS} tokens"
        lacking = [chip for chip in self.chips if getattr(sample, _CHIPS[chip]) is None]
        return f"no {lacking[0]} chip" if lacking else None

    def _version(self, sample: Sample, split: str, texts: dict[tuple[str, str], dict[str, str]]) -> str:
        """The first version of the region with room."""
        number = 1
        while True:
            base = version_of(sample.region) + (str(number) if number > 1 else "")
            version = base + ("" if sample.panorama is not None else PHOTOS)
            if split != "test" or len(texts.get((version, split), ())) < self.max_test:
                return version
            number += 1

    def _name(self, sample: Sample) -> str:
        view = sample.panorama_view
        if view is None:
            return photo_name(sample.lat, sample.lon, sample.sample_id)
        return panorama_name(sample.lat, sample.lon, view.captured_at, sample.sample_id, view.heading_deg)

    def _pictures(self, sample: Sample, version: str) -> Iterator[tuple[str, Image]]:
        above, ground = ("", "") if self.layout == "repository" else ("reference/", "data/query/")
        for chip in self.chips:
            image: Image | None = getattr(sample, _CHIPS[chip])
            assert image is not None  # see `_unfit`
            yield f"{above}{version}-{chip}", image
        yield f"{ground}{version}-ground", sample.panorama or sample.street

    def _annotations(self, version: str) -> str:
        return f"CVG-text/{version}" if self.layout == "repository" else f"annotation/{version}"


def _split(split: str) -> str:
    """Their name of a split: there is one kind of test."""
    return "test" if split.startswith("test") else split


def _png(image: Image) -> bytes:
    """The picture as PNG: a name stands for all of a sample's pictures, so they share its ending."""
    if image.bytes.startswith(b"\x89PNG"):
        return image.bytes
    buffer = io.BytesIO()
    with PIL.Image.open(io.BytesIO(image.bytes), formats=("JPEG",)) as opened:
        opened.convert("RGB").save(buffer, "PNG", compress_level=3)
    return buffer.getvalue()


def _their_config() -> str:
    """Their `config.yaml`, with paths relative to this folder: their code reads it from the current directory."""
    folders = {"osm": "OSM", "stv": "ground", "sat": "satellite", "photo": "photo"}
    config: dict[str, Any] = {
        "hf_endpoint": "https://huggingface.co",
        "custom_paths": [],
        "pretrained_paths": {},
        "paths": {
            **{f"{key}_root_dir": f"./{{version}}-{name}" for key, name in folders.items()},
            "trainset_path": "./CVG-text/{version}/train.json",
            "testset_path": "./CVG-text/{version}/test.json",
            "checkpoint_dir": "./checkpoints",
            "result_dir": "./results",
            "case_dir": "./cases",
            "log_dir": "./logs",
            "categories_path": "./visualize/categories.yaml",
        },
    }
    return yaml.safe_dump(config, sort_keys=False)


_CHECKPOINTS = (
    "Checkpoints go into a folder here by the model's name, / as _: CLIP-L_14@336.\n"
    "Their code fails without the folder, and runs un-tuned CLIP without a word if no file in it fits.\n"
)
