"""Checks a published dataset against its manifest, and every row; lists all faults."""

import hashlib
import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from pydantic import ValidationError

from pipeline.publishing import attribution, card, manifest
from pipeline.publishing.duplicates import near_duplicates
from pipeline.publishing.layout import columns, leaves, schema_fingerprint, shard_schema
from pipeline.publishing.manifest import FileEntry, Manifest, ShardEntry
from pipeline.publishing.publish import MARKER
from pipeline.publishing.samples import pictures
from pipeline.publishing.shards import content_hash, row_digest
from pipeline.publishing.splits import embargoed, shared_sequence
from pipeline.storage import Store
from schemas.records import Sample, StreetInfo
from tools.verify.rows import Finding, check_row

_BLOCK = 8 * 2**20


@dataclass(frozen=True)
class Fault:
    """One fault."""

    file: str
    row: int | None
    """Row number from 0; None if the fault does not concern a single row."""
    column: str | None
    what: str

    def __str__(self) -> str:
        row = "" if self.row is None else f", row {self.row}"
        column = "" if self.column is None else f", column {self.column}"
        return f"{self.file}{row}{column}: {self.what}"


@dataclass
class _Census:
    """What the checks across shards need."""

    places: list[tuple[str, int]] = field(default_factory=list)
    """File and row of each sample, in the order of the lists below."""
    lat: list[float] = field(default_factory=list)
    lon: list[float] = field(default_factory=list)
    split: list[str] = field(default_factory=list)
    unit: list[int] = field(default_factory=list)
    phash: list[int] = field(default_factory=list)
    sequences: list[list[str]] = field(default_factory=list)
    number_of: dict[str, int] = field(default_factory=dict)
    """Index in the lists, by sample_id."""
    units: dict[tuple[str, str], int] = field(default_factory=dict)
    """Number of each unit, by region and cell."""
    split_of_cell: dict[str, str] = field(default_factory=dict)


def verify(store: Store) -> list[Fault]:
    """All faults of a dataset; none if it is sound. Reads every byte and decodes every picture."""
    present = {entry.path for entry in store.entries()}
    if manifest.PATH not in present:
        unfinished = "publishing did not finish; publish again" if MARKER in present else "no such file"
        return [Fault(manifest.PATH, None, None, unfinished)]
    try:
        whole = Manifest.model_validate_json(store.read(manifest.PATH))
    except ValidationError as error:
        return [Fault(manifest.PATH, None, _dotted(fault["loc"]), fault["msg"]) for fault in error.errors()]
    listed = {entry.path: entry for entry in (*whole.files, *whole.shards)}
    faults = [Fault(path, None, None, "is in the manifest but not there") for path in sorted(listed.keys() - present)]
    unlisted = sorted(path for path in present - listed.keys() if path.startswith("data/"))
    faults += [Fault(path, None, None, "is not in the manifest") for path in unlisted]
    faults += _manifest_faults(whole)
    for path in sorted(listed.keys() & present):
        faults += _file_faults(store, listed[path])
    census = _Census()
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # decoding pictures is most of the work, and frees the interpreter
        for shard in whole.shards:
            if shard.path in present:
                faults += _shard_faults(store, shard, census, pool)
    faults += _neighbour_faults(whole, census)
    if card.PATH in present:
        faults += _card_faults(store, whole)
    return faults


def _dotted(loc: tuple[int | str, ...]) -> str | None:
    return ".".join(str(part) for part in loc) or None


def _manifest_faults(whole: Manifest) -> Iterator[Fault]:
    """Counts that do not add up, and missing files."""
    counts = whole.counts
    regions: dict[str, Counter[str]] = {}
    for shard in whole.shards:
        regions.setdefault(shard.region, Counter())[shard.split] += shard.rows
    splits = sum(regions.values(), Counter())
    for column, said, found in (
        ("schema_fingerprint", whole.schema_fingerprint, schema_fingerprint()),
        ("counts.regions", counts.regions, {region: dict(by_split) for region, by_split in regions.items()}),
        ("counts.splits", counts.splits, dict(splits)),
        ("counts.published", counts.published, splits.total()),
        ("counts.sites", counts.sites, sum((counts.published, *counts.failed.values(), *counts.excluded.values()))),
    ):
        if said != found:
            yield Fault(manifest.PATH, None, column, f"{said}, should be {found}")
    for path in (card.PATH, attribution.PATH):
        if path not in {entry.path for entry in whole.files}:
            yield Fault(manifest.PATH, None, "files", f"does not list {path}")


def _file_faults(store: Store, entry: FileEntry) -> Iterator[Fault]:
    size, digest = 0, hashlib.sha256()
    with store.reader(entry.path) as file:
        while block := file.read(_BLOCK):
            size += len(block)
            digest.update(block)
    if size != entry.bytes:
        yield Fault(entry.path, None, None, f"has {size} bytes, should have {entry.bytes}")
    elif digest.hexdigest() != entry.sha256:
        yield Fault(entry.path, None, None, f"has SHA-256 {digest.hexdigest()}, should have {entry.sha256}")


