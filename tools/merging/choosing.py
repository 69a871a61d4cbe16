"""Which samples of several datasets become one, and in which splits: the rules of publishing, on published rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import h3
import numpy as np
import pyarrow as pa

from pipeline.config.build import Build
from pipeline.errors import ConfigError, Problem
from pipeline.publishing.exclusions import Excluded, Exclusion
from pipeline.publishing.keys import keys_of
from pipeline.publishing.packing import chip_diagonal_m
from pipeline.publishing.selection import NO_SAMPLES, Selection, Sites, select
from pipeline.publishing.splits import NOTHING, SPLITS, RegionSplit, Remembered
from pipeline.publishing.text_sketch import SKETCH, sketch
from schemas.records import Split
from tools.dataset import Dataset

_VIEW = ("source", "source_id", "sequence")
_COLUMNS = (
    "sample_id", "region", "unit", "split", "lat", "lon", "description", "aerial_chip.phash", "street_view.phash",
    *(f"street_view.{name}" for name in _VIEW), *(f"panorama_view.{name}" for name in _VIEW),
    *(f"other_views.list.element.{name}" for name in _VIEW),
)  # fmt: skip


@dataclass(frozen=True)
class Chosen:
    """The samples that go into the merged dataset."""

    split_of: dict[str, Split]
    """By id of each sample that stays."""
    left_out: list[Excluded]
    split_of_cell: dict[str, Split]
    """By H3 cell of a unit."""
    regions: dict[str, RegionSplit]


def choose(build: Build, datasets: Sequence[Dataset], *, keep: bool) -> Chosen:
    """Find near-duplicates and what is too near to another split, and keep or draw the splits.

    Of two samples that are alike, that of the dataset that is named first stays.

    Args:
        build: the settings of the merged dataset.
        datasets: in order of precedence.
        keep: whether samples keep their split. One that lies in a unit of which an earlier dataset has another split
            is left out then. Otherwise splits are drawn for all, by `build`.

    Raises:
        ConfigError: splits are to be drawn for units of several sizes, or one that has a share stays empty.
    """
    rows = [(number, row) for number, dataset in enumerate(datasets) for row in dataset.rows(_COLUMNS)]
    before, away = _kept(rows) if keep else (NOTHING, {})
    if not keep:
        sizes = sorted({h3.get_resolution(row["unit"]) for _, row in rows})
        if len(sizes) > 1:
            found = f"units of the H3 resolutions {', '.join(map(str, sizes))}"
            raise ConfigError([Problem("--splits", f"anew, with {found}", "keep, or datasets with units of one size")])
    staying = [pair for pair in rows if pair[1]["sample_id"] not in away]
    chips = build.imagery.chips
    allow = build.publish.model_copy(update={"allow_empty": list(SPLITS)})
    settings = build.model_copy(update={"publish": allow}) if keep else build
    sites = _sites(staying)
    found_ = select(settings, sites, before, NO_SAMPLES, chips.size_px * chips.gsd_m, chip_diagonal_m(chips))
    return _chosen(sites, found_, list(away.values()))


def _chosen(sites: Sites, found: Selection, away: list[Excluded]) -> Chosen:
    splits = dict(zip(sites.ids.tolist(), found.split.tolist(), strict=True))
    return Chosen(
        split_of={sample: split for sample, split in splits.items() if split},
        left_out=sorted([*found.excluded, *away], key=lambda row: row.sample_id),
        split_of_cell=found.split_of,
        regions=found.regions,
    )


def _kept(rows: Sequence[tuple[int, dict[str, Any]]]) -> tuple[Remembered, dict[str, Excluded]]:
    """The splits that units have, and the samples whose unit has another one in an earlier dataset."""
    first: dict[str, dict[str, Any]] = {}
    away: dict[str, Excluded] = {}
    splits: dict[str, set[str]] = {}
    for _, row in rows:
        holder = first.setdefault(row["unit"], row)
        if holder["split"] != row["split"]:
            place = {name: row[name] for name in ("sample_id", "region", "unit", "lat", "lon", "split")}
            reason = str(Exclusion.SPLIT_EMBARGO)
            away[row["sample_id"]] = Excluded(**place, reason=reason, survivor=holder["sample_id"])
        else:
            splits.setdefault(row["region"], set()).add(row["split"])
    regions = {name: RegionSplit(there == {"test_unseen"}, None) for name, there in splits.items()}
    return Remembered({cell: row["split"] for cell, row in first.items()}, regions), away


def _sites(rows: Sequence[tuple[int, dict[str, Any]]]) -> Sites:
    units: dict[tuple[int, str, str], int] = {}
    found: dict[str, list[Any]] = {name: [] for name in ("phash", "aerial", "sequences", "photos", "text", "home")}
    for number, row in rows:
        views = [view for view in (row["street_view"], row["panorama_view"], *row["other_views"]) if view]
        found["home"].append(units.setdefault((number, row["region"], row["unit"]), len(units)))
        found["phash"].append(row["street_view"]["phash"])
        found["aerial"].append((row["aerial_chip"] or {}).get("phash"))
        found["sequences"].append(
            sorted({f"{view['source']} {view['sequence']}" for view in views if view["sequence"]})
        )
        found["photos"].append(sorted({f"{view['source']} {view['source_id']}" for view in views}))
        found["text"].append(sketch(row["description"]))
    lists = pa.list_(pa.string())
    sequences, photos = keys_of(pa.array(found["sequences"], lists), pa.array(found["photos"], lists))
    return Sites(
        ids=np.array([row["sample_id"] for _, row in rows], dtype=np.object_),
        region=np.array([row["region"] for _, row in rows], dtype=np.object_),
        cell=np.array([row["unit"] for _, row in rows], dtype=np.object_),
        home=np.array(found["home"], dtype=np.int64),
        lat=np.array([row["lat"] for _, row in rows], dtype=np.float64),
        lon=np.array([row["lon"] for _, row in rows], dtype=np.float64),
        phash=pa.chunked_array([found["phash"]], pa.string()),
        aerial_phash=pa.chunked_array([found["aerial"]], pa.string()),
        sequences=sequences,
        photos=photos,
        text=pa.chunked_array([found["text"]], SKETCH),
        texts={},
    )
