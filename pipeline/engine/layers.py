"""Layers: one immutable Parquet file per unit and stage. Its name has all that is needed to resume.

The name is `<layer>/<region>/<unit>.<recipe>.<content>.parquet`. `recipe` is a digest of how and from what the table
was made, `content` a hash of the file's bytes, which are the same for the same rows. So damage is detected on reading,
and a stage whose input was made again with the same result does not run again. It is no seal: it need not withstand who
means to deceive the build, as whoever can write the file can name it.
"""

import io
import json
import os
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq
import xxhash

from pipeline.digest import digest_bytes
from pipeline.engine.counts import Counts, count
from pipeline.errors import MachineError
from pipeline.publishing.row_groups import rows_within
from pipeline.stages import STAGES
from pipeline.storage import Entry, Store
from schemas.arrow import from_table, to_table
from schemas.records import LayerRow, Site

RowT = TypeVar("RowT", bound=LayerRow)

_TAIL = 2**15
"""Bytes read at once from a file's end: at least its footer."""
_GROUP_BYTES = 2**30
"""Most of a row group. Arrow cannot read one back that has 2 GiB of pictures in a column."""
_GROUP_ROWS = 2**20
FORMAT = 3
"""Format of the tables of layers, raised when a reader must know. Format 1 had no number and no counts of views; the
names of formats 1 and 2 have another hash."""
_DIGITS = 32
_HASHES: dict[int, Callable[[bytes | pa.Buffer], str]] = {16: digest_bytes, _DIGITS: xxhash.xxh3_128_hexdigest}
"""Hash of a file's bytes, by its number of digits: BLAKE2b up to format 2, then XXH3, in a tenth of the time."""
FORMAT_KEY = b"geoscribe.format"
COUNTS = b"geoscribe.counts"
MADE = b"geoscribe.made"
UNITS = b"geoscribe.units"
_NAME = re.compile(
    r"(?P<layer>[a-z]+)/(?P<region>[^/]+)/(?P<unit>[^/.]+)\.(?P<recipe>[0-9a-f]+)\.(?P<content>[0-9a-f]+)\.parquet"
)
ALL = "all"
"""Takes the place of the unit in the name of a region's sites."""
LAYERS = ("sites", *(stage.name for stage in STAGES))


class DamagedLayerError(Exception):
    """A layer file whose bytes do not match its name."""

    def __init__(self, file: "LayerFile") -> None:
        super().__init__(f"{file.path} is damaged: its bytes do not match its name")
        self.file = file


@dataclass(frozen=True, order=True)
class LayerFile:
    """A committed table, by its name."""

    layer: str
    region: str
    unit: str
    recipe: str
    content: str

    @property
    def path(self) -> str:
        """Path in the workspace."""
        return f"{self.layer}/{self.region}/{self.unit}.{self.recipe}.{self.content}.parquet"


@dataclass(frozen=True)
class Made:
    """The inputs that a table's rows were made from."""

    parts: dict[str, str]
    """By part of the rows: digest of settings, versions and fingerprints."""
    inputs: dict[str, str]
    """By site id: digest of what the stage was given of the site."""


class Listing:
    """All layer files of a workspace at one moment: the state of the whole build."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.sizes: dict[LayerFile, int] = {}
        self._by_unit: dict[tuple[str, str], list[LayerFile]] = defaultdict(list)
        for entry in entries:
            match = _NAME.fullmatch(entry.path)
            if match and match["layer"] in LAYERS:
                file = LayerFile(*match.groups())
                self.sizes[file] = entry.size
                self._by_unit[file.region, file.unit].append(file)

    def of_unit(self, region: str, unit: str) -> tuple[LayerFile, ...]:
        """The files of a unit, of all layers and recipes."""
        return tuple(self._by_unit.get((region, unit), ()))

    def sites(self, region: str, recipe: str) -> LayerFile | None:
        """A region's sites. Of several files with one recipe, the one whose name sorts first counts, everywhere."""
        return min((f for f in self.of_unit(region, ALL) if f.layer == "sites" and f.recipe == recipe), default=None)

    def __iter__(self) -> Iterator[LayerFile]:
        return iter(self.sizes)


def list_layers(store: Store, *layers: str) -> Listing:
    """The files of some layers, or of all."""
    return Listing(entry for layer in layers or LAYERS for entry in store.entries(layer))


def list_region(store: Store, region: str) -> Listing:
    """The files of one region, of all layers."""
    return Listing(entry for layer in LAYERS for entry in store.entries(f"{layer}/{region}"))


def commit(
    store: Store,
    layer: str,
    region: str,
    unit: str,
    recipe: str,
    record: type[RowT],
    rows: Sequence[RowT],
    made: Made | None = None,
) -> LayerFile:
    """Write a unit's table, unless the same one is already there. `made` says what its rows were made from."""
    footer = {COUNTS: count(rows).as_json()}
    if made is not None:
        footer[MADE] = json.dumps({"parts": made.parts, "inputs": made.inputs}, sort_keys=True).encode()
    return commit_table(store, layer, region, unit, recipe, to_table(record, rows), footer)


def commit_sites(store: Store, region: str, recipe: str, sites: Sequence[Site], digests: dict[str, str]) -> LayerFile:
    """Write a region's sites. The footer has the number and digest of each unit's sites."""
    sizes = Counter(site.unit for site in sites)
    units = {unit: [sizes[unit], digests[unit]] for unit in sorted(sizes)}
    return commit_table(store, "sites", region, ALL, recipe, to_table(Site, sites), {UNITS: json.dumps(units).encode()})


