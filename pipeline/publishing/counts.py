"""Counts for manifest and card, taken while samples pass by."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field

import pyarrow as pa

from pipeline.publishing.manifest import Counts
from pipeline.publishing.samples import Role, pictures
from schemas.records import Sample

_KIND: dict[Role, str] = {
    "street": "street", "panorama": "street", "other": "street", "aerial": "aerial", "scale": "aerial",
    "drone": "drone", "map": "map",
}  # fmt: skip


@dataclass
class Tally:
    """Running counts of what is published."""

    regions: dict[str, Counter[str]] = field(default_factory=dict)
    pictures: dict[str, Counter[str]] = field(default_factory=dict)
    faces_blurred: int = 0
    synthetic: int = 0
    absent: Counter[str] = field(default_factory=Counter)
    missing: Counter[str] = field(default_factory=Counter)
    captioners: Counter[str] = field(default_factory=Counter)
    languages: Counter[str] = field(default_factory=Counter)
    licence_classes: Counter[str] = field(default_factory=Counter)
    not_redistributable: int = 0

    def add(self, sample: Sample) -> None:
        """Count one sample."""
        self.regions.setdefault(sample.region, Counter())[sample.split] += 1
        for role, _, info in pictures(sample):
            self.pictures.setdefault(f"{_KIND[role]} {info.source}", Counter())[info.licence] += 1
        self.faces_blurred += sum(view.faces_blurred for view in (sample.street_view, *sample.other_views))
        self.faces_blurred += sample.panorama_view.faces_blurred if sample.panorama_view else 0
        self.synthetic += sample.synthetic
        nullable = {
            "panorama": sample.panorama,
            "aerial": sample.aerial,
            "drone": sample.drone,
            "map": sample.map,
            "street_view.heading_deg": sample.street_view.heading_deg,
            "street_view.captured_at": sample.street_view.captured_at,
        }
        self.absent.update({name: int(value is None) for name, value in nullable.items()})
        self.captioners[", ".join(part for part in (sample.captioner, sample.prompt_set, sample.model) if part)] += 1
        self.languages[sample.language] += 1
        self.licence_classes[sample.licence_class] += 1
        self.not_redistributable += not sample.redistributable

    def add_missing(self, imagery: pa.Table, published: Collection[str]) -> None:
        """Count why published sites of an imagery layer lack views."""
        for row in imagery.select(["site_id", "missing"]).to_pylist():
            if row["site_id"] in published:
                self.missing.update({f"{view['view']}: {view['reason']}" for view in row["missing"]})

    def counts(
        self, *, sites: int, failed: dict[str, int], outcomes: dict[str, dict[str, int]], excluded: dict[str, int]
    ) -> Counts:
        """The finished counts, every table in the order of its keys."""
        splits: Counter[str] = Counter()
        for by_split in self.regions.values():
            splits.update(by_split)
        return Counts(
            sites=sites,
            failed=failed,
            outcomes=outcomes,
            excluded=excluded,
            published=splits.total(),
            synthetic=self.synthetic,
            splits=dict(splits),
            regions={region: dict(sorted(counter.items())) for region, counter in sorted(self.regions.items())},
            pictures={source: dict(sorted(counter.items())) for source, counter in sorted(self.pictures.items())},
            faces_blurred=self.faces_blurred,
            absent=dict(self.absent),
            missing=dict(sorted(self.missing.items())),
            captioners=dict(sorted(self.captioners.items())),
            languages=dict(sorted(self.languages.items())),
            licence_classes=dict(sorted(self.licence_classes.items())),
            not_redistributable=self.not_redistributable,
        )