def _shard_faults(store: Store, shard: ShardEntry, census: _Census, pool: ThreadPoolExecutor) -> Iterator[Fault]:
    with store.reader(shard.path) as source:
        try:
            file = pq.ParquetFile(source, page_checksum_verification=True)
        except (OSError, pa.ArrowException) as error:
            yield Fault(shard.path, None, None, f"cannot be read as Parquet: {error}")
            return
        schema_faults = list(_schema_faults(shard, file.schema_arrow))
        yield from schema_faults
        if schema_faults:
            return
        if (file.metadata.num_rows, file.num_row_groups) != (shard.rows, shard.row_groups):
            found = f"{file.metadata.num_rows} rows in {file.num_row_groups} row groups"
            yield Fault(shard.path, None, None, f"{found}, should be {shard.rows} in {shard.row_groups}")
        digests: dict[str, bytes] = {}
        damaged = False
        first = 0
        for group in range(file.num_row_groups):
            try:
                rows = file.read_row_group(group).to_pylist()
            except (OSError, pa.ArrowException):
                damaged = True
                yield from _page_faults(shard, file, group, first)
            else:
                for row, (sample, findings) in enumerate(pool.map(check_row, rows), start=first):
                    placing = _placing_findings(sample, shard, row, census) if sample else ()
                    yield from (Fault(shard.path, row, column, what) for column, what in (*findings, *placing))
                digests.update((str(row["sample_id"]), row_digest(row)) for row in rows)
            first += file.metadata.row_group(group).num_rows
        if not damaged:
            yield from _content_faults(shard, digests)


def _schema_faults(shard: ShardEntry, found: pa.Schema) -> Iterator[Fault]:
    wanted = columns()
    if found.names != wanted.names:
        yield Fault(shard.path, None, None, f"has columns {found.names}, should have {wanted.names}")
    else:
        for name in wanted.names:
            if found.field(name).type != wanted.field(name).type:
                what = f"is {found.field(name).type}, should be {wanted.field(name).type}"
                yield Fault(shard.path, None, name, what)
    for key, value in shard_schema((0.0, 0.0, 0.0, 0.0)).metadata.items():
        there = (found.metadata or {}).get(key)
        if there is None or (key == b"huggingface" and there != value):
            yield Fault(
                shard.path, None, None, f"footer key {key.decode()!r} is {'missing' if not there else 'changed'}"
            )


def _page_faults(shard: ShardEntry, file: pq.ParquetFile, group: int, first: int) -> Iterator[Fault]:
    """Damaged columns of a row group; the row named is the first of the group."""
    for path, _ in leaves(columns()):
        try:
            file.read_row_group(group, columns=[path])
        except (OSError, pa.ArrowException) as error:
            yield Fault(shard.path, first, path, f"is damaged in row group {group}: {error}")


def _placing_findings(sample: Sample, shard: ShardEntry, row: int, census: _Census) -> Iterator[Finding]:
    """Faults of a sample's position in the dataset."""
    for column, said in (("split", shard.split), ("region", shard.region)):
        if getattr(sample, column) != said:
            yield column, f"{getattr(sample, column)!r} in a shard of {said!r}"
    if census.split_of_cell.setdefault(sample.unit, sample.split) != sample.split:
        yield "unit", f"{sample.unit} is in split {census.split_of_cell[sample.unit]!r}, too"
    if sample.sample_id in census.number_of:
        file, earlier = census.places[census.number_of[sample.sample_id]]
        yield "sample_id", f"{sample.sample_id!r} stands in {file}, row {earlier}, too"
        return
    census.number_of[sample.sample_id] = len(census.places)
    census.places.append((shard.path, row))
    census.lat.append(sample.lat)
    census.lon.append(sample.lon)
    census.split.append(sample.split)
    census.unit.append(census.units.setdefault((sample.region, sample.unit), len(census.units)))
    census.phash.append(int(sample.street_view.phash, 16))
    views = [view for role, _, view in pictures(sample) if role in ("street", "panorama", "other")]
    census.sequences.append([f"{v.source} {v.sequence}" for v in views if isinstance(v, StreetInfo) and v.sequence])


def _content_faults(shard: ShardEntry, digests: dict[str, bytes]) -> Iterator[Fault]:
    found = {
        "content": content_hash(digests),
        "first_id": min(digests, default=None),
        "last_id": max(digests, default=None),
    }
    for column, value in found.items():
        if value != getattr(shard, column):
            yield Fault(shard.path, None, None, f"{column} is {value}, should be {getattr(shard, column)}")


def _neighbour_faults(whole: Manifest, census: _Census) -> Iterator[Fault]:
    """Samples that publishing should have left out: too near to another split, or near-duplicates."""
    near = embargoed(np.array(census.lat), np.array(census.lon), np.array(census.split), whole.embargo_m)
    followed = shared_sequence(census.sequences, np.array(census.split))
    phash, unit = np.array(census.phash, dtype=np.uint64), np.array(census.unit, dtype=np.int64)
    alike = near_duplicates(phash, unit, whole.min_duplicate_distance)
    for flags, column, what in (
        (near, "split", f"within {whole.embargo_m:.0f} m of a sample of another split"),
        (followed, "street_view.sequence", "a capture sequence that is in another split, too"),
        (alike, "street_view.phash", "nearly the same picture as in another unit"),
    ):
        for i in np.flatnonzero(flags).tolist():
            file, row = census.places[i]
            yield Fault(file, row, column, what)


def _card_faults(store: Store, whole: Manifest) -> Iterator[Fault]:
    text = store.read(card.PATH).decode(errors="replace")
    try:
        header = yaml.safe_load(text.split("---\n")[1])
        said = {split["name"]: split["num_examples"] for split in header["dataset_info"]["splits"]}
    except (yaml.YAMLError, LookupError, TypeError) as error:
        yield Fault(card.PATH, None, None, f"its YAML header cannot be read: {error!r}")
        return
    if said != whole.counts.splits:
        yield Fault(card.PATH, None, "dataset_info.splits", f"{said}, should be {whole.counts.splits}")
