"""The files of distractors, one for each split, with the columns of a shard: what a distractor lacks is null.

A file is named by what it is made from and by its bytes. So one that would come out the same is neither made nor moved.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.digest import digest
from pipeline.publishing.distractors import FILE_NAME, Chosen
from pipeline.publishing.joining import LayerRows, chip_columns, place_columns, runs, table_of
from pipeline.publishing.layout import columns, schema_fingerprint, shard_schema, writer_options
from pipeline.publishing.manifest import FileEntry
from pipeline.publishing.revisions import Standing
from pipeline.publishing.row_groups import row_groups
from pipeline.publishing.shards import VERSION, file_entry, scratch_of
from pipeline.publishing.terms import Terms
from pipeline.stopping import check_stop
from pipeline.storage import Store
from schemas.records import ImageryRow, Split

_STREET = ("street", "panorama", "other_views")
_TEXT = (
    "description",
    "language",
    "sentences",
    "cues",
    "notes",
    "aerial_signatures",
    "captioner",
    "prompt_set",
    "model",
)


def filled_columns() -> pa.Schema:
    """Columns of a shard that say something of a distractor: where it is, its chips and their terms."""
    return pa.schema([column for column in columns() if not column.name.startswith(_STREET + _TEXT)])


@dataclass(frozen=True)
class DistractorFile:
    """A file of distractors to have in a dataset."""

    split: str
    recipe: str
    """Digest of all that decides its bytes."""
    write: Callable[[Path], object]
    """Writes it as a local file."""


def files_of(chosen: Iterable[Chosen], row_group_bytes: float) -> list[DistractorFile]:
    """The files of the distractors that are published: one a split."""
    by_split: dict[Split, list[Chosen]] = {}
    for one in chosen:
        by_split.setdefault(one.split, []).append(one)

    def file(split: Split, units: list[Chosen]) -> DistractorFile:
        made_from = [[one.unit.region, one.unit.unit, one.unit.content, one.sites, one.synthetic] for one in units]
        recipe = digest(VERSION, schema_fingerprint(), "distractors", split, made_from, row_group_bytes, length=16)
        count = sum(len(one.sites) for one in units)
        return DistractorFile(split, recipe, lambda path: write_rows(path, _tables(units), count, row_group_bytes))

    return [file(split, units) for split, units in sorted(by_split.items())]


def put_files(files: Sequence[DistractorFile], out: Store, there: Iterable[FileEntry] = ()) -> list[FileEntry]:
    """Put files in their places, and return what the manifest says of them. Those that are `there` stay as they are.

    Raises:
        MachineError: one cannot be written.
    """
    named: dict[tuple[str, str], FileEntry] = {}
    for entry in there:
        if name := re.fullmatch(FILE_NAME, entry.path):
            named.setdefault((name["split"], name["recipe"]), entry)
    return [named.get((file.split, file.recipe)) or _put(file, out) for file in files]


def files_there(standing: Standing) -> Iterator[FileEntry]:
    """What revisions of a dataset list beside shards, as far as it is there in full length."""
    return (entry for revision in standing.revisions for entry in revision.files if standing.has(entry))


def _put(file: DistractorFile, out: Store) -> FileEntry:
    with scratch_of(out, "distractors") as temporary:
        file.write(temporary)
        with temporary.open("rb") as written:
            entry = file_entry(written, "")
        path = f"distractors/{file.split}-{file.recipe}-{entry.sha256[:16]}.parquet"
        out.adopt_new(temporary, path)
    return entry.model_copy(update={"path": path})


def rows_with(rows: pa.Table, keep: Collection[str]) -> pa.Table:
    """The rows of some ids."""
    return rows.filter(pc.is_in(rows["sample_id"], value_set=pa.array(sorted(keep), pa.string())))


def write_rows(path: Path, tables: Iterable[pa.Table], count: int, row_group_bytes: float) -> None:
    """Write rows with the columns of a shard, `count` of them, as a local file of distractors."""

    def checked() -> Iterator[pa.Table]:
        for table in tables:
            check_stop()
            yield table

    schema = shard_schema((-180.0, -90.0, 180.0, 90.0))
    with pq.ParquetWriter(path, schema, **writer_options(count)) as writer:
        for row_group in row_groups(checked(), row_group_bytes):
            writer.write_table(row_group, row_group_size=row_group.num_rows)


def _tables(units: Iterable[Chosen]) -> Iterator[pa.Table]:
    """The rows of units, one after the other."""
    for one in units:
        layer = one.unit.load().imagery
        for sites in runs(layer, one.sites):
            yield _rows(one, LayerRows(ImageryRow, layer, sites))


def _rows(chosen: Chosen, imagery: LayerRows) -> pa.Table:
    rows = len(imagery.ids)
    terms = Terms(rows, chosen.synthetic)
    tokens = ("description_tokens", "description_short_tokens", "description_street_tokens")
    none = pa.repeat(pa.scalar(0, pa.int64()), rows)
    chips = chip_columns(imagery, terms)
    found = {**place_columns(imagery, chosen.split), **chips, **terms.columns(), **dict.fromkeys(tokens, none)}
    return table_of(found, rows)
