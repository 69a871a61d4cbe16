"""Compares two published datasets. Shards with the same content are not read."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow.parquet as pq

from pipeline.publishing.manifest import Manifest
from tools.compare.rows import RowChanges, RowDigests, compare, digests
from tools.compare.settings import Pair, differing, named
from tools.dataset import Dataset


@dataclass(frozen=True)
class DatasetDiff:
    """How two datasets differ."""

    columns_added: list[str]
    columns_removed: list[str]
    rows: RowChanges
    """Changes in the columns that both have."""
    counts: dict[str, dict[str, Pair]]
    """Numbers that differ: `regions` (samples by region and split), `failed` and `excluded` sites by reason, licences
    of pictures by source (`licences`), licence classes by part (`licence_classes`), `distractors` by split."""
    settings: dict[str, Pair]
    """By dotted key of the build file."""

    @property
    def differ(self) -> bool:
        """Whether anything differs."""
        return bool(self.columns_added or self.columns_removed or self.rows.differ or self.settings) or any(
            self.counts.values()
        )


def compare_datasets(before: Dataset, after: Dataset) -> DatasetDiff:
    """Compare two datasets.

    Raises:
        MachineError: a shard cannot be read.
    """
    first, second = _columns(before), _columns(after)
    both = [name for name in first if name in second and name != "sample_id"]
    alike = {shard.content for shard in before.manifest.shards} & {shard.content for shard in after.manifest.shards}
    same = sum(shard.rows for shard in before.manifest.shards if shard.content in alike)
    rows = compare(_rows(before, both, alike), _rows(after, both, alike), both, same)
    return DatasetDiff(
        columns_added=[name for name in second if name not in first],
        columns_removed=[name for name in first if name not in second],
        rows=rows,
        counts=_counts(before.manifest, after.manifest),
        settings=differing(_settings(before.manifest), _settings(after.manifest)),
    )


def _columns(dataset: Dataset) -> list[str]:
    names: dict[str, None] = {}
    for shard in dataset.manifest.shards[:1]:  # all have the same ones
        with dataset.shard(shard) as file:
            names.update(dict.fromkeys(file.schema_arrow.names))
    return list(names)


def _rows(dataset: Dataset, columns: list[str], alike: Collection[str]) -> Iterator[RowDigests]:
    for shard in dataset.manifest.shards:
        if shard.content not in alike:
            with dataset.shard(shard) as file:
                yield from _of_shard(file, columns)


def _of_shard(file: pq.ParquetFile, columns: list[str]) -> Iterator[RowDigests]:
    wanted = list(dict.fromkeys(["sample_id", *columns]))
    for group in range(file.num_row_groups):
        yield from digests(file.read_row_group(group, columns=wanted), "sample_id", columns)


def _counts(before: Manifest, after: Manifest) -> dict[str, dict[str, Pair]]:
    old, new = before.counts, after.counts
    pairs: dict[str, tuple[Mapping[str, Any], Mapping[str, Any]]] = {
        "regions": (old.regions, new.regions),
        "failed": (old.failed, new.failed),
        "excluded": (old.excluded, new.excluded),
        "licences": (old.pictures, new.pictures),
        "licence_classes": (old.part_classes, new.part_classes),
        "distractors": (old.distractors, new.distractors),
    }
    return {name: differing(first, second) for name, (first, second) in pairs.items()}


def _settings(manifest: Manifest) -> dict[str, Any]:
    regions: Any = manifest.config.get("regions", [])
    return manifest.config | {"name": manifest.name, "regions": named(regions)}
