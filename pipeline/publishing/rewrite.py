"""A published dataset made anew from itself, with samples left out or changed: for take-downs and subsets.

The tables of layers are not asked: published shards are all that is read. What comes out is a whole dataset: shards,
tables, card, manifest.
"""

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import JsonValue, ValidationError

from pipeline.config.build import Build
from pipeline.digest import digest
from pipeline.errors import ConfigError, MachineError, Problem
from pipeline.publishing import counts
from pipeline.publishing.assemble import JSON_SCHEMA, Writer, assemble
from pipeline.publishing.card_pictures import HISTOGRAMS, MAP
from pipeline.publishing.citation import CITATION
from pipeline.publishing.croissant import CROISSANT
from pipeline.publishing.distractor_files import DistractorFile, put_files, rows_with, write_rows
from pipeline.publishing.distractors import FILE_NAME, split_of_file
from pipeline.publishing.layout import columns, published, schema_fingerprint
from pipeline.publishing.manifest import CARD, FINISHED, FileEntry, Manifest, ShardEntry
from pipeline.publishing.shards import SHARD_NAME, VERSION, copy_file, file_entry, read_entry, write_shard
from pipeline.publishing.tables import TABLES
from pipeline.publishing.units import Bounds
from pipeline.storage import Store
from schemas.arrow import from_table
from schemas.reasons import Reason
from schemas.records import AnySplit, Sample

Alter = Callable[[pa.Table], pa.Table]
"""What becomes of rows that stay: themselves, or others of the same ids."""


def as_they_are(rows: pa.Table) -> pa.Table:
    """Changes nothing."""
    return rows


def by_sample(alter: Callable[[Sample], Sample]) -> Alter:
    """Changes rows one after the other, as samples."""
    return lambda rows: pa.Table.from_pylist([published(alter(one)) for one in from_table(Sample, rows)], columns())


def in_split(rows: pa.Table, split: AnySplit) -> pa.Table:
    """The rows as those of a split."""
    at = rows.schema.get_field_index("split")
    return rows.set_column(at, rows.schema.field(at), pa.repeat(pa.scalar(split, pa.string()), rows.num_rows))


def check_current(manifest: Manifest, where: str) -> None:
    """Refuse a dataset whose shards have other columns than this version writes.

    Raises:
        ConfigError: it is of an older format or version.
    """
    if manifest.older or manifest.schema_fingerprint != schema_fingerprint():
        found = f"{where}, written in {manifest.format} by geoscribe {manifest.packages.get('geoscribe', '(unknown)')}"
        raise ConfigError([Problem("dataset", found, "one of this version: publish it anew with `geoscribe build`")])


def build_of(manifest: Manifest) -> Build:
    """The build of a dataset, as far as the manifest tells it: without places of the machine that it ran on.

    Raises:
        ConfigError: another version of geoscribe wrote it, with other settings.
    """
    try:
        return Build.model_validate(manifest.config | {"workspace": "-", "dataset": "-"})
    except ValidationError as error:
        fault = error.errors()[0]
        found = f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}"
        allowed = "settings of this version: publish it anew with `geoscribe build`"
        raise ConfigError([Problem("manifest.json: config", found, allowed)]) from error


def light_rows(store: Store, shard: FileEntry, wanted: Collection[str]) -> Iterator[dict[str, Any]]:
    """Some columns of a shard's rows, one row group in memory at a time.

    Raises:
        MachineError: the shard cannot be read.
    """
    with store.reader(shard.path) as file:
        try:
            opened = _opened(file)
            for group in range(opened.num_row_groups):
                yield from opened.read_row_group(group, columns=list(wanted)).to_pylist()
        except (OSError, pa.ArrowException) as error:
            raise _unreadable(shard, error) from error