def commit_table(
    store: Store, layer: str, region: str, unit: str, recipe: str, table: pa.Table, footer: dict[bytes, bytes]
) -> LayerFile:
    """Encode a table and write it under the name that follows from its bytes."""
    buffer = io.BytesIO()
    pq.write_table(
        table.replace_schema_metadata({**footer, FORMAT_KEY: str(FORMAT).encode()}),
        buffer,
        compression={path: _codec(path) for path in _leaves(table.schema)},
        use_dictionary=False,
        write_statistics=False,
        row_group_size=min(rows_within(table, _GROUP_BYTES), _GROUP_ROWS),
    )
    data = buffer.getvalue()
    file = LayerFile(layer, region, unit, recipe, _HASHES[_DIGITS](data))
    store.create(file.path, data)
    return file


def read(store: Store, file: LayerFile) -> pa.Table:
    """Read a committed table.

    Raises:
        DamagedLayerError: the bytes are not those that were written.
        MachineError: a newer version of geoscribe wrote it.
        FileNotFoundError: another build has superseded and removed the file.
    """
    data = store.buffer(file.path)
    hashed = _HASHES.get(len(file.content))
    if hashed is None or hashed(data) != file.content:
        raise DamagedLayerError(file)
    # On this thread: other threads work on other units, and to share this one's columns costs twice the time.
    opened = pq.ParquetFile(pa.BufferReader(data))
    groups = [opened.read_row_group(number, use_threads=False) for number in range(opened.num_row_groups)]
    table = pa.concat_tables(groups) if groups else opened.read()
    written = int((table.schema.metadata or {}).get(FORMAT_KEY, b"1"))
    if written > FORMAT:
        raise MachineError(
            f"{file.path} has format {written}; this version of geoscribe reads up to {FORMAT}: update it"
        )
    return table


def read_columns(store: Store, file: LayerFile, columns: list[str]) -> pa.Table:
    """Read some columns of a table, without reading or checking the others.

    Raises:
        DamagedLayerError: those columns cannot be read.
        FileNotFoundError: the file is gone.
    """
    with store.reader(file.path) as source:
        try:
            return pq.ParquetFile(source).read(columns=columns)
        except (pa.ArrowInvalid, OSError) as error:
            raise DamagedLayerError(file) from error


def read_rows(store: Store, file: LayerFile, record: type[RowT]) -> Sequence[RowT]:
    """Read a committed table's rows. Raises as `read` does."""
    return from_table(record, read(store, file))


def read_counts(store: Store, file: LayerFile) -> Counts:
    """Counts from a file's footer, without reading its rows.

    The key is searched in the bytes of the footer: a build has tens of thousands of files, and parsing the schema of
    each (150 columns) takes many times as long.

    Raises:
        DamagedLayerError: the footer cannot be read.
        FileNotFoundError: the file is gone.
    """
    with store.reader(file.path) as source:
        try:
            footer = _footer(source)
            # The first is the key: words from elsewhere, which may hold it too, stand in its value, behind it.
            start = footer.index(b"{", footer.index(COUNTS))
            raw, _ = json.JSONDecoder().raw_decode(footer[start:].decode("latin-1"))
            return Counts.of(raw)
        except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            raise DamagedLayerError(file) from error


def read_made(store: Store, file: LayerFile) -> Made | None:
    """The inputs of a table's rows; None where the table does not say, cannot be read or is gone."""
    try:
        with store.reader(file.path) as source:
            raw = json.loads((pq.read_metadata(source).metadata or {}).get(MADE, b"null"))
    except (pa.ArrowException, OSError, ValueError, RecursionError):
        return None  # whoever reads its rows meets the damage
    return Made(raw["parts"], raw["inputs"]) if raw else None


def _footer(source: BinaryIO) -> bytes:
    """The footer of a Parquet file. Its length and `PAR1` are at the file's end."""
    size = source.seek(0, os.SEEK_END)
    source.seek(max(0, size - _TAIL))
    tail = source.read()
    if tail[-4:] != b"PAR1":
        raise ValueError("no Parquet file")
    length = int.from_bytes(tail[-8:-4], "little")
    if length + 8 > len(tail):
        source.seek(max(0, size - length - 8))
        tail = source.read()
    return tail[-8 - length : -8]


def read_units(store: Store, file: LayerFile) -> dict[str, tuple[int, str]]:
    """Number and digest of the sites of each unit of a region. The whole file is checked, as in `read`."""
    units = json.loads(read(store, file).schema.metadata[UNITS])
    return {unit: (size, mark) for unit, (size, mark) in units.items()}


def _codec(path: str) -> str:
    """Compression by column: encoded pictures do not shrink further."""
    return "NONE" if path.endswith(".bytes") else "ZSTD"


def _leaves(schema: pa.Schema) -> list[str]:
    """Parquet column paths of the leaves of a schema."""

    def below(prefix: str, kind: pa.DataType) -> Iterator[str]:
        if pa.types.is_struct(kind):
            for field in kind:
                yield from below(f"{prefix}.{field.name}", field.type)
        elif pa.types.is_list(kind):
            yield from below(f"{prefix}.list.element", kind.value_type)
        else:
            yield prefix

    return [leaf for field in schema for leaf in below(field.name, field.type)]
