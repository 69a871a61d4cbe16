"""Counts for manifest and card: taken of each shard while its rows pass by, then summed."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.publishing.card_pictures import HISTOGRAMS_OF, bin_of
from pipeline.publishing.manifest import Counts, ShardCounts, ShardEntry, VerifierRate, VerifierRates
from pipeline.reliability import Rate, Reliability
from schemas.licences import PARTS

_INFO = {
    "street": "street_view",
    "panorama": "panorama_view",
    "aerial": "aerial_chip",
    "drone": "drone_chip",
    "map": "map_chip",
}
"""Columns of pictures, and those of their metadata."""
_OF_STREET = ("heading_deg", "captured_at", "distance_m")
_PART_OF = {"panorama": "street"}
_LISTS = {"other_views": "street", "aerial_scales": "aerial"}
"""Columns of lists of pictures, and the part that they belong to."""


@dataclass
class RunningCounts:
    """Running counts of a shard."""

    rows: int = 0
    regions: Counter[str] = field(default_factory=Counter)
    pictures: dict[str, Counter[str]] = field(default_factory=dict)
    faces_blurred: int = 0
    synthetic: int = 0
    absent: Counter[str] = field(default_factory=Counter)
    missing: Counter[str] = field(default_factory=Counter)
    captioners: Counter[str] = field(default_factory=Counter)
    languages: Counter[str] = field(default_factory=Counter)
    licence_classes: Counter[str] = field(default_factory=Counter)
    part_classes: dict[str, Counter[str]] = field(default_factory=dict)
    histograms: dict[str, Counter[str]] = field(default_factory=dict)
    not_redistributable: int = 0

    def add(self, table: pa.Table) -> None:
        """Count rows, which have the columns of a shard."""
        self.rows += table.num_rows
        for name, info in _INFO.items():  # a picture without its record is left out
            there = pc.and_(table[name].is_valid(), table[info].is_valid())
            self._add_pictures(_PART_OF.get(name, name), table[info].filter(there))
        for name, part in _LISTS.items():
            self._add_pictures(part, pc.list_flatten(table[name]))
        views = (table["street_view"], pc.list_flatten(table["other_views"]), table["panorama_view"])
        self.faces_blurred += sum(pc.sum(pc.struct_field(infos, "faces_blurred")).as_py() or 0 for infos in views)
        self.synthetic += _true(table["synthetic"])
        self.not_redistributable += table.num_rows - _true(table["redistributable"])
        street = {name: pc.struct_field(table["street_view"], name) for name in _OF_STREET}
        nullable = {name: table[name] for name in ("panorama", "aerial", "drone", "map")}
        nullable |= {f"street_view.{name}": street[name] for name in ("heading_deg", "captured_at")}
        self.absent.update({name: column.null_count for name, column in nullable.items()})
        self._add_missing(table["missing"])
        for counter, name in (
            (self.regions, "region"),
            (self.languages, "language"),
            (self.licence_classes, "licence_class"),
        ):
            counter.update(_counted(table[name]))
        for part in PARTS:
            if found := _counted(table[f"{part}_licence_class"]):
                self.part_classes.setdefault(part, Counter()).update(found)
        for row in _together(**{name: table[name] for name in ("captioner", "prompt_set", "model")}):
            writer = ", ".join(filter(None, (row["captioner"], row["prompt_set"], row["model"])))
            self.captioners[writer] += row["count"]
        numbers = {
            "description_tokens": table["description_tokens"],
            "cues": pc.list_value_length(table["cues"]),
            "distance_m": street["distance_m"],
            "captured": pc.utf8_slice_codeunits(street["captured_at"], 0, 4).cast(pa.int64()),
        }
        for name, column in numbers.items():
            bins = self.histograms.setdefault(name, Counter())
            for number, count in _counted(column, nulls=True).items():
                bins["unknown" if number is None else bin_of(name, number)] += count

    def _add_pictures(self, part: str, infos: pa.ChunkedArray) -> None:
        for row in _together(**{name: pc.struct_field(infos, name) for name in ("source", "licence")}):
            self.pictures.setdefault(f"{part} {row['source']}", Counter())[row["licence"]] += row["count"]

    def _add_missing(self, lists: pa.ChunkedArray) -> None:
        """A view that a row lacks for the same reason twice counts once."""
        lacking = pc.list_flatten(lists)
        of = {name: pc.struct_field(lacking, name) for name in ("view", "reason")}
        once = pa.table({**of, "row": pc.list_parent_indices(lists)}).group_by(["row", "view", "reason"]).aggregate([])
        for row in _together(view=once["view"], reason=once["reason"]):
            self.missing[f"{row['view']}: {row['reason']}"] += row["count"]

    def counts(self) -> ShardCounts:
        """The finished counts, every table in the order of its keys."""
        return ShardCounts(
            regions=_sorted(self.regions),
            synthetic=self.synthetic,
            pictures={source: _sorted(licences) for source, licences in sorted(self.pictures.items())},
            faces_blurred=self.faces_blurred,
            absent=dict(self.absent),
            missing=_sorted(self.missing),
            captioners=_sorted(self.captioners),
            languages=_sorted(self.languages),
            licence_classes=_sorted(self.licence_classes),
            part_classes={part: _sorted(classes) for part, classes in sorted(self.part_classes.items())},
            histograms={name: _sorted(bins) for name, bins in self.histograms.items()},
            not_redistributable=self.not_redistributable,
        )


def total(
    shards: Iterable[ShardEntry],
    *,
    sites: int,
    failed: dict[str, int],
    outcomes: dict[str, dict[str, int]],
    excluded: dict[str, int],
    verifier: Mapping[str, VerifierRates],
    distractors: Mapping[str, int],
) -> Counts:
    """The counts of all shards together, every table in the order of its keys; `absent` in the order of the columns."""
    found = [(shard.split, shard.counts) for shard in shards]
    counts = [one for _, one in found]
    regions: dict[str, Counter[str]] = {}
    for split, one in found:
        for region, rows in one.regions.items():
            regions.setdefault(region, Counter())[split] += rows
    splits = _summed(regions.values())
    return Counts(
        sites=sites,
        failed=failed,
        outcomes=outcomes,
        excluded=excluded,
        published=sum(splits.values()),
        synthetic=sum(one.synthetic for one in counts),
        splits=splits,
        regions={region: _sorted(by_split) for region, by_split in sorted(regions.items())},
        pictures={
            source: _summed(one.pictures.get(source, {}) for one in counts)
            for source in sorted({source for one in counts for source in one.pictures})
        },
        faces_blurred=sum(one.faces_blurred for one in counts),
        absent={name: sum(one.absent[name] for one in counts) for name in (counts[0].absent if counts else ())},
        missing=_summed(one.missing for one in counts),
        captioners=_summed(one.captioners for one in counts),
        languages=_summed(one.languages for one in counts),
        licence_classes=_summed(one.licence_classes for one in counts),
        part_classes={part: _summed(one.part_classes.get(part, {}) for one in counts) for part in PARTS},
        histograms={name: _summed(one.histograms.get(name, {}) for one in counts) for name in HISTOGRAMS_OF},
        not_redistributable=sum(one.not_redistributable for one in counts),
        verifier=dict(verifier),
        distractors=dict(distractors),
    )


def verifier_rates(verifier: Reliability) -> dict[str, VerifierRates]:
    """A build's verifier in the manifest's form, by kind of claim."""
    return {
        kind: VerifierRates(
            false_accept=_rate(verifier.false_accept(kind)), false_refuse=_rate(verifier.false_refuse(kind))
        )
        for kind in verifier.kinds
    }


def _rate(rate: Rate) -> VerifierRate:
    return VerifierRate(wrong=rate.wrong, of=rate.of, low=round(rate.low, 4), high=round(rate.high, 4))


def _true(column: pa.ChunkedArray) -> int:
    return pc.sum(column).as_py() or 0


def _counted(column: pa.ChunkedArray, *, nulls: bool = False) -> dict[Any, int]:
    """How often each value is there."""
    found = {row["values"]: row["counts"] for row in pc.value_counts(column).to_pylist()}
    return {value: count for value, count in found.items() if nulls or value is not None}


def _together(**columns: pa.ChunkedArray) -> list[dict[str, Any]]:
    """The different combinations of values, each with its `count`."""
    grouped = pa.table(columns).group_by(list(columns)).aggregate([([], "count_all")])
    return [row | {"count": row["count_all"]} for row in grouped.to_pylist()]


def _summed(tables: Iterable[Mapping[str, int]]) -> dict[str, int]:
    summed: Counter[str] = Counter()
    for table in tables:
        summed.update(table)
    return _sorted(summed)


def _sorted(table: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(table.items()))