def rewrite_shard(
    source: Store,
    manifest: Manifest,
    shard: ShardEntry,
    out: Store,
    keep: Collection[str],
    alter: Alter,
    key: str,
    split: AnySplit | None = None,
) -> ShardEntry | None:
    """Write a shard of a dataset with fewer or changed samples, to a place which may be the dataset's own.

    Args:
        source: where the dataset is.
        manifest: of it.
        shard: one of its shards.
        out: where to.
        keep: ids of the samples that stay, and maybe others.
        alter: what becomes of those that stay.
        key: names what `keep` and `alter` do: with the same key and shard comes the same shard.
        split: of the samples, if `alter` gives them another one.

    Returns:
        None where no sample stays.

    Raises:
        MachineError: a shard cannot be read or written.
    """
    places = [
        (row["lat"], row["lon"])
        for row in light_rows(source, shard, ("sample_id", "lat", "lon"))
        if row["sample_id"] in keep
    ]
    if not places:
        return None
    lat, lon = zip(*places, strict=True)
    bounds: Bounds = (min(lon), min(lat), max(lon), max(lat))
    name = re.fullmatch(SHARD_NAME, shard.path)
    assert name is not None  # checked where the dataset was opened
    recipe = digest(VERSION, schema_fingerprint(), "rewritten", shard.content, key, length=16)
    row_group_bytes = build_of(manifest).publish.row_group_mb * 1e6
    temporary = out.scratch()
    try:
        kept = map(alter, _rows(source, shard, keep))
        write_shard(temporary, kept, split or shard.split, bounds, len(places), row_group_bytes)
        with temporary.open("rb") as file:
            written = file_entry(file, "")
            path = f"data/{split or shard.split}/{name['name']}-{recipe}-{written.sha256[:16]}.parquet"
            entry = read_entry(file, path, written)
        if entry is None:
            raise MachineError(f"a shard of {out.url} could not be read back as it was written; check the disk")
        out.adopt_new(temporary, path)
    except ValidationError as error:
        raise _unreadable(shard, error) from error
    except OSError as error:
        raise MachineError(f"cannot write a shard of {out.url}: {error}") from error
    finally:
        temporary.unlink(missing_ok=True)
    return entry


def _rows(source: Store, shard: ShardEntry, keep: Collection[str]) -> Iterator[pa.Table]:
    """The rows that stay, a row group at a time."""
    with source.reader(shard.path) as file:
        try:
            opened = _opened(file)
            if not opened.schema_arrow.equals(columns()):
                raise pa.ArrowInvalid("its columns are not those that this version writes")
            for group in range(opened.num_row_groups):
                rows = rows_with(opened.read_row_group(group), keep)
                if rows.num_rows:
                    yield rows
        except (OSError, pa.ArrowException) as error:
            raise _unreadable(shard, error) from error


