"""Reads a published dataset through its manifest: single samples by id, or some columns of all."""

import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from obstore.exceptions import BaseError
from pydantic import ValidationError
from rapidfuzz import process

from pipeline.errors import ConfigError, MachineError, OutageError, Problem
from pipeline.publishing.formats import SHARD_NAME_1, read_manifest
from pipeline.publishing.manifest import FORMAT, PATH, FileEntry, Manifest, ShardEntry
from pipeline.publishing.shards import SHARD_NAME
from pipeline.publishing.splits import splits_called
from pipeline.storage import Store, open_store
from schemas.arrow import from_table
from schemas.records import Sample

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Dataset:
    """A complete dataset. Made by `open_dataset`."""

    store: Store
    manifest: Manifest

    def rows(self, columns: Sequence[str], split: str | None = None) -> Iterator[dict[str, Any]]:
        """Stream some columns of all samples, in the order of the shards, one row group in memory at a time.

        Args:
            columns: names, or dotted Parquet paths of nested fields (`street_view.licence`,
                `other_views.list.element.licence`). Without pictures, a million samples take little memory.
            split: only samples of this split; `validation` is `val`, `test` stands for all test splits.
        """
        for shard in self._shards(split):
            with self.shard(shard) as file:
                lacking = {path.partition(".")[0] for path in columns} - set(file.schema_arrow.names)
                if lacking:  # pyarrow leaves out without a word what is not there
                    raise pa.ArrowInvalid(f"no column {', '.join(sorted(lacking))}")
                for group in range(file.num_row_groups):
                    yield from file.read_row_group(group, columns=list(columns)).to_pylist()

    def stream(self, split: str | None = None) -> Iterator[Sample]:
        """Whole samples of all shards or those of a split, in the order of the shards, one row group in memory.

        Raises:
            MachineError: a shard is missing or does not hold what the manifest says.
        """
        for shard in self._shards(split):
            with self.shard(shard) as file:
                for group in range(file.num_row_groups):
                    yield from _validated(file.read_row_group(group), shard.path)

    def _shards(self, split: str | None) -> list[ShardEntry]:
        shards = self.manifest.shards
        wanted = splits_called(split, {shard.split for shard in shards}) if split is not None else None
        return [shard for shard in shards if wanted is None or shard.split in wanted]

    def samples(self, sample_ids: Sequence[str]) -> list[Sample]:
        """Whole samples, in the order of the ids.

        Raises:
            ConfigError: ids that the dataset does not have, each with the most similar ones.
            MachineError: a shard is missing or does not hold what the manifest says.
        """
        wanted = set(sample_ids)
        found: dict[str, Sample] = {}
        for shard in self.manifest.shards:
            if wanted - found.keys():
                with self.shard(shard) as file:
                    found.update(_pick(file, wanted - found.keys(), shard.path))
        absent = [sample_id for sample_id in dict.fromkeys(sample_ids) if sample_id not in found]
        if absent:
            raise ConfigError([self._unknown(sample_id) for sample_id in absent])
        return [found[sample_id] for sample_id in sample_ids]

    def _unknown(self, sample_id: str) -> Problem:
        known = (row["sample_id"] for row in self.rows(["sample_id"]))
        near = [match for match, _, _ in process.extract(sample_id, known, limit=3)]
        allowed = (
            f"a sample of {self.store.url}, such as {', '.join(near)}" if near else "nothing, the dataset is empty"
        )
        return Problem("sample id", repr(sample_id), allowed)

    @contextmanager
    def shard(self, shard: FileEntry) -> Iterator[pq.ParquetFile]:
        """A shard or another file of rows, opened for reading with its checksums verified.

        Raises:
            OutageError: the disk, the network or the bucket fails now; the file itself may be sound.
            MachineError: it is missing, or does not hold what the manifest says.
        """
        try:
            with closing(self.store.reader(shard.path)) as source:
                yield pq.ParquetFile(source, page_checksum_verification=True)
        except (OSError, pa.ArrowException, BaseError) as error:
            if _is_passing(error):
                said = str(error).partition("\n")[0]
                raise OutageError(f"{self.store.url}/{shard.path} cannot be read now: {said}. Try again.") from error
            raise MachineError(
                f"{self.store.url}/{shard.path}: {error}. The manifest lists it: open the dataset again if it was "
                "revised meanwhile; if not, run `geoscribe verify` and publish again."
            ) from error


def _is_passing(error: Exception) -> bool:
    """Whether a place cannot be read now, and not a file that is gone or damaged.

    The operating system numbers its errors; those that Arrow raises for damaged pages have no number.
    """
    if isinstance(error, FileNotFoundError):
        return False
    return isinstance(error, BaseError | TimeoutError) or (isinstance(error, OSError) and error.errno is not None)


def _pick(file: pq.ParquetFile, wanted: set[str], path: str) -> dict[str, Sample]:
    """The wanted samples of a shard. Only row groups that contain a wanted id are read whole."""
    found: dict[str, Sample] = {}
    for group in range(file.num_row_groups):
        ids = file.read_row_group(group, columns=["sample_id"])["sample_id"]
        rows = [i for i, sample_id in enumerate(ids.to_pylist()) if sample_id in wanted]
        if rows:
            samples = _validated(file.read_row_group(group).take(rows), path)
            found.update((sample.sample_id, sample) for sample in samples)
    return found


def _validated(rows: pa.Table, path: str) -> Sequence[Sample]:
    try:
        return from_table(Sample, rows)
    except ValidationError as error:
        raise MachineError(f"{path}: a row is no sample: {error}. Publish the dataset again.") from error


def open_dataset(where: str) -> Dataset:
    """Open a published dataset in a folder (may be read-only), or at an s3://, gs:// or az:// URL.

    Raises:
        ConfigError: there is no manifest, or it is not one that this version of geoscribe can read.
    """
    store = open_store(where, where="dataset", read_only=True)
    try:
        manifest = read_manifest(store.read(PATH), f"{where}/{PATH}")
    except FileNotFoundError as error:
        found = f"{where} without a {PATH}"
        raise ConfigError([Problem("dataset", found, "a dataset that `geoscribe build` has finished")]) from error
    except ValidationError as error:
        faults = [f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}" for fault in error.errors()[:5]]
        found = f"a {PATH} that cannot be read ({'; '.join(faults)})"
        raise ConfigError([Problem("dataset", found, "one written by this version of geoscribe")]) from error
    pattern = SHARD_NAME_1 if manifest.format_number == 1 else SHARD_NAME
    outside = [shard.path for shard in manifest.shards if not re.fullmatch(pattern, shard.path)]
    if outside:
        raise ConfigError([Problem(PATH, f"shard {path!r}", f"a path like {pattern}") for path in outside])
    if manifest.older:
        log.warning("%s is of an older format; `geoscribe build` publishes it anew in format %d", where, FORMAT)
    return Dataset(store, manifest)
