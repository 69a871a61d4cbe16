"""Checks of a dataset's files against its manifest, without looking into the shards' rows."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from pipeline.config.strict_yaml import parse_yaml
from pipeline.publishing import manifest
from pipeline.publishing.assemble import JSON_SCHEMA
from pipeline.publishing.citation import CITATION
from pipeline.publishing.croissant import CROISSANT
from pipeline.publishing.layout import schema_fingerprint
from pipeline.publishing.manifest import FileEntry, Manifest
from pipeline.publishing.revisions import Standing, archive, is_own
from pipeline.publishing.shards import SHARD_NAME, file_entry, read_entry
from pipeline.publishing.split_file import SPLIT_FILE
from pipeline.publishing.splits import ALIASES
from pipeline.publishing.tables import ATTRIBUTION, EXCLUDED, SAMPLES
from pipeline.storage import Store


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong."""

    file: str
    row: int | None
    """From 0; null where the fault is no single row's."""
    column: str | None
    what: str

    def __str__(self) -> str:
        row = "" if self.row is None else f", row {self.row}"
        column = "" if self.column is None else f", column {self.column}"
        return f"{self.file}{row}{column}: {self.what}"


def manifest_faults(whole: Manifest) -> Iterator[Fault]:
    """Counts that do not add up, and what every dataset must have."""
    counts = whole.counts
    regions: dict[str, Counter[str]] = {}
    for shard in whole.shards:
        for region, rows in shard.counts.regions.items():
            regions.setdefault(region, Counter())[shard.split] += rows
    splits = sum(regions.values(), Counter())
    for column, said, found in (
        ("counts.regions", counts.regions, {region: dict(by_split) for region, by_split in regions.items()}),
        ("counts.splits", counts.splits, dict(splits)),
        ("counts.published", counts.published, splits.total()),
        ("counts.sites", counts.sites, sum((counts.published, *counts.failed.values(), *counts.excluded.values()))),
    ):
        if said != found:
            yield Fault(manifest.PATH, None, column, f"{said}, should be {found}")
    if not whole.older and whole.schema_fingerprint != schema_fingerprint():
        what = f"{whole.schema_fingerprint}, should be {schema_fingerprint()}"
        yield Fault(manifest.PATH, None, "schema_fingerprint", what)
    needed = {manifest.CARD, ATTRIBUTION.file, JSON_SCHEMA}
    needed |= {SAMPLES.file} if whole.format_number > 1 else set()
    needed |= {EXCLUDED, SPLIT_FILE} if whole.format_number > 2 else set()
    for name in sorted(needed - {entry.path.rpartition("/")[2] for entry in whole.files}):
        yield Fault(manifest.PATH, None, "files", f"lists no {name}")


def listing_faults(store: Store, whole: Manifest, standing: Standing) -> Iterator[Fault]:
    """Files that are missing, and Parquet files that a reader of folders would take for the dataset's.

    Files of other revisions, and those that a killed publish left, are none of these.
    """
    present = standing.entries.keys()
    listed = {entry.path for entry in whole.listed}
    for path in sorted(listed - present):
        yield Fault(path, None, None, "is in the manifest but not there")
    for revision in standing.archived.values():
        listed |= {archive(revision.digest), *(entry.path for entry in revision.listed)}
    for path in sorted(present - listed):
        if (path.startswith("data/") or path.endswith(".parquet")) and not _left_over(store, path):
            yield Fault(path, None, None, "is in no manifest, and no part of the dataset; remove it")


def _left_over(store: Store, path: str) -> bool:
    """Whether a file is a shard or table, whole, that a publish left when it was killed."""
    if not is_own(path):
        return False
    try:
        with store.reader(path) as file:
            if re.fullmatch(SHARD_NAME, path):
                return read_entry(file, path) is not None
            pq.read_metadata(file)
    except FileNotFoundError:
        return True  # somebody removed it meanwhile
    except (OSError, pa.ArrowException):
        return False
    return True


def file_faults(store: Store, entry: FileEntry) -> Iterator[Fault]:
    """A file that is not the one that was published."""
    try:
        with store.reader(entry.path) as file:
            found = file_entry(file, entry.path)
    except FileNotFoundError:
        yield Fault(entry.path, None, None, "went while it was checked: the dataset was revised; verify again")
        return
    if found.bytes != entry.bytes:
        yield Fault(entry.path, None, None, f"has {found.bytes} bytes, should have {entry.bytes}")
    elif found.sha256 != entry.sha256:
        yield Fault(entry.path, None, None, f"has SHA-256 {found.sha256}, should have {entry.sha256}")


def root_faults(store: Store, whole: Manifest, standing: Standing) -> Iterator[Fault]:
    """Files in the root, beside card and manifest, that are no revision's.

    As the card, they may be those of another revision, where a publisher was killed.
    """
    for name in (CROISSANT, CITATION):
        known = {
            entry.sha256
            for revision in (whole, *standing.archived.values())
            for entry in revision.files
            if entry.path == f"revisions/{revision.digest}/{name}"
        }
        if not any(entry.path.endswith(f"/{name}") for entry in whole.files):
            continue  # an older version of geoscribe wrote none
        try:
            with store.reader(name) as file:
                found = file_entry(file, name).sha256
        except FileNotFoundError:
            yield Fault(name, None, None, "no such file")
            continue
        if found not in known:
            yield Fault(name, None, None, f"has SHA-256 {found}, should have {' or '.join(sorted(known))}")


def card_faults(store: Store, whole: Manifest, standing: Standing) -> Iterator[Fault]:
    """A card in force that is no revision's, or lists what is not there.

    For a moment, or for long if a publish was killed in it, it may be that of another revision than the manifest's.
    """
    if standing.card is None:
        yield Fault(manifest.CARD, None, None, "no such file")
        return
    if standing.card != whole.card_sha256:
        other = next((one for one in standing.archived.values() if one.card_sha256 == standing.card), None)
        if other is not None:
            for path in standing.missing(other):
                yield Fault(path, None, None, f"is listed by {manifest.CARD} but not there")
            return
        if not whole.older:  # the next publish rewrites the card of an older format before it begins
            yield Fault(manifest.CARD, None, None, f"has SHA-256 {standing.card}, should have {whole.card_sha256}")
    text = store.read(manifest.CARD).decode(errors="replace")
    try:
        header = parse_yaml(text.split("---\n")[1])
        said = {split["name"]: split["num_examples"] for split in header["dataset_info"]["splits"]}
    except (yaml.YAMLError, LookupError, TypeError) as error:
        yield Fault(manifest.CARD, None, None, f"its YAML header cannot be read: {error!r}")
        return
    aliases = {name: split for split, names in ALIASES.items() for name in names}
    wanted = whole.counts.splits
    if not whole.older:
        wanted = wanted | {name: wanted[split] for name, split in aliases.items() if split in wanted}
    if said != wanted:
        yield Fault(manifest.CARD, None, "dataset_info.splits", f"{said}, should be {wanted}")
