"""Checks of a revision's tables against its shards. That their bytes are others is told elsewhere."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import h3
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from pipeline.errors import MachineError
from pipeline.publishing.attribution import COLUMNS as CREDITED_COLUMNS
from pipeline.publishing.attribution import credits_of
from pipeline.publishing.distractors import split_of_file
from pipeline.publishing.layout import columns
from pipeline.publishing.manifest import Manifest
from pipeline.publishing.rewrite import distractor_rows
from pipeline.publishing.split_file import SPLIT_FILE, SplitFile
from pipeline.publishing.tables import ATTRIBUTION, EXCLUDED, SAMPLES
from pipeline.quantity import quantity
from pipeline.storage import Store
from tools.verify.files import Fault


class Placed(NamedTuple):
    """Where a sample stands."""

    shard: str
    row: int
    sample_id: str


def table_faults(
    store: Store, whole: Manifest, placed: Sequence[Placed], split_of_unit: Mapping[str, str]
) -> Iterator[Fault]:
    """The faults of tables that say otherwise than the shards.

    Args:
        store: the dataset.
        whole: its manifest.
        placed: all samples that were read.
        split_of_unit: by H3 cell.
    """
    read = len(placed) == whole.counts.published
    checks: dict[str, Callable[[str], Iterator[Fault]]] = {
        ATTRIBUTION.file: lambda path: _attribution_faults(store, whole, path),
        EXCLUDED: lambda path: _excluded_faults(store, whole, path),
        SPLIT_FILE: lambda path: _split_faults(store, split_of_unit, path),
        **({SAMPLES.file: lambda path: _index_faults(store, whole, placed, path)} if read else {}),
    }
    for path in (entry.path for entry in whole.files):
        split = split_of_file(path)
        check = checks.get(path.rpartition("/")[2]) if split is None else _distractors_of(store, whole, placed, split)
        try:
            yield from check(path) if check else ()
        except FileNotFoundError:
            continue  # told elsewhere
        except (OSError, pa.ArrowException) as error:
            yield Fault(path, None, None, f"cannot be read as Parquet: {error}")


def _distractors_of(
    store: Store, whole: Manifest, placed: Sequence[Placed], split: str
) -> Callable[[str], Iterator[Fault]]:
    def faults(path: str) -> Iterator[Fault]:
        with store.reader(path) as file:
            opened = pq.ParquetFile(file, page_checksum_verification=True)
            if not opened.schema_arrow.equals(columns()):
                yield Fault(path, None, None, "has other columns than a shard")
                return
            rows = [r for g in range(opened.num_row_groups) for r in opened.read_row_group(g, list(_SEEN)).to_pylist()]
        if len(rows) != whole.counts.distractors.get(split):
            yield Fault(
                path,
                None,
                None,
                f"{quantity(len(rows), 'row')}; the manifest counts {whole.counts.distractors.get(split)}",
            )
        known, gone = {one.sample_id for one in placed}, set(whole.removed)
        for number, row in enumerate(rows):
            if row["sample_id"] in known:
                yield Fault(path, number, "sample_id", "is that of a sample, or stands twice")
            known.add(row["sample_id"])
            if row["sample_id"] in gone:
                yield Fault(path, number, "sample_id", "was taken down and is there")
            if row["split"] != split:
                yield Fault(path, number, "split", f"{row['split']!r}, not {split!r}")
            if row["description"] is not None or row["street_view"] is not None:
                yield Fault(path, number, None, "a distractor with a text or a street view")
            if row["aerial_chip"] is None and row["map_chip"] is None:
                yield Fault(path, number, None, "a distractor without a chip")

    return faults


_SEEN = ("sample_id", "split", "description", "street_view.source_id", "aerial_chip.gsd_m", "map_chip.gsd_m")


def _index_faults(store: Store, whole: Manifest, placed: Sequence[Placed], path: str) -> Iterator[Fault]:
    with store.reader(path) as file:
        table = pq.read_table(file, columns=[*Placed._fields, "split"])
    split_of = {shard.path: shard.split for shard in whole.shards}
    for shard, split in sorted(set(zip(table["shard"].to_pylist(), table["split"].to_pylist(), strict=True))):
        if split_of.get(shard, split) != split:
            yield Fault(path, None, "split", f"{split!r} for samples of {shard}")
    said = {Placed(*row) for row in zip(*(table[name].to_pylist() for name in Placed._fields), strict=True)}
    for row in sorted(said ^ set(placed)):
        yield Fault(path, None, None, f"does not fit {row.shard}, row {row.row}, sample {row.sample_id!r}")


_CREDITED = ("sample_id", "role", "source", "source_id", "author", "licence")


def _attribution_faults(store: Store, whole: Manifest, path: str) -> Iterator[Fault]:
    pictures = sum(sum(by_licence.values()) for by_licence in whole.counts.pictures.values())
    with store.reader(path) as file:
        opened = pq.ParquetFile(file, page_checksum_verification=True)
        if "distractor" not in opened.schema_arrow.names:  # earlier revisions credit samples alone
            if opened.metadata.num_rows != pictures:
                yield Fault(
                    path, None, None, f"has {quantity(opened.metadata.num_rows, 'row')}, should have {pictures}"
                )
            return
        rows = opened.read(columns=[*_CREDITED, "distractor"]).to_pylist()
    samples = sum(not row["distractor"] for row in rows)
    if samples != pictures:
        yield Fault(
            path, None, None, f"has {quantity(samples, 'row')} of samples, should have {pictures}, one a picture"
        )
    told = Counter(tuple(row[name] for name in _CREDITED) for row in rows if row["distractor"])
    try:
        chips = [row for _, row in distractor_rows(store, whole, CREDITED_COLUMNS)]
    except MachineError:
        return  # that their file is damaged is told of the file itself
    due = Counter(tuple(credit[name] for name in _CREDITED) for row in chips for credit in credits_of(row))
    for sample_id in sorted({str(credit[0]) for credit in ((told - due) + (due - told))}):
        yield Fault(path, None, None, f"does not credit the pictures of distractor {sample_id!r} as its row does")


def _excluded_faults(store: Store, whole: Manifest, path: str) -> Iterator[Fault]:
    with store.reader(path) as file:
        found = Counter(pq.read_table(file, columns=["reason"])["reason"].to_pylist())
    said = {reason: count for reason, count in whole.counts.excluded.items() if count}
    if found != said:
        yield Fault(path, None, "reason", f"{dict(found)}, should be {said}")


def _split_faults(store: Store, split_of_unit: Mapping[str, str], path: str) -> Iterator[Fault]:
    try:
        told = SplitFile.model_validate_json(store.read(path))
    except ValidationError as error:
        yield Fault(path, None, None, f"cannot be read: {error.errors()[0]['msg']}")
        return
    for unit, split in sorted(split_of_unit.items()):
        if h3.is_valid_cell(unit) and told.units.get(unit) != split:
            yield Fault(path, None, "units", f"{unit} is {told.units.get(unit)}, should be {split}")
