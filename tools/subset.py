"""Part of a dataset as a dataset of its own: some samples, with some of their parts."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from pydantic import AfterValidator, Field

from pipeline.captioning.tokens import count_clip_tokens
from pipeline.config.base import Section
from pipeline.digest import digest
from pipeline.errors import ConfigError, Problem
from pipeline.geo.shape import Box, in_box
from pipeline.publishing import revisions
from pipeline.publishing.manifest import Manifest, ShardEntry
from pipeline.publishing.rewrite import (
    as_they_are,
    by_sample,
    check_current,
    distractor_rows,
    light_rows,
    rewrite_shard,
    rewritten_revision,
)
from pipeline.publishing.samples import pictures
from pipeline.storage import Store
from schemas.licences import CLASSES, PARTS, LicenceClass, Part, strictest
from schemas.reasons import Reason
from schemas.records import Claim, Sample, Sentence, Split, Variant
from tools.dataset import Dataset

MEASURES = {
    **{name: f"street_view.quality.{name}" for name in ("sharpness", "contrast", "entropy", "darkness")},
    "distance_m": "street_view.distance_m",
    "covered": "aerial_chip.covered",
}
"""Measures that a condition may name, and their columns."""


@dataclass(frozen=True)
class Condition:
    """A limit of a measure. A sample without the measure does not meet it."""

    measure: str
    at_least: bool
    limit: float

    def met(self, row: Mapping[str, Any]) -> bool:
        """Whether a row with the column of `MEASURES` meets it."""
        value: Any = row
        for name in MEASURES[self.measure].split("."):
            value = value and value[name]
        return value is not None and (value >= self.limit if self.at_least else value <= self.limit)


def _conditions(texts: tuple[str, ...]) -> tuple[str, ...]:
    for text in texts:
        if not re.fullmatch(rf"({'|'.join(MEASURES)})(<=|>=)\d+(\.\d+)?", text):
            raise ValueError(f"{text!r}, not like sharpness>=100; measures: {', '.join(MEASURES)}")
    return texts


def _with_street(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    if "street" not in parts:
        raise ValueError("no sample is without its street view")
    return parts


class Selection(Section):
    """Which samples, and what of them."""

    regions: tuple[str, ...] = ()
    """Names of regions; all if empty. Likewise `splits`."""
    splits: tuple[Split, ...] = ()
    licence: LicenceClass | None = None
    """The strictest class that any of the parts may have."""
    parts: Annotated[tuple[Part, ...], AfterValidator(_with_street)] = PARTS
    """Parts that are taken of each sample."""
    quality: Annotated[tuple[str, ...], AfterValidator(_conditions)] = ()
    """Conditions such as `sharpness>=100`."""
    box: tuple[
        Annotated[float, Field(ge=-180, le=180)], Annotated[float, Field(ge=-90, le=90)],
        Annotated[float, Field(ge=-180, le=180)], Annotated[float, Field(ge=-90, le=90)],
    ] | None = None  # fmt: skip
    """West, south, east, north in degrees."""

    def conditions(self) -> list[Condition]:
        """The conditions of `quality`."""
        split = [re.split("(<=|>=)", text) for text in self.quality]
        return [Condition(measure, sign == ">=", float(limit)) for measure, sign, limit in split]


@dataclass(frozen=True)
class Subset:
    """The result: what was written."""

    manifest: Manifest
    left_out: int


_COLUMNS = (
    "sample_id", "region", "split", "lat", "lon", *(f"{part}_licence_class" for part in PARTS), *MEASURES.values(),
    "map_chip.licence", "aerial_chip.licence", "sentences.list.element.variant", "sentences.list.element.cue_ids",
    "cues.list.element.cue_id", "cues.list.element.kind",
)  # fmt: skip
_CHIP_COLUMNS = ("sample_id", "region", "split", "lat", "lon", *(f"{part}_licence_class" for part in PARTS))


def subset(dataset: Dataset, out: Store, selection: Selection) -> Subset:
    """Write the selected samples as a dataset, to an empty place.

    Distractors of the selected places come along where all parts are taken and no condition is set.

    Without the part `map_data` a sample has no map cues and no sentence that cites one. One that then has no
    description is left out, and so is one with neither an aerial nor a map chip.

    Raises:
        ConfigError: nothing is selected, a region is unknown, the place is not empty, or the dataset is an older one.
        MachineError: a shard cannot be read or written.
    """
    before = dataset.manifest
    check_current(before, dataset.store.url)
    unknown = sorted(set(selection.regions) - before.counts.regions.keys())
    if unknown:
        raise ConfigError([Problem("--region", ", ".join(unknown), f"one of {', '.join(before.counts.regions)}")])
    with revisions.publishing_alone(out):
        standing = revisions.look(out)
        if standing.entries:
            raise ConfigError([Problem("OUT", f"{out.url}, which holds files", "an empty folder or prefix")])
        shards: list[ShardEntry] = []
        gone: dict[str, list[str]] = {}
        key, conditions = digest("subset", selection), selection.conditions()
        whole = set(selection.parts) == set(PARTS)
        alter = as_they_are if whole else by_sample(lambda sample: parts_of(sample, selection.parts))
        for shard in before.shards:
            keep = set()
            for row in light_rows(dataset.store, shard, _COLUMNS):
                if _selected(row, selection) and all(condition.met(row) for condition in conditions):
                    keep.add(row["sample_id"])
                else:
                    gone.setdefault(row["region"], []).append(row["sample_id"])
            made = rewrite_shard(dataset.store, before, shard, out, keep, alter, key)
            shards += [made] if made is not None else []
        if not shards:
            raise ConfigError([Problem("subset", "a selection without any sample", "one that leaves some")])
        stay: dict[str, set[str]] = {}
        for path, row in distractor_rows(dataset.store, before, _CHIP_COLUMNS):
            shown = whole and not conditions and _there(row, selection)  # else it might show what was not selected
            stay.setdefault(path, set()).update({row["sample_id"]} if shown else ())
        manifest, root = rewritten_revision(
            dataset.store, before, shards, out, gone=gone, reason=Reason.NOT_SELECTED, taken_down=before.taken_down,
            removed=[], distractors=stay,
            provenance={"subset_of": before.digest, "selection": selection.model_dump(mode="json")},
        )  # fmt: skip
        revisions.put_in_force(out, manifest, root, standing)
    return Subset(manifest, sum(map(len, gone.values())))


def _there(row: Mapping[str, Any], selection: Selection) -> bool:
    """Whether a row is of the places and of the licence class that are selected."""
    classes = [row[f"{part}_licence_class"] for part in selection.parts]
    order = list(CLASSES)
    return (
        (not selection.regions or row["region"] in selection.regions)
        and (not selection.splits or row["split"] in selection.splits)
        and (selection.box is None or _inside(selection.box, row))
        and (
            selection.licence is None
            or order.index(strictest(c for c in classes if c is not None)) <= order.index(selection.licence)
        )
    )


def _selected(row: Mapping[str, Any], selection: Selection) -> bool:
    return (
        _there(row, selection)
        and any(part in selection.parts and row[f"{part}_chip"] is not None for part in ("aerial", "map"))
        and ("map_data" in selection.parts or {"long", "short"} <= _told_without_map(row))
    )


def _inside(box: Box, row: Mapping[str, Any]) -> bool:
    return bool(in_box(box, np.array([row["lon"]]), np.array([row["lat"]]))[0])


def _told_without_map(row: Mapping[str, Any]) -> set[Variant]:
    """The kinds of description that have a sentence which cites no map cue."""
    charted = {cue["cue_id"] for cue in row["cues"] if cue["kind"] == "map"}
    return {sentence["variant"] for sentence in row["sentences"] if charted.isdisjoint(sentence["cue_ids"])}


def parts_of(sample: Sample, parts: Collection[Part]) -> Sample:
    """The sample with some parts only."""
    dropped: dict[str, Any] = {f"{part}_licence_class": None for part in PARTS if part not in parts}
    if "aerial" not in parts:
        dropped |= {"aerial": None, "aerial_chip": None, "aerial_scales": [], "aerial_signatures": None}
    if "drone" not in parts:
        dropped |= {"drone": None, "drone_chip": None}
    if "map" not in parts:
        dropped |= {"map": None, "map_chip": None}
    if "map_data" not in parts:
        dropped |= _without_map_data(sample)
    left = sample.model_copy(update=dropped)
    classes = [getattr(left, f"{part}_licence_class") for part in PARTS]
    return left.model_copy(
        update={
            "licence_class": strictest(found for found in classes if found is not None),
            "redistributable": all(info.redistributable for _, _, info in pictures(left)),
        }
    )


def _without_map_data(sample: Sample) -> dict[str, Any]:
    charted = {cue.cue_id for cue in sample.cues if cue.kind == "map"}
    seen = {cue.cue_id for cue in sample.cues} - charted | {note.note_id for note in sample.notes} | {"verifier"}
    sentences = [
        sentence.model_copy(update={"claims": [_witnessed(claim, seen) for claim in sentence.claims]})
        for sentence in sample.sentences
        if charted.isdisjoint(sentence.cue_ids)
    ]
    long, short, street = (_text(sentences, variant) for variant in ("long", "short", "street"))
    return {
        "cues": [cue for cue in sample.cues if cue.kind != "map"],
        "sentences": sentences,
        "description": long,
        "description_short": short,
        "description_street": street or None,
        "description_tokens": count_clip_tokens(long),
        "description_short_tokens": count_clip_tokens(short),
        "description_street_tokens": count_clip_tokens(street) if street else 0,
    }


def _witnessed(claim: Claim, seen: Collection[str]) -> Claim:
    """A claim with those of its witnesses that are no map's."""
    return claim.model_copy(update={"witnesses": [name for name in claim.witnesses if name in seen], "detail": None})


def _text(sentences: Collection[Sentence], variant: Variant) -> str:
    return " ".join(sentence.text for sentence in sentences if sentence.variant == variant)
