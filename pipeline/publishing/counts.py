"""Counts for manifest and card: taken of each shard while its samples pass by, then summed."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pipeline.publishing.card_pictures import HISTOGRAMS_OF, bin_of
from pipeline.publishing.manifest import Counts, ShardCounts, ShardEntry, VerifierRate, VerifierRates
from pipeline.publishing.samples import PART_OF, pictures
from pipeline.reliability import Rate, Reliability
from schemas.licences import PARTS
from schemas.records import Sample


@dataclass
class RunningCounts:
    """Running counts of a shard."""

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

    def add(self, sample: Sample) -> None:
        """Count one sample."""
        self.regions[sample.region] += 1
        for role, _, info in pictures(sample):
            self.pictures.setdefault(f"{PART_OF[role]} {info.source}", Counter())[info.licence] += 1
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
        self.missing.update({f"{lacking.view}: {lacking.reason}" for lacking in sample.missing})
        self.captioners[", ".join(part for part in (sample.captioner, sample.prompt_set, sample.model) if part)] += 1
        self.languages[sample.language] += 1
        self.licence_classes[sample.licence_class] += 1
        for part in PARTS:
            found = getattr(sample, f"{part}_licence_class")
            if found is not None:
                self.part_classes.setdefault(part, Counter())[found] += 1
        taken = sample.street_view.captured_at
        numbers = {
            "description_tokens": sample.description_tokens,
            "cues": len(sample.cues),
            "distance_m": sample.street_view.distance_m,
            "captured": taken.year if taken else None,
        }
        for name, number in numbers.items():
            found = "unknown" if number is None else bin_of(name, number)
            self.histograms.setdefault(name, Counter())[found] += 1
        self.not_redistributable += not sample.redistributable

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


def _summed(tables: Iterable[Mapping[str, int]]) -> dict[str, int]:
    summed: Counter[str] = Counter()
    for table in tables:
        summed.update(table)
    return _sorted(summed)


def _sorted(table: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(table.items()))