def distractor_rows(store: Store, manifest: Manifest, wanted: Collection[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Some columns of all distractors of a dataset, each with the path of its file.

    Raises:
        MachineError: a file cannot be read.
    """
    for entry in manifest.files:
        if split_of_file(entry.path):
            for row in light_rows(store, entry, wanted):
                yield entry.path, row


def ids_of(store: Store, path: str) -> set[str]:
    """Ids of the distractors of a file."""
    with store.reader(path) as file:
        return set(pq.ParquetFile(file).read(columns=["sample_id"])["sample_id"].to_pylist())


def _opened(file: BinaryIO) -> pq.ParquetFile:
    opened = pq.ParquetFile(file, page_checksum_verification=True)
    lacking = [name for name in columns().names if name not in opened.schema_arrow.names]
    if lacking:
        raise pa.ArrowInvalid(f"no column {', '.join(lacking)}")
    return opened


def _unreadable(shard: FileEntry, error: Exception) -> MachineError:
    said = str(error).splitlines()[0]
    return MachineError(f"{shard.path} cannot be read: {said}. See `geoscribe verify`, and publish it again.")


def rewritten_revision(
    source: Store,
    before: Manifest,
    shards: list[ShardEntry],
    out: Store,
    *,
    gone: Mapping[str, Collection[str]],
    reason: Reason,
    taken_down: dict[str, int],
    removed: list[str],
    provenance: Mapping[str, JsonValue] | None = None,
    distractors: Mapping[str, set[str]] | None = None,
) -> tuple[Manifest, dict[str, bytes]]:
    """A rewritten dataset, whose shards are in place, as `assemble` gives it.

    Args:
        source: where the dataset was.
        before: its manifest.
        shards: the new ones.
        out: where they are; the same place as `source` for a revision of the dataset itself.
        gone: ids of the samples that were left out, by region.
        reason: why they were.
        taken_down: by entry of the take-down list, see `Manifest`.
        removed: ids of samples to be told, see `Manifest`.
        provenance: what is added to it.
        distractors: ids of those that stay, by file; all where it is None.
    """
    shards = sorted(shards, key=lambda shard: shard.path)
    outcomes = {region: Counter(by_reason) for region, by_reason in before.counts.outcomes.items()}
    for region, ids in gone.items():
        outcomes.setdefault(region, Counter())[reason] += len(ids)
        outcomes[region][FINISHED] -= len(ids)
    failed = Counter(before.counts.failed)
    failed[reason] += sum(map(len, gone.values()))
    entries = {entry.path: entry for entry in before.files if split_of_file(entry.path)}
    files = {path: ids_of(source, path) for path in entries}
    stay = files if distractors is None else {path: distractors[path] for path in files}
    found = counts.total(
        shards,
        sites=before.counts.sites,
        failed={key: failed[key] for key in sorted(failed)},
        outcomes={region: dict(sorted(by_reason.items())) for region, by_reason in outcomes.items()},
        excluded=before.counts.excluded,
        verifier=before.counts.verifier,  # of the build, not of single samples
        distractors={
            **{split: len(ids) for path, ids in stay.items() if ids and (split := split_of_file(path))},
            **{key: count for key, count in before.counts.distractors.items() if key == "left_out"},
        },
    )
    made = {CARD, CROISSANT, CITATION, MAP, HISTOGRAMS, JSON_SCHEMA, *(kind.file for kind in TABLES)}
    names = {entry.path.rpartition("/")[2]: entry.path for entry in before.files}

    def copied(path: str) -> Writer:
        return lambda to: to.write_bytes(source.read(path))

    kept = ((entries[path], ids) for path, ids in stay.items() if ids)
    same_place = source.url == out.url
    return assemble(
        build_of(before), found, shards, out, before if same_place else None,
        workspace=before.workspace if same_place else None,
        provenance=before.provenance | dict(provenance or {}), taken_down=taken_down, removed=removed,
        others={name: copied(path) for name, path in names.items() if name not in made and path not in files},
        placed=put_files(
            [
                _copied(source, entry) if ids == files[entry.path] else _rewritten(source, before, entry, ids)
                for entry, ids in kept
            ],
            out,
            before.files if same_place else (),
        ),
    )  # fmt: skip


def _copied(source: Store, entry: FileEntry) -> DistractorFile:
    """A file of distractors as it is, also one of an earlier version, whose name did not say what it was made from."""
    name, split = re.fullmatch(FILE_NAME, entry.path), split_of_file(entry.path)
    assert split is not None
    recipe = name["recipe"] if name is not None else digest(entry.path, length=16)
    return DistractorFile(split, recipe, lambda to: copy_file(source, entry, to))


def _rewritten(source: Store, before: Manifest, entry: FileEntry, keep: set[str]) -> DistractorFile:
    """What a file of distractors has of some ids."""
    split, row_group_bytes = split_of_file(entry.path), build_of(before).publish.row_group_mb * 1e6
    assert split is not None
    recipe = digest(VERSION, schema_fingerprint(), "rewritten", entry.sha256, sorted(keep), row_group_bytes, length=16)

    def tables() -> Iterator[pa.Table]:
        with source.reader(entry.path) as file:
            try:
                opened = _opened(file)
                for group in range(opened.num_row_groups):
                    yield rows_with(opened.read_row_group(group), keep)
            except (OSError, pa.ArrowException) as error:
                raise _unreadable(entry, error) from error

    return DistractorFile(split, recipe, lambda to: write_rows(to, tables(), len(keep), row_group_bytes))
