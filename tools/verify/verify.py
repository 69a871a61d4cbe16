"""Checks a published dataset against its manifest, and every row; lists all faults."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from pipeline.publishing import manifest, revisions
from pipeline.publishing.duplicates import by_picture, left_out
from pipeline.publishing.embargo import embargoed, straddling
from pipeline.publishing.formats import read_manifest
from pipeline.publishing.keys import keys_of
from pipeline.publishing.layout import columns, leaves, shard_schema
from pipeline.publishing.manifest import Manifest, ShardEntry
from pipeline.publishing.samples import pictures
from pipeline.quantity import quantity
from pipeline.storage import Store
from schemas.records import Sample, StreetInfo
from tools.verify.content import ShardHash
from tools.verify.files import Fault, card_faults, file_faults, listing_faults, manifest_faults, root_faults
from tools.verify.rows import Finding, check_row
from tools.verify.tables import Placed, table_faults


@dataclass
class _Census:
    """The values that the checks across shards need."""

    places: list[tuple[str, int]] = field(default_factory=list)
    """File and row of each sample, in the order of the lists below."""
    lat: list[float] = field(default_factory=list)
    lon: list[float] = field(default_factory=list)
    split: list[str] = field(default_factory=list)
    unit: list[int] = field(default_factory=list)
    phash: list[str] = field(default_factory=list)
    sequences: list[list[str]] = field(default_factory=list)
    number_of: dict[str, int] = field(default_factory=dict)
    """Index in the lists, by sample_id."""
    units: dict[tuple[str, str], int] = field(default_factory=dict)
    """Number of each unit, by region and cell."""
    split_of_cell: dict[str, str] = field(default_factory=dict)


def verify(store: Store) -> list[Fault]:
    """All faults of a dataset, none if it is sound. Reads every byte, decodes every picture; a row group at a time.

    Of a dataset of an older format the columns are not held against those of this one.

    Raises:
        ConfigError: a newer version of geoscribe published the dataset.
    """
    try:
        # The manifest first: should the dataset be revised now, then what it lists stays for a while.
        whole = read_manifest(store.read(manifest.PATH), f"{store.url}/{manifest.PATH}")
    except FileNotFoundError:
        unfinished = "publishing did not finish; publish again" if store.exists(revisions.MARKER) else "no such file"
        return [Fault(manifest.PATH, None, None, unfinished)]
    except ValidationError as error:
        return [Fault(manifest.PATH, None, _dotted(fault["loc"]), fault["msg"]) for fault in error.errors()]
    standing = revisions.look(store)
    faults = [*listing_faults(store, whole, standing), *manifest_faults(whole)]
    for entry in sorted(whole.listed, key=lambda entry: entry.path):
        if entry.path in standing.entries and entry.path != manifest.CARD:
            faults += file_faults(store, entry)
    census = _Census()
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # decoding pictures is most of the work, and frees the interpreter
        for shard in whole.shards:
            if shard.path in standing.entries:
                faults += _shard_faults(store, whole, shard, census, pool)
    faults += _neighbour_faults(whole, census)
    placed = [Placed(*census.places[n], sample_id) for sample_id, n in census.number_of.items()]
    faults += table_faults(store, whole, placed, census.split_of_cell)
    faults += [
        Fault(manifest.PATH, None, "removed", f"{sample_id!r} was taken down and is there")
        for sample_id in whole.removed
        if sample_id in census.number_of
    ]
    faults += card_faults(store, whole, standing)
    faults += root_faults(store, whole, standing)
    return faults


def _dotted(loc: tuple[int | str, ...]) -> str | None:
    return ".".join(str(part) for part in loc) or None


def _shard_faults(
    store: Store, whole: Manifest, shard: ShardEntry, census: _Census, pool: ThreadPoolExecutor
) -> Iterator[Fault]:
    try:
        source = store.reader(shard.path)
    except FileNotFoundError:
        return  # `file_faults` says so
    with source:
        try:
            file = pq.ParquetFile(source, page_checksum_verification=True)
        except (OSError, pa.ArrowException) as error:
            yield Fault(shard.path, None, None, f"cannot be read as Parquet: {error}")
            return
        schema_faults = [] if whole.older else list(_schema_faults(shard, file.schema_arrow))
        yield from schema_faults
        if schema_faults:
            return
        if (file.metadata.num_rows, file.num_row_groups) != (shard.rows, shard.row_groups):
            found = f"{quantity(file.metadata.num_rows, 'row')} in {quantity(file.num_row_groups, 'row group')}"
            yield Fault(shard.path, None, None, f"{found}, should be {shard.rows} in {shard.row_groups}")
        content, ids = ShardHash(shard.content), set[str]()
        damaged = False
        first = 0
        for group in range(file.num_row_groups):
            try:
                table = file.read_row_group(group)
                rows = table.to_pylist()
            except (OSError, pa.ArrowException):
                damaged = True
                yield from _page_faults(shard, file, group, first)
            else:
                for row, (sample, findings) in enumerate(pool.map(check_row, rows), start=first):
                    more = [*_placing_findings(sample, shard, row, census)] if sample else []
                    more += _name_findings(sample) if sample and not whole.older else []
                    yield from (Fault(shard.path, row, column, what) for column, what in (*findings, *more))
                content.add(table, rows)
                ids.update(str(row["sample_id"]) for row in rows)
            first += file.metadata.row_group(group).num_rows
        if not damaged:
            yield from _content_faults(shard, content.hexdigest(), ids)


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
    if sample.split != shard.split:
        yield "split", f"{sample.split!r} in a shard of {shard.split!r}"
    if sample.region not in shard.counts.regions:
        yield "region", f"{sample.region!r} in a shard of {', '.join(map(repr, shard.counts.regions))}"
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
    census.phash.append(sample.street_view.phash)
    views = [view for role, _, view in pictures(sample) if role in ("street", "panorama", "other")]
    census.sequences.append([f"{v.source} {v.sequence}" for v in views if isinstance(v, StreetInfo) and v.sequence])


def _name_findings(sample: Sample) -> Iterator[Finding]:
    """Pictures whose names another picture of the dataset might have."""
    names: set[str] = set()
    for role, image, _ in pictures(sample):
        if not image.path.startswith(f"{sample.sample_id}-") or image.path in names:
            yield f"{role}.path", f"{image.path!r} does not name this picture alone"
        names.add(image.path)


def _content_faults(shard: ShardEntry, content: str, ids: set[str]) -> Iterator[Fault]:
    found = {"content": content, "first_id": min(ids, default=None), "last_id": max(ids, default=None)}
    for column, value in found.items():
        if value != getattr(shard, column):
            yield Fault(shard.path, None, None, f"{column} is {value}, should be {getattr(shard, column)}")


def _neighbour_faults(whole: Manifest, census: _Census) -> Iterator[Fault]:
    """Samples that publishing should have left out: too near to another split, or near-duplicates."""
    near = embargoed(np.array(census.lat), np.array(census.lon), np.array(census.split), whole.embargo_m)
    (sequences,) = keys_of(pa.array(census.sequences, pa.list_(pa.string())))
    followed = straddling(sequences, np.array(census.split))
    by_hash = by_picture(census.phash, whole.min_duplicate_distance)
    alike, _ = left_out([by_hash], np.array(census.unit, dtype=np.int64), np.arange(len(census.places)))
    for because, column, what in (
        (near, "split", f"within {whole.embargo_m:.0f} m of a sample of another split"),
        (followed, "street_view.sequence", "a capture sequence that is in another split, too"),
        (alike, "street_view.phash", "nearly the same picture as in another unit"),
    ):
        for i in np.flatnonzero(because >= 0).tolist():
            file, row = census.places[i]
            yield Fault(file, row, column, what)
